"""Dialects of one convolution, which all come back as it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise
from modelfmt.layers.peeling import peeled

KERNEL = np.arange(3 * 4 * 2, dtype="float32").reshape(3, 4, 2)
BIAS = np.ones(2, "float32")


def classes(graph: GraphBuilder) -> list[str]:
    return [layer.class_name for layer in recognise(View(graph)).layers[1:]]


def test_keras_1_on_tensorflow() -> None:
    """Convolution1D: an axis put in, everything turned, turned back, and the axis taken out."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 4))
    wide = graph.op("Transpose", graph.op("ExpandDims", x, -1), [0, 2, 1, 3])
    stored = graph.const(KERNEL.transpose(2, 1, 0)[..., None], name="stored")
    y = graph.op("Conv2D", graph.op("Transpose", wide, [0, 2, 3, 1]),
                 graph.op("Transpose", stored, [2, 3, 1, 0]), strides=[1] * 4, padding="VALID")
    y = graph.op("Transpose", y, [0, 3, 1, 2])
    y = graph.op("AddV2", y, graph.op("Reshape", graph.const(BIAS), [1, 2, 1, 1]))
    y = graph.op("Transpose", graph.op("Squeeze", y, squeeze_dims=[3]), [0, 2, 1])
    graph.op("Identity", y, name="out")
    (layer,) = recognise(View(graph)).layers[1:]
    assert (layer.class_name, layer.config["data_format"]) == ("Conv1D", "channels_last")
    np.testing.assert_array_equal(layer.weight("kernel").numpy(), KERNEL)


def test_a_bias_beyond_a_transpose_is_the_layers() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4, 9, 9))
    kernel = graph.const(np.ones((3, 3, 4, 2), "float32"))
    y = graph.op("Conv2D", graph.op("Transpose", x, [0, 2, 3, 1]), kernel, strides=[1] * 4,
                 padding="VALID")  # fmt: skip
    y = graph.op("Transpose", y, [0, 3, 1, 2])
    y = graph.op("AddV2", y, graph.op("Reshape", graph.const(BIAS), [1, 2, 1, 1]))
    graph.op("Identity", y, name="out")
    network = recognise(View(graph))
    assert [layer.class_name for layer in network.layers[1:]] == ["Permute", "Conv2D", "Permute"]
    assert network.layers[2].config["use_bias"]
    assert network.layers[3].config["dims"] == [3, 1, 2]


def test_explicit_zeros_become_a_layer_before_it() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 8, 4))
    y = graph.op("Conv2D", x, graph.const(np.ones((3, 3, 4, 2), "float32")), strides=[1] * 4,
                 padding="EXPLICIT", explicit_paddings=[0, 0, 1, 2, 0, 3, 0, 0])  # fmt: skip
    graph.op("Identity", y, name="out")
    pad, conv = recognise(View(graph)).layers[1:]
    assert (pad.class_name, conv.class_name) == ("ZeroPadding2D", "Conv2D")
    assert pad.config["padding"] == [[1, 2], [0, 3]]
    assert conv.calls[0].inputs[0].layer == pad.name


@pytest.mark.parametrize(
    ("each", "mixing", "wanted"),
    [
        ("sep/depthwise", "sep/Conv2D", ["SeparableConv2D"]),
        ("separable_conv2d/depthwise", "separable_conv2d", ["SeparableConv2D"]),
        ("dw/depthwise", "pw/Conv2D", ["DepthwiseConv2D", "Conv2D"]),
    ],
)
def test_scopes_tell_one_layer_from_two(each: str, mixing: str, wanted: list[str]) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 9, 4))
    y = graph.op("DepthwiseConv2dNative", x, graph.const(np.ones((3, 3, 4, 2), "float32")),
                 strides=[1] * 4, padding="VALID", name=each)  # fmt: skip
    y = graph.op("Conv2D", y, graph.const(np.ones((1, 1, 8, 2), "float32")), strides=[1] * 4,
                 padding="VALID", name=mixing)  # fmt: skip
    graph.op("Identity", y, name="out")
    assert classes(graph) == wanted


@pytest.mark.parametrize(
    ("pad", "wanted"),
    [("it/Pad", ["Conv1D"]), ("pad/Pad", ["ZeroPadding1D", "Conv1D"]),
     ("Pad", ["ZeroPadding1D", "Conv1D"])],
)  # fmt: skip
def test_zeros_in_the_layers_own_scope_are_causal(pad: str, wanted: list[str]) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 4))
    y = graph.op("Pad", x, [[0, 0], [2, 0], [0, 0]], name=pad)
    with graph.scope("it"):
        kernel = graph.op("ExpandDims", graph.const(KERNEL), 0)
        y = graph.op("Conv2D", graph.op("ExpandDims", y, 1), kernel, strides=[1] * 4,
                     padding="VALID")  # fmt: skip
        y = graph.op("BiasAdd", graph.op("Squeeze", y, squeeze_dims=[1]), graph.const(BIAS))
    graph.op("Identity", y, name="out")
    assert classes(graph) == wanted


@pytest.mark.parametrize(
    ("scopes", "bias", "name"),
    [
        (("model", "conv1d", "conv1d"), True, "model/conv1d"),
        (("model", "conv1d", "conv1d"), False, "model/conv1d"),
        (("it", "StatefulPartitionedCall", "convolution"), True, "it"),
    ],
)
def test_the_layers_scope(scopes: Any, bias: bool, name: str) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 4))
    inner, outer = "/".join(scopes), "/".join(scopes[:2] if scopes[0] == "model" else scopes[:1])
    kernel = graph.op("ExpandDims", graph.const(KERNEL), 0)
    with graph.scope(inner):
        y = graph.op("Conv2D", graph.op("ExpandDims", x, 1), kernel, strides=[1] * 4,
                     padding="VALID")  # fmt: skip
        y = graph.op("Squeeze", y, squeeze_dims=[1])
    if bias:
        y = graph.op("BiasAdd", y, graph.const(BIAS), name=f"{outer}/BiasAdd")
    found = peeled(View(graph, outputs=[y]), y)
    assert found is not None
    assert found.scope == name


@pytest.mark.parametrize("op", ["AddV2", "BiasAdd"])
def test_a_bias_must_stand_along_the_channels(op: Any) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4, 4, 4))
    y = graph.op("Conv2D", x, graph.const(np.ones((1, 1, 4, 2), "float32")), strides=[1] * 4,
                 padding="VALID")  # fmt: skip
    y = graph.op("Transpose", y, [0, 3, 1, 2])
    y = graph.op(op, y, graph.const(np.ones(4, "float32")))
    assert peeled(View(graph, outputs=[y]), y) is None
