"""The law of every layer family: what is written is recognised, in inference form.

    def test_dense(law):
        law("Dense", {"use_bias": False}, [(None, 4)], kernel=(4, 3))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import recognise, write_network
from modelfmt.layers.inference import LayerForm, inference_form
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def one_layer(
    class_name: str, config: dict[str, Any], shapes: Sequence[Any], **weights: tuple[int, ...]
) -> Network:
    """A model of one layer, called ``it``, with random positive weights of the given shapes."""
    random = np.random.default_rng(0)
    inputs = [
        Layer("InputLayer", f"in{k}", {"batch_shape": list(shape), "dtype": "float32"})
        for k, shape in enumerate(shapes)
    ]
    tensors = {
        name: Tensor.from_numpy(name, random.uniform(0.5, 1.5, shape).astype("float32"))
        for name, shape in weights.items()
    }
    call = Call([Ref(layer.name) for layer in inputs], structure=len(inputs) > 1)
    it = Layer(class_name, "it", config, tensors, calls=[call])
    return Network(
        "model", layers=[*inputs, it], inputs=[Ref(i.name) for i in inputs], outputs=[Ref("it")]
    )


def recognised(network: Network) -> Network:
    """The network that is read from the graph that ``network`` is written as."""
    graph = GraphBuilder()
    write_network(network, graph)
    return recognise(look(graph))


@pytest.fixture
def law() -> Callable[..., list[LayerForm]]:
    """Write a model of one layer, recognise it, compare; returns the inference form."""

    def check(
        class_name: str, config: dict[str, Any], shapes: Sequence[Any], **weights: tuple[int, ...]
    ) -> list[LayerForm]:
        network = one_layer(class_name, config, shapes, **weights)
        form = inference_form(network)
        assert inference_form(recognised(network)) == form
        return form

    return check


@pytest.fixture
def network_law() -> Callable[[Network], list[LayerForm]]:
    """As ``law``, for a whole network."""

    def check(network: Network) -> list[LayerForm]:
        form = inference_form(network)
        assert inference_form(recognised(network)) == form
        return form

    return check


@pytest.fixture
def single() -> Callable[..., Network]:
    """The builder of models of one layer."""
    return one_layer
