"""Convolutions of each channel by itself, alone and with a mixture of the channels after it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.turned import turned
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Derived, shaped
from modelfmt.layers.convolutional import ConvolutionCodec
from modelfmt.layers.convolving import convolve, convolve_each
from modelfmt.layers.peeling import Peeled
from modelfmt.layers.registry import register_layer
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor


def _derived(kernel: str) -> dict[str, Any]:
    """The config entries that follow from a kernel (*window, in, multiplier)."""

    def size(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
        return list(shapes[kernel][:-2])

    def multiplier(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
        return shapes[kernel][-1]

    return {"kernel_size": Derived(size), "depth_multiplier": Derived(multiplier)}


def _filters(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["pointwise_kernel"][-1]


_SHARED = {
    "strides": 1,
    "padding": "valid",
    "data_format": "channels_last",
    "dilation_rate": 1,
    "activation": "linear",
    "use_bias": True,
}


class EachChannel(ConvolutionCodec):
    """What the layers of this room share; the first weight is the kernel of each channel."""

    middles = frozenset({"DepthwiseConv2dNative"})

    def convolved(self, layer: Layer, x: str, graph: GraphBuilder) -> str:
        name, config = self.weights[0], layer.config
        kernel, shape = layer.weight(name), graph.shape(x) or ()
        if len(kernel.shape) != self.rank + 2 or shape[-1:] not in ((None,), (kernel.shape[-2],)):
            raise MismatchError(
                "the kernel does not fit its input", expected=list(shape), found=list(kernel.shape)
            )
        if config.get("groups") not in (None, 1):
            raise ConversionError(f"{self.class_name} has no groups", found=config["groups"])
        return convolve_each(
            x, graph.weight(kernel, name), graph, strides=config["strides"],
            padding=self.padding(layer), dilation=config["dilation_rate"],
        )  # fmt: skip


class Depthwise(EachChannel):
    """A depthwise convolution.  y[..., i * m + j] = x[..., i] * kernel[..., i, j] + bias

    Shapes:  x (batch, *sizes, in), kernel (*window, in, m), bias (in * m,), y (batch, *, in * m);
             channels_first: x (batch, in, *sizes)
    Weights: kernel (``depthwise_kernel`` in Keras 2), bias
    Nodes:   DepthwiseConv2dNative(x, kernel) -> BiasAdd; a dilation as in ``convolving``; in 1D
             ExpandDims and Squeeze around
    Source:  Keras, BaseDepthwiseConv.call
    """

    weights = ("kernel", "bias")
    config = {**_derived("kernel"), **_SHARED}

    def filters_of(self, weights: Mapping[str, Tensor]) -> int:
        return math.prod(weights["kernel"].shape[-2:])


@register_layer
class DepthwiseConv1D(Depthwise):
    """DepthwiseConv1D: a Depthwise convolution over one axis."""

    class_name = "DepthwiseConv1D"
    rank = 1


@register_layer
class DepthwiseConv2D(Depthwise):
    """DepthwiseConv2D: a Depthwise convolution over two axes."""

    class_name = "DepthwiseConv2D"
    rank = 2


class Separable(EachChannel):
    """A depthwise convolution, then one of window 1 that mixes the channels.

    Shapes:  x (batch, *sizes, in), depthwise_kernel (*window, in, m), pointwise_kernel
             (*1s, in * m, filters), bias (filters,); channels_first: x (batch, in, *sizes)
    Weights: depthwise_kernel, pointwise_kernel, bias
    Nodes:   DepthwiseConv2dNative -> Conv2D -> BiasAdd; a dilation as in ``convolving``; in 1D
             ExpandDims and Squeeze around each
    Source:  Keras, BaseSeparableConv.call
    """

    weights = ("depthwise_kernel", "pointwise_kernel", "bias")
    config = {"filters": Derived(_filters), **_derived("depthwise_kernel"), **_SHARED}
    mixed = True

    def roots(self) -> frozenset[str]:
        return super().roots() | {"Conv2D"}

    def weights_of(self, found: Peeled, graph: View) -> dict[str, Tensor] | None:
        weights = super().weights_of(found, graph)
        mixing = turned(graph, found.pointwise) if found.pointwise else None
        if weights is None or mixing is None or not found.together:
            return None
        each = weights["depthwise_kernel"].shape[-2:]
        kernel = shaped(mixing.root, (*[1] * self.rank, *mixing.shape[-2:]), graph)
        if kernel.shape[-2] != math.prod(each):
            return None
        return {**weights, "pointwise_kernel": kernel}

    def filters_of(self, weights: Mapping[str, Tensor]) -> int:
        return weights["pointwise_kernel"].shape[-1]

    def convolved(self, layer: Layer, x: str, graph: GraphBuilder) -> str:
        name = "pointwise_kernel"
        each = super().convolved(layer, x, graph)
        return convolve(
            each, graph.weight(layer.weight(name), name), graph, strides=[1] * self.rank,
            padding="VALID", dilation=[1] * self.rank,
        )  # fmt: skip


@register_layer
class SeparableConv1D(Separable):
    """SeparableConv1D: a Separable convolution over one axis; its padding may be causal."""

    class_name = "SeparableConv1D"
    rank = 1


@register_layer
class SeparableConv2D(Separable):
    """SeparableConv2D: a Separable convolution over two axes."""

    class_name = "SeparableConv2D"
    rank = 2
