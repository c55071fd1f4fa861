"""Layers that move elements and change none."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graph import Dims, Node
from modelfmt.graphs.arrangement import arrangement
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.moving import backwards, moved
from modelfmt.graphs.sizes import Size, sizes
from modelfmt.graphs.supposing import samples, supposed
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.core import target_shape
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer

_RESHAPING = frozenset({"Reshape", "Squeeze", "ExpandDims"})


def _reshaped(tensor: str, graph: View) -> tuple[str, Dims, Dims, str] | None:
    """A Reshape that keeps the batch: its input, both shapes, and the node's name.

    Squeeze and ExpandDims of other axes are no more.
    """
    node = graph.producer(tensor)
    if node is None or node.op not in _RESHAPING or graph.constant(tensor) is not None:
        return None
    source = graph.resolve(node.inputs[0])
    before, after = graph.shape(source), graph.shape(tensor)
    if after is None or not after or (before is not None and not before):
        return None
    if node.op != "Reshape":
        moved = arrangement(node, graph)
        return (source, before, after, node.name) if moved and moved[0] == 0 else None
    if before is not None and None not in before[1:] and None not in after[1:]:
        same = _size(before[1:]) == _size(after[1:])
    elif before is not None and _keeps_batch(node, graph):
        same = True
    else:
        # With other sizes unknown, the batch's own must be told: by number, or by its origin.
        target = sizes(graph, node.inputs[1])
        batch = None if before is None else before[0]
        same = target is not None and target[:1] == [Size(source, 0) if batch is None else batch]
    return (source, before, after, node.name) if same else None


def _keeps_batch(node: Node, graph: View) -> bool:
    """Whether the batch comes out as it went in, whatever the sizes that are unknown.

    Rows of a size that only their reader tells (of a Dense) are one for each sample.
    """
    target = graph.ints(node.inputs[1])
    if target is not None and target[:1] == [-1] and len(target) == 2 and None not in target:
        return True
    source = node.inputs[0]
    before = graph.producer(source)
    turned = before is not None and before.op == "Transpose"
    if before and turned and (graph.ints(before.inputs[1]) or [None])[0] == 0:
        source = before.inputs[0]  # whose Shape is read as often as that of what is turned
    found = [
        (supposed(graph, node.name, {source: sample}).shape, sample)
        for sample in samples(graph.shape(source))
    ]
    return bool(found) and all(made and made[0] == sample[0] for made, sample in found)


def _size(shape: Sequence[int | None]) -> int:
    return math.prod(size for size in shape if size is not None)


@register_layer
class Flatten(LayerCodec):
    """Flatten.  y (batch, everything else)

    Nodes:  Reshape(x, [-1, n]); in channels_first, a Transpose to channels last before it
    Source: Keras, Flatten.call
    """

    class_name = "Flatten"
    config = {"data_format": "channels_last"}
    root_ops = _RESHAPING

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Channels first is a Permute before it."""
        flat = dataclasses.replace(layer, config={"data_format": "channels_last"})
        rank = len(shapes[0]) if shapes[0] is not None else 0
        if layer.config["data_format"] != "channels_first" or rank < 3:
            return [flat]
        return [Layer("Permute", "", {"dims": [*range(2, rank), 1]}), flat]

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x, shape = inputs[0], graph.shape(inputs[0])
        if shape is None:
            raise ConversionError("Flatten needs an input of known rank")
        if layer.config["data_format"] == "channels_first" and len(shape) > 2:
            x = graph.op("Transpose", x, [0, *range(2, len(shape)), 1])
            shape = graph.shape(x) or shape
        if len(shape) == 1:
            return [graph.op("ExpandDims", x, 1)]
        if None not in shape[1:]:
            return [graph.op("Reshape", x, [-1, math.prod(d for d in shape[1:] if d is not None)])]
        return [graph.op("Reshape", x, target_shape(x, (shape[0], None), graph))] if (
            shape[0] is not None
        ) else [self._dynamic(x, graph)]

    def _dynamic(self, x: str, graph: GraphBuilder) -> str:
        """With sizes unknown beside the batch: the batch is read off, the rest is -1."""
        batch = graph.op("StridedSlice", graph.op("Shape", x), [0], [1], [1], shrink_axis_mask=1)
        return graph.op("Reshape", x, graph.op("Pack", batch, -1, axis=0))

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = _reshaped(tensor, graph)
        if found is None:
            return None
        source, before, after, name = found
        if before is None or after is None or len(after) != 2 or len(before) < 3:
            return None
        if None in before[1:] and None not in after[1:]:
            return None  # a Flatten would not know the size, which a Reshape says
        return Claim((source,), {}, {}, (name,))


@register_layer
class Reshape(LayerCodec):
    """Reshape.  y (batch, *target_shape); one size of target_shape may be -1

    Nodes: Reshape(x, shape)        Source: Keras, Reshape.call
    """

    class_name = "Reshape"
    config = {"target_shape": ()}
    root_ops = _RESHAPING

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """To one axis it is a Flatten; -1 is replaced by the size it stands for."""
        if len(layer.config["target_shape"]) == 1:
            return [Layer("Flatten", "", {"data_format": "channels_last"})]
        wanted = self._settled(layer.config["target_shape"], shapes[0])
        return [dataclasses.replace(layer, config={"target_shape": wanted})]

    @staticmethod
    def _settled(target: Sequence[int], shape: Dims) -> list[int]:
        """The target with the size that -1 stands for, where the input's sizes tell it."""
        wanted = list(target)
        if shape is None or None in shape[1:]:
            return wanted
        whole = math.prod(d for d in shape[1:] if d is not None)
        if -1 in wanted:
            known = math.prod(d for d in wanted if d != -1)
            wanted[wanted.index(-1)] = whole // known if known else 0
        if math.prod(wanted) != whole:
            raise MismatchError(
                "the target shape has another size than the input", expected=list(shape[1:]),
                found=list(target),
            )
        return wanted

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shape = graph.shape(inputs[0])
        if shape is None:
            raise ConversionError("Reshape needs an input of known rank")
        wanted = self._settled(layer.config["target_shape"], shape)
        if -1 not in wanted and None not in shape[1:]:
            return [graph.op("Reshape", inputs[0], [-1, *wanted])]
        batch = graph.op(
            "StridedSlice", graph.op("Shape", inputs[0]), [0], [1], [1], shrink_axis_mask=1
        )
        return [graph.op("Reshape", inputs[0], graph.op("Pack", batch, *wanted, axis=0))]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = _reshaped(tensor, graph)
        if found is None or found[2] is None or sum(d is None for d in found[2][1:]) > 1:
            return None
        target = [-1 if d is None else d for d in found[2][1:]]
        return Claim((found[0],), {"target_shape": target}, {}, (found[3],))


@register_layer
class Permute(LayerCodec):
    """Permute.  y = x with its axes in another order; ``dims`` count from 1, without the batch

    Nodes: Transpose(x, [0, *dims])        Source: Keras, Permute.call
    """

    class_name = "Permute"
    config = {"dims": ()}
    root_ops = frozenset({"Transpose"})

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Nothing where the order is the same."""
        dims = layer.config["dims"]
        return [] if dims == sorted(dims) else super().canonical(layer, shapes)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [graph.op("Transpose", inputs[0], [0, *layer.config["dims"]])]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        order = graph.ints(node.inputs[1]) if node else None
        if node is None or not order or order[0] != 0 or len(order) < 2:
            return None
        return Claim((node.inputs[0],), {"dims": order[1:]}, {}, (node.name,))


@register_layer
class RepeatVector(LayerCodec):
    """RepeatVector.  y[:, k] = x for each of n steps

    Shapes: x (batch, features), y (batch, n, features)
    Nodes:  Tile(ExpandDims(x, 1), [1, n, 1]); read as any movement that does the same
    Source: Keras, RepeatVector.call
    """

    class_name = "RepeatVector"
    config = {"n": 1}
    root_ops = frozenset({"Tile", "Reshape", "ConcatV2", "BroadcastTo"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        shape = graph.shape(inputs[0])
        if shape is not None and len(shape) != 2:
            raise MismatchError(
                "RepeatVector takes vectors", expected="(batch, features)", found=list(shape)
            )
        return [graph.op("Tile", graph.op("ExpandDims", inputs[0], 1), [1, layer.config["n"], 1])]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        best: Claim | None = None
        for source, nodes in backwards(graph, tensor, 4):
            shape, after = graph.shape(source), graph.shape(tensor)
            if after is not None and len(after) != 3:
                return None
            if shape is not None and len(shape) == 2:
                count = self._count(tensor, source, graph)
                best = best if count is None else Claim((source,), {"n": count}, {}, nodes)
        return best

    @staticmethod
    def _count(tensor: str, source: str, graph: View) -> int | None:
        """How often each vector is repeated; None where that is not what happens."""
        import numpy as np

        found: set[int] = set()
        for sample in samples(graph.shape(source), least=2):
            places = moved(graph, tensor, source, sample)
            if places is None or places.ndim != 3:
                return None
            vectors = np.arange(math.prod(sample)).reshape(sample)[:, None]
            if not np.array_equal(places, np.repeat(vectors, places.shape[1], 1)):
                return None
            found.add(places.shape[1])
        return found.pop() if len(found) == 1 else None
