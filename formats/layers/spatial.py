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


def spread(value: Any, rank: int) -> list[int]:
    """A size for each of ``rank`` axes: Keras takes one number or as many as there are axes.

    Raises:
        ConversionError: another count.
    """
    found = [int(value)] * rank if isinstance(value, int) else [int(v) for v in value]
    if len(found) != rank:
        raise ConversionError("a size for each spatial axis is wanted", expected=rank, found=value)
    return found


def _write_window(value: Any, layer: Layer) -> AttrValue:
    # A layer over one axis is written as one over two, of which the first has size 1.
    sizes = [1, *value] if isinstance(value, list) and len(value) == 1 else list(value)
    if layer.config.get("data_format") == "channels_first":
        return [1, 1, *sizes]
    return [1, *sizes, 1]


def _read_window(value: Any, node: Node) -> Any:
    """The spatial sizes of such a list; None where batch or channels are not 1."""
    if not isinstance(value, list) or len(value) not in (4, 5):
        return None
    first = str(node.attrs.get("data_format")).startswith("NC")
    batch, channel = value[0], value[1] if first else value[-1]
    sizes = value[2:] if first else value[1:-1]
    return [int(v) for v in sizes] if batch == channel == 1 else None


def _read_one(spare: int) -> Callable[[Any, Node], Any]:
    """As ``_read_window``, of a layer over one axis; ``spare`` is the other one of the op."""

    def read(value: Any, node: Node) -> Any:
        sizes = _read_window(value, node)
        if sizes is None or len(sizes) != 2 or sizes[spare] != 1:
            return None
        return [sizes[1 - spare]]

    return read


def _write_padding(value: Any, layer: Layer) -> AttrValue:
    if value not in ("same", "valid"):
        raise ConversionError("unknown padding", expected='"same" or "valid"', found=value)
    return str(value).upper()


def _read_padding(value: Any, node: Node) -> Any:
    return value.lower() if value in ("SAME", "VALID") else None


_FORMATS = {"NHWC": "channels_last", "NDHWC": "channels_last", "NCHW": "channels_first",
            "NCDHW": "channels_first"}  # fmt: skip


def _write_format(value: Any, layer: Layer) -> AttrValue:
    return "NHWC" if value == "channels_last" else "NCHW"


def _write_volume_format(value: Any, layer: Layer) -> AttrValue:
    return "NDHWC" if value == "channels_last" else "NCDHW"


def _read_format(value: Any, node: Node) -> Any:
    return _FORMATS.get(value)


PADDING = Field("padding", Coding(_write_padding, _read_padding))
DATA_FORMAT = Field("data_format", Coding(_write_format, _read_format))
_ENTRIES = {"strides": "strides", "dilations": "dilation_rate", "ksize": "pool_size"}


def window_attrs(rank: int, *names: str, spare: int = 0) -> dict[str, Any]:
    """The attrs of an op with a window over ``rank`` axes, for a template.

    Args:
        rank: 1, 2 or 3; a layer over one axis is an op over two.
        names: of ``strides``, ``dilations`` and ``ksize`` those that the op has.
        spare: with one axis, the place of the op's other one, for reading.
    """
    coding = Coding(_write_window, _read_one(spare) if rank == 1 else _read_window)
    layouts: dict[int, Any] = {
        1: "NHWC", 2: DATA_FORMAT,
        3: Field("data_format", Coding(_write_volume_format, _read_format)),
    }  # fmt: skip
    return {
        **{name: Field(_ENTRIES[name], coding) for name in names},
        "padding": PADDING, "data_format": layouts[rank],
    }  # fmt: skip


def padding_word(layer: Layer) -> str:
    """The layer's padding as TensorFlow spells it. Raises ConversionError for another one."""
    return str(PADDING.value(layer))


Write = Callable[[Layer, list[str], GraphBuilder], list[str]]


def channels_last(write: Write, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
    """``write`` for a layer of either data format.

    TensorFlow's CPU kernels take NHWC only, so a channels_first layer is written between two
    Transposes.
    """
    if layer.config["data_format"] != "channels_first":
        return write(layer, inputs, graph)
    inner = Layer(
        layer.class_name,
        layer.name,
        {**layer.config, "data_format": "channels_last"},
        layer.weights,
    )
    shapes = [graph.shape(x) for x in inputs]
    if any(shape is None for shape in shapes):
        raise ConversionError(f"{layer.class_name} needs an input of known rank")
    ranks = [len(shape or ()) for shape in shapes]
    turned = [
        graph.op("Transpose", x, [0, *range(2, rank), 1])
        for x, rank in zip(inputs, ranks, strict=True)
    ]
    made = write(inner, turned, graph)
    back = [0, ranks[0] - 1, *range(1, ranks[0] - 1)]
    return [graph.op("Transpose", y, back) for y in made]


def canonical_channels_last(layer: Layer, rank: int) -> list[Layer]:
    """The inference form of a layer over ``rank`` axes, channels first between two Permutes."""
    if layer.config["data_format"] != "channels_first":
        return [layer]
    inner = {**layer.config, "data_format": "channels_last"}
    return [
        Layer("Permute", "", {"dims": [*range(2, rank + 2), 1]}),
        dataclasses.replace(layer, config=inner),
        Layer("Permute", "", {"dims": [rank + 1, *range(1, rank + 1)]}),
    ]


def rows(value: Any, rank: int) -> list[list[int]]:
    """Padding as Keras spells it, per axis: 1, (1, 2) and ((1, 2), (3, 4)) alike.

    Over one axis, (1, 2) is what goes before and after.
    """
    if rank == 1 and not isinstance(value, int) and len(value) == 2:
        value = [value]
    sides: Sequence[Any] = [value] * rank if isinstance(value, int) else value
    found = [[s, s] if isinstance(s, int) else [int(v) for v in s] for s in sides]
    if len(found) != rank or any(len(row) != 2 for row in found):
        raise ConversionError("two sides for each spatial axis are wanted", found=value)
    return found
