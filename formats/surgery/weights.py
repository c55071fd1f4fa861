"""Which Consts of a frozen graph are weights, and what the variables were called.

    a Const that feeds ``.../read`` or ``.../ReadVariableOp`` (an Identity)      any dtype
    a Const called ``.../ReadVariableOp/resource``                               any dtype
    a float of rank 1 or more in a slot of ``_SLOTS``, as it is or through Enter
    each of these also where a While, If or call passes it to a function

and never one with control inputs, which may stand in a loop or a branch, nor an empty one.
Source: tensorflow/python/framework/convert_to_constants.py and graph_util_impl.py, for what
freezing leaves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from modelfmt.graph import Func, Function, Node, parse_input
from modelfmt.ops import opdefs
from modelfmt.tensor import Tensor

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
#: What a variable's value passes between where it stood and where it was read.
_PASSED = frozenset({"Identity", "Enter"})
#: Ops that call functions with their inputs, and how many come before the first argument.
_CALLERS = {
    "While": 0, "StatelessWhile": 0, "If": 1, "StatelessIf": 1, "Case": 1, "StatelessCase": 1,
    "PartitionedCall": 0, "StatefulPartitionedCall": 0,
}  # fmt: skip


class Uses:
    """What becomes of each tensor of a graph, in the functions that it is passed to as well.

    Args:
        nodes: of the graph.
        functions: of its library.
    """

    def __init__(
        self, nodes: Mapping[str, Node], functions: Mapping[str, Function] | None = None
    ) -> None:
        self._functions = functions or {}
        self._users = {"": _users(nodes)}

    def reached(self, name: str, through: frozenset[str]) -> Iterator[tuple[Node, int]]:
        """The nodes that a node's first output reaches, and which of their inputs it is.

        Args:
            through: ops that pass their first input on.
        """
        seen = {("", name)}
        todo = list(seen)
        while todo:
            scope, at = todo.pop(0)
            for user, port in self._users[scope].get(at, ()):
                yield user, port
                following = list(self._arguments(user, port))
                if user.op in through and port == 0:
                    following.append((scope, user.name))
                todo += [f for f in dict.fromkeys(following) if f not in seen]
                seen.update(following)

    def slot(self, name: str, through: frozenset[str] = _LOOKED_THROUGH) -> str | None:
        """What the first weight slot that a tensor reaches calls it; None: it reaches none."""
        for user, port in self.reached(name, through):
            slot = _SLOTS.get(user.op, {}).get(port)
            if slot is not None:
                return slot
        return None

    def is_weight(self, node: Node) -> bool:
        """Whether a Const of a frozen graph was a variable, or holds what should be one."""
        value = node.attrs.get("value") if node.op == "Const" else None
        if not isinstance(value, Tensor) or node.controls or not value.size:
            return False
        if _FROZEN.search(node.name) or any(
            user.op == "Identity" and _READ.search(user.name)
            for user, _ in self.reached(node.name, _PASSED)
        ):
            return True
        return (
            value.dtype.is_floating and bool(value.shape)
            and self.slot(node.name, frozenset({"Enter"})) is not None
        )  # fmt: skip

    def _arguments(self, user: Node, port: int) -> Iterator[tuple[str, str]]:
        """The arguments of functions that an input of a node is passed as."""
        if user.op not in _CALLERS:
            return
        for value in list(user.attrs.values()):
            for called in value if isinstance(value, list) else [value]:
                function = self._functions.get(called.name) if isinstance(called, Func) else None
                place = port - _CALLERS[user.op]
                if function is not None and 0 <= place < len(function.arguments):
                    if function.name not in self._users:
                        self._users[function.name] = _users(function)
                    yield function.name, function.arguments[place]


def _users(nodes: Mapping[str, Node]) -> dict[str, list[tuple[Node, int]]]:
    """For each node or argument, what reads its first output, and as which input."""
    users: dict[str, list[tuple[Node, int]]] = {}
    for node in nodes.values():
        for port, text in enumerate(node.data_inputs):
            edge = parse_input(text)
            if edge.port == 0:
                users.setdefault(edge.node, []).append((node, port))
    return users


def variable_name(const: str, slot: str | None, nodes: Mapping[str, Node]) -> str:
    """The name of the variable that a Const was, or may have been.

    TensorFlow 1 keeps the variable's own name. TensorFlow 2 names the Const after the op that
    reads it, so ``dense/MatMul/ReadVariableOp/resource`` becomes ``dense/kernel``; or it numbers
    what a function takes.
    """
    if const.isdigit():
        return slot or "variable"
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
