"""Convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.activations import ActivatedCodec, write_activation
from modelfmt.layers.codec import Derived
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import (
    DATA_FORMAT,
    DILATIONS,
    PADDING,
    STRIDES,
    canonical_channels_last,
    channels_last,
    pair,
)
from modelfmt.layers.template import Hole, Input, Match, Template, Weight, one_of, op
from modelfmt.network import Config, Layer


def _filters(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["kernel"][-1]


def _kernel_size(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return list(shapes["kernel"][:-2])


_X = Input(rank=4)
_KERNEL = Weight("kernel")
_CONVOLVED = op(
    "Conv2D", _X, _KERNEL, strides=STRIDES, padding=PADDING, data_format=DATA_FORMAT,
    dilations=DILATIONS,
)  # fmt: skip
#: tf.nn.convolution spells a dilation as batches of blocks, with the padding done beforehand.
_BLOCKED = op(
    "BatchToSpaceND",
    op(
        "Conv2D", op("SpaceToBatchND", _X, Hole("rate"), Hole("paddings")), _KERNEL,
        strides=[1, 1, 1, 1], padding="VALID", data_format=DATA_FORMAT,
    ),
    Hole("rate_back"),
    Hole("crops"),
)  # fmt: skip


def _biased(inner: Template) -> Template:
    bias = Weight("bias")
    return one_of(
        op("BiasAdd", inner, bias, data_format=DATA_FORMAT), op("AddV2", inner, bias), inner
    )


@register_layer
class Conv2D(ActivatedCodec):
    """Conv2D.  y = activation(x * kernel + bias)

    Shapes:  x (batch, rows, cols, in), kernel (rows, cols, in, filters), bias (filters,);
             channels_first: x (batch, in, rows, cols)
    Weights: kernel, bias
    Nodes:   Conv2D(x, kernel) -> BiasAdd(., bias); read as well with the dilation spelled
             SpaceToBatchND -> Conv2D -> BatchToSpaceND
    Source:  Keras, BaseConv.call; TensorFlow, with_space_to_batch
    """

    class_name = "Conv2D"
    weights = ("kernel", "bias")
    optional_weights = {"bias": "use_bias"}
    config = {
        "filters": Derived(_filters),
        "kernel_size": Derived(_kernel_size),
        "strides": (1, 1),
        "padding": "valid",
        "data_format": "channels_last",
        "dilation_rate": (1, 1),
        "groups": 1,
        "activation": "linear",
        "use_bias": True,
    }
    template = _biased(_CONVOLVED)
    also_read = (_biased(_BLOCKED),)
    scopes = ("convolution",)
    turned_by_theano = ("kernel",)

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; sizes given as one number become two."""
        whole = super().completed(config, weights)
        for key in ("strides", "dilation_rate", "kernel_size"):
            if key in whole:
                whole[key] = pair(whole[key])
        return whole

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        if layer.config["groups"] != 1:
            raise ConversionError(
                "a grouped convolution cannot be written yet", found=layer.config["groups"]
            )
        y = channels_last(self._write_plain, layer, inputs, graph)[0]
        return [write_activation(layer.config["activation"], y, graph)]

    def _write_plain(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [self.template.write(layer, inputs, graph)]

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The convolution, channels first between two Permutes, then its activation."""
        plain, *activation = super().canonical(layer, shapes)
        return [*canonical_channels_last(plain), *activation]

    def refine(self, match: Match, graph: View) -> Match | None:
        """Check the channels, and read a dilation that is spelled in blocks."""
        kernel, x = match.weights["kernel"].root.shape, graph.shape(match.inputs[0])
        axis = 1 if match.config.get("data_format") == "channels_first" else -1
        if len(kernel) != 4 or (x is not None and x[axis] not in (None, kernel[2])):
            return None
        if "padding" in match.config:
            return match
        return self._unblocked(match, graph)

    def _unblocked(self, match: Match, graph: View) -> Match | None:
        """Dilation and padding of a convolution between SpaceToBatchND and BatchToSpaceND."""
        holes = match.holes
        rate, paddings = graph.ints(holes["rate"]), graph.ints(holes["paddings"])
        crops = graph.ints(holes["crops"])
        if rate is None or paddings is None or crops is None or len(rate) != 2:
            return None
        if graph.ints(holes["rate_back"]) != rate or None in rate:
            return None
        # Rows are (before, after); what comes after x fills whole blocks and is cropped again, and
        # is only known where the size of x is.
        start, end = paddings[::2], paddings[1::2]
        filled = [None if a is None or b is None else a - b
                  for a, b in zip(end, crops[1::2], strict=True)]
        size = match.weights["kernel"].root.shape[:2]
        reach = [(k - 1) * (r or 1) for k, r in zip(size, rate, strict=True)]
        for padding, base in (("valid", [0, 0]), ("same", [total // 2 for total in reach])):
            after = [total - b if padding == "same" else 0
                     for total, b in zip(reach, base, strict=True)]
            sound = all(f in (None, a) for f, a in zip(filled, after, strict=True))
            if start == base and crops[::2] == [0, 0] and sound:
                return match.also(dilation_rate=rate, padding=padding, strides=[1, 1])
        return None


