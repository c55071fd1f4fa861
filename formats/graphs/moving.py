"""Where elements come from: tensors that are another one's elements, moved, repeated or left out.

TensorFlow has a dozen ops that move elements, and its users as many spellings of each movement (a
repetition is ExpandDims, Tile and Reshape; or Split and ConcatV2; or GatherV2). What a chain of
them does is told by running it on the numbers of the elements:

    moved(view, y, x, (3, 2))        for y twice as long as x, [[0, 1], [0, 1], [2, 3], ...]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.graph import Node, parse_input
from modelfmt.graphs.supposing import supposed_ints

if TYPE_CHECKING:
    import numpy.typing as npt

    from modelfmt.graphs.view import View

    Places = npt.NDArray[Any]

#: More elements are not followed.
_MAX_ELEMENTS = 1 << 24
#: An element that is none of the source's: a zero of a Pad.
ZERO = -1


def backwards(view: View, tensor: str, most: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The tensors of which ``tensor`` is a movement, nearest first, with the nodes in between.

    Args:
        most: so many steps at most; a Split and the ConcatV2 of its parts are one.
    """
    nodes: list[str] = []
    for _ in range(most):
        node = view.producer(tensor)
        if node is None or node.op not in _MOVES or view.constant(tensor) is not None:
            return
        sources = {view.resolve(i) for i in _data(node)}
        if not sources:
            return
        nodes.append(node.name)
        if len(sources) > 1 or any(parse_input(source).port for source in sources):
            origins = {parse_input(source).node for source in sources}
            parted = view.producer(next(iter(sources)))
            if len(origins) > 1 or parted is None or parted.op not in _PARTING:
                return
            nodes.append(parted.name)
            sources = {view.resolve(_data(parted)[0])}
        (tensor,) = sources
        yield tensor, tuple(nodes)


def moved(view: View, tensor: str, source: str, shape: Sequence[int]) -> Places | None:
    """For each element of ``tensor`` its number in ``source``, if that has this shape.

    None where the movement cannot be followed.
    """
    import numpy as np

    size = int(np.prod(shape))
    if size > _MAX_ELEMENTS:
        return None
    start = np.arange(size).reshape(tuple(shape))
    return _Mover(view, view.resolve(source), start).find(view.resolve(tensor))


class _Mover:
    def __init__(self, view: View, source: str, start: Places) -> None:
        self.view, self.source, self.shape = view, source, start.shape
        self.found: dict[str, Places | None] = {source: start}

    def find(self, tensor: str) -> Places | None:
        """The places of a tensor's elements; chains are short, so this calls itself."""
        if tensor not in self.found:
            node, port = self.view.producer(tensor), parse_input(tensor).port
            self.found[tensor] = None if node is None else self._moved(node, port)
        return self.found[tensor]

    def _moved(self, node: Node, port: int) -> Places | None:
        move = _MOVES.get(node.op) or _PARTING.get(node.op)
        if move is None or self.view.constant(node.name) is not None:
            return None
        parts = [self.find(self.view.resolve(i)) for i in _data(node)]
        if any(part is None for part in parts):
            return None
        try:
            made = move(node, parts, self)
            made = made[port] if isinstance(made, list) else made
        except (ValueError, IndexError, TypeError):
            return None  # numpy says that the shapes do not fit
        return None if made is None or made.size > _MAX_ELEMENTS else made

    def ints(self, tensor: str) -> list[int]:
        """An operand's integers. Raises ValueError where they are not known."""
        constant = self.view.constant(tensor)
        if constant is not None and constant.root.dtype.is_integer:
            return [int(value) for value in constant.root.numpy().ravel()]
        known = supposed_ints(self.view, tensor, {self.source: self.shape})
        if known is None:
            raise ValueError(tensor)
        return known

    def one(self, tensor: str) -> int:
        (value,) = self.ints(tensor)
        return value

    def dims(self, tensor: str) -> tuple[int, ...]:
        """The shape of an operand."""
        constant = self.view.constant(tensor)
        shape = constant.shape if constant is not None else self.view.shape(tensor)
        if shape is None or None in shape:
            raise ValueError(tensor)
        return tuple(size for size in shape if size is not None)


def _data(node: Node) -> list[str]:
    """The inputs whose elements are moved."""
    if node.op == "ConcatV2":
        return node.inputs[:-1]
    if node.op == "Pack":
        return list(node.inputs)
    return node.inputs[1:2] if node.op == "Split" else node.inputs[:1]


def _whole(parts: list[Any]) -> Places:
    return parts[0]  # type: ignore[no-any-return]


def _expand(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    return np.expand_dims(_whole(parts), at.one(node.inputs[1]))


def _squeeze(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    dims = node.attrs.get("squeeze_dims")
    return np.squeeze(_whole(parts), tuple(dims) if isinstance(dims, list) and dims else None)


def _tile(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    counts = at.ints(node.inputs[1])
    if np.prod([*counts, _whole(parts).size]) > _MAX_ELEMENTS:
        return None
    return np.tile(_whole(parts), counts)


def _gather(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    axis = at.one(node.inputs[2]) if node.op == "GatherV2" else 0
    places = np.array(at.ints(node.inputs[1]))
    if node.attrs.get("batch_dims"):
        return None
    if len(at.view.shape(node.inputs[1]) or ()) == 0:
        places = places.reshape(())
    return np.take(_whole(parts), places, axis)


def _strided(node: Node, parts: list[Any], at: _Mover) -> Any:
    masks = {
        name: int(str(at.view.attr(node, f"{name}_mask") or 0))
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    if masks["ellipsis"] or masks["new_axis"]:
        return None
    bounds = [at.ints(i) for i in node.inputs[1:4]]
    index: list[Any] = []
    for axis, (begin, end, step) in enumerate(zip(*bounds, strict=True)):
        bit = 1 << axis
        if masks["shrink_axis"] & bit:
            index.append(begin)
        else:
            index.append(slice(
                None if masks["begin"] & bit else begin, None if masks["end"] & bit else end, step
            ))  # fmt: skip
    return _whole(parts)[tuple(index)]


def _slice(node: Node, parts: list[Any], at: _Mover) -> Any:
    begins, sizes = at.ints(node.inputs[1]), at.ints(node.inputs[2])
    return _whole(parts)[tuple(
        slice(begin, None if size == -1 else begin + size)
        for begin, size in zip(begins, sizes, strict=True)
    )]  # fmt: skip


def _concat(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    return np.concatenate(parts, at.one(node.inputs[-1]))


def _pack(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    return np.stack(parts, int(str(node.attrs.get("axis", 0))))


def _pad(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    flat = at.ints(node.inputs[1])
    return np.pad(_whole(parts), np.reshape(flat, (-1, 2)), constant_values=ZERO)


def _broadcast(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    return np.broadcast_to(_whole(parts), at.ints(node.inputs[1]))


def _reverse(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    return np.flip(_whole(parts), tuple(at.ints(node.inputs[1])))


def _split(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    return np.split(_whole(parts), int(str(node.attrs["num_split"])), at.one(node.inputs[0]))


def _split_by_sizes(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    sizes, axis = at.ints(node.inputs[1]), at.one(node.inputs[2])
    return np.split(_whole(parts), np.cumsum(sizes)[:-1], axis)


def _unpack(node: Node, parts: list[Any], at: _Mover) -> Any:
    import numpy as np

    return list(np.moveaxis(_whole(parts), int(str(node.attrs.get("axis", 0))), 0))


_Move = Callable[[Node, "list[Any]", _Mover], Any]
_MOVES: Mapping[str, _Move] = {
    "ExpandDims": _expand, "Squeeze": _squeeze, "Tile": _tile, "GatherV2": _gather,
    "Gather": _gather, "StridedSlice": _strided, "Slice": _slice, "ConcatV2": _concat,
    "Pack": _pack, "Pad": _pad, "BroadcastTo": _broadcast, "ReverseV2": _reverse,
    "Reshape": lambda node, parts, at: _whole(parts).reshape(at.ints(node.inputs[1])),
    "Transpose": lambda node, parts, at: _whole(parts).transpose(at.ints(node.inputs[1])),
}  # fmt: skip
#: Ops with several outputs.
_PARTING: Mapping[str, _Move] = {
    "Split": _split, "SplitV": _split_by_sizes, "Unpack": _unpack,
}  # fmt: skip
