"""Two tensors compared: dtype, shape, and element by element, a bounded chunk at a time.

Without a tolerance elements are equal bit for bit: -0.0 is not 0.0, and a NaN is only itself.
With one, see ``changes.Tolerance``; NaNs are equal to NaNs, and infinities to themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError
from modelfmt.storage.files import Piece, iterate_piece, piece_length
from modelfmt.surgery.changes import CHANGED, EXACT, Change, Numbers, Tolerance
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_ELEMENTS = 1 << 18  # compared at once


def compare_tensors(
    part: str, where: str, a: Tensor, b: Tensor, tolerance: Tolerance = EXACT,
    *, prefix: str = "",
) -> Iterator[Change]:
    """The changes between two tensors: of dtype, of shape, of values.

    Args:
        prefix: stands before each item.
    """
    if a.dtype is not b.dtype:
        yield Change(part, where, CHANGED, f"{prefix}dtype", a.dtype.name, b.dtype.name)
    if a.shape != b.shape:
        yield Change(part, where, CHANGED, f"{prefix}shape", list(a.shape), list(b.shape))
        return
    if a.strings is not None or b.strings is not None:
        yield from _strings(part, where, a, b, f"{prefix}values")
        return
    if not (a.dtype.itemsize and b.dtype.itemsize):  # a resource: nothing that could be read
        return
    numbers = difference(a, b, tolerance)
    if numbers is not None:
        yield Change(part, where, CHANGED, f"{prefix}values", numbers=numbers)


def difference(a: Tensor, b: Tensor, tolerance: Tolerance = EXACT) -> Numbers | None:
    """How far the elements of two tensors of one shape are apart; None where they are equal.

    Raises:
        MismatchError: a tensor has another number of bytes than its shape asks for.
    """
    import numpy as np

    for tensor in (a, b):
        if piece_length(tensor.payload) != tensor.nbytes:
            raise MismatchError(
                f"tensor {tensor.name!r} holds another number of bytes than its shape",
                where=tensor.origin, expected=tensor.nbytes, found=piece_length(tensor.payload),
            )
    differing, start = 0, 0
    max_abs = max_rel = -1.0
    at = 0
    for left, right in zip(_chunks(a), _chunks(b), strict=True):
        count = len(left) // a.dtype.itemsize
        if a.dtype is not b.dtype or left != right:
            x, y = np.frombuffer(left, a.dtype.numpy), np.frombuffer(right, b.dtype.numpy)
            apart, relative = _distance(x, y)
            unequal: npt.NDArray[np.bool_] = np.ones(count, np.bool_)
            if a.dtype is b.dtype:
                unequal = _unequal_bits(left, right, a.dtype)
            if a.dtype is not b.dtype or not tolerance.is_exact:
                unequal = unequal & ~_within(x, y, apart, tolerance)
            found = np.flatnonzero(unequal)
            if found.size:
                differing += int(found.size)
                # nan, from a NaN against a number, is the largest difference of all
                worst = np.nan_to_num(apart[found], nan=np.inf, posinf=np.inf)
                most = int(worst.argmax())
                if worst[most] > max_abs:
                    max_abs, at = float(worst[most]), start + int(found[most])
                far = np.nan_to_num(relative[found], nan=np.inf, posinf=np.inf)
                max_rel = max(max_rel, float(far.max()))
        start += count
    if not differing:
        return None
    index = tuple(int(k) for k in np.unravel_index(at, a.shape)) if a.shape else ()
    return Numbers(differing, a.size, max_abs, max_rel, index)


def _within(
    x: npt.NDArray[Any], y: npt.NDArray[Any], apart: npt.NDArray[np.float64], tolerance: Tolerance
) -> npt.NDArray[np.bool_]:
    import numpy as np

    x, y = _wide(x), _wide(y)
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.maximum(np.abs(x), np.abs(y))
        close = apart <= tolerance.absolute + tolerance.relative * largest
        close &= np.isfinite(largest)
    result: npt.NDArray[np.bool_] = close | (x == y) | (np.isnan(x) & np.isnan(y))
    return result


def _distance(
    x: npt.NDArray[Any], y: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """|x - y|, and the same divided by the larger of |x| and |y|."""
    import numpy as np

    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        if x.dtype == y.dtype and x.dtype.kind in "iu" and x.dtype.itemsize == 8:
            high, low = np.maximum(x, y), np.minimum(x, y)  # exact beyond 2 ** 53
            apart = (high.view(np.uint64) - low.view(np.uint64)).astype(np.float64)
            wide = np.maximum(np.abs(high.astype(np.float64)), np.abs(low.astype(np.float64)))
        else:
            left, right = _wide(x), _wide(y)
            apart = np.abs(left - right).astype(np.float64)
            wide = np.maximum(np.abs(left), np.abs(right)).astype(np.float64)
        relative = np.where(wide > 0, apart / wide, 0.0)
    return apart, relative


def _wide(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    import numpy as np

    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _unequal_bits(left: bytes, right: bytes, dtype: DType) -> npt.NDArray[np.bool_]:
    import numpy as np

    x, y = (np.frombuffer(raw, np.uint8).reshape(-1, dtype.itemsize) for raw in (left, right))
    result: npt.NDArray[np.bool_] = (x != y).any(axis=1)
    return result


def _chunks(tensor: Tensor) -> Iterator[bytes]:
    return even_chunks(tensor.payload, _ELEMENTS * tensor.dtype.itemsize)


def even_chunks(piece: Piece, size: int) -> Iterator[bytes]:
    """The bytes of a piece in chunks of ``size``; only the last one may be shorter."""
    held = bytearray()
    for chunk in iterate_piece(piece):
        view = memoryview(chunk).cast("B") if len(chunk) else memoryview(b"")
        while held and len(view) and len(held) < size:
            step = min(size - len(held), len(view))
            held += view[:step]
            view = view[step:]
        if len(held) >= size:
            yield bytes(held)
            held.clear()
        while len(view) >= size:
            yield bytes(view[:size])
            view = view[size:]
        held += view
    if held:
        yield bytes(held)


def _strings(part: str, where: str, a: Tensor, b: Tensor, item: str) -> Iterator[Change]:
    if a.strings is None or b.strings is None:
        return  # the dtypes differ, which is said
    left, right = a.strings(), b.strings()
    found = [k for k, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]]
    if found:
        import numpy as np

        index = tuple(int(k) for k in np.unravel_index(found[0], a.shape)) if a.shape else ()
        suffix = f"[{', '.join(map(str, index))}]" if index else ""
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield Change(part, where, CHANGED, f"{item}{suffix}{more}", left[found[0]], right[found[0]])
