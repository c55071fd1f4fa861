"""Zeros around, and what is cut away from around: padding and cropping."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import MismatchError
from modelfmt.graph import Dims, Node
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.moving import moved
from modelfmt.graphs.supposing import samples, supposed_ints
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import rows
from modelfmt.layers.template import Match
from modelfmt.network import Config, Layer


class _Sides(LayerCodec):
    """A layer with a number for both sides of each spatial axis."""

    rank: ClassVar[int]
    key: ClassVar[str]

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; the numbers as both sides of each axis, of a single one without rows."""
        whole = super().completed(config, weights)
        found = rows(whole[self.key], self.rank)
        return {**whole, self.key: found[0] if self.rank == 1 else found}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Channels last, where the last axis is left alone; nothing where all are."""
        inner = rows(layer.config[self.key], self.rank)
        if not any(map(any, inner)):
            return []
        if layer.config["data_format"] == "channels_first" and not any(inner[-1]):
            found = [[0, 0], *inner[:-1]]
            config = {
                self.key: found[0] if self.rank == 1 else found, "data_format": "channels_last",
            }  # fmt: skip
            return [dataclasses.replace(layer, config=config)]
        return super().canonical(layer, shapes)

    def sides(self, layer: Layer) -> list[list[int]]:
        """Before and after, for each axis of x."""
        inner, none = rows(layer.config[self.key], self.rank), [0, 0]
        first = layer.config["data_format"] == "channels_first"
        return [none, none, *inner] if first else [none, *inner, none]

    def claimed(self, node: Node, sides: list[list[int]], graph: View) -> Claim | None:
        """The claim of a node that does this to each axis of its first input."""
        if len(sides) != self.rank + 2 or sides[0] != [0, 0]:
            return None
        last = sides[-1] == [0, 0]
        if not last and sides[1] != [0, 0]:
            return None
        found: list[Any] = sides[1:-1] if last else sides[2:]
        config = {
            self.key: found[0] if self.rank == 1 else found,
            "data_format": "channels_last" if last else "channels_first",
        }
        source = graph.resolve(node.inputs[0])
        return self.claim(Match({0: source}, config=config, nodes=(node.name,)))


class ZeroPadding(_Sides):
    """y = x with zeros around it.

    Shapes: x (batch, *sizes, channels), or channels before the sizes
    Nodes:  Pad(x, [[0, 0], [before, after], ..., [0, 0]])
    Source: Keras, ZeroPadding2D.call
    """

    key = "padding"
    config = {"padding": 1, "data_format": "channels_last"}
    root_ops = frozenset({"Pad", "PadV2"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [graph.op("Pad", inputs[0], self.sides(layer))]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        if node is None or (node.op == "PadV2" and graph.scalar(node.inputs[2]) != 0):
            return None
        known = graph.matrix(node.inputs[1])
        if known is None:
            known = _agreed(node.inputs[0], graph, lambda shape: _table(node, shape, graph))
        return None if known is None else self.claimed(node, known, graph)


def _table(node: Node, shape: tuple[int, ...], graph: View) -> list[list[int]] | None:
    """The paddings of a Pad whose input has this shape."""
    flat = supposed_ints(graph, node.inputs[1], {node.inputs[0]: shape})
    return None if flat is None else [flat[k : k + 2] for k in range(0, len(flat), 2)]


def _agreed(
    tensor: str, graph: View, told: Callable[[tuple[int, ...]], list[list[int]] | None]
) -> list[list[int]] | None:
    """What is told of a tensor's sides, if it is the same for all sizes it may have."""
    found = [told(shape) for shape in samples(graph.shape(tensor))]
    return found[0] if found and all(each == found[0] for each in found) else None


@register_layer
class ZeroPadding1D(ZeroPadding):
    """ZeroPadding1D: ZeroPadding over one axis; ``padding`` may be (before, after)."""

    class_name = "ZeroPadding1D"
    rank = 1


@register_layer
class ZeroPadding2D(ZeroPadding):
    """ZeroPadding2D: ZeroPadding over two axes."""

    class_name = "ZeroPadding2D"
    rank = 2


@register_layer
class ZeroPadding3D(ZeroPadding):
    """ZeroPadding3D: ZeroPadding over three axes."""

    class_name = "ZeroPadding3D"
    rank = 3


class Cropping(_Sides):
    """y = x without what stands at its sides.

    Shapes: x (batch, *sizes, channels), or channels before the sizes
    Nodes:  StridedSlice(x, before, -after); an end without cropping is masked
    Source: Keras, Cropping2D.call
    """

    key = "cropping"
    config = {"cropping": 0, "data_format": "channels_last"}
    root_ops = frozenset({"StridedSlice", "Slice"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        sides = self.sides(layer)
        for size, (before, after) in zip(graph.shape(inputs[0]) or (), sides, strict=False):
            if size is not None and before + after and before + after >= size:
                raise MismatchError(
                    f"{self.class_name} leaves nothing of its input",
                    expected=f"less than {size}",
                    found=f"{before} + {after}",
                )
        bits = [1 << axis for axis in range(len(sides))]
        return [
            graph.op(
                "StridedSlice", inputs[0], [before for before, _ in sides],
                [-after for _, after in sides], [1] * len(sides),
                begin_mask=sum(b for b, (before, _) in zip(bits, sides, strict=True) if not before),
                end_mask=sum(b for b, (_, after) in zip(bits, sides, strict=True) if not after),
            )
        ]  # fmt: skip

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        if node is None or graph.constant(node.inputs[0]) is not None:
            return None
        source = graph.resolve(node.inputs[0])
        sides = _agreed(source, graph, lambda shape: cut_off(tensor, source, shape, graph))
        return self.claimed(node, sides, graph) if sides and any(map(any, sides)) else None


def cut_off(
    tensor: str, source: str, shape: tuple[int, ...], graph: View
) -> list[list[int]] | None:
    """What ``tensor`` leaves out of ``source``, of this shape, before and after on each axis; None
    where it is no block of it.
    """
    import numpy as np

    places = moved(graph, tensor, source, shape)
    if places is None or places.ndim != len(shape) or not places.size:
        return None
    start = np.unravel_index(int(places.ravel()[0]), shape)
    block = tuple(
        slice(int(begin), int(begin) + size)
        for begin, size in zip(start, places.shape, strict=True)
    )
    whole = np.arange(math.prod(shape)).reshape(shape)[block]
    if whole.shape != places.shape or not np.array_equal(whole, places):
        return None
    return [
        [int(begin), full - int(begin) - size]
        for begin, size, full in zip(start, places.shape, shape, strict=True)
    ]


@register_layer
class Cropping1D(Cropping):
    """Cropping1D: Cropping over one axis; ``cropping`` may be (before, after)."""

    class_name = "Cropping1D"
    rank = 1
    config = {**Cropping.config, "cropping": 1}


@register_layer
class Cropping2D(Cropping):
    """Cropping2D: Cropping over two axes."""

    class_name = "Cropping2D"
    rank = 2


@register_layer
class Cropping3D(Cropping):
    """Cropping3D: Cropping over three axes."""

    class_name = "Cropping3D"
    rank = 3
    config = {**Cropping.config, "cropping": 1}
