"""Products of two tensors recognised, whatever the axes were named, moved and merged to.

    Einsum("abc,cde->abde", x, y)
    Reshape(MatMul(Reshape(x, (-1, c)), Reshape(y, (c, -1))), (a, b, d, e))
    Transpose(BatchMatMulV2(Transpose(x), Transpose(y)))          all of them one Product

A factor is seen below the Transposes and Reshapes that lead to it, and each axis of the result is
an axis of one of the factors, or of both. Axes are objects: what was paired is one and the same.
"""

from __future__ import annotations

import dataclasses
import math
import string
from collections.abc import Callable, Collection, Sequence

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims, Node, parse_input
from modelfmt.graphs.sizes import Size, sizes
from modelfmt.graphs.view import View

#: Ops that leave the elements as they are: another order of axes, or other axes for the same.
_LAYOUT = {"Reshape", "Squeeze", "ExpandDims", "Transpose"}
#: Ops whose other inputs say where things are, and take no part.
_FIRST = {*_LAYOUT, "StridedSlice", "Tile"}
_PRODUCTS = {"MatMul", "BatchMatMulV2", "Einsum"}


class Axis:
    """An axis of a tensor. ``origins``: what its size is called, as (tensor, place)."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self.origins: set[tuple[str, int]] = set()
        self.pieces: tuple[Axis, Axis] | None = None
        self.same: Axis | None = None

    def known(self) -> Axis:
        """The axis that this one was paired with, or itself."""
        axis = self
        while axis.same is not None:
            axis = axis.same
        return axis

    def flat(self) -> list[Axis]:
        """The pieces that it was split into, or itself."""
        axis = self.known()
        if axis.pieces is None:
            return [axis]
        return [piece for part in axis.pieces for piece in part.flat()]

    def split(self, first: int) -> None:
        """Make two axes of it, the outer one of size ``first``."""
        rest = None if self.size is None else self.size // first
        self.pieces = Axis(first), Axis(rest)


Group = list[Axis]


@dataclasses.dataclass
class Layout:
    """A tensor as another order of the axes of ``source``; several in one group are merged."""

    source: str
    own: list[Axis]
    groups: list[Group]


@dataclasses.dataclass
class Product:
    """left . right: the axes of both, in their own order, and those of the result.

    An axis that stands in both is one object; where it is none of the result's, it was summed
    over.
    """

    left: str
    right: str
    left_axes: list[list[Axis]]
    right_axes: list[list[Axis]]
    axes: list[list[Axis]]

    def turned(self) -> Product:
        """The factors the other way round."""
        return Product(self.right, self.left, self.right_axes, self.left_axes, self.axes)

    def equation(self) -> str | None:
        """The einsum that it is; None where axes were split or merged."""
        names: dict[Axis, str] = {}
        parts = []
        for axes in (self.left_axes, self.right_axes, self.axes):
            if any(len(group) != 1 for group in axes):
                return None
            parts.append("".join(
                names.setdefault(axis, string.ascii_letters[len(names) % 52])
                for (axis,) in axes
            ))  # fmt: skip
        return f"{parts[0]},{parts[1]}->{parts[2]}" if len(names) <= 52 else None


def product_at(tensor: str, view: View, *, split: bool = False) -> Product | None:
    """The product of two tensors that ``tensor`` is, or None.

    Args:
        tensor: what to look at.
        view: where.
        split: whether an axis may turn out to be several: a kernel (8, 16) one of (8, 2, 8).
    """
    chain: list[Node] = []
    node = view.producer(tensor)
    while node is not None and is_layout(node, view) and view.constant(node.name) is None:
        chain.append(node)
        node = view.producer(node.inputs[0])
    if node is None or node.op not in _PRODUCTS or len(node.inputs) != 2:
        return None
    left, right = (layout(i, view, split=split) for i in node.inputs)
    made = _multiplied(node, left, right, view, split)
    if made is None:
        return None
    _note(made, node.name)
    for step in reversed(chain):
        after = _rearranged(step, made, view, split)
        if after is None:
            return None
        made = after
        _note(made, step.name)
    return Product(
        left.source, right.source,
        [axis.flat() for axis in left.own], [axis.flat() for axis in right.own],
        [[piece for axis in group for piece in axis.flat()] for group in made],
    )


def layout(
    tensor: str, view: View, *, split: bool = False, until: Callable[[str], bool] | None = None
) -> Layout:
    """What ``tensor`` is a Transpose or Reshape of, all the way down; at least of itself.

    Args:
        tensor: what to look at.
        view: where.
        split: as ``product_at``.
        until: tells the tensors at which to stop.
    """
    tensor = view.resolve(tensor)
    constant = view.constant(tensor)
    if constant is not None:
        own = [Axis(size) for size in constant.root.shape]
        groups = _regrouped([[a] for a in own], list(constant.shape), split)
        if groups is not None:
            return Layout(tensor, own, groups)
        own = [Axis(size) for size in constant.shape]
        return Layout(tensor, own, [[axis] for axis in own])
    node = None if until is not None and until(tensor) else view.producer(tensor)
    if node is not None and is_layout(node, view) and repeated(tensor, view) is None:
        inner = layout(node.inputs[0], view, split=split, until=until)
        groups = _rearranged(node, inner.groups, view, split)
        if groups is not None:
            _note(groups, tensor)
            return dataclasses.replace(inner, groups=groups)
    own = [Axis(size) for size in view.shape(tensor) or ()]
    groups = [[axis] for axis in own]
    _note(groups, tensor)
    return Layout(tensor, own, groups)


def is_layout(node: Node, view: View) -> bool:
    """Whether a node leaves all elements as they are, x[:, newaxis] among them."""
    if node.op in _LAYOUT:
        return True
    if node.op != "StridedSlice" or not view.attr(node, "new_axis_mask"):
        return False
    count = len(view.ints(node.inputs[1]) or ())
    begin, end, new = (int(str(view.attr(node, f"{m}_mask") or 0)) for m in ("begin", "end",
                                                                            "new_axis"))
    taken = [k for k in range(count) if not new >> k & 1]
    whole = all(begin >> k & 1 and end >> k & 1 for k in taken)
    plain = not view.attr(node, "ellipsis_mask") and not view.attr(node, "shrink_axis_mask")
    return whole and plain and view.ints(node.inputs[3]) == [1] * count


def repeated(tensor: str, view: View) -> tuple[str, int] | None:
    """What a tensor is, each of its elements repeated so often along axis 2; else None.

    GatherV2(x, [0, 0, 1, 1], 2), or Reshape(Tile(ExpandDims(x, 3), [1, 1, 1, 2, 1])).
    """
    node, shape = view.producer(tensor), view.shape(tensor)
    if node is None or shape is None or len(shape) != 4 or shape[2] is None:
        return None
    if node.op == "GatherV2":
        places, before = view.ints(node.inputs[1]), view.shape(node.inputs[0])
        if before is None or len(before) != 4 or not before[2] or view.scalar(node.inputs[2]) != 2:
            return None
        times = shape[2] // before[2]
        if not times or places != [k // times for k in range(shape[2])]:
            return None
        return view.resolve(node.inputs[0]), times
    tile = view.producer(node.inputs[0]) if node.op == "Reshape" else None
    if tile is None or tile.op != "Tile":
        return None
    spread, multiples = view.producer(tile.inputs[0]), view.ints(tile.inputs[1])
    if spread is None or multiples is None or len(multiples) != 5 or None in multiples:
        return None
    before = view.shape(spread.inputs[0])
    if spread.op != "ExpandDims" or view.scalar(spread.inputs[1]) not in (3, -2):
        return None
    times = multiples[3] or 0
    if before is None or multiples != [1, 1, 1, times, 1] or before[2] is None:
        return None
    fits = len(before) == 4 and before[2] * times == shape[2] and before[3] == shape[3]
    return (view.resolve(spread.inputs[0]), times) if fits else None


def _note(groups: Sequence[Group], tensor: str) -> None:
    """What Shape(tensor) calls the axes."""
    for place, group in enumerate(groups):
        if len(group) == 1:
            group[0].origins.add((tensor, place))


# -- products ---------------------------------------------------------------------------------


def _multiplied(
    node: Node, left: Layout, right: Layout, view: View, split: bool
) -> list[Group] | None:
    x, y = left.groups, right.groups
    if node.op == "Einsum":
        return _einsum(str(view.attr(node, "equation")), x, y, split)
    if len(x) < 2 or len(y) < 2:
        return None
    names = ("transpose_a", "transpose_b") if node.op == "MatMul" else ("adj_x", "adj_y")
    turned = [bool(view.attr(node, name)) for name in names]
    rows, inner = x[-2:] if not turned[0] else x[:-3:-1]
    other, columns = y[-2:] if not turned[1] else y[:-3:-1]
    if not _pair(inner, other, split):
        return None
    batch = _broadcast(x[:-2], y[:-2], split)
    return None if batch is None else [*batch, rows, columns]


def _broadcast(x: list[Group], y: list[Group], split: bool) -> list[Group] | None:
    """The axes before the matrices; one that only one factor has is that factor's."""
    longest = max(len(x), len(y))
    x = [*([] for _ in range(longest - len(x))), *x]
    y = [*([] for _ in range(longest - len(y))), *y]
    made = []
    for a, b in zip(x, y, strict=True):
        if a and b and not _pair(a, b, split):
            return None
        made.append(a or b)
    return made


def _einsum(equation: str, x: list[Group], y: list[Group], split: bool) -> list[Group] | None:
    from modelfmt.layers.einsum import split_equation

    try:
        of_x, of_y, wanted = split_equation(equation, len(x), len(y))
    except ConversionError:
        return None
    found = dict(zip(of_x, x, strict=True))
    for letter, group in zip(of_y, y, strict=True):
        if letter in found and not _pair(found[letter], group, split):
            return None
        found.setdefault(letter, group)
    once = (set(of_x) ^ set(of_y)) - set(wanted)
    return None if once else [found[letter] for letter in wanted]


def _pair(a: Group, b: Group, split: bool) -> bool:
    """Make the axes of both groups the same ones; False where they don't fit."""
    left, right = ([p for axis in group for p in axis.flat()] for group in (a, b))
    while left and right:
        x, y = left[0], right[0]
        if x.size != y.size and None not in (x.size, y.size):
            if not split or not _made_to_fit(x, y):
                return False
            left[:1], right[:1] = x.flat(), y.flat()
            continue
        x.size = y.size if x.size is None else x.size
        x.origins |= y.origins
        y.same = x
        del left[0], right[0]
    return not left and not right


def _made_to_fit(x: Axis, y: Axis) -> bool:
    """Split the longer axis; False where the shorter is no part of it."""
    long, short = (x, y) if (x.size or 0) > (y.size or 0) else (y, x)
    if not short.size or not long.size or long.size % short.size:
        return False
    long.split(short.size)
    return True


# -- layouts ----------------------------------------------------------------------------------


def _rearranged(node: Node, groups: list[Group], view: View, split: bool) -> list[Group] | None:
    """The axes after a node of _LAYOUT."""
    if node.op == "Transpose":
        order = view.ints(node.inputs[1])
        if order is None or sorted(k or 0 for k in order) != list(range(len(groups))):
            return None
        return [groups[k or 0] for k in order]
    after = view.shape(node.name)
    if after is None:
        return None
    if node.op == "Reshape":
        told: Sequence[int | Size | None] = after
        origins = sizes(view, node.inputs[1])
        if origins is not None and len(origins) == len(after):
            told = [o if a is None else a for a, o in zip(after, origins, strict=True)]
        return _regrouped(groups, told, split)
    before = view.shape(node.inputs[0])
    if before is None or len(before) != len(groups):
        return None
    if node.op == "Squeeze":
        stated = view.attr(node, "squeeze_dims")
        gone = [int(str(a)) % len(before) for a in stated] if isinstance(stated, list) else []
        gone = gone or [axis for axis, size in enumerate(before) if size == 1]
        return [group for axis, group in enumerate(groups) if axis not in gone]
    made = _new_axes(node, len(after), view)
    if made is None:
        return None
    rest = iter(groups)
    return [[] if axis in made else next(rest) for axis in range(len(after))]


def _new_axes(node: Node, rank: int, view: View) -> list[int] | None:
    """The axes of its result that a node adds."""
    if node.op == "ExpandDims":
        axis = view.scalar(node.inputs[1])
        return None if axis is None else [int(axis) % rank]
    new = int(str(view.attr(node, "new_axis_mask") or 0))
    return [axis for axis in range(rank) if new >> axis & 1]


def _regrouped(
    groups: list[Group], wanted: Sequence[int | Size | None], split: bool
) -> list[Group] | None:
    """The same axes in groups of the wanted sizes; None where the sizes don't tell."""
    axes = [piece for group in groups for axis in group for piece in axis.flat()]
    if any(axis.size == 0 for axis in axes):
        return None
    front = _taken(axes, list(wanted), split, 1)
    left = list(wanted)[len(front) :]
    back = _taken(axes, left[::-1], split, -1)
    middle = left[: len(left) - len(back)]
    if len(middle) > 1 or (not middle and axes):
        return None
    if middle:
        size = middle[0]
        if isinstance(size, int) and size >= 0 and None not in [axis.size for axis in axes]:
            return None
        back.append(axes)
    return [*front, *back[::-1]]


def _taken(
    axes: list[Axis], wanted: list[int | Size | None], split: bool, step: int
) -> list[Group]:
    """Groups for as many of the wanted sizes, in order, as is certain; taken off ``axes``.

    Args:
        axes: in order; those used are removed, at the end if ``step`` is -1.
        wanted: in the order of taking.
        split: whether an axis may be made two.
        step: 1 from the front, -1 from the back.
    """
    made: list[Group] = []
    end = 0 if step == 1 else -1
    for size in wanted:
        if not isinstance(size, int) or size < 0:
            if not axes or not isinstance(size, Size):
                break
            if (size.tensor, size.axis) not in axes[end].origins:
                break
            made.append([axes.pop(end)])
            continue
        group: Group = []
        total = 1
        while total != size or (size == 1 and not group and axes and axes[end].size == 1):
            if not axes or axes[end].size is None:
                break
            axis = axes.pop(end)
            needed, length = size // total, axis.size or 1
            if size % total or needed % length:
                if not split or size % total or length % needed:
                    axes.insert(0 if step == 1 else len(axes), axis)
                    break
                axis.split(needed if step == 1 else length // needed)
                outer, inner = axis.pieces or (axis, axis)
                axis, other = (outer, inner) if step == 1 else (inner, outer)
                axes.insert(0 if step == 1 else len(axes), other)
            group.insert(0 if step == -1 else len(group), axis)
            total *= axis.size or 1
        if total != size:
            for axis in group if step == -1 else group[::-1]:
                axes.insert(0 if step == 1 else len(axes), axis)
            break
        made.append(group)
    return made


def axis_sizes(axes: Sequence[Sequence[Axis]]) -> Dims:
    """The sizes of axes, pieces multiplied; None where unknown."""
    found = []
    for group in axes:
        each = [axis.size for axis in group]
        found.append(None if None in each else math.prod(s for s in each if s is not None))
    return tuple(found)


def interior(tensor: str, leaves: Collection[str], view: View) -> tuple[str, ...]:
    """The nodes that compute ``tensor`` of ``leaves``, but for those that tell sizes."""
    ends = {view.resolve(leaf) for leaf in leaves}
    found: dict[str, None] = {}
    todo = [tensor]
    while todo:
        current = view.resolve(todo.pop())
        node = view.producer(current)
        if current in ends or node is None or node.name in found or view.is_known(current):
            continue
        if sizes(view, current) is not None:
            continue
        found[node.name] = None
        todo.extend(node.inputs[:1] if node.op in _FIRST else node.inputs)
    return tuple(found)


def escapes(tensor: str, nodes: Collection[str], view: View) -> bool:
    """Whether anything but these nodes reads ``tensor``, or it is an output."""
    node = parse_input(tensor).node
    return tensor in view.outputs or bool(view.consumers.get(node, set()) - set(nodes))
