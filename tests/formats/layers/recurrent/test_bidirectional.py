"""Bidirectional layers come back from the two loops that they are written as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

IN, UNITS = 4, 3
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def weights(class_name: str) -> dict[str, tuple[int, ...]]:
    columns = GATES[class_name] * UNITS
    one = {
        "kernel": (IN, columns), "recurrent_kernel": (UNITS, columns),
        "bias": (2, columns) if class_name == "GRU" else (columns,),
    }  # fmt: skip
    ways = ("forward_layer", "backward_layer")
    return {f"{way}/{name}": shape for way in ways for name, shape in one.items()}


def around(class_name: str, **config: Any) -> dict[str, Any]:
    inner = {"name": "inner", "units": UNITS, **config}
    return {"layer": {"class_name": class_name, "config": inner}}


@pytest.mark.parametrize("class_name", GATES)
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
@pytest.mark.parametrize("sequences", [False, True])
def test_law(law: Any, class_name: str, mode: str, sequences: bool) -> None:
    config = {**around(class_name, return_sequences=sequences), "merge_mode": mode}
    (form,) = law("Bidirectional", config, [(None, 5, IN)], **weights(class_name))
    assert form.config["merge_mode"] == mode
    assert form.config["backward_layer"]["config"]["go_backwards"] is True


def test_two_layers_that_go_the_same_way_are_no_bidirectional(network_law: Any) -> None:
    def lstm(name: str) -> Layer:
        random = np.random.default_rng(len(name))
        shapes = {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
        tensors = {
            key: Tensor.from_numpy(key, random.normal(size=shape).astype("float32"))
            for key, shape in shapes.items()
        }
        return Layer("LSTM", name, {}, tensors, calls=[Call([Ref("x")])])

    x = Layer("InputLayer", "x", {"batch_shape": [None, 5, 4], "dtype": "float32"})
    both = Call([Ref("a"), Ref("bb")], structure=True)
    joined = Layer("Concatenate", "joined", {}, calls=[both])
    form = network_law(
        Network(
            "model", layers=[x, lstm("a"), lstm("bb"), joined], inputs=[Ref("x")],
            outputs=[Ref("joined")],
        )
    )  # fmt: skip
    assert [layer.class_name for layer in form] == ["LSTM", "LSTM", "Concatenate"]


def written(layer: Layer) -> tuple[GraphBuilder, list[str]]:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 5, 4))
    return graph, codec_for(layer).write(layer, [x], graph)


def bidirectional(inner: Any, **config: Any) -> Layer:
    config = {"layer": {"class_name": "LSTM", "config": inner}, **config}
    shapes = {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
    tensors = {
        f"{way}/{name}": Tensor.from_numpy("", np.ones(shape, np.float32))
        for way in ("forward_layer", "backward_layer")
        for name, shape in shapes.items()
    }
    return prepared(Layer("Bidirectional", "both", config, tensors))


def test_both_ways_have_their_weights() -> None:
    layer = bidirectional({"units": 3})
    assert codec_for(layer).weight_names(layer.config) == tuple(layer.weights)


@pytest.mark.parametrize(
    ("mode", "shapes"),
    [("concat", [(None, 6)]), ("ave", [(None, 3)]), (None, [(None, 3), (None, 3)])],
)
def test_how_both_ways_are_merged(mode: str | None, shapes: Any) -> None:
    graph, made = written(bidirectional({"units": 3}, merge_mode=mode))
    assert [graph.shape(tensor) for tensor in made] == shapes


def test_an_unknown_way_to_merge() -> None:
    with pytest.raises(ConversionError, match="merge_mode"):
        written(bidirectional({"units": 3}, merge_mode="max"))


def test_only_recurrent_layers_go_both_ways() -> None:
    config = {"layer": {"class_name": "Flatten", "config": {}}}
    with pytest.raises(ConversionError, match="no recurrent layer"):
        written(prepared(Layer("Bidirectional", "both", config)))
