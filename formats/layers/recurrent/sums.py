"""Sums of products with constants: what the gates of a recurrent cell are computed from.

    [x @ A + h @ B + c][:, 2 units : 3 units]

However a graph spells such a sum (one kernel for all gates or one for each, x and h beside each
other, the product with x taken before the loop), it is the same blocks of weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from modelfmt.graph import Node, parse_input
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.blocks import Block, Row, blocks_of, cut, width

#: Sums within sums, of which no cell has more than a few.
_MAX_DEPTH = 60


@dataclasses.dataclass(frozen=True)
class Affine:
    """A sum: products of tensors with weights, biases, a number, and what is no such thing."""

    products: dict[str, Row] = dataclasses.field(default_factory=dict)
    biases: tuple[Row, ...] = ()
    offset: float = 0.0
    rest: tuple[str, ...] = ()

    def __add__(self, other: Affine) -> Affine | None:
        if self.products.keys() & other.products.keys():
            return None
        return Affine(
            {**self.products, **other.products}, self.biases + other.biases,
            self.offset + other.offset, self.rest + other.rest,
        )  # fmt: skip

    def sliced(self, start: int, stop: int) -> Affine | None:
        """The columns from ``start`` to ``stop``."""
        if self.rest:
            return None
        products = {source: cut(row, start, stop) for source, row in self.products.items()}
        biases = tuple(cut(row, start, stop) for row in self.biases)
        return Affine(products, biases, self.offset)

    @property
    def width(self) -> int | None:
        """The number of columns, where a weight tells."""
        for row in (*self.products.values(), *self.biases):
            return width(row)
        return None


class Sums:
    """Finds the sums below the tensors of a loop's body.

    Args:
        view: the graph.
        outside: for a row of a sequence that is read in the loop the sequence, and what to call
            it as a source of products; None for other tensors.
        size: the size of the last axis of a tensor that stands beside others.
    """

    def __init__(
        self, view: View, outside: Callable[[str], tuple[str, str] | None],
        size: Callable[[str], int | None],
    ) -> None:  # fmt: skip
        self.view, self.outside, self.size = view, outside, size

    def block(self, tensor: str, depth: int = 0) -> Block | None:
        """The window on a constant that a tensor is."""
        constant = self.view.constant(tensor)
        if constant is not None:
            shape = constant.shape
            if not constant.root.dtype.is_floating or len(shape) not in (1, 2):
                return None
            rows, columns = (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])
            return Block(constant.root, (rows, columns), (0, rows), (0, columns), len(shape))
        node = self.view.producer(tensor)
        if node is None or depth > _MAX_DEPTH:
            return None
        if node.op in ("Squeeze", "Reshape", "ExpandDims"):
            return self._reshaped(node, depth)
        found = _operand(node)
        inner = self.block(found, depth + 1) if found else None
        if inner is None:
            return None
        if node.op == "Unpack":
            port = parse_input(self.view.resolve(tensor)).port
            if inner.rank != 2 or self.view.attr(node, "axis") not in (0, -2):
                return None
            return dataclasses.replace(inner.window(0, port, port + 1), rank=1)
        part = self._part(node, tensor, inner.rank, (inner.height, inner.width))
        if part is None:
            return None
        axis, start, stop, shrinks = part
        if shrinks and not (inner.rank == 2 and axis == 0):
            return None
        taken = inner.window(1 if inner.rank == 1 else axis, start, stop)
        return dataclasses.replace(taken, rank=inner.rank - shrinks)

    def _reshaped(self, node: Node, depth: int) -> Block | None:
        inner = self.block(node.inputs[0], depth + 1)
        shape = self.view.shape(node.name)
        if inner is None or shape is None:
            return None
        if inner.height == 1 and shape in ((inner.width,), (1, inner.width)):
            return dataclasses.replace(inner, rank=len(shape))
        return inner if shape == (inner.height, inner.width) and inner.rank == 2 else None

    def _part(
        self, node: Node, tensor: str, rank: int, sizes: tuple[int, int]
    ) -> tuple[int, int, int, int] | None:
        """For a node that takes a part of a tensor: the axis, its span, the axes that vanish.

        ``sizes`` are those of a matrix; the only axis of a vector is its second one.
        """
        port = parse_input(self.view.resolve(tensor)).port
        if node.op in ("Split", "SplitV"):
            axis = self.view.scalar(node.inputs[0 if node.op == "Split" else 2])
            count = self.view.attr(node, "num_split")
            if axis is None or not isinstance(count, int) or not -rank <= axis < rank or count < 1:
                return None
            axis = int(axis) % rank
            size = sizes[1] if axis == rank - 1 else sizes[0]
            if node.op == "Split":
                each = size // count
                return axis, port * each, (port + 1) * each, 0
            stated = self.view.ints(node.inputs[1]) or [None]
            spans = [span for span in stated if span is not None]
            if len(spans) < len(stated) or spans.count(-1) > 1 or port >= len(spans):
                return None
            spans = [size - sum(spans) - 1 if span == -1 else span for span in spans]
            start = sum(spans[:port])
            return axis, start, start + spans[port], 0
        return self._strided(node, rank, sizes) if node.op == "StridedSlice" else None

    def _strided(
        self, node: Node, rank: int, sizes: tuple[int, int]
    ) -> tuple[int, int, int, int] | None:
        begin, end, stride = (self.view.ints(i) for i in node.inputs[1:4])
        stated = {key: self.view.attr(node, f"{key}_mask") for key in _MASKS}
        masks = {key: value if isinstance(value, int) else 0 for key, value in stated.items()}
        if begin is None or end is None or stride is None or len(begin) > rank:
            return None
        if masks["ellipsis"] or masks["new_axis"] or any(step != 1 for step in stride):
            return None
        found = None
        for axis, (low, high) in enumerate(zip(begin, end, strict=True)):
            size = sizes[1] if axis == rank - 1 else sizes[0]
            shrinks = bool(masks["shrink_axis"] >> axis & 1)
            if low is None or high is None:
                return None
            start = 0 if masks["begin"] >> axis & 1 else _within(low, size)
            stop = size if masks["end"] >> axis & 1 else _within(high, size)
            if shrinks:
                stop = start + 1
            if (start, stop) == (0, size) and not shrinks:
                continue
            if found is not None or stop <= start:
                return None
            found = (axis, start, stop, int(shrinks))
        if found is None:
            return rank - 1, 0, sizes[1], 0
        return found

    # -- sums ---------------------------------------------------------------------------------

    def sum(self, tensor: str, depth: int = 0) -> Affine | None:
        """The sum that a tensor is; what is no product with a weight stands in its ``rest``."""
        tensor = self.view.resolve(tensor)
        alone = Affine(rest=(tensor,))
        if self.view.constant(tensor) is not None:
            row = self.block(tensor)
            number = self.view.scalar(tensor)
            if number is not None and (row is None or row.width == 1):
                return Affine(offset=float(number))
            return Affine(biases=((row,),)) if row is not None and row.height == 1 else None
        taken = self.taken_before(tensor)
        if taken is not None:
            return taken
        node = self.view.producer(tensor)
        if node is None or depth > _MAX_DEPTH:
            return alone
        if (row := self.block(tensor)) is not None:
            return Affine(biases=((row,),)) if row.height == 1 else None
        if node.op in ("AddV2", "BiasAdd"):
            parts = [self.sum(i, depth + 1) for i in node.inputs]
            return parts[0] + parts[1] if parts[0] and parts[1] else None
        if node.op == "MatMul":
            return self._product(node, alone)
        if node.op in ("Split", "SplitV", "StridedSlice", "Slice"):
            return self._columns(node, tensor, depth) or alone
        return alone

    def _columns(self, node: Node, tensor: str, depth: int) -> Affine | None:
        operand = _operand(node)
        whole = self.sum(operand, depth + 1) if operand else None
        return self.part_of(node, tensor, whole) if whole is not None else None

    def part_of(self, node: Node, tensor: str, whole: Affine) -> Affine | None:
        """The sum that ``tensor`` is, which ``node`` takes from the columns of ``whole``."""
        size = whole.width
        if size is None or whole.rest:
            return None
        # Of the first axis, which is that of the batch, nothing may be taken: -1 tells it apart.
        part = self._part(node, tensor, 2, (-1, size))
        if part is None or part[0] != 1 or part[3]:
            return None
        return whole.sliced(part[1], part[2])

    def _product(self, node: Node, alone: Affine) -> Affine | None:
        if self.view.attr(node, "transpose_a") or self.view.attr(node, "transpose_b"):
            return alone
        kernel = self.block(node.inputs[1])
        if kernel is None or kernel.rank != 2:
            return alone
        return self._spread(node.inputs[0], kernel) or alone

    def _spread(self, tensor: str, kernel: Block) -> Affine | None:
        """A product of a kernel with tensors beside each other, as one product with each."""
        node = self.view.producer(tensor)
        if node is None or node.op != "ConcatV2":
            return Affine({self.plain(tensor): (kernel,)})
        start, found = 0, Affine()
        sizes = [self.size(self.plain(i)) for i in node.inputs[:-1]]
        if sizes.count(None) == 1:  # the kernel's height tells it
            known = sum(size or 0 for size in sizes)
            sizes = [kernel.height - known if size is None else size for size in sizes]
        if self.view.scalar(node.inputs[-1]) not in (1, -1) or None in sizes:
            return None
        for operand, size in zip(node.inputs[:-1], sizes, strict=True):
            stop = start + (size or 0)
            more = found + Affine({self.plain(operand): (kernel.window(0, start, stop),)})
            if more is None or stop > kernel.height:
                return None
            start, found = stop, more
        return found if start == kernel.height else None

    def plain(self, tensor: str) -> str:
        """A tensor without the factors of 1 that a dropout leaves at inference."""
        for _ in range(_MAX_DEPTH):
            node = self.view.producer(tensor)
            if node is None or node.op != "Mul":
                break
            kept = [i for i in node.inputs if not self._is_one(i)]
            if len(kept) != 1:
                break
            tensor = kept[0]
        row = self.outside(tensor)
        return row[1] if row else self.view.resolve(tensor)

    def _is_one(self, tensor: str) -> bool:
        """Whether a tensor holds nothing but 1, of whatever size."""
        node = self.view.producer(tensor)
        if node is not None and node.op == "Fill":
            tensor = node.inputs[1]
        is_like = node is not None and node.op == "OnesLike"
        return is_like or bool(self.view.scalar(tensor) == 1)

    def taken_before(self, tensor: str) -> Affine | None:
        """The sum that a row of a sequence is, where it was taken before the loop."""
        row = self.outside(tensor)
        found = self.before(row[0]) if row else None
        if row is None or found is None:
            return None
        sequence, called = row
        mark = called.removesuffix(sequence)
        products = {mark + source: blocks for source, blocks in found.products.items()}
        return dataclasses.replace(found, products=products)

    def before(self, tensor: str, depth: int = 0) -> Affine | None:
        """The sum that a whole sequence is, if it is one: a product taken before the loop."""
        node = self.view.producer(tensor)
        if node is None or depth > _MAX_DEPTH:
            return None
        if (row := self.block(tensor)) is not None:
            return Affine(biases=((row,),)) if row.height == 1 else None
        if node.op == "Reshape":
            found = self.before(node.inputs[0], depth + 1)
            shape = self.view.shape(node.name)
            return found if found and shape and shape[-1] == found.width else None
        if node.op in ("AddV2", "BiasAdd"):
            parts = [self.before(i, depth + 1) for i in node.inputs]
            return parts[0] + parts[1] if parts[0] and parts[1] else None
        if node.op == "ConcatV2":
            return self._beside(node, depth)
        if node.op != "MatMul":
            return None
        kernel = self.block(node.inputs[1])
        source = self._rows(node.inputs[0])
        if kernel is None or source is None or self.view.attr(node, "transpose_b"):
            return None
        return Affine({source: (kernel,)})

    def _beside(self, node: Node, depth: int) -> Affine | None:
        """Sums beside each other, as one sum of blocks that stand beside each other."""
        shape = self.view.shape(node.name)
        axis = self.view.scalar(node.inputs[-1])
        if shape is None or axis is None or axis not in (-1, len(shape) - 1):
            return None
        parts = [self.before(i, depth + 1) for i in node.inputs[:-1]]
        first = parts[0]
        if first is None:
            return None
        for part in parts:
            if part is None or part.products.keys() != first.products.keys():
                return None
            if len(part.biases) != len(first.biases):
                return None
        whole = [part for part in parts if part is not None]
        products = {
            source: blocks_of([part.products[source] for part in whole])
            for source in first.products
        }
        biases = zip(*(part.biases for part in whole), strict=True)
        return Affine(products, tuple(blocks_of(rows) for rows in biases))

    def _rows(self, tensor: str) -> str | None:
        """The sequence (batch, time, features) of which ``tensor`` has the rows of all times."""
        tensor = self.view.resolve(tensor)
        node = self.view.producer(tensor)
        if node is None or node.op != "Reshape":
            return None
        before, after = self.view.shape(node.inputs[0]), self.view.shape(tensor)
        if before is None or after is None or (len(before), len(after)) != (3, 2):
            return None
        same = before[-1] is not None and before[-1] == after[-1]
        return self.view.resolve(node.inputs[0]) if same else None


_MASKS = ("begin", "end", "ellipsis", "new_axis", "shrink_axis")


def _operand(node: Node) -> str | None:
    """What a node takes a part of."""
    if node.op == "Split":
        return node.inputs[1]
    return node.inputs[0] if node.op in ("SplitV", "StridedSlice", "Unpack") else None


def _within(index: int, size: int) -> int:
    """An index of a slice as a place from the front."""
    return max(index + size, 0) if index < 0 else min(index, size)
