"""Lookups: which indices are cast and repaired, what is recognised, and the masks."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import codec_for, recognise, write_network
from modelfmt.layers.binding import prepared
from modelfmt.layers.inference import inference_form
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


@pytest.mark.parametrize("dtype", ["float32", "int32", "int64", "uint8"])
@pytest.mark.parametrize("major", [2, 3])
def test_embedding(single: Any, dtype: str, major: int) -> None:
    network = single("Embedding", {}, [(None, None, 3)], embeddings=(7, 4))
    network.layers[0].config["dtype"] = dtype
    network.keras_major = major
    graph = GraphBuilder()
    ends = write_network(network, graph)
    assert graph.shape(ends[0]) == (None, None, 3, 4)
    ops = [node.op for node in graph.values()]
    assert ("Cast" in ops) is (dtype not in ("int32", "int64"))
    assert ("SelectV2" in ops) is (major == 3)
    found = inference_form(recognise(View(graph)))
    assert [layer.class_name for layer in found] == ["Embedding"]
    assert found[0].config == {"input_dim": 7, "output_dim": 4, "mask_zero": False, "sparse": False}


def layer_of(class_name: str, **config: Any) -> Layer:
    import numpy as np

    names = codec_for(Layer(class_name, "it")).weights
    shapes = {"embeddings": (7, 4), "reverse_embeddings": (4, 7)}
    weights = {n: Tensor.from_numpy(n, np.ones(shapes[n], "float32")) for n in names}
    return prepared(Layer(class_name, "it", config, weights))


@pytest.mark.parametrize("class_name", ["Embedding", "ReversibleEmbedding"])
def test_zero_may_mean_nothing(class_name: str) -> None:
    from modelfmt.dtypes import int32

    for mask_zero in (False, True):
        graph = GraphBuilder()
        layer = layer_of(class_name, mask_zero=mask_zero)
        x = graph.placeholder("x", int32, (None, 5))
        made = codec_for(layer).write(layer, [x], graph)
        mask = codec_for(layer).masks(layer, [x], made, graph)[0]
        assert (mask is not None) is mask_zero
        if mask is not None:
            assert graph[mask].op == "NotEqual" and graph.shape(mask) == (None, 5)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("cap", [None, 2.0])
def test_reversed(tied: bool, cap: Any) -> None:
    from modelfmt.dtypes import float32

    graph = GraphBuilder()
    layer = layer_of("ReversibleEmbedding", tie_weights=tied, logit_soft_cap=cap, mask_zero=True)
    codec = codec_for(layer)
    assert len(codec.weight_names(layer.config)) == 1 + (not tied)
    x = graph.placeholder("x", float32, (None, None, 4))
    made = codec.write(layer, [x], graph, reverse=True)  # type: ignore[call-arg]
    assert graph.shape(made[0]) == (None, None, 7)
    assert [node.attrs["transpose_b"] for node in graph.values() if node.op == "MatMul"] == [tied]
    assert ("Tanh" in [node.op for node in graph.values()]) is (cap is not None)
    assert codec.masks(layer, [x], made, graph) == [None]


def test_what_cannot_be_written(single: Any) -> None:
    network = single("Embedding", {"sparse": True}, [(None, 3)], embeddings=(7, 4))
    with pytest.raises(ConversionError, match=r'layer "it".*sparse'):
        write_network(network, GraphBuilder())
    layer = layer_of("ReversibleEmbedding", reverse_dtype="float16")
    with pytest.raises(ConversionError, match="float16"):
        codec_for(layer).write(layer, ["x"], GraphBuilder(), reverse=True)  # type: ignore[call-arg]
