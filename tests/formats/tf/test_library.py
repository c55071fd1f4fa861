"""The definitions of the ops that a graph uses."""

from __future__ import annotations

import os

import pytest

from modelfmt import proto
from modelfmt.graph import Func, Function, Node
from modelfmt.ops import opdefs
from modelfmt.tf.graphdef import WireGraph
from modelfmt.tf.library import op_def, op_list


def library(**bodies: list[Node]) -> dict[str, Function]:
    """Functions in a file, each of nodes that may call others."""
    graph = proto.GraphDef()
    for name, nodes in bodies.items():
        function = graph.library.function.add()
        function.signature.name = name
        for node in nodes:
            added = function.node_def.add(name=node.name, op=node.op)
            for key, value in node.attrs.items():
                assert isinstance(value, Func)
                added.attr[key].func.name = value.name
    return dict(WireGraph(graph.SerializeToString()).functions)


def test_ops_are_listed_once_by_name_and_unknown_ones_are_not() -> None:
    functions = library(a=[Node("x", "Tanh"), Node("y", "MyOwnOp")])
    nodes = {n.name: n for n in (Node("p", "Relu"), Node("q", "Relu"), Node("r", "a"))}
    assert [op.name for op in op_list(nodes, functions)] == ["Relu", "Tanh"]


@pytest.mark.oracle
def test_op_defs_are_tensorflows() -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    pytest.importorskip("tensorflow")
    from tensorflow.python.framework import op_def_registry

    compared = 0
    for name in (
        "Conv2D", "VarHandleOp", "SaveV2", "FusedBatchNormV3", "Pack", "While", "Assign",
        "StridedSlice", "Fill", "Const", "Placeholder", "MatMul", "LookupTableFindV2",
    ):  # fmt: skip
        theirs = proto.OpDef.FromString(op_def_registry.get(name).SerializeToString())
        row = opdefs.get(name)
        assert row is not None
        ours = op_def(row)
        for message in (ours, theirs):
            message.ClearField("is_aggregate")
            message.ClearField("allows_uninitialized_input")
            for arg in (*message.input_arg, *message.output_arg):
                arg.ClearField("description")
                arg.ClearField("handle_data")
                arg.ClearField("experimental_full_type")
            for attr in message.attr:
                if attr.type == "type":  # the table does not hold which dtypes an op takes
                    attr.ClearField("allowed_values")
        assert ours == theirs
        compared += 1
    assert compared == 13
