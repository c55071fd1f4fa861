"""Stacks of cells come back as stacks of layers; law and wiring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from modelfmt.layers.recurrent.unstacking import as_layers, unstack
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

GATES = {"SimpleRNNCell": 1, "LSTMCell": 4, "GRUCell": 3}


def rnn(cells: Sequence[tuple[str, int]], **config: Any) -> Layer:
    random, size = np.random.default_rng(0), 4
    weights: dict[str, Tensor] = {}
    for k, (name, units) in enumerate(cells):
        columns = GATES[name] * units
        shapes = {
            "kernel": (size, columns), "recurrent_kernel": (units, columns),
            "bias": (2, columns) if name == "GRUCell" else (columns,),
        }  # fmt: skip
        for key, shape in shapes.items():
            value = random.normal(size=shape).astype("float32")
            weights[f"cell/cells/{k}/{key}"] = Tensor.from_numpy(key, value)
        size = units
    held = [{"class_name": name, "config": {"units": units}} for name, units in cells]
    stack = {"class_name": "StackedRNNCells", "config": {"cells": held}}
    return Layer("RNN", "it", {"cell": stack, **config}, weights, calls=[Call([Ref("x")])])


def model(layer: Layer) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 5, 4], "dtype": "float32"})
    return Network("model", layers=[x, layer], inputs=[Ref("x")], outputs=[Ref("it")])


STACKS = [
    [("LSTMCell", 3), ("GRUCell", 2)],
    [("GRUCell", 3), ("SimpleRNNCell", 3), ("LSTMCell", 3)],
    [("LSTMCell", 3)] * 3,
]


@pytest.mark.parametrize("cells", STACKS)
@pytest.mark.parametrize("sequences", [False, True])
def test_law(network_law: Any, cells: Any, sequences: bool) -> None:
    form = network_law(model(rnn(cells, return_sequences=sequences)))
    assert [layer.class_name for layer in form] == [n.removesuffix("Cell") for n, _ in cells]


@pytest.mark.parametrize("cells", STACKS)
def test_law_of_a_stack_that_goes_backwards(network_law: Any, cells: Any) -> None:
    form = network_law(model(rnn(cells, go_backwards=True)))
    assert [layer.class_name for layer in form] == ["RNN"]


def test_states_are_those_of_the_layers() -> None:
    network = model(rnn(STACKS[0], return_state=True))
    network.outputs = [Ref("it"), Ref("it", 0, 2), Ref("it", 0, 3)]
    unstack(network)
    assert network.outputs == [Ref("it_1"), Ref("it_0", 0, 2), Ref("it_1", 0, 1)]
    lower, upper = network.layer("it_0"), network.layer("it_1")
    assert lower.config["return_sequences"] and lower.config["return_state"]
    assert not upper.config["return_sequences"] and upper.config["return_state"]
    assert upper.calls[0].inputs == [Ref("it_0")]


def test_a_mask_given_by_name_leaves_a_stack_alone() -> None:
    network = model(rnn(STACKS[0]))
    network.layer("it").calls[0].kwargs["mask"] = Ref("x")
    unstack(network)
    assert [layer.class_name for layer in network.layers] == ["InputLayer", "RNN"]


def test_an_rnn_of_one_cell_is_that_cells_layer() -> None:
    layer = rnn([("GRUCell", 3)])
    (cell,) = layer.config["cell"]["config"]["cells"]
    weights = {f"cell/{key.rpartition('/')[2]}": w for key, w in layer.weights.items()}
    (single,) = as_layers(Layer("RNN", "it", {"cell": cell}, weights))
    assert (single.class_name, single.name) == ("GRU", "it")
    assert list(single.weights) == ["kernel", "recurrent_kernel", "bias"]
