"""Windows on the constants of a file: the parts of kernels and biases that gates have.

Nothing is read or copied before a weight is put together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class Block:
    """A window on a constant matrix, or on a vector as a matrix of one row."""

    root: Tensor
    shape: tuple[int, int]
    rows: tuple[int, int]
    columns: tuple[int, int]
    rank: int = 2

    @property
    def height(self) -> int:
        return self.rows[1] - self.rows[0]

    @property
    def width(self) -> int:
        return self.columns[1] - self.columns[0]

    def window(self, axis: int, start: int, stop: int) -> Block:
        """The part from ``start`` to ``stop`` of the rows (0) or columns (1)."""
        if axis:
            first = self.columns[0]
            return dataclasses.replace(self, columns=(first + start, first + stop))
        first = self.rows[0]
        return dataclasses.replace(self, rows=(first + start, first + stop))

    def is_whole(self) -> bool:
        return self.rows == (0, self.shape[0]) and self.columns == (0, self.shape[1])

    def numpy(self) -> npt.NDArray[Any]:
        whole = self.root.numpy().reshape(self.shape)
        return whole[slice(*self.rows), slice(*self.columns)]


#: Blocks of one height beside each other.
Row = tuple[Block, ...]


def width(row: Row) -> int:
    return sum(block.width for block in row)


def cut(row: Row, start: int, stop: int) -> Row:
    """The columns from ``start`` to ``stop`` of blocks beside each other."""
    found: list[Block] = []
    offset = 0
    for block in row:
        low, high = max(start - offset, 0), min(stop - offset, block.width)
        if low < high:
            found.append(block.window(1, low, high))
        offset += block.width
    return tuple(found)


def joined(row: Row, name: str, rank: int = 2) -> Tensor:
    """The tensor of blocks beside each other: the file's own where they are all of one."""
    first = row[0]
    merged: list[Block] = []
    for block in row:
        last = merged[-1] if merged else None
        if (
            last is not None and last.root is block.root and last.rows == block.rows
            and last.shape == block.shape and last.columns[1] == block.columns[0]
        ):  # fmt: skip
            columns = (last.columns[0], block.columns[1])
            merged[-1] = dataclasses.replace(last, columns=columns)
        else:
            merged.append(block)
    shape = (first.height, width(row)) if rank == 2 else (width(row),)
    if len(merged) == 1 and merged[0].is_whole():
        root = first.root
        return root if root.shape == shape else root.reshaped(shape)

    def change(_: npt.NDArray[Any]) -> npt.NDArray[Any]:
        import numpy as np

        return np.concatenate([block.numpy() for block in merged], axis=1).reshape(shape)

    return first.root.changed(change, shape)


def blocks_of(rows: Sequence[Row]) -> Row:
    """Rows of blocks, beside each other."""
    return tuple(block for row in rows for block in row)
