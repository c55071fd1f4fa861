"""View: any graph as one version in inference mode would have written it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.dtypes import bool_, float32, from_name, int32
from modelfmt.errors import MismatchError, MissingError
from modelfmt.graph import AttrValue, Graph, Node, Shape
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.tensor import Tensor

F = {"T": float32}
uint8 = from_name("uint8")


def const(name: str, value: Any, dtype: str = "f4") -> Node:
    tensor = Tensor.from_numpy(name, np.asarray(value, dtype))
    return Node(name, "Const", [], {"value": tensor, "dtype": tensor.dtype})


def x(name: str = "x", *shape: int | None, dtype: Any = float32) -> Node:
    return Node(name, "Placeholder", [], {"dtype": dtype, "shape": Shape(shape or (None, 4))})


def phase(name: str = "keras_learning_phase", dtype: Any = bool_) -> Node:
    return Node(name, "Placeholder", [], {"dtype": dtype, "shape": Shape(())})


def graph(*nodes: Node) -> Graph:
    return Graph({node.name: node for node in nodes})


def op(name: str, kind: str, *inputs: str, **attrs: AttrValue) -> Node:
    return Node(name, kind, list(inputs), {**F, **attrs})


def test_pass_through_nodes_are_resolved() -> None:
    view = View(graph(
        x(), op("a", "Identity", "x"), op("b", "StopGradient", "a"), op("c", "Identity", "b:0"),
        op("y", "Relu", "c"),
    ))  # fmt: skip
    assert view.resolve("c") == view.resolve("a:0") == "x"
    assert [node.name for node in view.live.values()] == ["y", "x"]
    assert view.live["y"].inputs == ["x"]
    assert (view.inputs, view.outputs) == (["x"], ["y"])


@pytest.mark.parametrize(
    ("old", "new"),
    [("Add", "AddV2"), ("Div", "RealDiv"), ("Select", "SelectV2"),
     ("BatchMatMul", "BatchMatMulV2"), ("FusedBatchNormV2", "FusedBatchNormV3")],
)  # fmt: skip
def test_old_names_of_ops_are_new(old: str, new: str) -> None:
    inputs = {"Select": ["c", "x", "x"], "FusedBatchNormV2": ["i", "v", "v", "v", "v"]}
    nodes = [x(), x("c", dtype=bool_), x("i", 1, 2, 2, 3), x("v", 3), const("k", np.ones((4, 4)))]
    more: dict[str, AttrValue] = {"U": float32} if old == "FusedBatchNormV2" else {}
    view = View(graph(*nodes, op("y", old, *inputs.get(old, ["x", "k"]), **more)), outputs=["y"])
    made = view.producer("y")
    assert made is not None and made.op == new


def test_the_graph_itself_is_not_changed() -> None:
    nodes = [x(), op("i", "Identity", "x"), op("y", "Add", "i", "i")]
    View(graph(*nodes))
    assert nodes[2].op == "Add" and nodes[2].inputs == ["i", "i"]


def test_concat_has_its_axis_last() -> None:
    nodes = [x(), const("axis", 1, "i4"), op("y", "Concat", "axis", "x", "x", N=2)]
    made = View(graph(*nodes)).producer("y")
    assert made is not None and (made.op, made.inputs) == ("ConcatV2", ["x", "x", "axis"])


def test_the_learning_phase_is_false() -> None:
    """Keras 1 and 2: x -> Switch(phase) -> training branch or inference branch -> Merge."""
    view = View(graph(
        x(), phase(),
        Node("s", "Switch", ["x", "keras_learning_phase"], F), op("train", "Tanh", "s:1"),
        op("infer", "Relu", "s:0"), op("m", "Merge", "infer", "train", N=2),
        op("y", "Sigmoid", "m"),
    ))  # fmt: skip
    assert view.resolve("m") == "infer"
    assert view.live["infer"].inputs == ["x"]
    assert set(view.live) == {"x", "infer", "y"}
    assert view.inputs == ["x"]


def test_constants_are_seen_through_reshapes() -> None:
    view = View(graph(
        x(), const("k", np.arange(4)), op("read", "Identity", "k"),
        const("shape", [1, 4], "i4"), op("wide", "Reshape", "read", "shape"),
        op("y", "AddV2", "x", "wide"),
    ))  # fmt: skip
    found = view.constant("wide")
    assert found is not None and (found.root.name, found.root.shape) == ("k", (4,))
    assert found.shape == (1, 4)
    assert view.constant("y") is None and view.constant("x") is None


def test_small_values_are_read() -> None:
    view = View(graph(
        x(), const("s", 0.5), const("rows", [[0, 0], [1, 2]], "i4"), const("axis", [0, 1], "i4"),
        op("a", "Mul", "x", "s"), op("b", "Pad", "a", "rows"), op("y", "Mean", "b", "axis"),
    ))  # fmt: skip
    assert view.scalar("s") == 0.5 and view.scalar("rows") is None and view.scalar("x") is None
    assert view.matrix("rows") == [[0, 0], [1, 2]] and view.matrix("axis") is None
    assert view.ints("axis") == [0, 1] and view.ints("x") is None


def test_shapes_follow_and_shape_arithmetic_is_folded() -> None:
    view = View(graph(
        x("x", None, 2, 3), op("shape", "Shape", "x", out_type=int32),
        const("b", [0], "i4"), const("e", [1], "i4"),
        op("n", "StridedSlice", "shape", "b", "e", "e", T=int32, Index=int32, begin_mask=0,
           end_mask=0, ellipsis_mask=0, new_axis_mask=0, shrink_axis_mask=1),
        const("six", 6, "i4"), op("target", "Pack", "n", "six", T=int32, N=2, axis=0),
        op("y", "Reshape", "x", "target"),
    ))  # fmt: skip
    assert view.shape("y") == (None, 6)
    assert view.ints("target") == [None, 6]
    assert view.dtype("y") is float32 and view.dtype("shape") is int32


def test_attrs_that_a_file_leaves_out_have_tensorflows_default() -> None:
    view = View(graph(x("x", 2, 2), Node("y", "MatMul", ["x", "x"], F)))
    assert view.attr(view.live["y"], "transpose_a") is False
    assert view.attr(view.live["y"], "no_such_attr") is None


def test_consumers_are_readers_of_values() -> None:
    view = View(graph(
        x(), op("a", "Relu", "x"), op("s", "Shape", "a", out_type=int32),
        op("b", "Tanh", "a"), op("r", "Reshape", "b", "s"), op("y", "AddV2", "a", "r"),
    ))  # fmt: skip
    assert view.consumers["a"] == {"b", "y"}


def test_cuts() -> None:
    nodes = [x(), op("a", "Relu", "x"), op("b", "Tanh", "a"), op("c", "Elu", "b")]
    view = View(graph(*nodes), inputs=["a:0"], outputs=["b"])
    assert (view.inputs, view.outputs) == (["a"], ["b"])
    assert "b" in view.live and "x" not in view.live and "c" not in view.live
    assert view.producer("a") is None


@pytest.mark.parametrize("where", [{"inputs": ["q"]}, {"outputs": ["q"]}, {"outputs": ["x:z:0"]}])
def test_a_cut_that_is_not_there(where: Any) -> None:
    with pytest.raises(MissingError):
        View(graph(x(), op("y", "Relu", "x")), **where)


def test_a_wrong_number_of_inputs_names_the_node() -> None:
    with pytest.raises(MismatchError, match=r'node "y": Relu takes .* expected 1, found 2'):
        View(graph(x(), op("y", "Relu", "x", "x")))


def test_control_edges_do_not_count() -> None:
    view = View(graph(x(), Node("n", "NoOp"), op("y", "Relu", "x", "^n")))
    assert set(view.live) == {"x", "y"}


def test_a_legacy_placeholder_of_no_dims_has_any_shape() -> None:
    """Before GraphDef version 24, shape [] of a Placeholder meant unknown."""
    nodes = graph(Node("x", "Placeholder", [], {"dtype": float32, "shape": Shape(())}),
                  op("y", "Relu", "x"))  # fmt: skip
    nodes.producer = 21
    assert View(nodes).shape("y") is None
    nodes.producer = 24
    assert View(nodes).shape("y") == ()


def test_a_dtype_that_nobody_knows() -> None:
    view = View(graph(x(), op("y", "Sorcery", "x")))
    assert view.dtype("y") is None and view.dtype("x") is dtypes.float32


# -- the learning phase and what it decides --------------------------------------------------------


def with_default(name: str, value: Any, kind: Any = bool_) -> list[Node]:
    attrs: dict[str, AttrValue] = {"dtype": kind, "shape": Shape(())}
    return [const(f"{name}/input", value, "?"),
            Node(name, "PlaceholderWithDefault", [f"{name}/input"], attrs)]  # fmt: skip


def decided(*nodes: Node, predicate: str) -> str:
    """The op behind a Switch by ``predicate``: train or infer."""
    whole = graph(
        x(), *nodes, Node("s", "Switch", ["x", predicate], F), op("train", "Tanh", "s:1"),
        op("infer", "Relu", "s:0"), op("m", "Merge", "infer", "train", N=2),
        op("y", "Sigmoid", "m"),
    )  # fmt: skip
    whole.producer = 27  # shape [] means a scalar
    view = View(whole)
    assert view.inputs == ["x"]
    return view.resolve("m")


@pytest.mark.parametrize(
    "name",
    ["keras_learning_phase", "batch_normalization_1/keras_learning_phase", "learning_phase",
     "model/keras_learning_phase_1"],
)  # fmt: skip
def test_the_learning_phase_wherever_it_stands(name: str) -> None:
    assert decided(phase(name), predicate=name) == "infer"
    assert decided(*with_default(name, False), predicate=name) == "infer"
    assert decided(*with_default(name, True), predicate=name) == "infer"  # what it is for


def test_another_switch_with_a_default_has_that() -> None:
    assert decided(*with_default("is_training", True), predicate="is_training") == "train"
    assert decided(*with_default("is_training", False), predicate="is_training") == "infer"


def logic(name: str, kind: str, *inputs: str) -> Node:
    return Node(name, kind, list(inputs), {"T": bool_} if kind == "Identity" else {})


@pytest.mark.parametrize(
    ("nodes", "branch"),
    [
        ([logic("p", "Identity", "k")], "infer"),
        ([logic("p", "LogicalNot", "k")], "train"),
        ([logic("n", "LogicalNot", "k"), logic("p", "LogicalAnd", "n", "yes")], "train"),
        ([logic("p", "LogicalAnd", "fed", "k")], "infer"),
        ([logic("n", "LogicalNot", "k"), logic("p", "LogicalOr", "fed", "n")], "train"),
        ([Node("i", "Cast", ["k"], {"SrcT": bool_, "DstT": int32}),
          Node("p", "Equal", ["i", "one"], {"T": int32})], "infer"),
        ([Node("p", "Squeeze", ["row"], {"T": bool_, "squeeze_dims": []})], "train"),
        ([Node("ss", "Switch", ["k", "k"], {"T": bool_}), logic("f", "Identity", "ss:0"),
          logic("p", "Identity", "k")], "infer"),
    ],
)  # fmt: skip
def test_predicates_that_follow_from_what_is_known(nodes: list[Node], branch: str) -> None:
    known = [phase("k/learning_phase"), logic("k", "Identity", "k/learning_phase"),
             const("yes", True, "?"), const("one", 1, "i4"), const("row", [True], "?"),
             Node("fed", "Placeholder", [], {"dtype": bool_, "shape": Shape(())})]  # fmt: skip
    assert decided(*known, *nodes, predicate="p") == branch


def test_the_phase_of_the_first_keras_is_a_number() -> None:
    """Keras 1.0: x * (1 - phase) + ..., or Equal(phase, 1)."""
    nodes = [phase(dtype=uint8), const("one", 1, "u1"),
             Node("p", "Equal", ["keras_learning_phase", "one"], {"T": uint8})]  # fmt: skip
    assert decided(*nodes, predicate="p") == "infer"


def test_an_input_of_such_a_name_is_an_input() -> None:
    view = View(graph(x("learning_phase_embedding"), op("y", "Relu", "learning_phase_embedding")))
    assert view.inputs == ["learning_phase_embedding"]


def test_a_phase_named_as_an_input_is_none() -> None:
    nodes = [
        x(), phase(), Node("s", "Switch", ["x", "keras_learning_phase"], F),
        op("a", "Relu", "s:0"), op("b", "Tanh", "s:1"), op("y", "Merge", "a", "b", N=2),
    ]  # fmt: skip
    view = View(graph(*nodes), inputs=["x", "keras_learning_phase:0"], outputs=["y"])
    assert (view.inputs, view.outputs) == (["x"], ["a"])


# -- loops ----------------------------------------------------------------------------------------


def loop() -> list[Node]:
    """while n < 3: n = n + w"""
    return [
        const("zero", 0.0), const("three", 3.0), const("w", np.ones(4)), x(),
        op("e", "Enter", "x", frame_name="f", is_constant=False),
        op("ew", "Enter", "w", frame_name="f", is_constant=True),
        op("m", "Merge", "e", "next", N=2), op("less", "Less", "m", "three"),
        Node("cond", "LoopCond", ["less"]), op("s", "Switch", "m", "cond"),
        op("add", "AddV2", "s:1", "ew"), op("next", "NextIteration", "add"),
        op("exit", "Exit", "s"), op("y", "Relu", "exit"),
    ]  # fmt: skip


def test_the_body_of_a_loop_is_seen_through_its_back_edge() -> None:
    view = View(graph(*loop()))
    assert {"add", "next"} <= view.live.keys()
    found = view.constant("ew")
    assert found is not None and found.root.name == "w"  # the same in every round
    assert view.outputs == ["y"]


def test_what_is_known_needs_no_reader() -> None:
    """Arithmetic with known sizes is no consumer of what its sizes come from."""
    view = View(graph(
        x("x", 2, 3), const("a", 2, "i4"), const("b", 3, "i4"),
        op("n", "Mul", "a", "b", T=int32), const("half", 0.5), op("root", "Mul", "half", "half"),
        op("rows", "Pack", "pair", "pair", T=int32, N=2, axis=0), const("pair", [1, 2], "i4"),
        op("p", "Pad", "x", "rows", Tpaddings=int32), op("y", "Mul", "p", "root"),
    ))  # fmt: skip
    assert view.scalar("n") == 6 and view.scalar("root") == 0.25
    assert view.matrix("rows") == [[1, 2], [1, 2]]
    assert "pair" not in view.consumers and view.consumers["p"] == {"y"}


def cast(graph: GraphBuilder, x: str, kind: str) -> str:
    return graph.op("Cast", x, DstT=dtypes.from_name(kind))


def test_a_cast_between_precisions_stands_for_what_it_casts() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (2, 3))
    half = cast(graph, x, "float16")
    graph.op("Identity", graph.op("Relu", half), name="y")
    view = View(graph)
    assert view.resolve(half) == "x"
    assert [node.name for node in view.live_casts] == [half]


def test_a_weight_computed_with_in_half_precision_is_the_one_that_is_kept() -> None:
    graph = GraphBuilder()
    table = graph.const(np.ones((2, 3)), dtypes.float32, "table")
    half, wide = cast(graph, table, "float16"), cast(graph, table, "float64")
    for name, tensor in (("a", half), ("b", wide)):
        graph.op("Relu", tensor, name=name)
    view = View(graph, outputs=["a", "b"])
    kept = view.constant(half)
    assert kept is not None and kept.root.name == "table"
    assert view.constant(wide) is None


def test_a_narrowing_cast_that_another_follows_stays() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (2, 3))
    half = cast(graph, x, "float16")
    back = cast(graph, half, "float32")
    graph.op("Relu", back, name="y")
    view = View(graph)
    assert view.resolve(half) == view.resolve(back) == half


def test_an_output_keeps_its_precision() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (2, 3))
    half = cast(graph, graph.op("Relu", x), "float16")
    graph.op("Identity", half, name="y")
    assert View(graph).outputs == [half]


def test_integers_are_cast_for_good() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.int32, (2, 3))
    made = cast(graph, x, "float32")
    graph.op("Relu", made, name="y")
    assert View(graph).resolve(made) == made
