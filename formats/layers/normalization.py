"""Normalization with stored statistics."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec, normal_axis
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import axes_of
from modelfmt.layers.stretching import ROOTS, stretched
from modelfmt.layers.template import (
    Coding,
    Field,
    Match,
    Template,
    Weight,
    X,
    one_of,
    op,
)
from modelfmt.network import Config, Layer

_GAMMA, _BETA = Weight("gamma"), Weight("beta")
_MEAN, _VARIANCE = Weight("moving_mean"), Weight("moving_variance")


class _Filled(Template):
    """A tensor of one repeated value that is no weight: what stands for a missing gamma or beta.

    Written as a Fill, as Keras 2.3 does, so that no reader takes it for a weight.
    """

    def __init__(self, weight: str, value: float) -> None:
        self.weight, self.value = weight, value

    def writable(self, layer: Layer) -> bool:
        return self.weight not in layer.weights

    def emit(self, writing: Any) -> str:
        size = writing.layer.weight("moving_mean").shape
        return str(writing.graph.op("Fill", list(size), self.value))

    def match(self, tensor: str, view: View, so_far: Match) -> Any:
        node = view.producer(tensor)
        if node is not None and node.op == "Fill" and view.scalar(node.inputs[1]) == self.value:
            yield so_far


_FUSED_AXES = {"NHWC": -1, "NDHWC": -1, "NCHW": 1, "NCDHW": 1}
_FUSED = op(
    "FusedBatchNormV3", X,
    one_of(_GAMMA, _Filled("gamma", 1.0)), one_of(_BETA, _Filled("beta", 0.0)),
    _MEAN, _VARIANCE,
    epsilon=Field("epsilon"), is_training=False,
    data_format=Field("axis", Coding(
        lambda axis, layer: "NHWC", lambda value, node: _FUSED_AXES.get(value),
    )),
)  # fmt: skip


def _decomposed(inverse: Template) -> tuple[Template, ...]:
    """x * m + (beta - mean * m), m being gamma / sqrt(variance + epsilon); beta may be missing."""
    shifted = op("AddV2", op("Mul", X, inverse), op("Sub", _BETA, op("Mul", _MEAN, inverse)))
    unshifted = op("AddV2", op("Mul", X, inverse), op("Mul", op("Neg", _MEAN), inverse))
    return shifted, unshifted


_RSQRT = op("Rsqrt", op("AddV2", _VARIANCE, Field("epsilon")))
_SHIFTED, _UNSHIFTED = _decomposed(one_of(op("Mul", _RSQRT, _GAMMA), _RSQRT))


#: What batch renormalization stores besides; used in training only.
_RENORM = ("moving_stddev", "renorm_mean", "renorm_stddev")


@register_layer
class BatchNormalization(LayerCodec):
    """BatchNormalization.  y = gamma * (x - moving_mean) / sqrt(moving_variance + epsilon) + beta

    Shapes:  x of any rank, every weight (x.shape[axis],); along several axes as x, 1 along others
    Weights: gamma (with scale), beta (with center), moving_mean, moving_variance; with renorm also
             moving_stddev, renorm_mean, renorm_stddev, which inference does not read
    Nodes:   FusedBatchNormV3 for a rank of 4 and the last axis; else
             AddV2(Mul(x, m), Sub(beta, Mul(mean, m))), m = Mul(Rsqrt(AddV2(variance, eps)), gamma)
    Source:  Keras, BatchNormalization.call; TensorFlow, nn.batch_normalization
    """

    class_name = "BatchNormalization"
    supports_masking = True
    computes_in_float32 = True
    weights = ("gamma", "beta", "moving_mean", "moving_variance")
    optional_weights = {"gamma": "scale", "beta": "center"}
    non_trainable = ("moving_mean", "moving_variance")
    config = {"axis": -1, "epsilon": 0.001, "center": True, "scale": True}
    template = _FUSED
    also_read = (_SHIFTED, _UNSHIFTED)
    scopes = ("batchnorm", "cond")

    def weight_names(self, config: Config) -> tuple[str, ...]:
        return super().weight_names(config) + (_RENORM if config.get("renorm") else ())

    def untrained(self, config: Config) -> frozenset[str]:
        return super().untrained(config) | frozenset(_RENORM if config.get("renorm") else ())

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With one spelling for its axis, and the weights that inference reads."""
        plain = super().canonical(layer, shapes)[0]
        axis = normal_axis(plain.config["axis"], shapes[0])
        read = {name: weight for name, weight in plain.weights.items() if name not in _RENORM}
        config = {**plain.config, "axis": axis}
        return [dataclasses.replace(plain, config=config, weights=read)]

    def roots(self) -> frozenset[str]:
        return super().roots() | ROOTS

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """By its nodes as Keras writes them, or by what they compute."""
        return super().recognise(tensor, graph) or stretched(tensor, graph)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shape = graph.shape(inputs[0])
        if shape is None:
            raise ConversionError("BatchNormalization needs an input of known rank")
        if layer.config.get("virtual_batch_size") is not None:
            raise ConversionError(
                "BatchNormalization of virtual batches cannot be written",
                found=f"virtual_batch_size={layer.config['virtual_batch_size']}",
            )
        rank = len(shape)
        axes = axes_of(layer.config["axis"], rank)
        if axes == [3] and rank == 4 and graph.dtype(inputs[0]).name == "float32":
            return [_FUSED.write(layer, inputs, graph)]
        chain = _SHIFTED if "beta" in layer.weights else _UNSHIFTED
        if axes == [rank - 1]:
            return [chain.write(layer, inputs, graph)]
        return [_write_along(axes, rank, layer, inputs[0], graph)]

    def refine(self, match: Match, graph: View) -> Match | None:
        """Find the axis: that of x along which the statistics are as long as they are seen."""
        if "axis" in match.config:
            return _without_fillers(match, graph)
        x, seen = graph.shape(match.inputs[0]), match.weights["moving_mean"].shape
        sizes = {w.root.shape for w in match.weights.values()}
        if len(sizes) != 1 or len(next(iter(sizes))) != 1:
            return None
        if x is None:
            return match.also(axis=-1) if len(seen) == 1 else None
        if len(seen) not in (1, len(x)):
            return None
        # One statistic in all is seen as a row of 1s: then it is any axis along which x is 1.
        places = range(len(x) - len(seen), len(x))
        wide = [axis for axis, size in zip(places, seen, strict=True) if size != 1]
        length = match.weights["moving_mean"].root.shape[0]
        fitting = [
            axis
            for axis in reversed(wide or range(1, len(x)))
            if x[axis] == length or (x[axis] is None and axis in places)
        ]
        if len(wide) > 1 or not fitting:
            return None
        return match.also(axis=normal_axis(fitting[0], x))


def _without_fillers(match: Match, graph: View) -> Match:
    """Drop a gamma of ones or a beta of zeros that fills in for a missing weight.

    A fused node needs both. tf.keras puts plain Consts there, where the statistics beside them are
    read as variables are.
    """
    root = graph.graph[match.nodes[-1]]
    _, gamma, beta, mean, _ = root.data_inputs
    if not graph.is_read(mean):
        return match
    gone = {
        name
        for name, tensor, value in (("gamma", gamma, 1.0), ("beta", beta, 0.0))
        if name in match.weights and not graph.is_read(tensor)
        and bool((match.weights[name].root.numpy() == value).all())
    }
    kept = {name: weight for name, weight in match.weights.items() if name not in gone}
    return dataclasses.replace(match, weights=kept)


def _write_along(axes: list[int], rank: int, layer: Layer, x: str, graph: GraphBuilder) -> str:
    """The decomposed chain along an axis that is not the last: each weight behind a Reshape. Along
    several axes the weights are stored in the shape in which they broadcast.
    """

    def seen(name: str) -> str:
        weight = layer.weight(name)
        if len(axes) > 1:
            return graph.weight(weight, name)
        size = [weight.size if k in axes else 1 for k in range(rank)]
        return graph.op("Reshape", graph.weight(weight, name), size)

    inverse = graph.op(
        "Rsqrt", graph.op("AddV2", seen("moving_variance"), layer.config["epsilon"])
    )
    if "gamma" in layer.weights:
        inverse = graph.op("Mul", inverse, seen("gamma"))
    scaled = graph.op("Mul", x, inverse)
    if "beta" not in layer.weights:
        moved = graph.op("Mul", graph.op("Neg", seen("moving_mean")), inverse)
    else:
        moved = graph.op("Sub", seen("beta"), graph.op("Mul", seen("moving_mean"), inverse))
    return graph.op("AddV2", scaled, moved)
