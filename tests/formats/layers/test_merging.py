"""Merging layers: what is written is recognised, inputs in their order."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise, write_network
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
