"""Depthwise and separable convolutions: shapes, structure, errors."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import codec_for, write_network
from modelfmt.layers.inference import inference_form


def written(network: Any) -> tuple[Any, GraphBuilder]:
    graph = GraphBuilder()
    (out,) = write_network(network, graph)
    return graph.shape(out), graph


def weights(name: str, rank: int) -> dict[str, tuple[int, ...]]:
    if name == "DepthwiseConv":
        return {"kernel": (*[3] * rank, 4, 2), "bias": (8,)}
    return {
        "depthwise_kernel": (*[3] * rank, 4, 2), "pointwise_kernel": (*[1] * rank, 8, 5),
        "bias": (5,),
    }  # fmt: skip


@pytest.mark.parametrize(("name", "out"), [("DepthwiseConv", 8), ("SeparableConv", 5)])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({}, 7),
        ({"padding": "same", "strides": 2}, 5),
        ({"dilation_rate": 2}, 5),
        ({"dilation_rate": 2, "strides": 2, "padding": "same"}, 5),
    ],
)
def test_shapes(single: Any, name: str, out: int, rank: int, config: Any, size: int) -> None:
    class_name, given = f"{name}{rank}D", weights(name, rank)
    shape, _ = written(single(class_name, config, [(None, *[9] * rank, 4)], **given))
    assert shape == (None, *[size] * rank, out)
    first = {**config, "data_format": "channels_first"}
    shape, _ = written(single(class_name, first, [(None, 4, *[9] * rank)], **given))
    assert shape == (None, out, *[size] * rank)
    shape, _ = written(single(class_name, config, [(None, *[None] * rank, 4)], **given))
    assert shape == (None, *[None] * rank, out)


def test_a_causal_padding_stands_before(single: Any) -> None:
    config = {"padding": "causal", "dilation_rate": 2}
    shape, graph = written(
        single("SeparableConv1D", config, [(None, 9, 4)], **weights("SeparableConv", 1))
    )
    assert shape == (None, 9, 5)
    (pad,) = [node for node in graph.values() if node.op == "Pad"]
    assert graph[pad.inputs[1]].attrs["value"].numpy().tolist() == [[0, 0], [4, 0], [0, 0]]


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        ({}, (None, 9, 9, 5), "does not fit its input"),
        ({"padding": "causal"}, (None, 9, 9, 4), "unknown padding"),
        ({"groups": 2}, (None, 9, 9, 4), "has no groups"),
    ],
)
def test_what_is_refused_is_named(single: Any, config: Any, shape: Any, message: str) -> None:
    network = single("DepthwiseConv2D", config, [shape], **weights("DepthwiseConv", 2))
    with pytest.raises((ConversionError, MismatchError), match=message):
        written(network)


def test_the_weights_tell_the_config(single: Any) -> None:
    network = single("SeparableConv2D", {"data_format": "channels_first"}, [(None, 4, 9, 9)],
                     **weights("SeparableConv", 2))  # fmt: skip
    it = network.layers[-1]
    config = codec_for(it).completed(it.config, it.weights)
    assert (config["filters"], config["depth_multiplier"]) == (5, 2)
    assert config["kernel_size"] == [3, 3]
    names = [form.class_name for form in inference_form(network)]
    assert names == ["Permute", "SeparableConv2D", "Permute"]


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("kind", ["Depthwise", "Separable"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("strides", "rate"), [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_written_is_recognised(
    law: Any, rank: int, kind: str, padding: str, strides: int, rate: int, known: bool
) -> None:
    config = {"padding": padding, "strides": strides, "dilation_rate": rate}
    each = (*[3] * rank, 4, 2)
    kernels: dict[str, tuple[int, ...]] = {"kernel": each, "bias": (8,)}
    if kind == "Separable":
        mixing = (*[1] * rank, 8, 5)
        kernels = {"depthwise_kernel": each, "pointwise_kernel": mixing, "bias": (5,)}
    shape = (None, *[9 if known else None] * rank, 4)
    (form,) = law(f"{kind}Conv{rank}D", config, [shape], **kernels)
    assert form.class_name == f"{kind}Conv{rank}D"
