"""Blocks of a LevelDB table: sorted keys, each without what it shares with the one before.

    block    entries, restart points (fixed32 each), their number (fixed32)
    entry    varint shared, varint unshared, varint value length,
             the key's last `unshared` bytes, the value

At a restart point (every 16th entry, every one in an index) the key is whole, so a search can
jump between them; each is the position of an entry. The first is 0, also in an empty block.
Source: leveldb doc/table_format.md, tensorflow/core/lib/io/block_builder.cc.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from modelfmt.errors import (
    NOWHERE,
    CorruptFileError,
    ModelFormatError,
    TruncatedError,
    Where,
)
from modelfmt.storage.files import FileSpan
from modelfmt.storage.wire import fixed32, read_fixed32, read_varint, varint

RESTART_INTERVAL = 16


class Entry(NamedTuple):
    """One entry of a block; its value is at ``start`` to ``end`` there."""

    key: bytes
    block: Block
    start: int
    end: int

    @property
    def value(self) -> memoryview:
        """The value: a view."""
        return self.block.data[self.start : self.end]

    @property
    def piece(self) -> FileSpan | bytes:
        """The value where it stands in the file; a copy, if its block is compressed."""
        if self.block.span is None:
            return bytes(self.value)
        return self.block.span.span(self.start, self.end - self.start)

    @property
    def where(self) -> Where:
        """The place of the value, for errors."""
        return self.block.at(self.start)


class Block:
    """A block's bytes, parsed as far as asked.

    Args:
        data: the block, without trailer, decompressed.
        where: of its first byte in the file.
        span: the same bytes in the file; None where they are compressed there.

    Raises:
        TruncatedError, CorruptFileError: the restart points do not fit.

    Written by: ``BlockWriter``.
    """

    def __init__(
        self, data: memoryview, where: Where = NOWHERE, span: FileSpan | None = None
    ) -> None:
        self.data, self.where, self.span = data, where, span
        if len(data) < 4:
            raise TruncatedError(
                "a table block has no restart points",
                wanted=4, available=len(data), where=where,
            )
        self.restarts = read_fixed32(data, len(data) - 4)
        self.end = len(data) - 4 - 4 * self.restarts
        if self.end < 0:
            raise CorruptFileError(
                "the restart points pass their table block", where=self.at(len(data) - 4),
                expected=f"at most {len(data) // 4 - 1}", found=self.restarts,
            )

    def at(self, position: int) -> Where:
        """A place in the block; in a compressed one, its start."""
        known = self.where.offset
        inside = position if self.span is not None or known is None else 0
        return Where(self.where.path, self.where.key, (known or 0) + inside)

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """The entries from a restart point on, in order.

        Raises:
            CorruptFileError: keys out of order, or a prefix longer than the key before.
            TruncatedError: an entry passes the restart points.
        """
        key, first, position = b"", True, start
        while position < self.end:
            shared, tail, value, end = self._entry(position)
            if shared > len(key):
                raise CorruptFileError(
                    "a key shares more than the one before it has", where=self.at(position),
                    expected=f"at most {len(key)}", found=shared,
                )
            previous, key = key, key[:shared] + bytes(self.data[tail:value])
            if not first and key <= previous:
                raise CorruptFileError(
                    "the keys of a table are out of order", where=self.at(position),
                    expected=f"one after {previous!r}", found=repr(key),
                )
            yield Entry(key, self, value, end)
            first, position = False, end

    def find(self, key: bytes) -> Entry | None:
        """The entry of that key: a search over the restart points, then up to 16 entries."""
        low, high = 0, max(self.restarts - 1, 0)
        while low < high:
            middle = (low + high + 1) // 2
            if self._restart_key(middle) <= key:
                low = middle
            else:
                high = middle - 1
        for entry in self.entries(self._restart(low)) if self.restarts else ():
            if entry.key >= key:
                return entry if entry.key == key else None
        return None

    def _restart(self, index: int) -> int:
        place = self.end + 4 * index
        position = read_fixed32(self.data, place)
        if position > self.end or (position == self.end and self.end):
            raise CorruptFileError(
                "a restart point is no entry", where=self.at(place),
                expected=f"below {self.end}", found=position,
            )
        return position

    def _restart_key(self, index: int) -> bytes:
        position = self._restart(index)
        shared, tail, value, _ = self._entry(position)
        if shared:
            raise CorruptFileError(
                "the key at a restart point is not whole", where=self.at(position),
                expected=0, found=shared,
            )
        return bytes(self.data[tail:value])

    def _entry(self, position: int) -> tuple[int, int, int, int]:
        """Of the entry there: the shared length; where its tail, its value and it itself end."""
        data, end = self.data, self.end
        if position + 3 <= end and max(data[position : position + 3]) < 0x80:
            shared, unshared, length = data[position : position + 3]
            tail = position + 3
        else:
            try:
                shared, tail = read_varint(data, position, end)
                unshared, tail = read_varint(data, tail, end)
                length, tail = read_varint(data, tail, end)
            except ModelFormatError as error:
                error.where = self.at(error.where.offset or position)
                raise
        if tail + unshared + length > end:
            raise TruncatedError(
                "an entry passes the end of its table block",
                wanted=unshared + length, available=end - tail, where=self.at(position),
            )
        return shared, tail, tail + unshared, tail + unshared + length


class BlockWriter:
    """A block under way; keys must ascend. Read by: ``Block``."""

    def __init__(self, restart_interval: int = RESTART_INTERVAL) -> None:
        self._interval = restart_interval
        self._buffer = bytearray()
        self._restarts = [0]
        self._since_restart = 0
        self._last = b""

    @property
    def is_empty(self) -> bool:
        return not self._buffer

    @property
    def size(self) -> int:
        """Bytes of the block if it ended here."""
        return len(self._buffer) + 4 * len(self._restarts) + 4

    def add(self, key: bytes, value: bytes) -> None:
        """Append an entry."""
        shared = 0
        if self._since_restart < self._interval:
            limit = min(len(key), len(self._last))
            while shared < limit and key[shared] == self._last[shared]:
                shared += 1
        else:
            self._restarts.append(len(self._buffer))
            self._since_restart = 0
        self._buffer += varint(shared) + varint(len(key) - shared) + varint(len(value))
        self._buffer += key[shared:]
        self._buffer += value
        self._last = key
        self._since_restart += 1

    def finish(self) -> bytes:
        """The block."""
        ends = b"".join(map(fixed32, (*self._restarts, len(self._restarts))))
        return bytes(self._buffer) + ends
