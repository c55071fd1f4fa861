"""Normalization by statistics of the sample itself: nothing is stored but a scale and an offset."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec, normal_axes, shaped
from modelfmt.layers.dot import unit_length
from modelfmt.layers.extents import Extent
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import axes_of, known_shape, lengths, reshaped
from modelfmt.layers.template import tidy
from modelfmt.layers.trials import Trial, normalized, scaled, trials
from modelfmt.network import Config, Layer

#: Op types in which a normalization may end.
_ROOTS = frozenset({"AddV2", "Sub", "Mul", "RealDiv", "Reshape", "BiasAdd", "DivNoNan"})


def _moments(x: str, axes: list[int], graph: GraphBuilder) -> tuple[str, str]:
    """Mean and variance along ``axes``, which stay as 1."""
    mean = graph.op("Mean", x, axes, keep_dims=True)
    apart = graph.op("SquaredDifference", x, mean)
    return mean, graph.op("Mean", apart, axes, keep_dims=True)


def _inverse(variance: str, layer: Layer, graph: GraphBuilder) -> str:
    return graph.op("Rsqrt", graph.op("AddV2", variance, float(layer.config["epsilon"])))


def _applied(
    x: str, mean: str, inverse: str, gamma: str | None, beta: str | None, graph: GraphBuilder
) -> str:
    """x * m + (beta - mean * m), m being inverse * gamma."""
    if gamma is not None:
        inverse = graph.op("Mul", inverse, gamma)
    moved = graph.op("Mul", graph.op("Neg", mean), inverse)
    if beta is not None:
        moved = graph.op("AddV2", moved, beta)
    return graph.op("AddV2", graph.op("Mul", x, inverse), moved)


def _seen(layer: Layer, name: str, sizes: Sequence[int], graph: GraphBuilder) -> str | None:
    """A weight in the shape in which it broadcasts with x; None where the layer has none."""
    if name not in layer.weights:
        return None
    weight = layer.weight(name)
    read = graph.weight(weight, name)
    if math.prod(sizes) != weight.size:
        raise MismatchError(
            f"{name} does not fit the input", expected=list(sizes), found=list(weight.shape)
        )
    return read if tuple(sizes) == weight.shape else graph.op("Reshape", read, list(sizes))


def _with_axes(layer: Layer, shape: Dims) -> Layer:
    """With one spelling for the axes: sorted, the weights shaped so, as they are seen."""
    axis, weights = normal_axes(layer.config["axis"], shape), dict(layer.weights)
    if shape is not None and isinstance(axis, list):
        for name, weight in weights.items():
            sizes = [shape[k] for k in axis]
            known = tuple(size for size in sizes if size is not None)
            if len(known) == len(sizes) and math.prod(known) == weight.size:
                weights[name] = weight.reshaped(known)
    return dataclasses.replace(layer, config={**layer.config, "axis": axis}, weights=weights)


@register_layer
class LayerNormalization(LayerCodec):
    """LayerNormalization.  y = gamma * (x - mean) / sqrt(variance + epsilon) + beta

    Mean and variance along ``axis``, one or several. With ``rms_scaling``, y = gamma * x /
    sqrt(variance + epsilon).

    Shapes:  x of any rank, gamma and beta as x along ``axis``
    Weights: gamma (with scale or rms_scaling), beta (with center and without rms_scaling)
    Nodes:   Mean, SquaredDifference, Mean, Rsqrt, then AddV2(Mul(x, m), AddV2(Mul(-mean, m), beta))
    Source:  Keras, LayerNormalization.call and ops.layer_normalization
    """

    class_name = "LayerNormalization"
    autocast = (2,)
    computes_in_float32 = True
    root_ops = _ROOTS
    supports_masking = True
    weights = ("gamma", "beta")
    optional_weights = {"gamma": "scale", "beta": "center"}
    config = {
        "axis": -1, "epsilon": 0.001, "center": True, "scale": True, "rms_scaling": False,
    }  # fmt: skip

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; rms_scaling settles which weights there are."""
        whole = super().completed(config, weights)
        if whole["rms_scaling"]:
            whole.update(scale=True, center=False)
        return whole

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With one spelling for its axes."""
        return [_with_axes(each, shapes[0]) for each in super().canonical(layer, shapes)]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = inputs[0]
        shape = known_shape(x, graph, self.class_name)
        axes = sorted(axes_of(layer.config["axis"], len(shape)))
        sizes = [(shape[k] if k in axes else 1) for k in range(len(shape))]
        known = [size for size in sizes if size is not None]
        if layer.weights and len(known) < len(sizes):
            raise ConversionError("the sizes along the axis must be known", found=list(shape))
        if axes == [len(shape) - 1]:
            known = known[-1:]
        gamma, beta = (_seen(layer, name, known, graph) for name in self.weights)
        mean, variance = _moments(x, axes, graph)
        inverse = _inverse(variance, layer, graph)
        if not layer.config["rms_scaling"]:
            return [_applied(x, mean, inverse, gamma, beta, graph)]
        y = graph.op("Mul", x, inverse)
        return [y if gamma is None else graph.op("Mul", y, gamma)]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        for trial in trials(tensor, graph):
            for axes, epsilon in itertools.product(trial.axes, trial.epsilons):
                sizes = [trial.x.shape[k] for k in axes]
                if any(value.size != math.prod(sizes) for value in trial.values):
                    continue
                broad = [size if k in axes else 1 for k, size in enumerate(trial.x.shape)]
                plain = normalized(trial.x, axes, epsilon)
                roles = [(each, plain, False) for each in trial.roles("gamma", "beta")]
                if len(trial.values) == 1:
                    rms = normalized(trial.x, axes, epsilon, centred=False)
                    roles.append(({"gamma": 0}, rms, True))
                for named, y, rms_scaling in roles:
                    seen = {name: trial.values[k].reshape(broad) for name, k in named.items()}
                    if trial.is_like(scaled(y, seen)):
                        config = {"epsilon": tidy(epsilon), "rms_scaling": rms_scaling}
                        return _along(axes, named, trial, config)
        return None


def _along(
    axes: tuple[int, ...], named: Mapping[str, int], trial: Trial, config: Config
) -> Claim:
    """The claim of a normalization along ``axes``, with weights shaped in their order."""
    shape, cut = trial.x.shape, trial.cut
    sizes = tuple(shape[k] for k in axes)
    last = len(shape) - 1
    axis: Any = list(axes) if len(axes) > 1 else -1 if axes[0] == last else axes[0]
    weights = {
        name: shaped(cut.weights[named[name]], sizes, cut.view)
        for name in ("gamma", "beta", "scale") if name in named
    }  # fmt: skip
    config = {"axis": axis, **config}
    if "scale" not in named:
        config.update(scale="gamma" in named, center="beta" in named)
    return Claim(cut.inputs, config, weights, cut.nodes)


@register_layer
class GroupNormalization(LayerCodec):
    """GroupNormalization.  As LayerNormalization, for each sample and each group of channels

    Shapes:  x (batch, ..., channels, ...), gamma and beta (channels,); groups of -1 is a group for
             every channel
    Weights: gamma (with scale), beta (with center)
    Nodes:   Reshape to (..., groups, channels / groups, ...), the nodes of LayerNormalization along
             all other axes, Reshape back
    Source:  Keras, GroupNormalization.call
    """

    class_name = "GroupNormalization"
    autocast = (2,)
    computes_in_float32 = True
    root_ops = _ROOTS
    supports_masking = True
    weights = ("gamma", "beta")
    optional_weights = {"gamma": "scale", "beta": "center"}
    config = {"groups": 32, "axis": -1, "epsilon": 0.001, "center": True, "scale": True}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With the number of its groups. One group, or one of each channel, without weights of the
        channels is normalized as a layer.
        """
        plain, shape = super().canonical(layer, shapes)[0], shapes[0]
        plain = _with_axes(plain, shape)
        if shape is None:
            return [plain]
        groups, axis = plain.config["groups"], plain.config["axis"]
        if groups == -1:
            plain.config["groups"] = groups = shape[axis]
        places = range(1, len(shape))
        over = [] if plain.weights and len(shape) > 2 else list(places) if groups == 1 else []
        if not plain.weights and groups == shape[axis] and len(shape) > 2:
            over = [k for k in places if k != axis % len(shape)]
        if not over:
            return [plain]
        config = {**plain.config, "rms_scaling": False, "axis": normal_axes(over, shape)}
        del config["groups"]
        return [dataclasses.replace(plain, class_name="LayerNormalization", config=config)]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = inputs[0]
        shape = known_shape(x, graph, self.class_name)
        places = axes_of(layer.config["axis"], len(shape))
        if len(places) != 1 or places[0] == 0:
            raise ConversionError(
                "GroupNormalization over this axis cannot be written", found=layer.config["axis"]
            )
        axis, groups = places[0], layer.config["groups"]
        channels = shape[axis]
        groups = channels if groups == -1 else groups
        if channels is None or not isinstance(groups, int) or groups < 1 or channels % groups:
            raise MismatchError(
                "the groups do not share the channels evenly", expected=f"a divisor of {channels}",
                found=groups,
            )
        whole = lengths(x, graph)
        split: list[Extent] = [*whole[:axis], groups, channels // groups, *whole[axis + 1 :]]
        grouped = reshaped(x, split, graph)
        others = [k for k in range(1, len(split)) if k != axis]
        mean, variance = _moments(grouped, others, graph)
        sizes = [1] * len(split)
        sizes[axis : axis + 2] = [groups, channels // groups]
        gamma, beta = (_seen(layer, name, sizes, graph) for name in self.weights)
        y = _applied(grouped, mean, _inverse(variance, layer, graph), gamma, beta, graph)
        return [reshaped(y, whole, graph)]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        for trial in trials(tensor, graph):
            shape = trial.x.shape
            for axis in range(len(shape) - 1, 0, -1):
                if all(value.size == shape[axis] for value in trial.values):
                    claim = _grouped(axis, trial)
                    if claim is not None:
                        return claim
        return None


def _grouped(axis: int, trial: Trial) -> Claim | None:
    """The claim of a GroupNormalization along ``axis``, of any number of groups."""
    shape = trial.x.shape
    channels = shape[axis]
    # Without a Reshape there is one group in all, or one of each channel.
    whole = "Reshape" not in trial.cut.ops
    fitting = (1, channels) if whole else range(1, channels + 1)
    for groups in (n for n in fitting if channels % n == 0):
        split = [*shape[:axis], groups, channels // groups, *shape[axis + 1 :]]
        others = tuple(k for k in range(1, len(split)) if k != axis)
        grouped = trial.x.reshape(split)
        for epsilon in trial.epsilons:
            y = normalized(grouped, others, epsilon).reshape(shape)
            broad = [size if k == axis else 1 for k, size in enumerate(shape)]
            for named in trial.roles("gamma", "beta"):
                seen = {name: trial.values[k].reshape(broad) for name, k in named.items()}
                if trial.is_like(scaled(y, seen)):
                    config = {"epsilon": tidy(epsilon), "groups": groups}
                    return _along((axis,), named, trial, config)
    return None


@register_layer
class RMSNormalization(LayerCodec):
    """RMSNormalization.  y = scale * x / sqrt(mean of squares + epsilon)

    Shapes:  x of any rank; scale broadcasts with its last axes
    Weights: scale
    Nodes:   Mul(Mul(x, Rsqrt(AddV2(Mean(Square(x)), epsilon))), scale)
    Source:  Keras, ops.rms_normalization
    """

    class_name = "RMSNormalization"
    root_ops = _ROOTS
    computes_in_float32 = True
    weights = ("scale",)
    config = {"axis": -1, "epsilon": 1e-6}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With one spelling for its axes."""
        return [_with_axes(each, shapes[0]) for each in super().canonical(layer, shapes)]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = inputs[0]
        axes = axes_of(layer.config["axis"], len(known_shape(x, graph, self.class_name)))
        mean = graph.op("Mean", graph.op("Square", x), sorted(axes), keep_dims=True)
        y = graph.op("Mul", x, _inverse(mean, layer, graph))
        return [graph.op("Mul", y, graph.weight(layer.weight("scale"), "scale"))]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        import numpy as np

        for trial in trials(tensor, graph):
            if len(trial.values) != 1:
                continue
            for axes, epsilon in itertools.product(trial.axes, trial.epsilons):
                mean = np.square(trial.x).mean(axes, keepdims=True)
                sizes = [size if k in axes else 1 for k, size in enumerate(trial.x.shape)]
                if trial.values[0].size != math.prod(sizes):
                    continue
                y = trial.x / np.sqrt(mean + epsilon) * trial.values[0].reshape(sizes)
                if trial.is_like(y):
                    return _along(axes, {"scale": 0}, trial, {"epsilon": tidy(epsilon)})
        return None


@register_layer
class UnitNormalization(LayerCodec):
    """UnitNormalization.  y = x / the length of x along ``axis``, one or several

    Nodes: Mul(x, Minimum(Rsqrt(Sum(Square(x))), 1e12)); in Keras 2 Mul(x, Rsqrt(Maximum(., 1e-12)))
    Source: Keras, UnitNormalization.call
    """

    class_name = "UnitNormalization"
    root_ops = _ROOTS
    supports_masking = True
    config = {"axis": -1}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With one spelling for its axes."""
        return [_with_axes(each, shapes[0]) for each in super().canonical(layer, shapes)]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        rank = len(known_shape(inputs[0], graph, self.class_name))
        axes = sorted(axes_of(layer.config["axis"], rank))
        return [unit_length(inputs[0], axes, 1e-12, graph)]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        import numpy as np

        for trial in trials(tensor, graph):
            for axes in trial.axes if not trial.values else ():
                length = np.sqrt(np.square(trial.x).sum(axes, keepdims=True))
                if trial.is_like(trial.x / length):
                    last = len(trial.x.shape) - 1
                    axis = list(axes) if len(axes) > 1 else -1 if axes[0] == last else axes[0]
                    return Claim(trial.cut.inputs, {"axis": axis}, {}, trial.cut.nodes)
        return None
