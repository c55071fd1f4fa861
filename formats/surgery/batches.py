"""A model for batches of one size: the first dimension of every input is fixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelfmt.errors import ConversionError, located
from modelfmt.graph import Function, Graph, Node, Shape
from modelfmt.network import Network


class BatchedGraph(Graph):
    """A graph whose Placeholders have other shapes."""

    def __init__(self, nodes: Mapping[str, Node], origin: Graph) -> None:
        super().__init__(nodes)
        self._origin = origin
        self.producer, self.is_stored = origin.producer, origin.is_stored

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._origin.functions


def with_batch(graph: Graph, size: int) -> Graph:
    """``graph`` with Placeholders for batches of ``size``; scalars have no batch and stay.

    Raises:
        ConversionError: an input has another batch size, or an unknown rank.
    """
    nodes: dict[str, Node] = {}
    for name, node in graph.items():
        nodes[name] = node
        if node.op in ("Placeholder", "PlaceholderV2"):
            with located(key=f'node "{name}"'):
                shape = node.attrs.get("shape")
                dims = shape.dims if isinstance(shape, Shape) else None
                if dims == ():
                    continue
                nodes[name] = node.copy()
                nodes[name].attrs["shape"] = Shape(_fixed(dims, size))
                nodes[name].attrs.pop("_output_shapes", None)
    return BatchedGraph(nodes, graph)


def fix_batch(network: Network, size: int) -> None:
    """Fix the batch of a network's inputs, in place.

    Raises:
        ConversionError: an input has another batch size, or an unknown rank.
    """
    for ref in network.inputs:
        layer = network.layer(ref.layer)
        with located(key=f'layer "{layer.name}"'):
            layer.config["batch_shape"] = list(_fixed(layer.config.get("batch_shape"), size))


def _fixed(dims: Any, size: int) -> tuple[int | None, ...]:
    if not isinstance(dims, list | tuple) or not dims:
        raise ConversionError("an input of unknown rank has no batch to fix", found=dims)
    if dims[0] not in (None, size):
        raise ConversionError(
            "an input has another batch size", expected=f"a free one, or {size}", found=dims[0]
        )
    return (size, *dims[1:])
