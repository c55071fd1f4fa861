"""A model made ready for a Keras major, and what its masks mean there."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise, write_network
from modelfmt.layers.adapting import adapt
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def rnn(name: str, before: str, **more: Any) -> Layer:
    weights = {"kernel": (3, 3), "recurrent_kernel": (3, 3), "bias": (3,)}
    return Layer(
        "SimpleRNN", name, {"units": 3, "return_sequences": True},
        {n: Tensor.from_numpy(n, np.zeros(s, "f4")) for n, s in weights.items()},
        calls=[Call([Ref(before)], **more)],
    )  # fmt: skip


def model(*layers: Layer, major: int) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 5, 3], "dtype": "float32"})
    return Network("m", layers=[x, *layers], inputs=[Ref("x")], outputs=[Ref(layers[-1].name)],
                   keras_major=major)  # fmt: skip


def masking() -> Layer:
    return Layer("Masking", "hide", calls=[Call([Ref("x")])])


@pytest.mark.parametrize(("written", "target"), [(2, 3), (3, 2), (1, 3)])
def test_a_mask_of_one_meaning(written: int, target: int) -> None:
    network = adapt(model(masking(), rnn("r", "hide"), major=written), target)
    assert network.layer("r").calls[0].outputs[0].shape == (None, 5, 3)


def test_a_merge_of_a_masked_tensor_and_another() -> None:
    """Keras 2 hides what one of them hides, Keras 3 what all of them do."""

    def build(major: int) -> Network:
        both = Layer("Add", "both", calls=[Call([Ref("hide"), Ref("x")], structure=True)])
        return model(masking(), both, rnn("r", "both"), major=major)

    with pytest.raises(ConversionError, match=r'"(both|r)": the mask of .* has another effect'):
        adapt(build(2), 3)
    with pytest.raises(ConversionError, match="has another effect in Keras 2 than in Keras 3"):
        adapt(build(3), 2)
    adapt(build(3), 3)


def test_layers_that_are_added_are_compared_with_nothing() -> None:
    crop = Layer("RandomCrop", "c", {"height": 2, "width": 2}, calls=[Call([Ref("x")])])
    network = model(crop, major=2)
    network.layers[0].config["batch_shape"] = [None, 4, 4, 3]
    adapt(network, 3)
    assert network.layers[-1].class_name == "Resizing"


def attending(name: str, query: str, value: str) -> Layer:
    shapes = {f"{part}/kernel": (3, 2, 4) for part in ("query", "key", "value")}
    shapes |= {f"{part}/bias": (2, 4) for part in ("query", "key", "value")}
    shapes |= {"attention_output/kernel": (2, 4, 3), "attention_output/bias": (3,)}
    config = {"num_heads": 2, "key_dim": 4}
    weights = {n: Tensor.from_numpy(f"{name}/{n}", np.ones(s, "f4")) for n, s in shapes.items()}
    call = Call.of([Ref(query), Ref(value)], {})
    return Layer("MultiHeadAttention", name, config, weights, calls=[call])


@pytest.mark.parametrize("major", [2, 3])
def test_masks_that_a_graph_shows_must_be_those_of_the_major(major: int) -> None:
    """Keras 3 takes the mask off the values, so that a second layer sees none."""
    once = model(masking(), attending("a", "hide", "hide"), major=3)
    graph = GraphBuilder()
    write_network(dataclasses.replace(once, keras_major=major), graph)
    network = recognise(View(graph), major=major)
    assert [layer.class_name for layer in network.layers][1:] == ["Masking", "MultiHeadAttention"]
    assert network.mask_major == major
    adapt(network, major)

    twice = model(masking(), attending("a", "x", "hide"), attending("b", "a", "hide"), major=3)
    graph = GraphBuilder()
    write_network(dataclasses.replace(twice, keras_major=2), graph)
    if major == 2:
        assert len(recognise(View(graph), major=2).layers) == 4
    else:
        with pytest.raises(ConversionError, match=r'layer "b": its masks have another effect in K'):
            recognise(View(graph), major=3)


def test_what_sees_nothing_is_nothing_in_keras_3_alone() -> None:
    """The scores of Keras 2 are equal there."""
    scored = attending("a", "hide", "hide")
    scored.calls[0].kwargs["return_attention_scores"] = True
    network = model(masking(), scored, major=3)
    network.outputs = [Ref("a"), Ref("a", 0, 1)]
    for wrote, wanted in ((2, 3), (3, 2)):
        graph = GraphBuilder()
        write_network(dataclasses.replace(network, keras_major=wrote), graph)
        assert recognise(View(graph), major=wrote).mask_major == wrote
        with pytest.raises(ConversionError, match="what sees nothing"):
            recognise(View(graph), major=wanted)
