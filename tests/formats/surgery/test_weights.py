"""The rule table of thaw: which Consts are weights, and their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graph import Func, Function, Node
from modelfmt.graphs.saver import const_node
from modelfmt.surgery.weights import Uses, is_trained, variable_name


def graph(*nodes: Node) -> dict[str, Node]:
    return {node.name: node for node in nodes}


def const(name: str, *shape: int, dtype: dtypes.DType = dtypes.float32) -> Node:
    return const_node(name, np.ones(shape), dtype)


def chosen(*nodes: Node) -> list[str]:
    whole = graph(*nodes)
    return [node.name for node in nodes if Uses(whole).is_weight(node)]


SLOTS = [
    ("MatMul", 1, "kernel"), ("MatMul", 0, "kernel"), ("BatchMatMulV2", 1, "kernel"),
    ("Conv2D", 1, "kernel"), ("Conv3D", 1, "kernel"), ("Conv2DBackpropInput", 1, "kernel"),
    ("DepthwiseConv2dNative", 1, "depthwise_kernel"), ("BiasAdd", 1, "bias"),
    ("GatherV2", 0, "embeddings"), ("Gather", 0, "embeddings"),
    ("FusedBatchNormV3", 1, "gamma"), ("FusedBatchNormV3", 2, "beta"),
    ("FusedBatchNorm", 3, "moving_mean"), ("FusedBatchNormV2", 4, "moving_variance"),
    ("BatchNormWithGlobalNormalization", 1, "moving_mean"),
]  # fmt: skip
NO_SLOTS = [
    ("Conv2D", 0), ("BiasAdd", 0), ("GatherV2", 1), ("GatherV2", 2), ("Reshape", 1), ("Pad", 1),
    ("Transpose", 1), ("Mul", 1), ("AddV2", 1), ("ConcatV2", 2), ("Mean", 1),
    ("Conv2DBackpropInput", 0), ("FusedBatchNormV3", 0),
]  # fmt: skip


def user(op: str, port: int, source: str = "w") -> Node:
    return Node("use", op, ["x"] * port + [source])


@pytest.mark.parametrize(("op", "port", "role"), SLOTS)
def test_a_float_in_a_weight_slot_is_a_weight(op: str, port: int, role: str) -> None:
    nodes = const("w", 3), user(op, port)
    assert chosen(*nodes) == ["w"]
    assert Uses(graph(*nodes)).slot("w") == role


@pytest.mark.parametrize(("op", "port"), NO_SLOTS)
def test_elsewhere_it_is_none(op: str, port: int) -> None:
    assert chosen(const("w", 3), user(op, port)) == []


@pytest.mark.parametrize(
    "node",
    [
        const("w"), const("w", 0), const("w", 3, dtype=dtypes.int32),
        Node("w", "Const", ["^while/Identity"], const("w", 3).attrs), Node("w", "Placeholder"),
    ],
    ids=["scalar", "empty", "integers", "in a loop", "no Const"],
)  # fmt: skip
def test_what_is_no_weight_in_a_slot(node: Node) -> None:
    assert chosen(node, user("MatMul", 1)) == []


@pytest.mark.parametrize("name", ["w/read", "d/ReadVariableOp", "d/MatMul/ReadVariableOp_12"])
@pytest.mark.parametrize("dtype", [dtypes.int32, dtypes.string, dtypes.bool_])
def test_what_was_read_is_a_weight_whatever_it_holds(name: str, dtype: Any) -> None:
    node = const_node("w", b"a" if dtype is dtypes.string else 1, dtype)
    assert chosen(node, Node(name, "Identity", ["w"])) == ["w"]
    assert chosen(node, Node(f"{name}er", "Identity", ["w"])) == []
    assert chosen(node, Node(name, "Relu", ["w"])) == []


def test_a_weight_of_a_loop_is_read_outside_of_it() -> None:
    """Const -> Enter -> Identity (ReadVariableOp), or a slot: as TensorFlow 1.15 freezes loops."""
    enter = Node("while/m/ReadVariableOp/Enter", "Enter", ["w"], {"is_constant": True})
    read = Node("while/m/ReadVariableOp", "Identity", [enter.name])
    assert chosen(const("w", 3), enter, read) == ["w"]
    assert chosen(const("w", 3), enter, user("BiasAdd", 1, enter.name)) == ["w"]
    assert chosen(const("w", 3), enter, user("Mul", 1, enter.name)) == []


def test_a_const_named_by_freezing_is_a_weight_wherever_it_goes() -> None:
    """The inputs of a While that was not lowered."""
    name = "lstm/lstm_cell/MatMul/ReadVariableOp/resource"
    assert chosen(const(name, 3), Node("lstm/while", "While", [name])) == [name]


@pytest.mark.parametrize(
    ("op", "ports", "attrs"),
    [
        ("While", 1, {"cond": Func("other"), "body": Func("f")}),
        ("If", 2, {"then_branch": Func("f"), "else_branch": Func("f")}),
        ("Case", 2, {"branches": [Func("other"), Func("f")]}),
        ("StatefulPartitionedCall", 1, {"f": Func("f")}),
    ],
)
def test_a_weight_that_a_function_reads(op: str, ports: int, attrs: Any) -> None:
    """By the name of its Identity there, or in a slot; the other argument is none."""
    read = Node("m/ReadVariableOp", "Identity", ["b"])
    slot = Node("m", "MatMul", ["a", "b"])
    for inner in (read, slot):
        functions = {
            "f": Function("f", graph(inner), ["x", "b"], {}),
            "other": Function("other", {}, ["x", "b"], {}),
        }
        call = Node("call", op, ["p"] * (ports - 1) + ["12", "pass"], attrs)
        passed = Node("pass", "Identity", ["34"])
        uses = Uses(graph(const("12", 3), const("34", 3), passed, call), functions)
        assert not uses.is_weight(const("12", 3))
        assert uses.is_weight(const("34", 3)) == (inner is read)
        assert uses.slot("34") == (None if inner is read else "kernel")


@pytest.mark.parametrize(
    ("const", "slot", "nodes", "name"),
    [
        ("d/kernel", "kernel", (), "d/kernel"),
        ("d/kernel", None, (), "d/kernel"),
        ("d/MatMul/ReadVariableOp/resource", "kernel", ("d/MatMul",), "d/kernel"),
        ("m/d/BiasAdd/ReadVariableOp/resource", "bias", (), "m/d/bias"),
        ("bn/ReadVariableOp_1/resource", "beta", (), "bn/beta"),
        ("bn/FusedBatchNormV3/ReadVariableOp_1/resource", "moving_variance", (),
         "bn/moving_variance"),
        ("bn/batchnorm/mul/ReadVariableOp/resource", None, ("bn/batchnorm/mul",), "bn/variable"),
        ("e/embedding_lookup/123", "embeddings", (), "e/embeddings"),
        ("d/Tensordot/ReadVariableOp/resource", "kernel", (), "d/kernel"),
        ("MatMul/ReadVariableOp/resource", "kernel", (), "kernel"),
        ("872", "kernel", (), "kernel"),
        ("872", None, (), "variable"),
        ("fn_1/d_1/Cast/ReadVariableOp/resource", "kernel", (), "fn_1/d_1/kernel"),
    ],
)  # fmt: skip
def test_the_variables_name(const: str, slot: str | None, nodes: Any, name: str) -> None:
    assert variable_name(const, slot, {n: Node(n, "X") for n in nodes}) == name


def test_what_is_trained() -> None:
    assert is_trained("d/kernel", "kernel") and is_trained("mean")
    assert not is_trained("d/x", "moving_mean") and not is_trained("d/x", "moving_variance")
    assert not is_trained("bn/moving_mean") and not is_trained("running_variance")
