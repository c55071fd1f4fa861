"""Layers that merge several tensors into one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from modelfmt.errors import MismatchError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec, normal_axis
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer


class _Folded(LayerCodec):
    """A binary op applied from left to right: ((a + b) + c)."""

    arity = None
    fold: ClassVar[str] = ""
    #: An op that takes all inputs at once, read as well.
    at_once: ClassVar[str] = ""

    def roots(self) -> frozenset[str]:
        return frozenset(filter(None, (self.fold, self.at_once)))

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        if len(inputs) < 2:
            raise MismatchError(f"{self.class_name} takes two inputs or more", found=len(inputs))
        merged = inputs[0]
        for other in inputs[1:]:
            merged = graph.op(self.fold, merged, other)
        return [merged]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        if node is None:
            return None
        nodes, inputs = [node.name], list(node.inputs)
        if node.op == self.fold:
            scope = node.name.rpartition("/")[0]
            # One merge of many tensors is a chain within one scope, each link read only once.
            while (link := graph.producer(inputs[0])) is not None and (
                link.op == self.fold
                and scope
                and link.name.rpartition("/")[0] == scope
                and graph.consumers.get(link.name) == {nodes[-1]}
                and graph.constant(inputs[0]) is None
            ):
                nodes.append(link.name)
                inputs[:1] = link.inputs
        if len(inputs) < 2 or any(graph.constant(i) for i in inputs):
            return None
        return Claim(tuple(graph.resolve(i) for i in inputs), {}, {}, tuple(nodes))


@register_layer
class Add(_Folded):
    """Add.  y = a + b + ...   Nodes: AddV2, one less than inputs; AddN is read.

    Source: Keras, Add._merge_function
    """

    class_name = "Add"
    fold = "AddV2"
    at_once = "AddN"


@register_layer
class Multiply(_Folded):
    """Multiply.  y = a * b * ...   Nodes: Mul.   Source: Keras, Multiply._merge_function"""

    class_name = "Multiply"
    fold = "Mul"


@register_layer
class Maximum(_Folded):
    """Maximum.  y = the largest, elementwise.   Nodes: Maximum

    Source: Keras, Maximum._merge_function
    """

    class_name = "Maximum"
    fold = "Maximum"


@register_layer
class Minimum(_Folded):
    """Minimum.  y = the smallest, elementwise.   Nodes: Minimum

    Source: Keras, Minimum._merge_function
    """

    class_name = "Minimum"
    fold = "Minimum"


@register_layer
class Subtract(LayerCodec):
    """Subtract.  y = a - b   Nodes: Sub(a, b).   Source: Keras, Subtract._merge_function"""

    class_name = "Subtract"
    arity = 2
    root_ops = frozenset({"Sub"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [graph.op("Sub", *inputs)]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        if node is None or any(graph.constant(i) for i in node.inputs):
            return None
        return Claim(tuple(node.inputs), {}, {}, (node.name,))


@register_layer
class Average(LayerCodec):
    """Average.  y = (a + b + ...) / n   Nodes: AddV2, then RealDiv by a Const

    Source: Keras, Average._merge_function
    """

    class_name = "Average"
    arity = None
    root_ops = frozenset({"RealDiv", "Mul"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        total = Add().write(layer, inputs, graph)[0]
        return [graph.op("RealDiv", total, float(len(inputs)))]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        divisor = graph.scalar(node.inputs[1]) if node else None
        if node is None or not divisor:
            return None
        total = Add().recognise(graph.resolve(node.inputs[0]), graph)
        above = graph.producer(node.inputs[0])
        if total is None or above is None or above.op not in Add().roots():
            return None
        count = divisor if node.op == "RealDiv" else 1 / divisor
        if abs(count - len(total.inputs)) > 1e-6 * count:
            return None
        return Claim(total.inputs, {}, {}, (node.name, *total.nodes))


@register_layer
class Concatenate(LayerCodec):
    """Concatenate.  y = the inputs, one after the other along an axis

    Nodes: ConcatV2(inputs..., axis)        Source: Keras, Concatenate._merge_function
    """

    class_name = "Concatenate"
    arity = None
    config = {"axis": -1}
    root_ops = frozenset({"ConcatV2"})

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """With one spelling for its axis."""
        axis = normal_axis(layer.config["axis"], shapes[0])
        return [dataclasses.replace(layer, config={"axis": axis})]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [graph.op("ConcatV2", *inputs, int(layer.config["axis"]))]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        axis = graph.ints(node.inputs[-1]) if node else None
        if node is None or not axis or axis[0] is None:
            return None
        inputs = node.inputs[:-1]
        if len(inputs) < 2 or any(graph.constant(i) for i in inputs):
            return None
        shape = graph.shape(tensor)
        last = shape is not None and axis[0] == len(shape) - 1
        return Claim(tuple(inputs), {"axis": -1 if last else axis[0]}, {}, (node.name,))
