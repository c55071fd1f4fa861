"""Nodes read as operations: the way back from what the writers of this package write.

    @reads("Sum", "Prod")
    def _read_total(r):
        return r.say(r.op, r.x(0), axis=r.axes(1), keepdims=r.attr("keep_dims"))

A reader takes one canonical node and says which operation it is, in the words of the tables: a
row's name, or several that would do, and the arguments by that row's parameters. It says so with
several operations where one has no words for it. What it cannot read it gives up by asking for
what is not known (``Unread``), and the next reader of that op is asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelfmt.errors import ConversionError
from modelfmt.graph import Dims, Node, parse_input
from modelfmt.graphs.sizes import Element, Size, sizes
from modelfmt.graphs.view import View
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.steps import Held
from modelfmt.layers.operations.table import Operation, find
from modelfmt.ops import opdefs
from modelfmt.ops.numbers import COMPUTED, UncomputedError, compute

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Takes a Reading; a Said for each output that is read, or one for the node's only output.
Reader = Callable[["Reading"], "Said | list[Said]"]

_READERS: dict[str, list[Reader]] = {}
#: Numbers that need no array to keep their dtype.
_PLAIN = ("float32", "int32", "bool")
#: Elements that a config still holds; more floats than that are weights, and no more integers
#: than _LARGEST stand in a config at all.
_LARGE, _LARGEST = 4096, 1 << 16
_FOLDED = COMPUTED | {"Range"}


class Unread(Exception):
    """A reader gives a node up."""


def reads(*ops: str) -> Callable[[Reader], Reader]:
    """Decorator: the function reads nodes of these ops, after what reads them already."""

    def register(read: Reader) -> Reader:
        for op in ops:
            _READERS.setdefault(op, []).append(read)
        return read

    return register


def reads_as(op: str, names: str) -> None:
    """An op whose operands are the arguments of the rows of these names, in order."""
    reads(op)(lambda r: r.say(names, *r.operands()))


def readings(node: Node, view: View) -> Iterator[list[Said]]:
    """What a canonical node may be said to compute: for each way, its outputs in order."""
    if not _fits(node, view):
        return
    for read in _READERS.get(node.op, ()):
        try:
            said = read(Reading(node, view))
        except (Unread, ConversionError):
            continue
        yield said if isinstance(said, list) else [said]


def _fits(node: Node, view: View) -> bool:
    """Whether the operands of which an op fixes the dtype have it."""
    row = opdefs.get(node.op)
    if row is None or len(row.inputs) != len(node.inputs):
        return True
    kinds = [(arg.type, view.dtype(i)) for arg, i in zip(row.inputs, node.inputs, strict=True)]
    return all(None in (wanted, found) or wanted is found for wanted, found in kinds)


def readable() -> frozenset[str]:
    """The ops that some reader reads."""
    return frozenset(_READERS)


class Reading:
    """One node, and what its reader may ask of it. Each question raises Unread where the answer
    is not known.
    """

    def __init__(self, node: Node, view: View) -> None:
        self.node, self.view, self.op = node, view, node.op

    # -- operands -----------------------------------------------------------------------------

    def operands(self) -> list[Any]:
        """All inputs as values."""
        return [self.x(k) for k in range(len(self.node.inputs))]

    def x(self, place: int) -> Any:
        """An input as a value: a tensor, or the number or array that it is known to be."""
        tensor = self.view.resolve(self.node.inputs[place])
        constant = self.view.constant(tensor)
        if constant is not None and constant.root.dtype.is_floating and (
            constant.root.size > _LARGE or not self._reads_tensors
        ):
            return Held(constant)
        if constant is not None and constant.root.size > _LARGEST:
            raise Unread
        array = known_array(tensor, self.view)
        if array is None:
            return TensorName(tensor)
        if array.ndim == 0 and (
            str(array.dtype) in _PLAIN or self._has_tensor_of(self.dtype(place))
        ):
            return array.item()
        return array

    def tensor(self, place: int) -> TensorName:
        """An input that is computed."""
        value = self.x(place)
        if not isinstance(value, TensorName):
            raise Unread
        return value

    @cached_property
    def _reads_tensors(self) -> bool:
        """Whether some input is not known before running."""
        return any(known_array(i, self.view) is None for i in self.node.inputs)

    def _has_tensor_of(self, dtype: str) -> bool:
        return any(
            known_array(i, self.view) is None and self._dtype(i) == dtype
            for i in self.node.inputs
        )

    def ints(self, place: int) -> list[int]:
        """The numbers of a known integer input, flattened."""
        found = self.view.ints(self.node.inputs[place])
        if found is None:
            array = known_array(self.node.inputs[place], self.view)
            if array is None or array.dtype.kind not in "iu":
                raise Unread
            return [int(v) for v in array.ravel()]
        if None in found:
            raise Unread
        return [v for v in found if v is not None]

    def number(self, place: int) -> int:
        found = self.ints(place)
        if len(found) != 1:
            raise Unread
        return found[0]

    def matrix(self, place: int) -> list[list[int]]:
        """The rows of a known matrix (paddings)."""
        found = self.view.matrix(self.node.inputs[place])
        if found is None:
            raise Unread
        return found

    def axes(self, place: int) -> list[int] | int | None:
        """Known axes: one alone, several, or None for all of them."""
        found = self.ints(place)
        rank = self.view.shape(self.node.inputs[0])
        if not found:
            raise Unread
        if len(found) == 1:
            return found[0]
        if rank and sorted(a % len(rank) for a in found) == list(range(len(rank))):
            return None
        return found

    def sizes(self, place: int) -> list[Element]:
        """The elements of a shape, told by number or by origin."""
        found = sizes(self.view, self.node.inputs[place])
        if found is None:
            raise Unread
        return found

    # -- what is known ------------------------------------------------------------------------

    def attr(self, name: str) -> Any:
        return self.view.attr(self.node, name)

    def dtype(self, place: int) -> str:
        return self._dtype(self.node.inputs[place])

    def _dtype(self, tensor: str) -> str:
        found = self.view.dtype(tensor)
        if found is None:
            raise Unread
        return found.name

    def output_dtype(self) -> str:
        return self._dtype(self.node.name)

    def shape(self, place: int) -> Dims:
        return self.view.shape(self.node.inputs[place])

    def dims(self, place: int) -> tuple[int | None, ...]:
        found = self.shape(place)
        if found is None:
            raise Unread
        return found

    def rank(self, place: int) -> int:
        return len(self.dims(place))

    # -- what is said -------------------------------------------------------------------------

    def say(self, names: str, *args: Any, **kwargs: Any) -> Said:
        """The operation of any of these names, with these arguments."""
        choices: list[tuple[Operation, tuple[Any, ...], bool]] = []
        for name in names.split():
            row = find(name)
            if row is None:
                raise KeyError(name)  # a reader's own mistake
            choices.append((row, tuple(row.values(args, kwargs)), False))
        return Said(tuple(choices))

    def any_of(self, *said: Said) -> Said:
        """One of several, the first that the target has words for."""
        return Said(tuple(choice for each in said for choice in each.choices))

    def exactly(self, name: str, *args: Any, **kwargs: Any) -> Said:
        """The operation of that name, in no other row's words."""
        said = self.say(name, *args, **kwargs)
        return Said(tuple((row, values, True) for row, values, _ in said.choices))

    def outputs(self, said: Said, count: int) -> list[Said]:
        """All outputs of an operation of several."""
        return [said.out(k) for k in range(count)]

    def line(self, size: Size) -> Said:
        """A vector that is as long as an axis of a tensor: what stands there, the others at 0."""
        rank = len(self.view.shape(size.tensor) or ())
        key: list[Any] = [slice(None) if k == size.axis else 0 for k in range(rank)]
        tensor = TensorName(size.tensor)
        return self.say("GetItem", tensor, key)

    def length(self, size: Size) -> Said:
        """A size as an int32 scalar: ones, added up."""
        return self.say("Sum", self.say("OnesLike", self.line(size), dtype="int32"))

    def along(self, size: Size, rank: int, axis: int, value: Any, dtype: str) -> Said:
        """``value`` as often as an axis of a tensor is long, along ``axis`` of ``rank`` ones."""
        line = self.line(size)
        zeros = self.say("ZerosLike", line, dtype=dtype)
        if dtype == "bool":
            filled = self.say("LogicalOr", zeros, bool(value))
        else:
            filled = self.say("Add", zeros, value) if value else zeros
        return self.say("Reshape", filled, [-1 if k == axis else 1 for k in range(rank)])


def output_shape(r: Reading) -> Dims:
    """What is known of the shape that the node's first output has."""
    return r.view.shape(r.node.name)


def known_array(tensor: str, view: View) -> npt.NDArray[np.generic] | None:
    """The elements of a tensor where all of them are known: a constant, or folded."""
    import numpy as np

    constant = view.constant(tensor)
    if constant is not None:
        if constant.root.strings is not None:
            raise Unread
        return constant.root.numpy().reshape(constant.shape)
    static = view.static(tensor)
    if static.value is None or static.dtype is None or not view.is_known(tensor):
        return _computed(tensor, view)
    return np.asarray(static.value.tolist(), static.dtype.numpy).reshape(static.value.shape)


def _computed(tensor: str, view: View) -> npt.NDArray[np.generic] | None:
    """What constants alone come to, where it is no more than a config holds."""
    node = view.producer(tensor)
    shape = view.shape(tensor)
    if node is None or node.name not in view.fixed or node.op not in _FOLDED or not shape:
        return None
    if None in shape or math.prod(size or 0 for size in shape) > _LARGE:
        return None
    inputs = [known_array(i, view) for i in node.inputs]
    dtype = view.dtype(tensor)
    if dtype is None or any(each is None for each in inputs):
        return None
    if node.op == "Range":
        import numpy as np

        ends: list[Any] = [each.item() for each in inputs if each is not None]
        return np.asarray(np.arange(*ends), dtype.numpy)
    known = [each for each in inputs if each is not None]
    try:
        made = compute(node.op, lambda name: view.attr(node, name), known)
    except UncomputedError:
        return None
    return made[parse_input(tensor).port].astype(dtype.numpy)
