"""Tensor: a name, a dtype, a shape, and bytes that are read only when somebody asks."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import NOWHERE, MismatchError, UnsafeFileError, Where
from modelfmt.storage.files import Computed, FileSpan, Piece, iterate_piece, piece_bytes

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


#: An array of up to so many bytes is made even where the file stores less than a thousandth of it.
_UNFOLDED, _RATIO = 32 << 20, 1000


@dataclasses.dataclass(frozen=True)
class Filled(Computed):
    """Elements of which the last one that is stored stands for all that follow.

    Attributes:
        stored: gives those that the file has, flat; none means zeros.
    """

    stored: Callable[[], npt.NDArray[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Tensor:
    """A named array whose payload stays where it is until it is read.

    Attributes:
        name: how one selects it; for a weight the name its file gives it.
        dtype: a row of ``modelfmt.dtypes``.
        shape: sizes, outermost first; ``()`` for a scalar.
        payload: C-order little-endian bytes, as a Piece: bytes at hand, a span of a file, or
            bytes computed on demand. Strings have no payload but ``strings``.
        origin: where it was found, for errors and ``dump``.
        strings: for dtype string, a function that returns the elements, flattened in C order.
        stored: of strings, the bytes that the file spends on them; None where it must be read.
        derived: whether the elements are computed from those that stand at ``origin``.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    payload: Piece = b""
    origin: Where = NOWHERE
    strings: Callable[[], list[bytes]] | None = None
    stored: int | None = None
    derived: bool = False

    @classmethod
    def from_numpy(cls, name: str, array: npt.ArrayLike) -> Tensor:
        """A tensor over a copy of ``array``'s bytes; objects and text become strings."""
        import numpy as np

        array = np.asarray(array)
        dtype = dtypes.from_numpy(array.dtype)
        if dtype is dtypes.string:
            flat = [
                e if isinstance(e, bytes) else str(e).encode() for e in array.ravel().tolist()
            ]
            return cls(name, dtype, array.shape, strings=lambda: list(flat))
        if array.dtype.byteorder == ">":
            array = array.astype(array.dtype.newbyteorder("<"))
        return cls(name, dtype, array.shape, array.tobytes())

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the payload; for strings, of their contents together."""
        if self.strings is not None:
            return sum(map(len, self.strings()))
        return self.size * self.dtype.itemsize

    def numpy(self) -> npt.NDArray[Any]:
        """The elements, shape ``self.shape``: a read-only view where the storage allows."""
        import numpy as np

        if self.strings is not None:
            values = self.strings()  # first: a size that nothing stands behind is refused there
            out = np.empty(self.size, object)
            out[:] = values
            return out.reshape(self.shape)
        if isinstance(self.payload, Filled) and self.nbytes > _UNFOLDED:
            stored = self.payload.stored()
            if stored.size <= 1:  # takes no memory
                value = stored if stored.size else np.zeros(1, self.dtype.numpy)
                return np.broadcast_to(value, self.shape)
            if self.nbytes > stored.nbytes * _RATIO:
                raise UnsafeFileError(
                    "few values stand for absurdly many elements", where=self.origin,
                    expected=f"at most {_RATIO} times the {stored.nbytes} bytes that are stored",
                    found=f"{self.nbytes} bytes",
                )
        raw = self.payload.view() if isinstance(self.payload, FileSpan) else None
        flat: np.ndarray[Any, Any] = np.frombuffer(
            raw if raw is not None else piece_bytes(self.payload), dtype=self.dtype.numpy
        )
        if flat.size != self.size:
            raise MismatchError(
                f"tensor {self.name!r} holds another number of elements",
                where=self.origin, expected=self.size, found=flat.size,
            )
        return flat.reshape(self.shape)

    def verify(self) -> None:
        """Read what the file stores of the elements, in bounded pieces; of strings nothing.

        Raises:
            ModelFormatError: they cannot be read.
        """
        if isinstance(self.payload, Filled):
            next(iter(self.payload.produce()), None)
        elif self.strings is None:
            for _ in iterate_piece(self.payload):
                pass

    def sha256(self) -> str | None:
        """Hex digest of the C-order little-endian bytes, read in bounded pieces; None: strings."""
        if self.strings is not None:
            return None
        digest = hashlib.sha256()
        for chunk in iterate_piece(self.payload):
            digest.update(chunk)
        return digest.hexdigest()

    def renamed(self, name: str) -> Tensor:
        """The same payload under another name."""
        return self if name == self.name else dataclasses.replace(self, name=name)

    def reshaped(self, shape: tuple[int, ...]) -> Tensor:
        """The same payload read with another shape of equal size. Raises MismatchError."""
        if math.prod(shape) != self.size:
            raise MismatchError(
                f"tensor {self.name!r} cannot be reshaped",
                where=self.origin, expected=f"{self.size} elements", found=list(shape),
            )
        return dataclasses.replace(self, shape=shape)

    def changed(
        self, change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
        shape: tuple[int, ...] | None = None, dtype: DType | None = None,
    ) -> Tensor:  # fmt: skip
        """The tensor that ``change`` makes of the elements when they are read.

        ``change`` makes ``shape`` and ``dtype``, which are the old ones where left out.
        """
        made = dataclasses.replace(
            self, shape=self.shape if shape is None else shape, dtype=dtype or self.dtype
        )
        payload = Computed(made.nbytes, lambda: [change(self.numpy()).tobytes()])
        return dataclasses.replace(made, payload=payload, derived=True)

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}, {self.dtype}, {list(self.shape)})"
