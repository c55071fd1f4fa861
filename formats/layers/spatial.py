"""What convolutions and pools share: windows, strides and paddings, in config and in attrs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graph import AttrValue, Node
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.template import Coding, Field
from modelfmt.network import Layer


def pair(value: Any) -> list[int]:
    """A size for two axes: Keras takes one number or two."""
    return [int(value)] * 2 if isinstance(value, int) else [int(v) for v in value]


def _write_window(value: Any, layer: Layer) -> AttrValue:
    height, width = pair(value)
    if layer.config.get("data_format") == "channels_first":
        return [1, 1, height, width]
    return [1, height, width, 1]


def _read_window(value: Any, node: Node) -> Any:
    """The two spatial sizes of a list of four; None where batch or channels are not 1."""
    if not isinstance(value, list) or len(value) != 4:
        return None
    first = node.attrs.get("data_format") == "NCHW"
    batch, channel = value[0], value[1] if first else value[3]
    sizes = value[2:4] if first else value[1:3]
    return [int(v) for v in sizes] if batch == channel == 1 else None


def _write_padding(value: Any, layer: Layer) -> AttrValue:
    if value not in ("same", "valid"):
        raise ConversionError("unknown padding", expected='"same" or "valid"', found=value)
    return str(value).upper()


def _read_padding(value: Any, node: Node) -> Any:
    return value.lower() if value in ("SAME", "VALID") else None


_FORMATS = {"channels_last": "NHWC", "channels_first": "NCHW"}


def _write_format(value: Any, layer: Layer) -> AttrValue:
    return _FORMATS[value]


def _read_format(value: Any, node: Node) -> Any:
    return next((keras for keras, tf in _FORMATS.items() if tf == value), None)


WINDOW = Coding(_write_window, _read_window)
STRIDES = Field("strides", WINDOW)
DILATIONS = Field("dilation_rate", WINDOW)
POOL_SIZE = Field("pool_size", WINDOW)
PADDING = Field("padding", Coding(_write_padding, _read_padding))
DATA_FORMAT = Field("data_format", Coding(_write_format, _read_format))

Write = Callable[[Layer, list[str], GraphBuilder], list[str]]


def channels_last(write: Write, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
    """``write`` for a layer of either data format.

    TensorFlow's CPU kernels take NHWC only, so a channels_first layer is written between two
    Transposes.
    """
    if layer.config["data_format"] != "channels_first":
        return write(layer, inputs, graph)
    inner = Layer(
        layer.class_name, layer.name, {**layer.config, "data_format": "channels_last"},
        layer.weights,
    )
    turned = [graph.op("Transpose", x, [0, 2, 3, 1]) for x in inputs]
    return [graph.op("Transpose", y, [0, 3, 1, 2]) for y in write(inner, turned, graph)]


def canonical_channels_last(layer: Layer) -> list[Layer]:
    """A layer in inference form, channels first as ``channels_last`` writes it."""
    if layer.config["data_format"] != "channels_first":
        return [layer]
    inner = {**layer.config, "data_format": "channels_last"}
    return [
        Layer("Permute", "", {"dims": [2, 3, 1]}),
        dataclasses.replace(layer, config=inner),
        Layer("Permute", "", {"dims": [3, 1, 2]}),
    ]


def rows(value: Any) -> list[list[int]]:
    """Padding as Keras spells it, per axis: 1, (1, 2) and ((1, 2), (3, 4)) alike."""
    sides: Sequence[Any] = [value, value] if isinstance(value, int) else value
    return [[s, s] if isinstance(s, int) else [int(v) for v in s] for s in sides]
