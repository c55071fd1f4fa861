"""The nodes that initialise, save and restore variables."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graph import Node, parse_input
from modelfmt.graphs.saver import (
    Variable,
    const_node,
    initializer_nodes,
    read_node_of,
    saver_nodes,
    variable_nodes,
    with_saver,
)
from modelfmt.ops import opdefs
from modelfmt.tensor import Tensor


def held(name: str, *shape: int, dtype: str = "f4", **fields: bool) -> Variable:
    value = Tensor.from_numpy(name, np.ones(shape, dtype))
    return Variable(name, value, f"{name}/Read/ReadVariableOp", **fields)


def by_name(nodes: object) -> dict[str, Node]:
    return {node.name: node for node in nodes}  # type: ignore[attr-defined]


def strings(node: Node) -> list[bytes]:
    value = node.attrs["value"]
    assert isinstance(value, Tensor) and value.strings is not None
    return value.strings()


def test_a_resource_variable_and_its_read() -> None:
    handle, read = variable_nodes("d/kernel", Tensor.from_numpy("k", np.ones((3, 2), "f4")))
    assert (handle.name, handle.op, handle.attrs["shared_name"]) == (
        "d/kernel", "VarHandleOp", "d/kernel",
    )  # fmt: skip
    assert handle.attrs["container"] == "" and handle.attrs["dtype"] is dtypes.float32
    assert (read.name, read.inputs) == ("d/kernel/Read/ReadVariableOp", ["d/kernel"])
    assert read == read_node_of("d/kernel", dtypes.float32)


@pytest.mark.parametrize("kind", ["f4", "i8", "?", object])
def test_initialisers_hold_no_weights(kind: str) -> None:
    """What would grow with the variable is a Fill."""
    variable = Variable("w", Tensor.from_numpy("w", np.zeros((300, 200), kind)), "w/read")
    nodes = by_name(initializer_nodes(variable))
    assert nodes["w/Initializer/zeros"].op == "Fill"
    assert nodes["w/Assign"].inputs == ["w", "w/Initializer/zeros"]
    sizes = [node.attrs["value"].size for node in nodes.values() if node.op == "Const"]
    assert max(sizes) == 2
    dims = nodes["w/Initializer/zeros/shape_as_tensor"].attrs["value"]
    assert isinstance(dims, Tensor) and dims.numpy().tolist() == [300, 200]


def test_a_saver_lists_its_keys_in_order_and_reads_the_variables() -> None:
    saver = saver_nodes([held("b"), held("a", 2), held("c", dtype="i4")])
    nodes = by_name(saver.nodes)
    assert (saver.filename, saver.save, saver.restore) == (
        "save/Const", "save/control_dependency", "save/restore_all",
    )  # fmt: skip
    for op in ("SaveV2", "RestoreV2"):
        assert strings(nodes[f"save/{op}/tensor_names"]) == [b"a", b"b", b"c"]
        assert strings(nodes[f"save/{op}/shape_and_slices"]) == [b""] * 3
    assert nodes["save/SaveV2"].inputs[3:] == [f"{n}/Read/ReadVariableOp" for n in "abc"]
    assert nodes["save/SaveV2"].attrs["dtypes"] == [dtypes.float32, dtypes.float32, dtypes.int32]
    assert nodes["save/control_dependency"].inputs == ["save/Const", "^save/SaveV2"]
    assert nodes["save/Identity_2"].inputs == ["save/RestoreV2:2"]
    assert nodes["save/AssignVariableOp_2"].inputs == ["c", "save/Identity_2"]
    assert nodes["save/restore_all"].inputs == [
        "^save/AssignVariableOp", "^save/AssignVariableOp_1", "^save/AssignVariableOp_2",
    ]  # fmt: skip


def test_a_reference_is_assigned_by_assign() -> None:
    nodes = by_name(saver_nodes([held("w", is_resource=False)]).nodes)
    assert nodes["save/Assign"].inputs == ["w", "save/Identity"]
    assert by_name(initializer_nodes(held("w", is_resource=False)))["w/Assign"].op == "Assign"


def test_every_edge_leads_to_a_node_and_every_node_fits_its_op() -> None:
    whole, _, _ = with_saver(by_name(variable_nodes("w", held("w", 2).value)), [held("w", 2)])
    for node in whole.values():
        assert all(parse_input(i).node in whole for i in node.inputs), node
        row = opdefs.get(node.op)
        assert row is not None
        known = {attr.name for attr in row.attrs}
        assert set(node.attrs) <= known


def test_names_that_are_taken() -> None:
    taken = by_name([const_node(n, 0, dtypes.int32) for n in ("w/Assign", "save/Const", "w")])
    whole, (variable,), saver = with_saver(taken, [held("w")])
    assert saver is not None and saver.restore == "save_1/restore_all"
    assert variable.initializer == "w/Assign_1" and whole["w/Assign_1"].op == "AssignVariableOp"
    assert variable.initial_value in whole[variable.initializer].inputs
    assert [whole[n] for n in taken] == list(taken.values())


def test_without_variables_there_is_no_saver() -> None:
    nodes = by_name([const_node("c", 1, dtypes.int32)])
    assert with_saver(nodes, []) == (nodes, [], None)
