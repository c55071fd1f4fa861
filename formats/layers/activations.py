"""Activation functions: FUNCTIONS has a row for each, how it is written and other ways to read it.

A layer with an ``activation`` ends with the same templates, so that there is one spelling for
each. The layers with parameters of their own stand in ``rectifiers``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec, longest
from modelfmt.layers.functions import WRITTEN, written_function
from modelfmt.layers.legalise import SPELLED
from modelfmt.layers.likeness import ROOTS, claim_of
from modelfmt.layers.parts import names_of_parts, part
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.layers.template import OneOf, Template, X, clipped, greater, only, op
from modelfmt.network import Config, Layer


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
    "celu": (op("AddV2", op("Maximum", X, 0.0), op("Expm1", op("Minimum", X, 0.0))),),
    "hard_shrink": (op("SelectV2", greater(op("Abs", X), 0.5), X, op("ZerosLike", X)),),
    "hard_tanh": (clipped(X, -1.0, 1.0),),
    "log_sigmoid": (op("Neg", op("Softplus", op("Neg", X))),),
    "soft_shrink": (
        op("SelectV2", greater(X, 0.5), op("Sub", X, 0.5),
           op("SelectV2", op("Less", X, -0.5), op("AddV2", X, 0.5), op("ZerosLike", X))),
    ),
    "sparse_plus": (
        op("SelectV2", op("LessEqual", X, -1.0), op("ZerosLike", X),
           op("SelectV2", op("Less", X, 1.0), _scaled(op("Pow", op("AddV2", X, 1.0), 2.0), 0.25),
              X)),
    ),
    "sparse_sigmoid": (
        op("SelectV2", op("LessEqual", X, -1.0), 0.0,
           op("SelectV2", op("GreaterEqual", X, 1.0), 1.0, _scaled(op("AddV2", X, 1.0), 0.5))),
    ),
    "squareplus": (
        op("RealDiv", op("AddV2", X, op("Sqrt", op("AddV2", op("Square", X), 4.0))), 2.0),
    ),
    "tanh_shrink": (op("Sub", X, op("Tanh", X)),),
}  # fmt: skip

#: Functions that come back as a layer with parameters instead.
_OTHERWISE_READ = {"leaky_relu"}
_ALIASES = {
    "swish": "silu", "hard_swish": "hard_silu", "softmax_v2": "softmax", "linear": "linear",
}  # fmt: skip


def write_activation(function: Any, tensor: str, graph: GraphBuilder) -> str:
    """Emit an activation function after ``tensor``; linear emits nothing.

    Args:
        function: its name, or the serialised form of a layer that serves as one.

    Raises:
        ConversionError: no function of that name is known.
    """
    if is_layer(function):
        holder = Layer("Activation", "activation", {"activation": function})
        return _write_part(holder, tensor, graph)
    name = function_name(function)
    if name == "linear":
        return tensor
    if name in WRITTEN:
        return WRITTEN[name](tensor, graph)
    layer = Layer("Activation", "activation", {"activation": name})
    return FUNCTIONS[name][0].write(layer, [tensor], graph)


def is_layer(function: Any) -> bool:
    """Whether an ``activation`` is a layer in its serialised form, not the name of a function."""
    return isinstance(function, dict) and isinstance(function.get("config"), dict)


def _write_part(layer: Layer, tensor: str, graph: GraphBuilder) -> str:
    inner = part(layer, "activation")
    missing = [n for n in codec_for(inner).weight_names(inner.config) if n not in inner.weights]
    if missing:
        raise ConversionError(
            f"a {inner.class_name} with weights cannot serve as an activation here",
            found=", ".join(missing),
        )
    with graph.scope(inner.name):
        return codec_for(inner).write(inner, [tensor], graph)[0]


def function_name(function: Any) -> str:
    """The name in FUNCTIONS or WRITTEN, or ``linear``. Raises ConversionError for any other."""
    if function is None:
        return "linear"
    name = _ALIASES.get(function, function) if isinstance(function, str) else None
    if name not in FUNCTIONS and name not in WRITTEN and name != "linear":
        raise ConversionError("unknown activation function", found=function)
    return str(name)


def activation_of(layer: Layer) -> str | None:
    """The function that a layer consists of, where Keras has an ``activation`` of that name."""
    if layer.class_name == "Activation":
        function = layer.config["activation"]
        return None if is_layer(function) else str(function)
    if layer.class_name == "Softmax" and layer.config.get("axis") == -1:
        return "softmax"
    return None


def canonical_activation(function: Any) -> list[Layer]:
    """An activation function in inference form: layers of its own, none for linear."""
    if is_layer(function):
        holder = Layer("Activation", "", {"activation": function})
        inner = dataclasses.replace(part(holder, "activation"), name="")
        return codec_for(inner).canonical(inner, [None])
    name = function_name(function)
    if name == "linear":
        return []
    if name == "leaky_relu":
        return [Layer("LeakyReLU", "", {"negative_slope": 0.2})]
    spelled = SPELLED[3].get(name)
    if spelled is not None:
        return [Layer(step.class_name, "", dict(step.config)) for step in spelled]
    return [Layer("Activation", "", {"activation": name})]


class ActivatedCodec(LayerCodec):
    """A layer whose config has an ``activation``, applied after the template.

    An activation that is a layer with weights (PReLU) has them after the layer's own, as
    ``activation/alpha``.
    """

    def weight_names(self, config: Config) -> tuple[str, ...]:
        inner = ("activation",) if is_layer(config.get("activation")) else ()
        return super().weight_names(config) + names_of_parts(config, inner)

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """The layer without its activation, then the activation."""
        plain = super().canonical(layer, shapes)
        function = plain[-1].config.pop("activation", None)
        if not is_layer(function):
            return [*plain, *canonical_activation(function)]
        inner = part(layer, "activation")
        own = {k: v for k, v in plain[-1].weights.items() if not k.startswith("activation/")}
        plain[-1] = dataclasses.replace(plain[-1], weights=own)
        return [*plain, *codec_for(inner).canonical(inner, [None])]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        outputs = super().write(layer, inputs, graph)
        return [self.activated(layer, y, graph) for y in outputs]

    def activated(self, layer: Layer, tensor: str, graph: GraphBuilder) -> str:
        """``tensor`` after the layer's activation."""
        if is_layer(layer.config["activation"]):
            return _write_part(layer, tensor, graph)
        return write_activation(layer.config["activation"], tensor, graph)


@register_layer
class Activation(LayerCodec):
    """Activation.  y = f(x)

    Nodes: those of FUNCTIONS        Source: Keras, activations.py
    """

    class_name = "Activation"
    supports_masking = True
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

    def roots(self) -> frozenset[str]:
        return super().roots() | ROOTS | {"Cast"}

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        """By its nodes as Keras writes them, or by what they compute. A Cast that is no other
        layer's is no function at all, in the precision that it casts to.
        """
        node = graph.producer(tensor)
        if node is not None and node.op == "Cast":
            kinds = node.attrs.get("SrcT"), node.attrs.get("DstT")
            if not all(isinstance(kind, DType) and kind.is_floating for kind in kinds):
                return None
            x = graph.resolve(node.inputs[0])
            return Claim((x,), {"activation": "linear"}, {}, (node.name,))
        spelled = super().recognise(tensor, graph)
        told = claim_of(self.class_name, tensor, graph)
        return longest(spelled, told, written_function(tensor, graph))
