"""Which Consts of a frozen graph are weights, and what the variables were called.

    a Const that feeds ``.../read`` or ``.../ReadVariableOp`` (an Identity)      any dtype
    a Const called ``.../ReadVariableOp/resource``                               any dtype
    a float of rank 1 or more in a slot of ``_SLOTS``, as it is or through Enter

and never one with control inputs, which may stand in a loop or a branch, nor an empty one.
Source: tensorflow/python/framework/convert_to_constants.py and graph_util_impl.py, for what
freezing leaves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from modelfmt import opdefs
from modelfmt.graph import Node, parse_input
from modelfmt.tensor import Tensor

#: For each node, those that read its first output, and which of their inputs it is.
Users: TypeAlias = Mapping[str, Sequence[tuple[Node, int]]]

_NORMALIZATION = {1: "gamma", 2: "beta", 3: "moving_mean", 4: "moving_variance"}
#: op -> the inputs that take weights, and what Keras calls these.
_SLOTS: dict[str, dict[int, str]] = {
    op: slots
    for ops, slots in (
        ("MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 SparseMatMul", {0: "kernel", 1: "kernel"}),
        ("Conv2D Conv3D Conv2DBackpropInput Conv3DBackpropInputV2 Dilation2D", {1: "kernel"}),
        ("DepthwiseConv2dNative", {1: "depthwise_kernel"}),
        ("BiasAdd BiasAddV1", {1: "bias"}),
        ("Gather GatherV2 ResourceGather", {0: "embeddings"}),
        ("FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3", _NORMALIZATION),
        ("BatchNormWithGlobalNormalization",
         {1: "moving_mean", 2: "moving_variance", 3: "beta", 4: "gamma"}),
    )
    for op in ops.split()
}  # fmt: skip
_NOT_TRAINED = re.compile(r"(^|/)(moving_|running_|.*batch_norm.*/(mean|variance)$)")
#: Names of nodes that read a variable, and of the Consts that freezing puts in its place.
_READ = re.compile(r"(^|/)(read|ReadVariableOp(_\d+)?)$")
_FROZEN = re.compile(r"/(ReadVariableOp(_\d+)?/resource|resource)$|(?<=embedding_lookup)/\d+$")
_NUMBER = re.compile(r"_\d+$")
#: Scopes that TensorFlow opens around an op, beside those named as the op itself.
_OP_SCOPES = frozenset({"Tensordot", "convolution", "batchnorm", "embedding_lookup", "einsum"})
#: What a weight may pass on the way to where it is used.
_LOOKED_THROUGH = frozenset({"Identity", "Enter", "RefEnter", "Cast", "Reshape", "Squeeze"})


def users_of(nodes: Mapping[str, Node]) -> dict[str, list[tuple[Node, int]]]:
    """For each node, those that read its first output, and which of their inputs it is."""
    users: dict[str, list[tuple[Node, int]]] = {}
    for node in nodes.values():
        for port, text in enumerate(node.data_inputs):
            edge = parse_input(text)
            if edge.port == 0:
                users.setdefault(edge.node, []).append((node, port))
    return users


def is_weight(node: Node, users: Users) -> bool:
    """Whether a Const of a frozen graph was a variable, or holds what should be one."""
    value = node.attrs.get("value") if node.op == "Const" else None
    if not isinstance(value, Tensor) or node.controls or not value.size:
        return False
    if _FROZEN.search(node.name) or any(_reads(u, users) for u, _ in users.get(node.name, ())):
        return True
    return (
        value.dtype.is_floating and bool(value.shape)
        and slot_of(node.name, users, frozenset({"Enter"})) is not None
    )  # fmt: skip


def _reads(node: Node, users: Users) -> bool:
    """Whether a node was the read of a variable, in a loop behind an Enter."""
    if node.op == "Enter":
        return any(_reads(user, users) for user, _ in users.get(node.name, ()))
    return node.op == "Identity" and _READ.search(node.name) is not None


def slot_of(
    name: str, users: Users, through: frozenset[str] = _LOOKED_THROUGH
) -> str | None:
    """What the first weight slot that a tensor reaches calls it; None where it reaches none."""
    seen, todo = {name}, [name]
    while todo:
        for user, port in users.get(todo.pop(0), ()):
            slot = _SLOTS.get(user.op, {}).get(port)
            if slot is not None:
                return slot
            if user.op in through and port == 0 and user.name not in seen:
                seen.add(user.name)
                todo.append(user.name)
    return None


def variable_name(const: str, slot: str | None, nodes: Mapping[str, Node]) -> str:
    """The name of the variable that a Const was, or may have been.

    TensorFlow 1 keeps the variable's own name. TensorFlow 2 names the Const after the op that
    reads it: ``dense/MatMul/ReadVariableOp/resource`` becomes ``dense/kernel``.
    """
    base = _FROZEN.sub("", const)
    if base == const:
        return const
    scope, _, last = base.rpartition("/")
    stem = _NUMBER.sub("", last)
    is_op = base in nodes or opdefs.get(stem) is not None or stem in _OP_SCOPES
    if not is_op:
        scope = base
    elif _NUMBER.sub("", scope.rpartition("/")[2]) in _OP_SCOPES:
        scope = scope.rpartition("/")[0]
    return "/".join(part for part in (scope, slot or "variable") if part)


def is_trained(name: str, slot: str | None = None) -> bool:
    """Whether training would change a variable, going by its name and its place."""
    return slot not in ("moving_mean", "moving_variance") and not _NOT_TRAINED.search(name)
