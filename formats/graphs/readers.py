"""Ops that read a variable through its handle, and the ops that do so with its value.

Source: tensorflow/core/ops/resource_variable_ops.cc, array_ops.cc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.graph import AttrValue, Node, parse_input
from modelfmt.tensor import Tensor

#: How output 0 of a node is spelled as an input.
Spell: TypeAlias = Callable[[str], str]


def _remade(node: Node, op: str, attrs: Mapping[str, AttrValue]) -> Node:
    """The node as another op; of its attrs those that begin with an underscore stay."""
    node.op = op
    for key in list(node.attrs):
        if not key.startswith("_") and key not in attrs:
            del node.attrs[key]
    node.attrs.update(attrs)
    return node


def _read(node: Node, dtype: DType, spell: Spell) -> list[Node]:
    return [_remade(node, "Identity", {"T": dtype})]


def _gather(node: Node, dtype: DType, spell: Spell) -> list[Node]:
    batch = node.attrs.get("batch_dims", 0)
    import numpy as np

    axis = Tensor.from_numpy("axis", np.array(batch, np.int32))
    const = Node(
        f"{node.name}/axis", "Const", [f"^{parse_input(node.data_inputs[1]).node}"],
        {"dtype": dtypes.int32, "value": axis},
    )  # fmt: skip
    indices = node.attrs["Tindices"]
    node.inputs.insert(2, spell(const.name))
    attrs = {"Tparams": dtype, "Tindices": indices, "Taxis": dtypes.int32}
    if batch:  # unknown to TensorFlow below 1.14
        attrs["batch_dims"] = batch
    return [const, _remade(node, "GatherV2", attrs)]


def _gather_nd(node: Node, dtype: DType, spell: Spell) -> list[Node]:
    attrs = {"Tparams": dtype, "Tindices": node.attrs["Tindices"]}
    return [_remade(node, "GatherNd", attrs)]


def _shape(node: Node, dtype: DType, spell: Spell) -> list[Node]:
    out = node.attrs.get("out_type", dtypes.int32)
    return [_remade(node, "Shape", {"T": dtype, "out_type": out})]


def _initialised(node: Node, dtype: DType, spell: Spell) -> list[Node]:
    import numpy as np

    node.inputs = [f"^{parse_input(node.data_inputs[0]).node}"]
    yes = Tensor.from_numpy(node.name, np.array(True))
    return [_remade(node, "Const", {"dtype": dtypes.bool_, "value": yes})]


#: Op -> what it becomes, of a copy of the node and the variable's dtype.
READERS: dict[str, Callable[[Node, DType, Spell], list[Node]]] = {
    "ReadVariableOp": _read, "ResourceGather": _gather, "ResourceGatherNd": _gather_nd,
    "VariableShape": _shape, "VarIsInitializedOp": _initialised,
}  # fmt: skip


