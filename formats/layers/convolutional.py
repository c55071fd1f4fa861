"""Convolutions over one, two and three axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.turned import turned
from modelfmt.graphs.view import View
from modelfmt.layers.activations import ActivatedCodec
from modelfmt.layers.codec import Claim, Derived, shaped
from modelfmt.layers.convolving import convolve
from modelfmt.layers.extents import extent, packed, target
from modelfmt.layers.peeling import Peeled, peeled
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import (
    DATA_FORMAT,
    canonical_channels_last,
    channels_last,
    padding_word,
    spread,
    window_attrs,
)
from modelfmt.layers.template import Input, Template, Weight, one_of, only, op
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

_KERNEL = Weight("kernel")
#: What a convolution may end in, beside the op itself.
_ENDS = frozenset({
    "BiasAdd", "AddV2", "Squeeze", "Reshape", "Transpose", "BatchToSpaceND", "StridedSlice",
    "ConcatV2",
})  # fmt: skip


def _filters(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["kernel"][-1]


def _kernel_size(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return list(shapes["kernel"][:-2])


def _convolved(rank: int) -> Template:
    """A convolution without groups; over three axes without dilation, which no CPU runs."""
    x = Input(rank=rank + 2)
    if rank == 1:
        attrs = window_attrs(1, "strides", "dilations")
        conv = op("Conv2D", op("ExpandDims", x, 1), op("ExpandDims", _KERNEL, 0), **attrs)
        return op("Squeeze", conv, squeeze_dims=[1])
    if rank == 2:
        return op("Conv2D", x, _KERNEL, **window_attrs(2, "strides", "dilations"))
    plain = op("Conv3D", x, _KERNEL, **window_attrs(3, "strides"), dilations=[1] * 5)
    return only(plain, dilation_rate=[1, 1, 1])


def _biased(inner: Template, **attrs: Any) -> Template:
    return one_of(op("BiasAdd", inner, Weight("bias"), **attrs), inner)


class ConvolutionCodec(ActivatedCodec):
    """What all convolutions share: a window over ``rank`` axes, channels first or last.

    A subclass says in ``convolved`` how the layer is written, channels last, up to its bias.
    """

    rank: ClassVar[int]
    optional_weights = {"bias": "use_bias"}
    #: The ops that may be in the middle, and whether one that mixes the channels follows.
    middles: ClassVar[frozenset[str]] = frozenset()
    mixed: ClassVar[bool] = False
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

    def roots(self) -> frozenset[str]:
        return _ENDS | self.middles

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = peeled(graph, tensor, self.mixed)
        if found is None or found.op not in self.middles or found.rank != self.rank:
            return None
        weights = self.weights_of(found, graph)
        config = None if weights is None else self.config_of(found, weights, graph)
        if weights is None or config is None:
            return None
        filters = self.filters_of(weights)
        if found.bias is not None:
            weights["bias"] = found.bias
        if "bias" in weights and weights["bias"].shape != (filters,):
            return None
        shared = {
            "strides": found.strides, "dilation_rate": found.dilation, "padding": found.padding,
            "data_format": found.data_format, "use_bias": "bias" in weights,
        }  # fmt: skip
        before: list[tuple[str, Config]] = []
        if found.explicit and any(map(any, found.explicit)):
            zeros = found.explicit[0] if self.rank == 1 else found.explicit
            before = [(f"ZeroPadding{self.rank}D", {
                "padding": zeros, "data_format": found.data_format,
            })]  # fmt: skip
        after = [("Permute", {"dims": found.after})] if found.after else []
        return Claim(
            (found.x,), {**shared, **config}, weights, found.nodes, scope=found.scope or None,
            before=tuple(before), after=tuple(after),
        )  # fmt: skip

    def weights_of(self, found: Peeled, graph: View) -> dict[str, Tensor] | None:
        """The kernels, by canonical name, each in the layer's own shape."""
        kernel = turned(graph, found.kernel) if found.kernel is not None else None
        if kernel is None:
            return None
        shape = (*found.window, *kernel.shape[-2:])
        return {self.weights[0]: shaped(kernel.root, shape, graph)}

    def config_of(
        self, found: Peeled, weights: Mapping[str, Tensor], graph: View
    ) -> Config | None:
        """More config than every convolution has; None where the layer cannot be this one."""
        return {}

    def filters_of(self, weights: Mapping[str, Tensor]) -> int:
        """The number of channels that come out."""
        return weights[self.weights[0]].shape[-1]


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

    def config_of(
        self, found: Peeled, weights: Mapping[str, Tensor], graph: View
    ) -> Config | None:
        return {"groups": found.groups}


@register_layer
class Conv1D(Convolution):
    """Conv1D.  y = activation(x * kernel + bias)

    Nodes: ExpandDims -> Conv2D(., ExpandDims(kernel)) -> Squeeze -> BiasAdd, after a Pad where
           the padding is causal; groups as in ``convolving``; read as in ``peeling``. All else as
           of Convolution.
    """

    class_name = "Conv1D"
    rank = 1
    middles = frozenset({"Conv2D"})
    template = _biased(_convolved(1))


@register_layer
class Conv2D(Convolution):
    """Conv2D.  y = activation(x * kernel + bias)

    Nodes: Conv2D(x, kernel) -> BiasAdd(., bias); groups as in ``convolving``; read as in
           ``peeling``. All else as of Convolution.
    """

    class_name = "Conv2D"
    rank = 2
    middles = frozenset({"Conv2D"})
    template = _biased(_convolved(2), data_format=DATA_FORMAT)


@register_layer
class Conv3D(Convolution):
    """Conv3D.  y = activation(x * kernel + bias)

    Nodes: Conv3D(x, kernel) -> BiasAdd(., bias); groups and dilation as in ``convolving``; read
           as in ``peeling``. All else as of Convolution.
    """

    class_name = "Conv3D"
    rank = 3
    middles = frozenset({"Conv3D"})
    template = _biased(_convolved(3))
