"""Cuts: what stands between a tensor and those that it is computed from, and what it computes."""

from __future__ import annotations

import numpy as np

from modelfmt.dtypes import float32, from_name
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.cuts import Cut, between, cuts, weight_nodes, weight_of
from modelfmt.graphs.view import View
from modelfmt.tensor import Tensor


def graph_of(shape: tuple[int | None, ...] = (None, 3)) -> GraphBuilder:
    graph = GraphBuilder()
    graph.placeholder("x", float32, shape)
    return graph


def rows(found: list[Cut]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(cut.inputs, tuple(node.op for node in cut.interior)) for cut in found]


def test_ever_larger_parts_until_nothing_is_known_of_an_op() -> None:
    graph = graph_of((None, 4, 4, 3))
    a = graph.op("LRN", "x", name="a")
    b = graph.op("Relu", a, name="b")
    graph.op("Mul", b, 2.0, name="c")
    assert rows(cuts(View(graph), "c")) == [(("b",), ("Mul",)), (("a",), ("Mul", "Relu"))]


def test_parts_of_two_inputs_end_where_they_meet() -> None:
    graph = graph_of()
    a, b = graph.op("Relu", "x", name="a"), graph.op("Tanh", "x", name="b")
    graph.op("AddV2", a, b, name="c")
    view = View(graph)
    assert [inputs for inputs, _ in rows(cuts(view, "c"))] == [("x",)]
    assert [set(inputs) for inputs, _ in rows(cuts(view, "c", 2))] == [
        {"a", "b"}, {"a", "x"}, {"x"}
    ]
    assert not cuts(view, "c")[0].is_chain and cuts(view, "a")[0].is_chain


def test_what_follows_from_constants_and_shapes_is_settled() -> None:
    """It stands between nothing, however late its nodes come."""
    graph = graph_of()
    weight = Tensor.from_numpy("w", np.array([1, 4, 9], "f4"))
    late = graph.op("Relu", "x", name="late")
    root = graph.op("Sqrt", weight, name="root")
    graph.op("Reshape", graph.op("Mul", late, root, name="m"), graph.op("Shape", "x"), name="y")
    (*_, cut) = cuts(View(graph), "y")
    assert cut.inputs == ("x",) and "root" in cut.nodes
    assert [w.shape for w in cut.weights] == [(3,)] and cut.numbers == []
    made = cut.run([np.array([[1.0, -1, 2]])])
    assert made is not None and made.tolist() == [[1, 0, 6]]
    other = cut.run([np.array([[1.0, 1, 1]])], {id(cut.weights[0]): np.array([4.0, 4, 4])})
    assert other is not None and other.tolist() == [[2, 2, 2]]


def test_escapes() -> None:
    graph = graph_of()
    a = graph.op("Relu", "x", name="a")
    graph.op("Mul", a, 2.0, name="b")
    view = View(graph, outputs=["b", "a"])
    assert [cut.escapes for cut in cuts(view, "b")] == [False, True]
    assert [cut.escapes for cut in cuts(View(graph, outputs=["b"]), "b")] == [False, False]


def test_settled_nodes_that_others_read_are_not_owned() -> None:
    graph = graph_of()
    root = graph.op("Sqrt", graph.const(np.array([1, 4, 9], "f4")), name="root")
    graph.op("Mul", "x", root, name="a")
    graph.op("AddV2", "x", root, name="b")
    view = View(graph, outputs=["a", "b"])
    assert cuts(view, "a")[0].nodes == ("a",) and not cuts(view, "a")[0].escapes
    assert set(cuts(View(graph, outputs=["a"]), "a")[0].nodes) == {"a", "root"}


def test_unknown_sizes_are_small_and_told_apart() -> None:
    graph = graph_of((None, None, 4))
    graph.op("Relu", "x", name="a")
    (cut,) = cuts(View(graph), "a")
    assert cut.shape() == [2, 5, 4]


def test_what_cannot_be_run() -> None:
    graph = graph_of()
    graph.op("Reshape", "x", [7, 3], name="a")
    (cut,) = cuts(View(graph), "a")
    assert cut.run([np.zeros((2, 3))]) is None and cut.run([np.zeros((7, 3))]) is not None


def test_random_numbers_are_what_they_are_told_to_be() -> None:
    graph = graph_of()
    noise = graph.op("RandomUniform", graph.op("Shape", "x"), dtype=float32)
    graph.op("AddV2", "x", noise, name="a")
    (cut,) = cuts(View(graph), "a")
    made = cut.run([np.zeros((2, 3))], drawn=0.25)
    assert cut.inputs == ("x",) and made is not None and (made == 0.25).all()


def test_between() -> None:
    graph = graph_of()
    a, b = graph.op("Relu", "x", name="a"), graph.op("Tanh", "x", name="b")
    graph.op("AddV2", a, graph.op("Neg", b), name="c")
    cut = between(View(graph), "c", ["b", "a"])
    assert cut is not None and cut.inputs == ("b", "a")
    made = cut.run([np.array(2.0), np.array(5.0)])
    assert made is not None and made.tolist() == 3 and len(cut.interior) == 2
    assert between(View(graph), "c", ["b"]) is None  # it depends on x as well


def test_shapes_of_what_lies_outside_are_taken_from_the_graph() -> None:
    graph = graph_of((None, 2, 3))
    y = graph.op("Relu", graph.op("LRN", graph.placeholder("z", float32, (None, 2, 3, 1))))
    flat = graph.op("Reshape", y, [-1, 6])
    graph.op("Reshape", flat, graph.op("Shape", "x"), name="a")
    cut = cuts(View(graph, outputs=["a"]), "a")[0]
    made = cut.run([np.zeros((4, 6))])
    assert made is not None and made.shape == (4, 2, 3)


def test_cuts_are_found_once() -> None:
    graph = graph_of()
    graph.op("Relu", "x", name="a")
    view = View(graph)
    assert cuts(view, "a") is cuts(view, "a:0")


def test_weights_that_follow_from_stored_ones() -> None:
    graph = graph_of()
    stored = graph.const(np.arange(6, dtype="f2").reshape(2, 3), name="stored")
    wide = graph.op("Cast", stored, DstT=float32, name="wide")
    turned = graph.op("Transpose", wide, [1, 0], name="turned")
    shape = graph.op("Shape", "x")
    shaped = graph.op("BroadcastTo", graph.const(np.ones(3, "f4")), shape, name="s")
    number = graph.op("Neg", graph.const(np.float32(2)), name="n")
    y = graph.op("AddV2", graph.op("Mul", turned, number), graph.op("Sum", shaped, [0, 1]))
    graph.op("Mul", graph.op("Sum", "x", [0, 1]), y, name="y")
    view = View(graph)
    found = weight_of(view, "turned")
    assert found is not None and found.shape == (3, 2) and found.root.name == "turned"
    assert found.root.numpy().tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found.root.dtype is float32 and weight_of(view, "turned") is found
    assert weight_nodes(view, "wide") == ("wide",) and not weight_nodes(view, "turned")
    assert weight_of(view, "x") is None and weight_of(view, "n") is None
    assert weight_of(view, "s") is None  # it takes the shape of what is fed
    plain = weight_of(view, "stored")
    assert plain is not None and plain.root.name == "stored" and not weight_nodes(view, "stored")


def test_nodes_of_a_weight_that_others_read_are_nobody_s() -> None:
    graph = graph_of()
    turned = graph.op("Sqrt", graph.const(np.ones(3, "f4")), name="root")
    graph.op("AddV2", graph.op("Mul", "x", turned), turned, name="y")
    assert weight_nodes(View(graph), "root") == ()


def test_a_weight_is_what_is_stored_where_it_is_used_in_half_precision() -> None:
    graph = graph_of()
    stored = graph.const(np.array([1, 1 / 3, 2], "f4"), name="stored")
    half = graph.op("Cast", stored, DstT=from_name("float16"), name="half")
    graph.op("Mul", graph.op("Cast", "x", DstT=from_name("float16")), half, name="y")
    found = weight_of(View(graph), "half")
    assert found is not None and found.root.name == "stored" and found.root.dtype is float32
