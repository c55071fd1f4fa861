"""StackedRNNCells: several cells as one."""

from __future__ import annotations

from collections.abc import Sequence

from modelfmt.errors import MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.parts import part, parts_of
from modelfmt.layers.recurrent.cells import CellCodec, cell_codec
from modelfmt.layers.registry import register_layer
from modelfmt.network import Layer


@register_layer
class StackedRNNCells(CellCodec):
    """StackedRNNCells.  Each cell's output is the next one's input.

    Weights: cells/0/kernel, ..., in the cells' order
    Source:  Keras, StackedRNNCells.call
    """

    class_name = "StackedRNNCells"
    wraps = ("cells",)

    def state_sizes(self, layer: Layer) -> list[int]:
        return [size for cell in _cells(layer) for size in cell_codec(cell).state_sizes(cell)]

    def output_size(self, layer: Layer) -> int:
        last = _cells(layer)[-1]
        return cell_codec(last).output_size(last)

    def step(
        self, layer: Layer, x: str, states: Sequence[str], graph: GraphBuilder
    ) -> tuple[str, list[str]]:
        following: list[str] = []
        for k, cell in enumerate(_cells(layer)):
            codec = cell_codec(cell)
            count = len(codec.state_sizes(cell))
            mine = states[len(following) : len(following) + count]
            with graph.scope(f"cell_{k}"):
                x, new = codec.step(cell, x, mine, graph)
            following += new
        return x, following


def _cells(layer: Layer) -> list[Layer]:
    found = [part(layer, place) for place, _ in parts_of(layer.config, ["cells"])]
    if not found:
        raise MismatchError("StackedRNNCells without a cell")
    return found
