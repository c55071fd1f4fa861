"""Layers that merge several tensors into one.

Tensors of a smaller rank get axes of 1 after the batch. Masks: Keras 2 merges those that are there
by *and*; Keras 3 by *or*, and only where every input has one. In Keras 3, Multiply, Maximum and
Minimum leave hidden values out as well. Source: Keras, base_merge.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims, parse_input
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec, normal_axis
from modelfmt.layers.masks import Masked, any_seen, like_tensor, merged_masks
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer


def alike(inputs: Sequence[str], graph: GraphBuilder) -> list[str]:
    """The inputs with axes of 1 after the batch, until all have the same rank."""
    shapes = [graph.shape(x) for x in inputs]
    if any(shape is None for shape in shapes):
        if len(set(shapes)) == 1:
            return list(inputs)
        raise ConversionError("tensors of unknown rank can only be merged with each other")
    ranks = [len(shape or ()) for shape in shapes]
    found: list[str] = []
    for x, rank in zip(inputs, ranks, strict=True):
        for _ in range(max(ranks) - rank):
            x = graph.op("ExpandDims", x, 1)
        found.append(x)
    return found


def mergeable(inputs: Sequence[str], graph: View) -> bool:
    """Whether Keras merges tensors as a graph does: none of them known beforehand, and of equal
    ranks and batches, or it would move axes to make them so. Source: Keras, Merge.build and call.
    """
    shapes = [shape for i in inputs if (shape := graph.shape(i)) is not None]
    batches = {shape[0] for shape in shapes if shape} - {None}
    return (
        not any(graph.is_known(i) for i in inputs)
        and len({len(shape) for shape in shapes}) <= 1
        and len(batches) <= 1
        and () not in shapes
    )


def _merged(inputs: Sequence[str], nodes: Sequence[str], graph: View) -> Claim | None:
    """The claim of a merge of ``inputs`` by ``nodes``, and by what gives all the same rank.

    TensorFlow lets a smaller rank lack its first axes, Keras those behind the batch.
    """
    if len(inputs) < 2 or not mergeable(inputs, graph):
        return None
    found, owned = [graph.resolve(i) for i in inputs], list(nodes)
    if any(_expanded(tensor, owned, graph) is None for tensor in found):
        for k, tensor in enumerate(found):
            while (inner := _expanded(tensor, owned, graph)) is not None:
                owned.append(parse_input(tensor).node)
                tensor = found[k] = inner
    return Claim(tuple(found), {}, {}, tuple(owned))


def _expanded(tensor: str, owned: Sequence[str], graph: View) -> str | None:
    """What a tensor is with an axis of 1 behind the batch, where only ``owned`` nodes read it."""
    node = graph.producer(tensor)
    if node is None or node.op != "ExpandDims" or graph.ints(node.inputs[1]) != [1]:
        return None
    is_inside = graph.consumers.get(node.name, set()) <= set(owned)
    return graph.resolve(node.inputs[0]) if is_inside else None


class _Merge(LayerCodec):
    """What all merges of tensors of one shape do with masks."""

    supports_masking = True

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        return [merged_masks([graph.masks.get(x) for x in inputs], graph)]


class _Folded(_Merge):
    """A binary op applied from left to right: ((a + b) + c)."""

    arity = None
    fold: ClassVar[str] = ""
    #: An op that takes all inputs at once, read as well.
    at_once: ClassVar[str] = ""
    #: Whether Keras 3 leaves out what a mask hides.
    hides: ClassVar[bool] = False

    def roots(self) -> frozenset[str]:
        return frozenset(filter(None, (self.fold, self.at_once)))

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        if len(inputs) < 2:
            raise MismatchError(f"{self.class_name} takes two inputs or more", found=len(inputs))
        shown = [Masked(x, graph.masks.get(x)) for x in alike(inputs, graph)]
        if graph.keras_major == 3 and self.hides and any(each.mask for each in shown):
            return [self.merge_masked(shown, graph)]
        merged = shown[0].tensor
        for other in shown[1:]:
            merged = graph.op(self.fold, merged, other.tensor)
        return [merged]

    def merge_masked(self, shown: Sequence[Masked], graph: GraphBuilder) -> str:
        """Where a tensor is hidden, the one before it stands in for it, and the other way round."""
        merged, seen = shown[0].tensor, shown[0].spread(graph)
        for other in shown[1:]:
            tensor, mask = other.tensor, other.spread(graph)
            if mask is not None:
                tensor = graph.op("SelectV2", mask, tensor, merged)
            if seen is not None:
                merged = graph.op("SelectV2", seen, merged, tensor)
            seen = merged_masks([seen, mask], graph)
            merged = graph.op(self.fold, merged, tensor)
        return merged

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
        return _merged(inputs, nodes, graph)


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
    hides = True

    def merge_masked(self, shown: Sequence[Masked], graph: GraphBuilder) -> str:
        """Hidden values are 1, and the product 0 where all tensors are hidden."""
        masks = [each.spread(graph) for each in shown]
        factors = [
            each.tensor if mask is None else graph.op("SelectV2", mask, each.tensor, 1.0)
            for each, mask in zip(shown, masks, strict=True)
        ]
        merged = factors[0]
        for factor in factors[1:]:
            merged = graph.op("Mul", merged, factor)
        known = [mask for mask in masks if mask is not None]
        if len(known) < len(masks):
            return merged
        return graph.op("SelectV2", any_seen(known, graph), merged, 0.0)


@register_layer
class Maximum(_Folded):
    """Maximum.  y = the largest, elementwise.   Nodes: Maximum

    Source: Keras, Maximum._merge_function
    """

    class_name = "Maximum"
    fold = "Maximum"
    hides = True


@register_layer
class Minimum(_Folded):
    """Minimum.  y = the smallest, elementwise.   Nodes: Minimum

    Source: Keras, Minimum._merge_function
    """

    class_name = "Minimum"
    fold = "Minimum"
    hides = True


@register_layer
class Subtract(_Merge):
    """Subtract.  y = a - b   Nodes: Sub(a, b).   Source: Keras, Subtract._merge_function"""

    class_name = "Subtract"
    arity = 2
    root_ops = frozenset({"Sub"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [graph.op("Sub", *alike(inputs, graph))]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        return None if node is None else _merged(list(node.inputs), [node.name], graph)


@register_layer
class Average(_Merge):
    """Average.  y = (a + b + ...) / n   Nodes: AddV2, then RealDiv by a Const

    Source: Keras, Average._merge_function
    """

    class_name = "Average"
    arity = None
    root_ops = frozenset({"RealDiv", "Mul"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        if not graph.dtype(inputs[0]).is_floating:
            raise ConversionError("an Average of integers cannot be written")
        total = Add().write(layer, inputs, graph)[0]
        return [graph.op("RealDiv", total, float(len(inputs)))]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        if node is None:
            return None
        inputs, divisor = node.inputs, graph.scalar(node.inputs[1])
        if divisor is None and node.op == "Mul":
            inputs, divisor = inputs[::-1], graph.scalar(inputs[0])
        if not divisor:
            return None
        total = Add().recognise(graph.resolve(inputs[0]), graph)
        above = graph.producer(inputs[0])
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

    def masks(
        self, layer: Layer, inputs: list[str], outputs: list[str], graph: GraphBuilder
    ) -> list[str | None]:
        """The masks put together as the tensors are: each as wide as its tensor, all true where
        there is none. Then Keras 2 asks for all of them, Keras 3 for any.
        """
        masks = [graph.masks.get(x) for x in inputs]
        if not any(masks):
            return [None]
        wide = [like_tensor(x, mask, graph) for x, mask in zip(inputs, masks, strict=True)]
        whole = graph.op("ConcatV2", *wide, int(layer.config["axis"]))
        return [graph.op("All" if graph.keras_major == 2 else "Any", whole, [-1])]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        axis = graph.ints(node.inputs[-1]) if node else None
        if node is None or not axis or axis[0] is None:
            return None
        inputs = node.inputs[:-1]
        if len(inputs) < 2 or not mergeable(inputs, graph):
            return None
        shape = graph.shape(tensor)
        last = shape is not None and axis[0] == len(shape) - 1
        return Claim(tuple(inputs), {"axis": -1 if last else axis[0]}, {}, (node.name,))
