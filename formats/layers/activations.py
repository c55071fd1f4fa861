"""Activation functions: FUNCTIONS has a row for each, how it is written and other ways to read it.

A layer with an ``activation`` ends with the same templates, so that there is one spelling for
each. The layers with parameters of their own stand in ``rectifiers``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.legalise import SPELLED
from modelfmt.layers.registry import register_layer
from modelfmt.layers.template import OneOf, Template, X, clipped, greater, only, op
from modelfmt.network import Layer


def _scaled(x: Template, factor: float) -> Template:
    return op("Mul", x, factor)


_ELU = op("Elu", X)
_GELU_HALF = _scaled(X, 0.5)

#: Name -> the template that writes it, and more that are read. Source: Keras activations.py.
FUNCTIONS: Mapping[str, tuple[Template, ...]] = {
    "relu": (op("Relu", X),),
    "sigmoid": (op("Sigmoid", X),),
    "tanh": (op("Tanh", X),),
    "softmax": (op("Softmax", X),),
    "log_softmax": (op("LogSoftmax", X),),
    "elu": (_ELU,),
    "selu": (
        op("Selu", X),
        # TensorFlow before 1.4 had no Selu: Keras 2.1 spells it out.
        op("Mul", 1.0507010, op("SelectV2", greater(X, 0.0), _ELU, _scaled(_ELU, 1.6732632))),
    ),
    "softplus": (op("Softplus", X),),
    "softsign": (op("Softsign", X),),
    "relu6": (op("Relu6", X), clipped(op("Relu", X), 0.0, 6.0)),
    "exponential": (op("Exp", X),),
    "silu": (
        op("Mul", X, op("Sigmoid", X)),
        op("Mul", X, op("Sigmoid", _scaled(X, 1.0))),
    ),
    "gelu": (
        op("Mul", _GELU_HALF, op("Erfc", _scaled(op("Neg", X), 0.70710678))),
        op("Mul", _GELU_HALF, op("AddV2", 1.0, op("Erf", op("RealDiv", X, 1.41421356)))),
        op("Mul", _GELU_HALF, op("AddV2", 1.0, op("Erf", _scaled(X, 0.70710678)))),
    ),
    "mish": (op("Mul", X, op("Tanh", op("Softplus", X))),),
    "hard_sigmoid": (op("RealDiv", op("Relu6", op("AddV2", X, 3.0)), 6.0),),
    # Keras 1 and 2: another function under the same name.
    "hard_sigmoid_keras2": (
        clipped(op("AddV2", _scaled(X, 0.2), 0.5), 0.0, 1.0),
    ),
    "hard_silu": (op("Mul", X, op("RealDiv", op("Relu6", op("AddV2", X, 3.0)), 6.0)),),
    "leaky_relu": (op("LeakyRelu", X, alpha=0.2),),
}

#: Functions that come back as a layer with parameters instead.
_OTHERWISE_READ = {"leaky_relu"}
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu", "linear": "linear"}


def write_activation(function: Any, tensor: str, graph: GraphBuilder) -> str:
    """Emit an activation function after ``tensor``; linear emits nothing.

    Raises:
        ConversionError: no function of that name is known.
    """
    name = function_name(function)
    if name == "linear":
        return tensor
    layer = Layer("Activation", "activation", {"activation": name})
    return FUNCTIONS[name][0].write(layer, [tensor], graph)


def function_name(function: Any) -> str:
    """The name in FUNCTIONS, or ``linear``. Raises ConversionError for what is not there."""
    if function is None:
        return "linear"
    name = _ALIASES.get(function, function) if isinstance(function, str) else None
    if name not in FUNCTIONS and name != "linear":
        raise ConversionError("unknown activation function", found=function)
    return str(name)


def activation_of(layer: Layer) -> str | None:
    """The function that a layer consists of, where Keras has an ``activation`` of that name."""
    if layer.class_name == "Activation":
        return str(layer.config["activation"])
    if layer.class_name == "Softmax" and layer.config.get("axis") == -1:
        return "softmax"
    return None


def canonical_activation(function: Any) -> list[Layer]:
    """An activation function in inference form: layers of its own, none for linear."""
    name = function_name(function)
    if name == "linear":
        return []
    if name == "leaky_relu":
        return [Layer("LeakyReLU", "", {"negative_slope": 0.2})]
    spelled = SPELLED[3].get(name)
    if spelled is not None:
        return [Layer(class_name, "", dict(config)) for class_name, config in spelled]
    return [Layer("Activation", "", {"activation": name})]


class ActivatedCodec(LayerCodec):
    """A layer whose config has an ``activation``, applied after the template."""

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The layer without its activation, then the activation."""
        plain = super().canonical(layer, shapes)
        function = plain[-1].config.pop("activation", None)
        return [*plain, *canonical_activation(function)]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        outputs = super().write(layer, inputs, graph)
        return [write_activation(layer.config["activation"], y, graph) for y in outputs]


@register_layer
class Activation(LayerCodec):
    """Activation.  y = f(x)

    Nodes: those of FUNCTIONS        Source: Keras, activations.py
    """

    class_name = "Activation"
    config = {"activation": "linear"}
    scopes = ("Gelu", "clip_by_value")
    template = OneOf(
        tuple(
            only(template, activation=name)
            for name, templates in FUNCTIONS.items()
            for template in templates
            if name not in _OTHERWISE_READ
        )
    )

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """One spelling for each function."""
        return canonical_activation(layer.config["activation"])

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [write_activation(layer.config["activation"], inputs[0], graph)]
