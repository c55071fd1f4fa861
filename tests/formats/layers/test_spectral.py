"""SpectralNormalization: the layer that it wraps."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import codec_for, write_network
from modelfmt.layers.inference import inference_form
from modelfmt.network import Layer

DENSE = {"class_name": "Dense", "config": {"name": "inner", "units": 3, "activation": "relu"}}
WEIGHTS = {"layer/kernel": (4, 3), "layer/bias": (3,), "vector_u": (1, 3)}


def test_its_weights_come_after_the_layer_s() -> None:
    codec = codec_for(Layer("SpectralNormalization", "it"))
    whole = codec.completed({"layer": DENSE}, {})
    assert codec.weight_names(whole) == tuple(WEIGHTS)
    assert codec.untrained(whole) == {"vector_u"}


def test_it_is_the_layer(single: Any) -> None:
    network = single("SpectralNormalization", {"layer": DENSE}, [(None, 4)], **WEIGHTS)
    graph = GraphBuilder()
    write_network(network, graph)
    assert "it/inner/MatMul" in graph and "Relu" in {node.op for node in graph.values()}
    dense, relu = inference_form(network)
    assert (dense.class_name, dense.name) == ("Dense", "it")
    assert [weight.name for weight in dense.weights] == ["kernel", "bias"]
    assert relu.config == {"activation": "relu"}


@pytest.mark.parametrize(("major", "casts"), [(2, 1), (3, 2)])
def test_keras_3_casts_back(single: Any, major: int, casts: int) -> None:
    """A lookup of bytes casts them to int32; Keras 3 then casts the vectors to bytes."""
    inner = {"class_name": "Embedding", "config": {"name": "inner"}}
    weights = {"layer/embeddings": (7, 3), "vector_u": (1, 3)}
    network = single("SpectralNormalization", {"layer": inner}, [(None, 4)], **weights)
    network.layers[0].config["dtype"] = "uint8"
    network.keras_major = major
    graph = GraphBuilder()
    ends = write_network(network, graph)
    assert [node.op for node in graph.values()].count("Cast") == casts
    assert graph.dtype(ends[0]).name == ("float32" if major == 2 else "uint8")


def test_nothing_wrapped(single: Any) -> None:
    network = single("SpectralNormalization", {}, [(None, 4)], vector_u=(1, 3))
    with pytest.raises(MismatchError, match=r'layer "it"'):
        write_network(network, GraphBuilder())
