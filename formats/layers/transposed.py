"""Transposed convolutions: the gradient of a convolution with respect to its input.

    size of y along an axis, k' = (k - 1) * dilation + 1
        valid    (size - 1) * stride + max(k', stride), or + k' + output_padding
        same     size * stride, or (size - 1) * stride + k' % 2 + output_padding

TensorFlow's CPU kernels take no dilation here. Where there is one the strides are 1, and it is the
dilated convolution of x, padded, with the kernel turned by half a turn. Read as in ``peeling``.
Source: Keras backend/common/backend_utils.py, compute_conv_transpose_output_shape.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.supposing import samples, supposed_ints
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, Derived
from modelfmt.layers.convolutional import ConvolutionCodec
from modelfmt.layers.convolving import convolve
from modelfmt.layers.extents import Extent, calculated, extent, packed
from modelfmt.layers.peeling import Peeled, peeled
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import padding_word
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor


def _filters(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return shapes["kernel"][-2]


def _kernel_size(shapes: Mapping[str, tuple[int, ...]], config: Config) -> Any:
    return list(shapes["kernel"][:-2])


class TransposedConvolution(ConvolutionCodec):
    """A transposed convolution.  y = activation(x *T kernel + bias)

    Shapes:  x (batch, *sizes, in), kernel (*window, filters, in), bias (filters,);
             channels_first: x (batch, in, *sizes)
    Weights: kernel, bias
    Nodes:   Conv2DBackpropInput(sizes of y, kernel, x), in 3D Conv3DBackpropInputV2; in 1D
             ExpandDims and Squeeze around; then BiasAdd
    Source:  Keras, BaseConvTranspose.call
    """

    weights = ("kernel", "bias")
    sized = ("kernel_size", "strides", "dilation_rate", "output_padding")
    config = {
        "filters": Derived(_filters),
        "kernel_size": Derived(_kernel_size),
        "strides": 1,
        "padding": "valid",
        "output_padding": None,
        "data_format": "channels_last",
        "dilation_rate": 1,
        "activation": "linear",
        "use_bias": True,
    }

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """No output padding where it asks for the size that there is without."""
        config = layer.config
        given, same = config["output_padding"], config["padding"] == "same"
        if given is not None:
            added = [
                stride if same else max(reach, stride)
                for reach, stride in zip(_reaches(config), config["strides"], strict=True)
            ]
            asked = [
                (reach % 2 if same else reach) + more
                for reach, more in zip(_reaches(config), given, strict=True)
            ]
            if added == asked:
                layer = dataclasses.replace(layer, config={**config, "output_padding": None})
        return super().canonical(layer, shapes)

    def convolved(self, layer: Layer, x: str, graph: GraphBuilder) -> str:
        kernel = layer.weight("kernel")
        shape = graph.shape(x) or ()
        if len(kernel.shape) != self.rank + 2 or shape[-1:] not in ((None,), kernel.shape[-1:]):
            raise MismatchError(
                "the kernel does not fit its input", expected=list(shape), found=list(kernel.shape)
            )
        if layer.config.get("groups") not in (None, 1):
            raise ConversionError(
                "a transposed convolution has no groups", found=layer.config["groups"]
            )
        weight = graph.weight(kernel, "kernel")
        if max(layer.config["dilation_rate"]) > 1:
            return self._dilated(layer, x, weight, graph)
        stated = layer.config.get("output_size")  # Keras 1 says how large y is
        sizes = list(stated) if stated and None not in stated else [
            self._size(layer, k, extent(x, k + 1, graph), graph) for k in range(self.rank)
        ]
        strides = layer.config["strides"]
        if self.rank == 1:
            sizes, strides = [1, *sizes], [1, *strides]
            x, weight = graph.op("ExpandDims", x, 1), graph.op("ExpandDims", weight, 0)
        whole = [extent(x, 0, graph), *sizes, kernel.shape[-2]]
        y = graph.op(
            "Conv3DBackpropInputV2" if self.rank == 3 else "Conv2DBackpropInput",
            packed(whole, graph), weight, x, strides=[1, *strides, 1], padding=padding_word(layer),
        )  # fmt: skip
        return graph.op("Squeeze", y, squeeze_dims=[1]) if self.rank == 1 else y

    def _size(self, layer: Layer, axis: int, size: Extent, graph: GraphBuilder) -> Extent:
        """The size of y along ``axis``, x being ``size`` long."""
        config = layer.config
        stride, given = config["strides"][axis], config["output_padding"]
        reach = (config["kernel_size"][axis] - 1) * config["dilation_rate"][axis] + 1
        if padding_word(layer) == "SAME":
            more = stride if given is None else reach % 2 + given[axis]
        else:
            more = max(reach, stride) if given is None else reach + given[axis]
        steps = calculated("Mul", calculated("Sub", size, 1, graph), stride, graph)
        return calculated("AddV2", steps, more, graph)

    def _dilated(self, layer: Layer, x: str, kernel: str, graph: GraphBuilder) -> str:
        config, same = layer.config, padding_word(layer) == "SAME"
        reach = [
            (size - 1) * rate
            for size, rate in zip(config["kernel_size"], config["dilation_rate"], strict=True)
        ]
        # With strides of 1 a convolution of y gives back x for one size of y alone.
        given = config["output_padding"]
        wanted = [1 - (r + 1) % 2 if same else 0 for r in reach]
        if max(config["strides"]) > 1 or given not in (None, wanted):
            raise ConversionError(
                "a dilated transposed convolution with strides or output_padding",
                found={key: config[key] for key in ("strides", "dilation_rate", "output_padding")},
            )
        sides = [[r - r // 2, r // 2] if same else [r, r] for r in reach]
        padded = graph.op("Pad", x, [[0, 0], *sides, [0, 0]])
        turned = graph.op("ReverseV2", kernel, list(range(self.rank)))
        swapped = graph.op("Transpose", turned, [*range(self.rank), self.rank + 1, self.rank])
        return convolve(
            padded, swapped, graph, strides=config["strides"], padding="VALID",
            dilation=config["dilation_rate"],
        )  # fmt: skip


    # -- recognising --------------------------------------------------------------------------

    def roots(self) -> frozenset[str]:
        return super().roots() | {f"Conv{max(self.rank, 2)}D"}

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        return super().recognise(tensor, graph) or self._turned(tensor, graph)

    def filters_of(self, weights: Mapping[str, Tensor]) -> int:
        return weights["kernel"].shape[-2]

    def config_of(
        self, found: Peeled, weights: Mapping[str, Tensor], graph: View
    ) -> Config | None:
        """The output padding, as the sizes of y tell it for some sizes of x."""
        if found.sizes is None:
            return {"output_padding": None}
        shape, first = graph.shape(found.x), found.data_format == "channels_first"
        told: set[tuple[int, ...]] = set()
        for sample in samples(shape):
            sizes = supposed_ints(graph, found.sizes, {found.x: sample})
            if sizes is None or len(sizes) <= max(found.places):
                return None
            before = sample[2:] if first else sample[1:-1]
            told.add(tuple(
                sizes[place] - (size - 1) * stride
                for place, size, stride in zip(found.places, before, found.strides, strict=True)
            ))  # fmt: skip
        if len(told) != 1:
            return None
        more, same = list(told.pop()), found.padding == "same"
        reach = _reaches({"kernel_size": found.window, "dilation_rate": found.dilation})
        if more == (found.strides if same else list(map(max, reach, found.strides))):
            return {"output_padding": None}
        base = [r % 2 for r in reach] if same else reach
        added = [m - b for m, b in zip(more, base, strict=True)]
        fits = all(0 <= a < s for a, s in zip(added, found.strides, strict=True))
        return {"output_padding": added} if fits else None

    def _turned(self, tensor: str, graph: View) -> Claim | None:
        """What ``_dilated`` writes: a convolution with the kernel turned by half a turn."""
        found = peeled(graph, tensor)
        if found is None or found.op != f"Conv{max(self.rank, 2)}D" or found.rank != self.rank:
            return None
        if found.kernel is None:
            return None
        kernel, swapped = _source(graph, found.kernel)
        pad = graph.producer(found.x)
        if kernel is None or pad is None or pad.op != "Pad" or found.padding != "valid":
            return None
        window: Config = {"kernel_size": found.window, "dilation_rate": found.dilation}
        spatial = [reach - 1 for reach in _reaches(window)]
        sides = (graph.matrix(pad.inputs[1]) or [])[1:-1]
        for padding in ("valid", "same"):
            if sides == [[r - r // 2, r // 2] if padding == "same" else [r, r] for r in spatial]:
                break
        else:
            return None
        if set(found.strides) != {1} or found.data_format != "channels_last" or found.explicit:
            return None
        config: Config = {
            "strides": found.strides, "dilation_rate": found.dilation, "padding": padding,
            "data_format": found.data_format, "use_bias": found.bias is not None,
            "output_padding": None,
        }  # fmt: skip
        weights = {"kernel": kernel, **({"bias": found.bias} if found.bias is not None else {})}
        nodes = (*found.nodes, pad.name, *swapped)
        return Claim(
            (graph.resolve(pad.inputs[0]),), config, weights, nodes, scope=found.scope or None
        )


def _reaches(config: Config) -> list[int]:
    """How far the window reaches along each axis."""
    pairs = zip(config["kernel_size"], config["dilation_rate"], strict=True)
    return [(size - 1) * rate + 1 for size, rate in pairs]


def _source(graph: View, kernel: str) -> tuple[Tensor | None, list[str]]:
    """The kernel that was turned and whose channels were swapped, and the nodes that did it."""
    nodes, turned = list[str](), False
    node = graph.producer(kernel)
    while node is not None and node.op in ("Transpose", "ReverseV2", "ExpandDims"):
        turned = turned or node.op == "ReverseV2"
        nodes.append(node.name)
        kernel = node.inputs[0]
        node = graph.producer(kernel)
    constant = graph.constant(kernel)
    return (constant.root if constant and turned else None), nodes


@register_layer
class Conv1DTranspose(TransposedConvolution):
    """Conv1DTranspose: a TransposedConvolution over one axis."""

    class_name = "Conv1DTranspose"
    rank = 1
    middles = frozenset({"Conv2DBackpropInput"})


@register_layer
class Conv2DTranspose(TransposedConvolution):
    """Conv2DTranspose: a TransposedConvolution over two axes."""

    class_name = "Conv2DTranspose"
    rank = 2
    middles = frozenset({"Conv2DBackpropInput"})
    turned_by_theano = ("kernel",)  # this one alone of the three, as in Keras


@register_layer
class Conv3DTranspose(TransposedConvolution):
    """Conv3DTranspose: a TransposedConvolution over three axes."""

    class_name = "Conv3DTranspose"
    rank = 3
    middles = frozenset({"Conv3DBackpropInputV2"})
