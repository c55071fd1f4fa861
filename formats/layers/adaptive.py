"""Adaptive pooling: as many windows as the output has places, whatever the size of the input.

    window i of n along an axis of size s: from floor(i * s / n) to ceil((i + 1) * s / n)

Windows are as long as each other or differ by one. Where they are equally long and equally far
apart along all axes it is a pool; else, axis by axis, a pool of each length at every position, of
which a GatherV2 takes the wanted ones. What is read is where each place comes from.
Source: Keras backend/tensorflow/nn.py, adaptive_average_pool.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims, Node
from modelfmt.graphs.arrangement import arrangement
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.registry import register_layer
from modelfmt.layers.spatial import canonical_channels_last, channels_last, spread
from modelfmt.network import Config, Layer


class AdaptivePooling(LayerCodec):
    """Pooling to ``output_size``.

    Shapes: x (batch, *sizes, channels), all sizes known; y (batch, *output_size, channels);
            channels_first: x (batch, channels, *sizes)
    Source: Keras 3.12, BaseAdaptivePooling.call
    """

    rank: ClassVar[int]
    pool: ClassVar[str]
    config = {"output_size": 1, "data_format": "channels_last"}

    def completed(self, config: Config, weights: Mapping[str, Any]) -> Config:
        """As any config; a size given as one number becomes one for each axis."""
        whole = super().completed(config, weights)
        return {**whole, "output_size": spread(whole["output_size"], self.rank)}

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """A pool, where all windows are alike; channels first is a layer between two Permutes."""
        (plain,), shape, config = super().canonical(layer, shapes), shapes[0], layer.config
        sizes = None if shape is None else shape[1:-1]
        if config["data_format"] == "channels_first":
            sizes = None if shape is None else shape[2:]
        counts = config["output_size"]
        if sizes is not None and len(sizes) == self.rank and None not in sizes:
            alike = [
                _alike(size or 0, count) for size, count in zip(sizes, counts, strict=True)
            ]
            found = [each for each in alike if each is not None]
            if len(found) == self.rank:
                plain = Layer(self.class_name.removeprefix("Adaptive"), "", {
                    "pool_size": [length for length, _ in found],
                    "strides": [step for _, step in found], "padding": "valid",
                    "data_format": config["data_format"],
                })  # fmt: skip
        return canonical_channels_last(plain, self.rank)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return channels_last(self._pooled, layer, inputs, graph)

    def roots(self) -> frozenset[str]:
        around = {"Squeeze"} if self.rank == 1 else set()
        return frozenset({"GatherV2", self.pool if self.rank < 3 else f"{self.pool}3D", *around})

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        name = self.pool if self.rank < 3 else f"{self.pool}3D"
        found = windows(tensor, name, graph)
        shape = graph.shape(found.source) if found else None
        if found is None or shape is None or len(shape) != self.rank + 2 or not found.gathers:
            return None
        if all(graph.graph[node].op != name for node in found.nodes):
            return None
        if len(found.axes) != len(shape) or found.axes[0] or found.axes[-1]:
            return None
        counts = []
        for size, spans in zip(shape[1:-1], found.axes[1:-1], strict=True):
            known = size or 0
            told = spans if spans is not None else [(k, k + 1) for k in range(known)]
            if size is None or told != _spans(known, len(told)):
                return None
            counts.append(len(told))
        config = {"output_size": counts, "data_format": "channels_last"}
        return Claim((found.source,), config, {}, tuple(dict.fromkeys(found.nodes)))

    def _pooled(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        y, shape = inputs[0], graph.shape(inputs[0])
        if shape is None or len(shape) != self.rank + 2 or None in shape[1:-1]:
            raise ConversionError(
                f"{self.class_name} needs an input whose sizes are known", found=str(shape)
            )
        # What has one axis has two for the op: pools know no other.
        if self.rank == 1:
            y = graph.op("ExpandDims", y, 1)
        first = 2 if self.rank == 1 else 1
        counts = [int(count) for count in layer.config["output_size"]]
        found = [_alike(s or 0, n) for s, n in zip(shape[1:-1], counts, strict=True)]
        alike = [each for each in found if each is not None]
        if len(alike) == self.rank:
            lengths, steps = zip(*alike, strict=True)
            y = self._pool(first, lengths, steps, y, graph)
        else:
            for k, count in enumerate(counts):
                y = self._along(first + k, count, y, graph)
        return [graph.op("Squeeze", y, squeeze_dims=[1]) if self.rank == 1 else y]

    def _along(self, axis: int, count: int, x: str, graph: GraphBuilder) -> str:
        size = (graph.shape(x) or ())[axis] or 0
        alike = _alike(size, count)
        if alike is not None:
            return self._pool(axis, alike[:1], alike[1:], x, graph)
        spans = _spans(size, count)
        pools, places = list[str](), dict[int, int]()
        total = 0
        for length in sorted({end - start for start, end in spans}):
            places[length] = total
            total += size - length + 1
            pools.append(self._pool(axis, [length], [1], x, graph))
        whole = pools[0] if len(pools) == 1 else graph.op("ConcatV2", *pools, axis, N=len(pools))
        return graph.op("GatherV2", whole, [places[b - a] + a for a, b in spans], axis)

    def _pool(
        self, axis: int, lengths: Sequence[int], steps: Sequence[int], x: str, graph: GraphBuilder
    ) -> str:
        """A pool over the axes from ``axis`` on."""
        rank = len(graph.shape(x) or ())

        def along(values: Sequence[int]) -> list[int]:
            return [*[1] * axis, *values, *[1] * (rank - axis - len(values))]

        name = self.pool if rank == 4 else f"{self.pool}3D"
        return graph.op(
            name, x, ksize=along(lengths), strides=along(steps), padding="VALID",
            data_format="NHWC" if rank == 4 else "NDHWC",
        )  # fmt: skip


def _spans(size: int, count: int) -> list[tuple[int, int]]:
    """The windows along an axis."""
    return [(k * size // count, -(-(k + 1) * size // count)) for k in range(count)]


def _alike(size: int, count: int) -> tuple[int, int] | None:
    """The length of the windows and how far they are apart, where both are always the same."""
    spans = _spans(size, count)
    lengths = {end - start for start, end in spans}
    step = spans[1][0] - spans[0][0] if count > 1 else 1
    regular = [start for start, _ in spans] == [k * step for k in range(count)] and step > 0
    return (lengths.pop(), step) if regular and len(lengths) == 1 and spans[-1][1] == size else None


@dataclasses.dataclass(frozen=True)
class _Windows:
    """What each place of a tensor is pooled of: along each axis the spans of ``source``.

    None stands for an axis that is as it was. ``gathers`` tells whether places were picked.
    """

    source: str
    axes: list[list[tuple[int, int]] | None]
    nodes: tuple[str, ...] = ()
    gathers: bool = False


def windows(tensor: str, pool: str, graph: View, depth: int = 0) -> _Windows | None:
    """Pools of type ``pool`` along single axes, put side by side and picked from."""
    tensor = graph.resolve(tensor)
    node, shape = graph.producer(tensor), graph.shape(tensor)
    if shape is None:
        return None
    here = _Windows(tensor, [None] * len(shape))
    if node is None or depth > _MOST or (node.op not in _READ and node.op != pool):
        return here
    read = _READ.get(node.op, _pooled)
    return read(node, pool, graph, depth + 1) or here


#: So many nodes in a row: three or four for each axis.
_MOST = 16


def _pooled(node: Node, pool: str, graph: View, depth: int) -> _Windows | None:
    inner = windows(node.inputs[0], pool, graph, depth)
    size, step = graph.attr(node, "ksize"), graph.attr(node, "strides")
    if inner is None or not isinstance(size, list) or not isinstance(step, list):
        return None
    after, axes = graph.shape(node.name), list(inner.axes)
    if graph.attr(node, "padding") != "VALID" or after is None or len(size) != len(axes):
        return None
    if str(graph.attr(node, "data_format")).startswith("NC"):
        return None
    for axis, (length, stride) in enumerate(zip(size, step, strict=True)):
        count = after[axis]
        if length == stride == 1:
            continue
        if axes[axis] is not None or count is None:
            return None
        starts = [k * int(str(stride)) for k in range(count)]
        axes[axis] = [(start, start + int(str(length))) for start in starts]
    return dataclasses.replace(inner, axes=axes, nodes=(node.name, *inner.nodes))


def _gathered(node: Node, pool: str, graph: View, depth: int) -> _Windows | None:
    inner, places = windows(node.inputs[0], pool, graph, depth), graph.ints(node.inputs[1])
    constant = graph.constant(node.inputs[1])
    if constant is not None and constant.root.dtype.is_integer:
        places = [int(value) for value in constant.root.numpy().ravel()]
    axis = graph.scalar(node.inputs[2])
    if inner is None or places is None or not isinstance(axis, int):
        return None
    axes = list(inner.axes)
    axis %= len(axes)
    spans = axes[axis] or _each(node.inputs[0], axis, graph)
    if spans is None or any(k is None or not 0 <= k < len(spans) for k in places):
        return None
    axes[axis] = [spans[k] for k in places if k is not None]
    return dataclasses.replace(
        inner, axes=axes, nodes=(node.name, *inner.nodes), gathers=True
    )


def _joined(node: Node, pool: str, graph: View, depth: int) -> _Windows | None:
    parts = [windows(i, pool, graph, depth) for i in node.inputs[:-1]]
    axis, first = graph.scalar(node.inputs[-1]), parts[0]
    if first is None or not isinstance(axis, int):
        return None
    axis, whole, nodes = axis % len(first.axes), list[tuple[int, int]](), [node.name]
    for part, tensor in zip(parts, node.inputs, strict=False):
        spans = None if part is None else part.axes[axis] or _each(tensor, axis, graph)
        if part is None or spans is None or part.source != first.source:
            return None
        if [a for k, a in enumerate(part.axes) if k != axis] != [
            a for k, a in enumerate(first.axes) if k != axis
        ]:
            return None
        whole += spans
        nodes += part.nodes
    axes = list(first.axes)
    axes[axis] = whole
    return dataclasses.replace(first, axes=axes, nodes=tuple(nodes))


def _each(tensor: str, axis: int, graph: View) -> list[tuple[int, int]] | None:
    """Every place of an axis by itself."""
    size = (graph.shape(tensor) or ())[axis]
    return None if size is None else [(k, k + 1) for k in range(size)]


def _arranged(node: Node, pool: str, graph: View, depth: int) -> _Windows | None:
    inner, step = windows(node.inputs[0], pool, graph, depth), arrangement(node, graph)
    if inner is None or step is None or [a for a in step if a is not None] != sorted(
        a for a in step if a is not None
    ):
        return None
    axes = [None if axis is None else inner.axes[axis] for axis in step]
    return dataclasses.replace(inner, axes=axes, nodes=(node.name, *inner.nodes))


_READ: Mapping[str, Callable[[Node, str, View, int], _Windows | None]] = {
    "GatherV2": _gathered, "ConcatV2": _joined, "ExpandDims": _arranged, "Squeeze": _arranged,
}  # fmt: skip


@register_layer
class AdaptiveAveragePooling1D(AdaptivePooling):
    """AdaptiveAveragePooling1D: AdaptivePooling by the mean, over one axis."""

    class_name = "AdaptiveAveragePooling1D"
    rank, pool = 1, "AvgPool"


@register_layer
class AdaptiveAveragePooling2D(AdaptivePooling):
    """AdaptiveAveragePooling2D: AdaptivePooling by the mean, over two axes."""

    class_name = "AdaptiveAveragePooling2D"
    rank, pool = 2, "AvgPool"


@register_layer
class AdaptiveAveragePooling3D(AdaptivePooling):
    """AdaptiveAveragePooling3D: AdaptivePooling by the mean, over three axes."""

    class_name = "AdaptiveAveragePooling3D"
    rank, pool = 3, "AvgPool"


@register_layer
class AdaptiveMaxPooling1D(AdaptivePooling):
    """AdaptiveMaxPooling1D: AdaptivePooling by the largest, over one axis."""

    class_name = "AdaptiveMaxPooling1D"
    rank, pool = 1, "MaxPool"


@register_layer
class AdaptiveMaxPooling2D(AdaptivePooling):
    """AdaptiveMaxPooling2D: AdaptivePooling by the largest, over two axes."""

    class_name = "AdaptiveMaxPooling2D"
    rank, pool = 2, "MaxPool"


@register_layer
class AdaptiveMaxPooling3D(AdaptivePooling):
    """AdaptiveMaxPooling3D: AdaptivePooling by the largest, over three axes."""

    class_name = "AdaptiveMaxPooling3D"
    rank, pool = 3, "MaxPool"
