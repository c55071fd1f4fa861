"""Transposed convolutions: the sizes that come out, and how a dilation is written."""

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


def weights(*shape: int) -> dict[str, tuple[int, ...]]:
    return {"kernel": shape, "bias": shape[-2:-1]}


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({}, 9),
        ({"padding": "same"}, 7),
        ({"strides": 2}, 15),
        ({"strides": 4}, 28),
        ({"strides": 2, "padding": "same"}, 14),
        ({"strides": 2, "output_padding": 1}, 16),
        ({"strides": 2, "padding": "same", "output_padding": 0}, 13),
        ({"dilation_rate": 3}, 13),
        ({"dilation_rate": 3, "padding": "same"}, 7),
    ],
)
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_sizes(single: Any, rank: int, config: Any, size: int) -> None:
    name, kernel = f"Conv{rank}DTranspose", weights(*[3] * rank, 5, 2)
    shape, _ = written(single(name, config, [(None, *[7] * rank, 2)], **kernel))
    assert shape == (None, *[size] * rank, 5)
    first = {**config, "data_format": "channels_first"}
    shape, _ = written(single(name, first, [(None, 2, *[7] * rank)], **kernel))
    assert shape == (None, 5, *[size] * rank)


def test_unknown_sizes_are_computed(single: Any) -> None:
    network = single("Conv2DTranspose", {"strides": 2}, [(None, None, 4, 2)], **weights(3, 3, 5, 2))
    shape, graph = written(network)
    assert shape == (None, None, 9, 5)
    (node,) = [node for node in graph.values() if node.op == "Conv2DBackpropInput"]
    assert graph[node.inputs[0]].op == "Pack"


def test_a_dilation_is_a_convolution_with_the_kernel_turned(single: Any) -> None:
    _, graph = written(
        single("Conv2DTranspose", {"dilation_rate": 2}, [(None, 6, 6, 2)], **weights(3, 3, 5, 2))
    )
    ops = [node.op for node in graph.values()]
    assert "Conv2D" in ops
    assert "ReverseV2" in ops
    assert "Conv2DBackpropInput" not in ops


@pytest.mark.parametrize(
    "config", [{"strides": 2, "dilation_rate": 2}, {"dilation_rate": 2, "output_padding": 1}]
)
def test_what_has_no_dilation_is_named(single: Any, config: Any) -> None:
    network = single("Conv2DTranspose", config, [(None, 6, 6, 2)], **weights(3, 3, 5, 2))
    with pytest.raises(ConversionError, match=r'layer "it": a dilated transposed convolution'):
        written(network)


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        ({}, (None, 6, 6, 3), "does not fit its input"),
        ({"padding": "causal"}, (None, 6, 6, 2), "unknown padding"),
        ({"groups": 2}, (None, 6, 6, 2), "no groups"),
    ],
)
def test_what_is_refused_is_named(single: Any, config: Any, shape: Any, message: str) -> None:
    with pytest.raises((ConversionError, MismatchError), match=message):
        written(single("Conv2DTranspose", config, [shape], **weights(3, 3, 5, 2)))


def test_the_weights_tell_the_config(single: Any) -> None:
    network = single("Conv2DTranspose", {"activation": "relu"}, [(None, 6, 6, 2)],
                     **weights(3, 4, 5, 2))  # fmt: skip
    it = network.layers[-1]
    config = codec_for(it).completed(it.config, it.weights)
    assert (config["filters"], config["kernel_size"]) == (5, [3, 4])
    names = [form.class_name for form in inference_form(network)]
    assert names == ["Conv2DTranspose", "Activation"]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("size", "strides"), [(2, 1), (3, 2), (2, 3)])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("added", [None, 1])
def test_what_is_written_is_recognised(
    law: Any, rank: int, padding: str, size: int, strides: int, known: bool, added: int | None
) -> None:
    config = {"padding": padding, "strides": strides, "output_padding": added}
    if added is not None and strides == 1:
        return
    shape = (None, *[6 if known else None] * rank, 4)
    kernel = (*[size] * rank, 3, 4)
    (form,) = law(f"Conv{rank}DTranspose", config, [shape], kernel=kernel, bias=(3,))
    assert form.class_name == f"Conv{rank}DTranspose"


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [2, 3])
def test_dilated_ones_are_recognised(law: Any, rank: int, padding: str, size: int) -> None:
    config = {"padding": padding, "dilation_rate": 2, "use_bias": False}
    (form,) = law(f"Conv{rank}DTranspose", config, [(None, *[6] * rank, 4)],
                  kernel=(*[size] * rank, 3, 4))  # fmt: skip
    assert form.config["dilation_rate"] == [2] * rank
