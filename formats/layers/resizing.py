"""Images of another size, by any interpolation, both ways.

Source: TensorFlow, image.resize; Keras, backend/tensorflow/image.py.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graph import Node
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.supposing import samples, supposed, supposed_ints
from modelfmt.graphs.view import View
from modelfmt.layers.encoding import cast
from modelfmt.layers.extents import extent, packed
from modelfmt.layers.sizing import known_shape

#: The interpolations with an op of their own, and whether it has ``half_pixel_centers``.
RESIZERS = {
    "nearest": ("ResizeNearestNeighbor", True), "bilinear": ("ResizeBilinear", True),
    "bicubic": ("ResizeBicubic", True), "area": ("ResizeArea", False),
}  # fmt: skip
#: The kernels of ScaleAndTranslate.
SCALING = {
    "lanczos3": "lanczos3", "lanczos5": "lanczos5", "gaussian": "gaussian",
    "mitchellcubic": "mitchellcubic",
}  # fmt: skip
#: With antialias, the kernels in the place of these.
ANTIALIASED = {**SCALING, "bilinear": "triangle", "bicubic": "keyscubic"}
#: The ops that a resizing may end in.
ENDS = frozenset({"Cast", "ScaleAndTranslate", *(name for name, _ in RESIZERS.values())})


def resized(
    x: str, height: int, width: int, method: str, graph: GraphBuilder, *, antialias: bool = False
) -> str:
    """Images (batch, rows, cols, channels) of another size; float32, unless ``nearest``.

    Raises:
        ConversionError: an interpolation that there is none of.
    """
    if (known_shape(x, graph, "resizing"))[1:3] == (height, width):
        return x  # so does TensorFlow, whatever the dtype
    kernel = (ANTIALIASED if antialias else SCALING).get(method)
    if kernel is not None:
        x = cast(x, dtypes.float32, graph)
        size = graph.const([height, width], dtypes.int32, "size")
        sides = packed([extent(x, axis, graph) for axis in (1, 2)], graph)
        sides = sides if isinstance(sides, str) else graph.const(sides, dtypes.int32, "sides")
        old = graph.op("Cast", sides, DstT=dtypes.float32)
        new = graph.op("Cast", size, DstT=dtypes.float32)
        return graph.op(
            "ScaleAndTranslate", x, size, graph.op("RealDiv", new, old), [0.0, 0.0],
            kernel_type=kernel, antialias=antialias,
        )  # fmt: skip
    if method not in RESIZERS:
        raise ConversionError(
            "unknown interpolation", expected=", ".join([*RESIZERS, *SCALING]), found=method
        )
    name, centred = RESIZERS[method]
    attrs: dict[str, Any] = {"half_pixel_centers": True} if centred else {}
    return graph.op(name, x, [height, width], **attrs)


@dataclasses.dataclass(frozen=True)
class Resizing:
    """What resizes ``source``: to a size, or by factors where it grows by whole ones."""

    source: str
    method: str
    antialias: bool
    size: list[int] | None
    factors: list[int] | None
    nodes: tuple[str, ...]


def resizing(tensor: str, graph: View) -> Resizing | None:
    """The resizing that ends in ``tensor``: rows and columns of (batch, rows, cols, channels)."""
    node, nodes = graph.producer(tensor), list[str]()
    last = node
    if node is not None and node.op == "Cast":
        nodes.append(node.name)
        last, node = node, graph.producer(node.inputs[0])
    if node is None or node.op not in ENDS or node.op == "Cast" or last is None:
        return None
    nodes.append(node.name)
    source = graph.resolve(node.inputs[0])
    if last is not node and graph.dtype(last.name) != graph.dtype(source):
        return None
    before = graph.producer(source)
    cast_first = before is not None and before.op == "Cast" and node.op == "ScaleAndTranslate"
    if cast_first and before and graph.dtype(before.inputs[0]) == graph.dtype(last.name):
        nodes.append(before.name)
        source = graph.resolve(before.inputs[0])
    told, factors = _sizes(node, source, graph)
    named = _method(node, factors, graph)
    if named is None or not told:
        return None
    size = list(told[0]) if all(each == told[0] for each in told) else None
    if size is None and factors is None:
        return None
    return Resizing(source, *named, size, factors, tuple(nodes))


def _sizes(
    node: Node, source: str, graph: View
) -> tuple[list[tuple[int, ...]], list[int] | None]:
    """The sizes that come out for some that go in, and the whole factors between them."""
    told: list[tuple[int, ...]] = []
    factors: set[tuple[int, ...]] = set()
    for sample in samples(graph.shape(source)):
        found = supposed_ints(graph, node.inputs[1], {source: sample})
        if found is None or len(found) != 2 or len(sample) != 4:
            return [], None
        told.append(tuple(found))
        shares = [divmod(new, old) for new, old in zip(found, sample[1:3], strict=True)]
        factors.add(() if any(rest for _, rest in shares) else tuple(q for q, _ in shares))
    one = factors.pop() if len(factors) == 1 else ()
    return told, list(one) if one and min(one) > 0 else None


def _method(node: Node, factors: list[int] | None, graph: View) -> tuple[str, bool] | None:
    """The interpolation, and whether it is antialiased; None where Keras has none like it."""
    if node.op == "ScaleAndTranslate":
        return _scaling(node, graph)
    if graph.attr(node, "align_corners"):
        return None
    name, centred = next(
        (name, centred) for name, (op, centred) in RESIZERS.items() if op == node.op
    )
    # Before TensorFlow 2 pixels had their place at a corner, which whole factors of the nearest
    # one do not show.
    plain = not centred or bool(graph.attr(node, "half_pixel_centers"))
    return (name, False) if plain or (name == "nearest" and factors is not None) else None


def _scaling(node: Node, graph: View) -> tuple[str, bool] | None:
    antialias = bool(graph.attr(node, "antialias"))
    kernel = graph.attr(node, "kernel_type")
    names = ANTIALIASED if antialias else SCALING
    found = next((name for name, each in names.items() if each == kernel), None)
    shift = graph.vector(node.inputs[3])
    if found is None or shift is None or any(shift):
        return None
    source = node.inputs[0]
    for sample in samples(graph.shape(source)):
        new = supposed_ints(graph, node.inputs[1], {source: sample})
        stated = graph.vector(node.inputs[2])
        scale: Any = stated
        if stated is None:
            value = supposed(graph, node.inputs[2], {source: sample}).value
            scale = None if value is None else list(value.ravel())
        if new is None or scale is None or len(scale) != 2 or None in scale:
            return None
        wanted = [n / o for n, o in zip(new, sample[1:3], strict=True)]
        if not all(math.isclose(s, w, rel_tol=1e-5) for s, w in zip(scale, wanted, strict=True)):
            return None
    return found, antialias
