"""Merging layers: what is written is recognised, inputs in their order."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import bool_, float32, int32
from modelfmt.errors import ConversionError, MismatchError, UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import codec_for, recognise, write_network
from modelfmt.layers.binding import prepared
from modelfmt.layers.merging import Average, alike, mergeable
from modelfmt.network import Call, Layer, Network, Ref


@pytest.mark.parametrize("class_name", ["Add", "Multiply", "Maximum", "Minimum", "Average"])
@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("shape", [(None, 4), (None, 3, 4, 2), (None, None, None, 2)], ids=str)
def test_merging(law: Any, class_name: str, count: int, shape: Any) -> None:
    form = law(class_name, {}, [shape] * count)
    assert form[0].calls == (tuple(Ref("input", 0, k) for k in range(count)),)


def test_subtract(law: Any) -> None:
    law("Subtract", {}, [(None, 4), (None, 4)])


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("axis", [-1, 1, 2, -2, 3])
def test_concatenate(law: Any, count: int, axis: int) -> None:
    form = law("Concatenate", {"axis": axis}, [(None, 3, 4, 2)] * count)
    assert form[0].config == {"axis": {-1: -1, 3: -1, 1: 1, 2: 2, -2: 2}[axis]}


def test_concatenate_of_other_sizes(law: Any) -> None:
    law("Concatenate", {}, [(None, 3), (None, 4), (None, 1)])


@pytest.mark.parametrize("class_name", ["Add", "Multiply", "Concatenate"])
def test_the_same_tensor_twice(network_law: Any, class_name: str) -> None:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    it = Layer(class_name, "it", {}, calls=[Call([Ref("x"), Ref("x")], structure=True)])
    network_law(Network("model", layers=[x, it], inputs=[Ref("x")], outputs=[Ref("it")]))


@pytest.mark.parametrize("class_name", ["Add", "Multiply", "Maximum", "Minimum"])
def test_two_layers_of_one_class_in_a_row_stay_two(class_name: str) -> None:
    names = ["a", "b", "c"]
    inputs = [
        Layer("InputLayer", name, {"batch_shape": [None, 4], "dtype": "float32"}) for name in names
    ]
    one = Layer(class_name, "one", {}, calls=[Call([Ref("a"), Ref("b")], structure=True)])
    two = Layer(class_name, "two", {}, calls=[Call([Ref("one"), Ref("c")], structure=True)])
    network = Network("m", layers=[*inputs, one, two], inputs=[Ref(n) for n in names],
                      outputs=[Ref("two")])
    graph = GraphBuilder()
    write_network(network, graph)
    found = recognise(View(graph))
    assert [layer.name for layer in found.layers if not layer.class_name.startswith("Input")] == [
        "one", "two"
    ]


@pytest.mark.parametrize("class_name", ["Add", "Subtract", "Average", "Maximum"])
def test_a_lone_input_is_refused(single: Any, class_name: str) -> None:
    with pytest.raises(MismatchError, match=r'layer "it": .*takes (two|2) input'):
        write_network(single(class_name, {}, [(None, 4)]), GraphBuilder())


def test_subtract_takes_no_third_input(single: Any) -> None:
    with pytest.raises(MismatchError, match="Subtract takes 2"):
        write_network(single("Subtract", {}, [(None, 4)] * 3), GraphBuilder())


def test_shapes_that_do_not_fit_are_named(single: Any) -> None:
    with pytest.raises(MismatchError, match=r'layer "it"'):
        write_network(single("Add", {}, [(None, 4), (None, 5)]), GraphBuilder())


@pytest.mark.parametrize("class_name", ["Add", "Multiply", "Maximum", "Average", "Subtract"])
def test_a_smaller_rank_gets_axes_after_the_batch(single: Any, class_name: str) -> None:
    graph = GraphBuilder()
    ends = write_network(single(class_name, {}, [(None, 4), (None, 2, 3, 4)]), graph)
    assert graph.shape(ends[0]) == (None, 2, 3, 4)
    assert [node.op for node in graph.values()].count("ExpandDims") == 2


@pytest.mark.parametrize("class_name", ["Add", "Multiply", "Maximum", "Average", "Subtract"])
@pytest.mark.parametrize("shapes", [[(None, 3, 4), (None, 4)], [(None, 4), (None, 2, 3, 4)]])
def test_smaller_ranks_are_recognised(law: Any, class_name: str, shapes: Any) -> None:
    law(class_name, {}, shapes)


def test_an_axis_behind_the_batch_that_all_get_is_no_merge_s_own() -> None:
    graph = GraphBuilder()
    wide = [graph.op("ExpandDims", graph.placeholder(n, float32, (None, 4)), 1) for n in "ab"]
    graph.op("AddV2", *wide, name="y")
    found = recognise(View(graph), layers_only=True)
    names = [layer.class_name for layer in found.layers if layer.class_name != "InputLayer"]
    assert names == ["Reshape", "Reshape", "Add"]


def test_tensorflow_broadcasts_ranks_otherwise_than_keras() -> None:
    """(4, 3) and (2, 4, 3): TensorFlow lacks the first axis, Keras the second one."""
    graph = GraphBuilder()
    a, b = (graph.placeholder(n, float32, s) for n, s in (("a", (4, 3)), ("b", (2, 4, 3))))
    graph.op("AddV2", a, b, name="y")
    with pytest.raises(UnrecognisedGraphError, match="AddV2"):
        recognise(View(graph), layers_only=True)


def test_an_average_by_a_factor() -> None:
    graph = GraphBuilder()
    a, b = (graph.placeholder(n, float32, (None, 4)) for n in "ab")
    graph.op("Mul", 0.5, graph.op("AddV2", a, b), name="y")
    assert recognise(View(graph)).layers[-1].class_name == "Average"


def test_unknown_and_known_ranks_do_not_merge(single: Any) -> None:
    graph = GraphBuilder()
    known, unknown = (graph.placeholder(n, float32, d) for n, d in (("a", (None, 4)), ("b", None)))
    assert alike([unknown, unknown], graph) == [unknown, unknown]
    with pytest.raises(ConversionError, match="unknown rank"):
        alike([known, unknown], graph)


def test_an_average_of_integers_is_refused() -> None:
    graph = GraphBuilder()
    inputs = [graph.placeholder(name, int32, (None, 4)) for name in "ab"]
    with pytest.raises(ConversionError, match="integers"):
        Average().write(Layer("Average", "it"), inputs, graph)


def masked(class_name: str, major: int, masks: str, **config: Any) -> tuple[GraphBuilder, Any]:
    """The graph of a merge of sequences, of which those with a 1 in ``masks`` have a mask."""
    graph = GraphBuilder()
    graph.keras_major = major
    inputs = [graph.placeholder(f"x{k}", float32, (None, 5, 4)) for k in range(len(masks))]
    for k, x in enumerate(inputs):
        if masks[k] == "1":
            graph.masks[x] = graph.placeholder(f"mask{k}", bool_, (None, 5))
    layer = prepared(Layer(class_name, "it", config))
    codec = codec_for(layer)
    made = codec.write(layer, inputs, graph)
    mask = codec.masks(layer, inputs, made, graph)[0]
    return graph, mask


@pytest.mark.parametrize("class_name", ["Add", "Subtract", "Average", "Multiply", "Maximum"])
def test_masks_of_a_merge(class_name: str) -> None:
    """Keras 2: and, of those that are there. Keras 3: or, where all are there."""
    graph, mask = masked(class_name, 2, "11")
    assert graph[mask].op == "LogicalAnd"
    assert masked(class_name, 2, "10")[1] == "mask0"
    graph, mask = masked(class_name, 3, "11")
    assert graph[mask].op == "LogicalOr" and graph.shape(mask) == (None, 5)
    assert masked(class_name, 3, "10")[1] is None
    assert masked(class_name, 3, "00")[1] is None


@pytest.mark.parametrize(
    ("class_name", "masks", "count"),
    [("Multiply", "11", 3), ("Multiply", "10", 1), ("Maximum", "11", 2), ("Minimum", "01", 1),
     ("Maximum", "101", 2), ("Add", "11", 0), ("Multiply", "00", 0)],
)  # fmt: skip
def test_keras_3_leaves_hidden_values_out(class_name: str, masks: str, count: int) -> None:
    graph, _ = masked(class_name, 3, masks)
    assert [node.op for node in graph.values()].count("SelectV2") == count
    graph, _ = masked(class_name, 2, masks)
    assert "SelectV2" not in [node.op for node in graph.values()]


@pytest.mark.parametrize(("major", "op"), [(2, "All"), (3, "Any")])
@pytest.mark.parametrize("axis", [-1, 1])
def test_masks_of_a_concatenation(major: int, op: str, axis: int) -> None:
    graph, mask = masked("Concatenate", major, "10", axis=axis)
    assert graph[mask].op == op
    assert graph.shape(mask) == (None, 5 if axis == -1 else 10)
    assert masked("Concatenate", major, "00")[1] is None


@pytest.mark.parametrize("shape", [(None, 5, 4), (4,), (3, 4)])
def test_tensors_that_keras_would_align_otherwise_are_no_merge(shape: tuple[Any, ...]) -> None:
    """TensorFlow adds missing axes in front, Keras' layers behind the batch."""
    graph = GraphBuilder()
    graph.placeholder("x", float32, (2, 4) if shape == (3, 4) else (None, 4))
    graph.placeholder("y", float32, shape)
    assert not mergeable(["x", "y"], View(graph, ["x", "y"], ["x", "y"]))
