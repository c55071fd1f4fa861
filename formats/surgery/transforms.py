"""Steps between a donor's weight and the host's: small changes of layout, one after the other.

    {concatenate = AXIS}                        several weights beside each other; the first step
    {slice = {axis = A, start = I, stop = J}}   some rows or columns
    {split = {axis = A, parts = N, part = K}}   one of N equal parts, counted from 0
    {transpose = [1, 0]}  {transpose = true}    other order of the axes; true: the reverse
    {reshape = [10, -1]}                        the same elements in another shape
    {flip = [0, 1]}                             axes turned round, as Theano's kernels are
    {gates = "ijfo > ifjo"}                     equal blocks along the last axis in another order
    {cast = "float16"}                          another dtype

Shapes are known before anything is read; elements are read, and changed, when they are written.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from modelfmt.errors import MismatchError, UnsupportedError, located
from modelfmt.storage.files import Computed
from modelfmt.surgery.casting import cast_tensor
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

#: One step: its name, and what it is told.
Step: TypeAlias = Mapping[str, Any]


def transformed(tensors: Sequence[Tensor], steps: Sequence[Step]) -> Tensor:
    """The tensor that the steps make of ``tensors``; unread.

    Args:
        tensors: one; or several, which the first step concatenates.
        steps: as above.

    Raises:
        MismatchError: a step does not fit the shape.
        UnsupportedError: no such step, or told nonsense.
    """
    todo = list(steps)
    if len(tensors) > 1 or (todo and "concatenate" in todo[0]):
        if not todo or "concatenate" not in todo[0]:
            raise UnsupportedError(
                "several weights, and no step that joins them",
                expected="{concatenate = AXIS} first",
            )
        tensor = _concatenated(tensors, _axis_of(todo.pop(0)["concatenate"], tensors[0]))
    else:
        (tensor,) = tensors
    for step in todo:
        name, told = _read(step)
        with located(key=f"step {name}"):
            try:
                tensor = _STEPS[name](tensor, told)
            except (TypeError, KeyError, IndexError, AttributeError):
                raise UnsupportedError("a step that is told nonsense", found=repr(told)) from None
    return tensor


def _read(step: Step) -> tuple[str, Any]:
    if not isinstance(step, Mapping) or len(step) != 1 or next(iter(step)) not in _STEPS:
        raise UnsupportedError(
            "no such step", expected=f"one of concatenate, {', '.join(_STEPS)}", found=repr(step)
        )
    return next(iter(step.items()))


def _axis_of(axis: Any, tensor: Tensor) -> int:
    """An axis counted from the front. Raises MismatchError, UnsupportedError."""
    rank = len(tensor.shape)
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise UnsupportedError("an axis is a whole number", found=repr(axis))
    if not -rank <= axis < rank:
        raise MismatchError("no such axis", expected=f"one of {rank}", found=axis)
    return axis % rank


def _concatenated(tensors: Sequence[Tensor], axis: int) -> Tensor:
    first = tensors[0]
    for other in tensors[1:]:
        alike = [s for k, s in enumerate(other.shape) if k != axis]
        if alike != [s for k, s in enumerate(first.shape) if k != axis] or (
            other.dtype is not first.dtype
        ):
            raise MismatchError(
                "weights that cannot stand beside each other",
                expected=f"{first.dtype}{list(first.shape)}",
                found=f"{other.dtype}{list(other.shape)}",
            )
    shape = list(first.shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)

    def produce() -> list[bytes]:
        import numpy as np

        return [np.concatenate([tensor.numpy() for tensor in tensors], axis).tobytes()]

    payload = Computed(math.prod(shape) * first.dtype.itemsize, produce)
    return dataclasses.replace(first, shape=tuple(shape), payload=payload, derived=True)


def _slice(tensor: Tensor, told: Mapping[str, int]) -> Tensor:
    axis = _axis_of(told["axis"], tensor)
    start, stop, size = told.get("start", 0), told.get("stop", None), tensor.shape[axis]
    stop = size if stop is None else stop
    if not 0 <= start < stop <= size:
        raise MismatchError(
            "no such part of the axis", expected=f"0 to {size}", found=f"{start} to {stop}"
        )
    return _cut(tensor, axis, start, stop)


def _split(tensor: Tensor, told: Mapping[str, int]) -> Tensor:
    axis, parts, part = _axis_of(told["axis"], tensor), told["parts"], told["part"]
    size = tensor.shape[axis]
    if parts < 1 or size % parts or not 0 <= part < parts:
        raise MismatchError(
            "no such part of the axis", expected=f"a part of {size} in equal ones",
            found=f"part {part} of {parts}",
        )
    return _cut(tensor, axis, part * size // parts, (part + 1) * size // parts)


def _cut(tensor: Tensor, axis: int, start: int, stop: int) -> Tensor:
    where = (slice(None),) * axis + (slice(start, stop),)
    shape = list(tensor.shape)
    shape[axis] = stop - start
    return tensor.changed(lambda array: array[where], tuple(shape))


def _transpose(tensor: Tensor, told: Sequence[int] | bool) -> Tensor:
    rank = len(tensor.shape)
    axes = range(rank)[::-1] if isinstance(told, bool) else told
    order = [_axis_of(axis, tensor) for axis in axes]
    if sorted(order) != list(range(rank)):
        raise MismatchError("no order of the axes", expected=f"all of {rank}", found=told)
    shape = tuple(tensor.shape[axis] for axis in order)
    return tensor.changed(lambda array: array.transpose(order), shape)


def _reshape(tensor: Tensor, told: Sequence[int]) -> Tensor:
    shape = [int(size) for size in told]
    if shape.count(-1) == 1:
        rest = math.prod(size for size in shape if size != -1)
        if rest and tensor.size % rest == 0:
            shape[shape.index(-1)] = tensor.size // rest
    return tensor.reshaped(tuple(shape))


def _flip(tensor: Tensor, told: Sequence[int]) -> Tensor:
    axes = tuple(_axis_of(axis, tensor) for axis in told)

    def flipped(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        import numpy as np

        return np.flip(array, axes)

    return tensor.changed(flipped)


def _gates(tensor: Tensor, told: str) -> Tensor:
    old, _, new = (part.strip() for part in told.partition(">"))
    if not old or sorted(old) != sorted(new) or len(set(old)) != len(old):
        raise UnsupportedError(
            "gates are letters in two orders", expected="ijfo > ifjo", found=told
        )
    if not tensor.shape or tensor.shape[-1] % len(old):
        raise MismatchError(
            "the last axis is not as long as that many gates",
            expected=f"a multiple of {len(old)}", found=list(tensor.shape),
        )
    order = [old.index(letter) for letter in new]

    def ordered(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        blocks = array.reshape(*array.shape[:-1], len(old), -1)
        return blocks[..., order, :].reshape(array.shape)

    return tensor.changed(ordered)


def _cast(tensor: Tensor, told: str) -> Tensor:
    from modelfmt import dtypes

    dtype = dtypes.from_name(told)
    if not (dtype.itemsize and tensor.dtype.itemsize):
        raise UnsupportedError(f"{tensor.dtype} is not cast to {dtype}")
    return tensor if dtype is tensor.dtype else cast_tensor(tensor, dtype)


_STEPS: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "slice": _slice, "split": _split, "transpose": _transpose, "reshape": _reshape, "flip": _flip,
    "gates": _gates, "cast": _cast,
}  # fmt: skip
