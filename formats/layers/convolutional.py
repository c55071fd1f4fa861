"""Convolutions over one, two and three axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.activations import ActivatedCodec
from modelfmt.layers.codec import Derived
from modelfmt.layers.convolving import convolve
from modelfmt.layers.extents import extent, packed, target
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import (
    DATA_FORMAT,
    canonical_channels_last,
    channels_last,
    padding_word,
    spread,
    window_attrs,
)
from modelfmt.layers.template import Hole, Input, Match, Template, Weight, one_of, only, op
from modelfmt.network import Config, Layer

_KERNEL = Weight("kernel")


def _filters(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["kernel"][-1]


def _kernel_size(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return list(shapes["kernel"][:-2])


def _convolved(rank: int, place: int = 1) -> Template:
    """A convolution without groups; over three axes without dilation, which no CPU runs.

    Over one axis the other one of the op is put in at ``place``.
    """
    x = Input(rank=rank + 2)
    if rank == 1:
        return _widened(x, place, **window_attrs(1, "strides", "dilations"))
    if rank == 2:
        return op("Conv2D", x, _KERNEL, **window_attrs(2, "strides", "dilations"))
    plain = op("Conv3D", x, _KERNEL, **window_attrs(3, "strides"), dilations=[1] * 5)
    return only(plain, dilation_rate=[1, 1, 1])


def _widened(x: Template, place: int, **attrs: Any) -> Template:
    # What reads a graph sees through the ExpandDims of a constant.
    kernel = one_of(op("ExpandDims", _KERNEL, 0), _KERNEL)
    conv = op("Conv2D", op("ExpandDims", x, place), kernel, **attrs)
    return op("Squeeze", conv, squeeze_dims=[place])


def _blocked(rank: int, place: int = 1) -> Template:
    """A dilation as tf.nn.convolution spells it: batches of blocks, padded before."""
    blocks = op("SpaceToBatchND", Input(rank=rank + 2), Hole("rate"), Hole("paddings"))
    attrs: dict[str, Any] = {"padding": "VALID", "strides": [1] * max(4, rank + 2)}
    if rank == 1:
        inner = _widened(blocks, place, data_format="NHWC", **attrs)
    elif rank == 2:
        inner = op("Conv2D", blocks, _KERNEL, data_format=DATA_FORMAT, **attrs)
    else:
        inner = op("Conv3D", blocks, _KERNEL, data_format="NDHWC", **attrs)
    return op("BatchToSpaceND", inner, Hole("rate_back"), Hole("crops"))


def _biased(inner: Template, **attrs: Any) -> Template:
    bias = Weight("bias")
    return one_of(op("BiasAdd", inner, bias, **attrs), op("AddV2", inner, bias), inner)


class ConvolutionCodec(ActivatedCodec):
    """What all convolutions share: a window over ``rank`` axes, channels first or last.

    A subclass says in ``convolved`` how the layer is written, channels last, up to its bias.
    """

    rank: ClassVar[int]
    optional_weights = {"bias": "use_bias"}
    #: The config entries with a size for each axis.
    sized: ClassVar[tuple[str, ...]] = ("kernel_size", "strides", "dilation_rate")

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; sizes given as one number become one for each axis."""
        whole = super().completed(config, weights)
        for key in self.sized:
            if whole.get(key) is not None:
                whole[key] = spread(whole[key], self.rank)
        return whole

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The convolution, channels first between two Permutes, then its activation."""
        plain, *activation = super().canonical(layer, shapes)
        return [*canonical_channels_last(plain, self.rank), *activation]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        y = channels_last(self.biased, layer, inputs, graph)[0]
        return [self.activated(layer, y, graph)]

    def biased(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        """The layer without its activation, channels last."""
        y = self.convolved(layer, self.padded(layer, inputs[0], graph), graph)
        if "bias" in layer.weights:
            y = graph.op("BiasAdd", y, graph.weight(layer.weight("bias"), "bias"))
        return [y]

    def padded(self, layer: Layer, x: str, graph: GraphBuilder) -> str:
        """``x`` with the zeros before it that padding "causal" means: no step sees a later one."""
        if layer.config["padding"] != "causal" or self.rank != 1:
            return x
        reach = (layer.config["kernel_size"][0] - 1) * layer.config["dilation_rate"][0]
        return graph.op("Pad", x, [[0, 0], [reach, 0], [0, 0]])

    def padding(self, layer: Layer) -> str:
        """The padding that is left to the op."""
        causal = layer.config["padding"] == "causal" and self.rank == 1
        return "VALID" if causal else padding_word(layer)

    def convolved(self, layer: Layer, x: str, graph: GraphBuilder) -> str:
        """The convolution of ``x`` (batch, *sizes, in), padded already where it is causal."""
        raise NotImplementedError


class Convolution(ConvolutionCodec):
    """A convolution that mixes the channels.

    Shapes:  x (batch, *sizes, in), kernel (*window, in / groups, filters), bias (filters,);
             channels_first: x (batch, in, *sizes); more batch axes before, with channels last
    Weights: kernel, bias
    Source:  Keras, BaseConv.call; TensorFlow, with_space_to_batch
    """

    weights = ("kernel", "bias")
    config = {
        "filters": Derived(_filters),
        "kernel_size": Derived(_kernel_size),
        "strides": 1,
        "padding": "valid",
        "data_format": "channels_last",
        "dilation_rate": 1,
        "groups": 1,
        "activation": "linear",
        "use_bias": True,
    }
    scopes = ("convolution",)
    turned_by_theano = ("kernel",)

    def biased(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        config, shape = layer.config, graph.shape(inputs[0])
        plain = only(self.template, groups=1) if self.template is not None else None
        if shape is not None and len(shape) > self.rank + 2:
            return [self._of_many(layer, inputs[0], graph)]
        if plain is not None and plain.writable(layer) and config["padding"] != "causal":
            return [plain.write(layer, inputs, graph)]
        return super().biased(layer, inputs, graph)

    def _of_many(self, layer: Layer, x: str, graph: GraphBuilder) -> str:
        """Applied to more than one batch axis: they are one for the time being."""
        axes = len(graph.shape(x) or ())
        outer = [extent(x, axis, graph) for axis in range(axes - self.rank - 1)]
        inner = [extent(x, axis, graph) for axis in range(axes - self.rank - 1, axes)]
        flat = graph.op("Reshape", x, packed([-1, *inner], graph))
        (y,) = self.biased(layer, [flat], graph)
        sizes = [extent(y, axis, graph) for axis in range(1, self.rank + 2)]
        return graph.op("Reshape", y, target([*outer, *sizes], graph))

    def convolved(self, layer: Layer, x: str, graph: GraphBuilder) -> str:
        config = layer.config
        return convolve(
            x, graph.weight(layer.weight("kernel"), "kernel"), graph, strides=config["strides"],
            padding=self.padding(layer), dilation=config["dilation_rate"], groups=config["groups"],
        )  # fmt: skip

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        config, shape = layer.config, graph.shape(inputs[0])
        kernel, groups = layer.weight("kernel").shape, config["groups"]
        first = config["data_format"] == "channels_first"
        if shape is None:
            raise ConversionError(f"{self.class_name} needs an input of known rank")
        if first and len(shape) != self.rank + 2:
            raise ConversionError(
                "more than one batch axis before channels that come first", found=list(shape)
            )
        channels = shape[1] if first else shape[-1]
        if len(kernel) != self.rank + 2 or kernel[-1] % groups:
            raise MismatchError(
                "the kernel does not fit the configuration",
                expected=f"{self.rank + 2} axes, filters in {groups} group(s)",
                found=list(kernel),
            )
        if channels is not None and channels != kernel[-2] * groups:
            raise MismatchError(
                "the kernel does not fit its input", expected=channels, found=kernel[-2] * groups
            )
        return super().write(layer, inputs, graph)

    def refine(self, match: Match, graph: View) -> Match | None:
        """Check the channels, and read a dilation that is spelled in blocks."""
        kernel, x = match.weights["kernel"].root.shape, graph.shape(match.inputs[0])
        axis = 1 if match.config.get("data_format") == "channels_first" else -1
        if len(kernel) != self.rank + 2 or (x is not None and x[axis] not in (None, kernel[-2])):
            return None
        return match if "padding" in match.config else self._unblocked(match, graph)

    def _unblocked(self, match: Match, graph: View) -> Match | None:
        """Dilation and padding of a convolution between SpaceToBatchND and BatchToSpaceND."""
        holes = match.holes
        rate, paddings = graph.ints(holes["rate"]), graph.ints(holes["paddings"])
        crops = graph.ints(holes["crops"])
        if rate is None or paddings is None or crops is None or len(rate) != self.rank:
            return None
        if graph.ints(holes["rate_back"]) != rate or None in rate:
            return None
        # Rows are (before, after); what comes after x fills whole blocks and is cropped again, and
        # is only known where the size of x is.
        start, end = paddings[::2], paddings[1::2]
        filled = [
            None if a is None or b is None else a - b for a, b in zip(end, crops[1::2], strict=True)
        ]
        size = match.weights["kernel"].root.shape[: self.rank]
        reach = [(k - 1) * (r or 1) for k, r in zip(size, rate, strict=True)]
        for padding, base in (
            ("valid", [0] * self.rank),
            ("same", [total // 2 for total in reach]),
        ):
            after = [
                total - b if padding == "same" else 0 for total, b in zip(reach, base, strict=True)
            ]
            sound = all(f in (None, a) for f, a in zip(filled, after, strict=True))
            if start == base and not any(c != 0 for c in crops[::2]) and sound:
                return match.also(dilation_rate=rate, padding=padding, strides=[1] * self.rank)
        return None


@register_layer
class Conv1D(Convolution):
    """Conv1D.  y = activation(x * kernel + bias)

    Nodes: ExpandDims -> Conv2D(., ExpandDims(kernel)) -> Squeeze -> BiasAdd, after a Pad where
           the padding is causal; groups as in ``convolving``. All else as of Convolution.
    """

    class_name = "Conv1D"
    rank = 1
    template = _biased(_convolved(1))
    # TensorFlow counts the place from the end.
    also_read = (
        _biased(_convolved(1, -3)), _biased(_blocked(1, -3)), _biased(_blocked(1)),
    )  # fmt: skip


@register_layer
class Conv2D(Convolution):
    """Conv2D.  y = activation(x * kernel + bias)

    Nodes: Conv2D(x, kernel) -> BiasAdd(., bias); groups as in ``convolving``; read as well with
           the dilation spelled SpaceToBatchND -> Conv2D -> BatchToSpaceND. All else as of
           Convolution.
    """

    class_name = "Conv2D"
    rank = 2
    template = _biased(_convolved(2), data_format=DATA_FORMAT)
    also_read = (_biased(_blocked(2), data_format=DATA_FORMAT),)


@register_layer
class Conv3D(Convolution):
    """Conv3D.  y = activation(x * kernel + bias)

    Nodes: Conv3D(x, kernel) -> BiasAdd(., bias); groups and dilation as in ``convolving``. All
           else as of Convolution.
    """

    class_name = "Conv3D"
    rank = 3
    template = _biased(_convolved(3))
    also_read = (_biased(_blocked(3)),)
