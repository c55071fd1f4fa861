"""Templates: a layer's nodes declared once, interpreted twice.

A template is a small tree. ``Template.write`` emits it as nodes for a layer; ``Template.match``
recognises it below a tensor of a View, and yields what its holes were bound to. The language:

    op("BiasAdd", op("MatMul", X, Weight("kernel")), Weight("bias"))     nodes and their edges
    X, Input(1)                 what the layer is applied to
    Weight("kernel")            a weight
    Field("epsilon")            a config entry: as an operand a scalar, as an attr its value
    Field("scale", vector=True) the same, of which an operand may also hold one per channel
    2.0, [1, 2]                 a constant that must be just this
    Hole("target")              read only: any operand, kept for the codec's ``refine``
    OneOf(a, b)                 read any; write the first that the layer's config and weights allow
    Only(t, padding="same")     ``t``, for layers whose config says so

A template object that stands twice in a tree is one node.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.graph import AttrValue, Node, parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.cuts import weight_nodes, weight_of
from modelfmt.graphs.view import Constant, View
from modelfmt.network import Layer

#: Ops whose two operands may stand in either order.
_COMMUTATIVE = {"AddV2", "Mul", "Minimum", "Maximum", "LogicalAnd", "LogicalOr"}


@dataclasses.dataclass(frozen=True)
class Match:
    """What a template's holes were bound to; ``nodes`` are the interior and the root."""

    inputs: Mapping[int, str] = dataclasses.field(default_factory=dict)
    weights: Mapping[str, Constant] = dataclasses.field(default_factory=dict)
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    nodes: tuple[str, ...] = ()
    bound: Mapping[int, str] = dataclasses.field(default_factory=dict)
    holes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def also(self, **found: Any) -> Match | None:
        """With more config; None where that contradicts what is already known."""
        for key, value in found.items():
            if key in self.config and self.config[key] != value:
                return None
        return dataclasses.replace(self, config={**self.config, **found})

    def with_input(self, index: int, tensor: str) -> Match | None:
        """With input ``index`` bound; None where it is another tensor already."""
        if self.inputs.get(index, tensor) != tensor:
            return None
        return dataclasses.replace(self, inputs={**self.inputs, index: tensor})

    def with_weight(self, name: str, constant: Constant) -> Match | None:
        """With a weight bound; None where it is another one already."""
        known = self.weights.get(name)
        if known is not None and known.root is not constant.root:
            return None
        return dataclasses.replace(self, weights={**self.weights, name: constant})


@dataclasses.dataclass
class Writing:
    """What a template needs to be written: the layer, its input tensors, the graph."""

    layer: Layer
    inputs: list[str]
    graph: GraphBuilder
    memo: dict[int, str] = dataclasses.field(default_factory=dict)


class Template:
    """A node of the tree. Subclasses say how it is written and what it matches."""

    def writable(self, layer: Layer) -> bool:
        """Whether the layer's weights and config allow this template."""
        return True

    def emit(self, writing: Writing) -> Any:
        """The operand for ``GraphBuilder.op``: a tensor name, a Tensor or a number."""
        raise NotImplementedError

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        """Every way in which ``tensor`` can be this template, continuing ``so_far``."""
        raise NotImplementedError

    def roots(self) -> set[str]:
        """The ops a tensor that matches may be made by; empty: any."""
        return set()

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> str:
        """Emit the template's nodes for ``layer`` applied to ``inputs``; its output tensor."""
        return str(self.emit(Writing(layer, inputs, graph)))


@dataclasses.dataclass(frozen=True, eq=False)
class Input(Template):
    """An input tensor of the layer; ``rank`` is demanded where it is given and known."""

    index: int = 0
    rank: int | None = None

    def emit(self, writing: Writing) -> str:
        return writing.inputs[self.index]

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        shape = view.shape(tensor)
        if self.rank is not None and shape is not None and len(shape) != self.rank:
            return
        if view.constant(tensor) is None:
            found = so_far.with_input(self.index, view.resolve(tensor))
            if found is not None:
                yield found


X = Input()


@dataclasses.dataclass(frozen=True, eq=False)
class Weight(Template):
    """A weight of the layer, by its canonical name; read from floats of rank 1 and more, stored
    or computed from stored ones.
    """

    name: str

    def writable(self, layer: Layer) -> bool:
        return self.name in layer.weights

    def emit(self, writing: Writing) -> Any:
        return writing.graph.weight(writing.layer.weight(self.name), self.name)

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        constant = weight_of(view, tensor)
        if constant is not None:
            found = so_far.with_weight(self.name, constant)
            if found is not None:
                nodes = (*found.nodes, *weight_nodes(view, tensor))
                yield found if len(nodes) == len(found.nodes) else dataclasses.replace(
                    found, nodes=nodes
                )


@dataclasses.dataclass(frozen=True, eq=False)
class Hole(Template):
    """An operand for the codec's ``refine`` to look at: a shape, an order of axes, paddings."""

    name: str

    def writable(self, layer: Layer) -> bool:
        return False

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        found = {**so_far.holes, self.name: view.resolve(tensor)}
        yield dataclasses.replace(so_far, holes=found)


@dataclasses.dataclass(frozen=True)
class Coding:
    """How a config value stands in an attr, both directions; ``read`` gives None for no match."""

    write: Callable[[Any, Layer], AttrValue]
    read: Callable[[Any, Node], Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Field(Template):
    """A config entry, as the attr of an op or as a scalar operand."""

    name: str
    coding: Coding | None = None
    vector: bool = False

    def emit(self, writing: Writing) -> Any:
        return self.value(writing.layer)

    def value(self, layer: Layer) -> Any:
        """What stands in the graph for the layer's config."""
        value = layer.config[self.name]
        return self.coding.write(value, layer) if self.coding else value

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        value = view.scalar(tensor)
        if value is None and self.vector:
            value = view.vector(tensor)
        if value is not None and (found := so_far.also(**{self.name: tidy(value)})):
            yield found

    def match_attr(self, value: AttrValue, node: Node, so_far: Match) -> Match | None:
        """As ``match``, for a value that stands in an attr of ``node``."""
        read = self.coding.read(value, node) if self.coding else value
        return None if read is None else so_far.also(**{self.name: tidy(read)})


@dataclasses.dataclass(frozen=True, eq=False)
class Literal(Template):
    """A constant: one number, or a list of integers."""

    value: Any

    def emit(self, writing: Writing) -> Any:
        return self.value

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        if isinstance(self.value, list):
            if view.ints(tensor) == self.value:
                yield so_far
            return
        value = view.scalar(tensor)
        if value is not None and math.isclose(value, self.value, rel_tol=precision(tensor, view)):
            yield so_far


@dataclasses.dataclass(frozen=True, eq=False)
class Op(Template):
    """A node of type ``name``, its first output; attrs are demanded when read."""

    name: str
    operands: tuple[Template, ...]
    attrs: Mapping[str, Any]

    def writable(self, layer: Layer) -> bool:
        return all(operand.writable(layer) for operand in self.operands)

    def roots(self) -> set[str]:
        return {self.name}

    def emit(self, writing: Writing) -> str:
        if id(self) not in writing.memo:
            attrs = {
                key: value.value(writing.layer) if isinstance(value, Field) else value
                for key, value in self.attrs.items()
            }
            operands = [operand.emit(writing) for operand in self.operands]
            writing.memo[id(self)] = writing.graph.op(self.name, *operands, **attrs)
        return writing.memo[id(self)]

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        tensor = view.resolve(tensor)
        if id(self) in so_far.bound:
            if so_far.bound[id(self)] == tensor:
                yield so_far
            return
        node = view.producer(tensor)
        if node is None or node.op != self.name or parse_input(tensor).port:
            return
        if len(node.inputs) != len(self.operands) or view.constant(tensor) is not None:
            return
        started = self._match_attrs(node, view, so_far)
        if started is None:
            return
        started = dataclasses.replace(
            started,
            nodes=(node.name, *started.nodes),
            bound={**started.bound, id(self): tensor},
        )
        yield from _match_all(self.operands, node.inputs, view, started)
        if self.name in _COMMUTATIVE and len(self.operands) == 2:
            yield from _match_all(self.operands, node.inputs[::-1], view, started)

    def _match_attrs(self, node: Node, view: View, so_far: Match) -> Match | None:
        found: Match | None = so_far
        for key, wanted in self.attrs.items():
            value = view.attr(node, key)
            if isinstance(wanted, Field):
                found = wanted.match_attr(value, node, found) if found is not None else None
            elif isinstance(wanted, float) and isinstance(value, int | float):
                if not math.isclose(value, wanted, rel_tol=1e-6):
                    return None
            elif value != wanted:
                return None
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class OneOf(Template):
    """Alternatives: any is read, the first writable one is written."""

    choices: tuple[Template, ...]

    def writable(self, layer: Layer) -> bool:
        return any(choice.writable(layer) for choice in self.choices)

    def roots(self) -> set[str]:
        return _union(self.choices)

    def emit(self, writing: Writing) -> Any:
        for choice in self.choices:
            if choice.writable(writing.layer):
                return choice.emit(writing)
        layer = writing.layer
        raise ConversionError(
            f"this configuration of {layer.class_name} cannot be written as a graph yet",
            found={k: v for k, v in layer.config.items() if not isinstance(v, dict)},
        )

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        for choice in self.choices:
            yield from choice.match(tensor, view, so_far)


@dataclasses.dataclass(frozen=True, eq=False)
class Only(Template):
    """``inner``, for layers whose config holds these values; reading finds them."""

    inner: Template
    config: Mapping[str, Any]

    def writable(self, layer: Layer) -> bool:
        agrees = all(layer.config.get(key) == value for key, value in self.config.items())
        return agrees and self.inner.writable(layer)

    def roots(self) -> set[str]:
        return self.inner.roots()

    def emit(self, writing: Writing) -> Any:
        return self.inner.emit(writing)

    def match(self, tensor: str, view: View, so_far: Match) -> Iterator[Match]:
        started = so_far.also(**self.config)
        if started is not None:
            yield from self.inner.match(tensor, view, started)


def op(name: str, *operands: Template | float | list[int], **attrs: Any) -> Op:
    """A node of type ``name``. Numbers and lists among the operands are constants."""
    return Op(name, tuple(o if isinstance(o, Template) else Literal(o) for o in operands), attrs)


def one_of(*choices: Template) -> OneOf:
    """Any of ``choices`` when read; the first writable one when written."""
    return OneOf(choices)


def only(inner: Template, **config: Any) -> Only:
    """``inner`` for the layers with this config."""
    return Only(inner, config)


def clipped(x: Template, low: Template | float, high: Template | float) -> Op:
    """``x`` between two bounds, as Keras clips: the upper one first."""
    return op("Maximum", op("Minimum", x, high), low)


def greater(x: Template, threshold: Template | float) -> Op:
    """Where ``x`` is above ``threshold``."""
    return op("Greater", x, threshold)


def _match_all(
    templates: tuple[Template, ...], tensors: list[str], view: View, so_far: Match
) -> Iterator[Match]:
    if not templates:
        yield so_far
        return
    for found in templates[0].match(tensors[0], view, so_far):
        yield from _match_all(templates[1:], tensors[1:], view, found)


def _union(templates: tuple[Template, ...]) -> set[str]:
    sets = [template.roots() for template in templates]
    return set().union(*sets) if all(sets) else set()


def precision(tensor: str, view: View) -> float:
    """How far a number that was written may be from what the file holds of it, relatively."""
    constant = view.constant(tensor)
    kind = constant.root.dtype.name if constant is not None else ""
    return {"float16": 1e-3, "bfloat16": 8e-3}.get(kind, 1e-6)


def tidy(value: Any) -> Any:
    """A float32 as the shortest decimal that means it: 0.001, not 0.0010000000474974513."""
    if isinstance(value, list):
        return [tidy(each) for each in value]
    if isinstance(value, float):
        import numpy as np

        return float(str(np.float32(value)))
    return value
