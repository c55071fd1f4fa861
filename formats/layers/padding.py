"""Zeros around, and what is cut away from around: padding and cropping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
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

    def sides(self, layer: Layer) -> list[list[int]]:
        """Before and after, for each axis of x."""
        inner, none = rows(layer.config[self.key], self.rank), [0, 0]
        first = layer.config["data_format"] == "channels_first"
        return [none, none, *inner] if first else [none, *inner, none]


class ZeroPadding(_Sides):
    """y = x with zeros around it.

    Shapes: x (batch, *sizes, channels), or channels before the sizes
    Nodes:  Pad(x, [[0, 0], [before, after], ..., [0, 0]])
    Source: Keras, ZeroPadding2D.call
    """

    key = "padding"
    config = {"padding": 1, "data_format": "channels_last"}
    root_ops = frozenset({"Pad"})

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return [graph.op("Pad", inputs[0], self.sides(layer))]

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        node = graph.producer(tensor)
        sides = graph.matrix(node.inputs[1]) if node else None
        if node is None or sides is None or len(sides) != self.rank + 2 or sides[0] != [0, 0]:
            return None
        last = sides[-1] == [0, 0]
        if not last and sides[1] != [0, 0]:
            return None
        padding: list[Any] = sides[1:-1] if last else sides[2:]
        config = {
            "padding": padding[0] if self.rank == 1 else padding,
            "data_format": "channels_last" if last else "channels_first",
        }
        return self.claim(Match({0: node.inputs[0]}, config=config, nodes=(node.name,)))


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
