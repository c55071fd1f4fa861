"""LevelDB's table format: sorted keys with their values, in blocks, searchable without reading all.

    table    data blocks, metaindex block (empty), index block, footer
    stored   contents (block.py), then 5 bytes of trailer: type (0 plain, 1 Snappy),
    block    masked crc32c (fixed32) of the contents, as they are stored, and the type
    index    an entry a data block: a key from its last one up to before the next block's first,
             as short as can be; the block's handle. Every key is a restart point
    handle   varint offset, varint size of the contents
    footer   48 bytes: handles of metaindex and index, zeros up to 40, magic

TensorFlow ends a block when it has reached 262,144 bytes, and writes it plain.
Source: leveldb doc/table_format.md, tensorflow/core/lib/io/table_builder.cc and table_options.h.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    TruncatedError,
    UnsupportedError,
    Where,
    located,
)
from modelfmt.storage.block import RESTART_INTERVAL, Block, BlockWriter, Entry
from modelfmt.storage.crc32c import check_masked, crc32c, crc32c_of_piece, mask
from modelfmt.storage.files import SourceFile
from modelfmt.storage.snappy import decompress
from modelfmt.storage.wire import Buffer, fixed32, read_fixed32, read_varint, varint

MAGIC = bytes.fromhex("57 fb 80 8b 24 75 47 db")
BLOCK_SIZE = 262_144
FOOTER_SIZE = 48
TRAILER_SIZE = 5
PLAIN, SNAPPY = 0, 1

_LARGE = 4 << 20  # from here on a block is mapped, not read
_KEPT = 8  # blocks


class Handle(NamedTuple):
    """Where the contents of a block stand."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """Position after the trailer."""
        return self.offset + self.size + TRAILER_SIZE


@dataclasses.dataclass(frozen=True)
class Footer:
    """The end of a table."""

    metaindex: Handle
    index: Handle


def read_handle(data: Buffer, at: int = 0) -> tuple[Handle, int]:
    """The handle at ``at``, and the position after it. Written by: ``write_handle``."""
    offset, at = read_varint(data, at)
    size, at = read_varint(data, at)
    return Handle(offset, size), at


def write_handle(handle: Handle) -> bytes:
    """A handle. Read by: ``read_handle``."""
    return varint(handle.offset) + varint(handle.size)


def is_table(file: SourceFile) -> bool:
    """Whether a file ends as a table does."""
    size = file.size
    return size >= FOOTER_SIZE and file.read(size - len(MAGIC), len(MAGIC)) == MAGIC


def read_footer(file: SourceFile) -> Footer:
    """The footer of a table.

    Raises:
        TruncatedError: the file is smaller than a footer.
        CorruptFileError: another magic, or a handle that is none.

    Written by: ``write_footer``.
    """
    if file.size < FOOTER_SIZE:
        raise TruncatedError(
            "too small for a table", wanted=FOOTER_SIZE, available=file.size, where=Where(file.path)
        )
    start = file.size - FOOTER_SIZE
    data = file.read(start, FOOTER_SIZE)
    if not data.endswith(MAGIC):
        raise CorruptFileError(
            "not a table, or cut off: its last bytes are no table's",
            where=Where(file.path, offset=file.size - len(MAGIC)),
            expected=MAGIC.hex(" "), found=data[-len(MAGIC) :].hex(" "),
        )
    with located(path=file.path, key="the table's footer", offset=start):
        metaindex, at = read_handle(data)
        index, _ = read_handle(data, at)
    return Footer(metaindex, index)


def write_footer(footer: Footer) -> bytes:
    """A footer. Read by: ``read_footer``."""
    handles = write_handle(footer.metaindex) + write_handle(footer.index)
    return handles.ljust(FOOTER_SIZE - len(MAGIC), b"\0") + MAGIC


def read_block(file: SourceFile, handle: Handle) -> Block:
    """A block, its checksum verified.

    Raises:
        TruncatedError: it passes the footer.
        ChecksumError: the stored crc32c is another one.
        UnsupportedError: compressed by something else than Snappy.

    Written by: ``write_trailer``, after the contents.
    """
    where = Where(file.path, offset=handle.offset)
    limit = file.size - FOOTER_SIZE
    if handle.end > limit:
        raise TruncatedError(
            "a table block passes the end of its file",
            wanted=handle.size + TRAILER_SIZE, available=max(limit - handle.offset, 0), where=where,
        )
    span = file.span(handle.offset, handle.size)
    data = span.view() if handle.size >= _LARGE else memoryview(span.read())
    trailer = file.read(handle.end - TRAILER_SIZE, TRAILER_SIZE)
    crc = crc32c_of_piece(span if handle.size >= _LARGE else data)
    check_masked(read_fixed32(trailer, 1), crc32c(trailer[:1], crc), "a table block", where)
    if trailer[0] == PLAIN:
        return Block(data, where, span)
    if trailer[0] != SNAPPY:
        raise UnsupportedError(
            "an unknown compression of a table block", where=where,
            expected="0 (none) or 1 (Snappy)", found=trailer[0],
        )
    with located(path=file.path, key="a compressed table block"):
        return Block(memoryview(decompress(data)), where)


def write_trailer(contents: bytes) -> bytes:
    """What follows a block stored plain. Read by: ``read_block``."""
    kind = bytes([PLAIN])
    return kind + fixed32(mask(crc32c(kind, crc32c(contents))))


class Table:
    """A table file: its index is read, its data when it is asked for.

    Raises:
        CorruptFileError, TruncatedError, ChecksumError: what ``read_footer`` and ``read_block``
            raise; handles that overlap or do not ascend (so none can form a cycle).

    Written by: ``write_table``.
    """

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        footer = read_footer(file)
        self._metaindex, index = footer.metaindex, footer.index
        self._keys: list[bytes] = []
        self._handles: list[Handle] = []
        done = 0
        for entry in read_block(file, index).entries():
            with located(path=file.path, key="the table's index", offset=entry.where.offset):
                handle, _ = read_handle(entry.value)
            if handle.offset < done or (handle.end > index.offset and handle.offset < index.end):
                raise CorruptFileError(
                    "a table block overlaps another one", where=entry.where,
                    expected=f"an offset from {done} on, before the index at {index.offset}",
                    found=f"{handle.size} bytes at {handle.offset}",
                )
            done = handle.end
            self._keys.append(entry.key)
            self._handles.append(handle)
        self._kept: dict[int, Block] = {}
        self._last: Entry | None = None  # who lists the keys asks for each right away

    def get(self, key: bytes) -> Entry | None:
        """The entry of a key; reads the one block where it would stand."""
        if self._last is not None and self._last.key == key:
            return self._last
        number = bisect_left(self._keys, key)
        return self._block(number).find(key) if number < len(self._keys) else None

    def __iter__(self) -> Iterator[Entry]:
        """Every entry, in the order of the keys; blocks are read as their turn comes."""
        previous: bytes | None = None
        for number, limit in enumerate(self._keys):
            block = self._block(number)
            for entry in block.entries():
                if (previous is not None and entry.key <= previous) or entry.key > limit:
                    raise CorruptFileError(
                        "the keys of a table are out of order", where=entry.where,
                        expected=f"one after {previous!r} and up to {limit!r}",
                        found=repr(entry.key),
                    )
                previous = entry.key
                self._last = entry
                yield entry

    def check_metaindex(self) -> None:
        """Verify the checksum of the metaindex block, which nothing else reads. As read_block."""
        read_block(self.file, self._metaindex)

    def _block(self, number: int) -> Block:
        block = self._kept.pop(number, None) or read_block(self.file, self._handles[number])
        self._kept[number] = block  # behind all others: the one used last
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return block


def write_table(
    entries: Iterable[tuple[bytes, bytes]], *,
    block_size: int = BLOCK_SIZE, restart_interval: int = RESTART_INTERVAL,
) -> Iterator[bytes]:
    """A table, in pieces, as TensorFlow's TableBuilder writes it without compression.

    Args:
        entries: keys with their values, in ascending order of the keys.
        block_size: a data block ends when it has this many bytes; an entry of at least twice as
            many begins one of its own.
        restart_interval: entries between restart points.

    Raises:
        MismatchError: the keys do not ascend.

    Read by: ``Table``.
    """
    index = BlockWriter(restart_interval=1)
    data = BlockWriter(restart_interval)
    offset = 0
    last: bytes | None = None
    pending: Handle | None = None  # of the last block, until the next key is known

    def store(contents: bytes) -> tuple[Handle, bytes]:
        nonlocal offset
        handle = Handle(offset, len(contents))
        offset = handle.end
        return handle, contents + write_trailer(contents)

    for key, value in entries:
        if last is not None and key <= last:
            raise MismatchError(
                "the keys of a table must ascend",
                expected=f"one after {last!r}", found=repr(key),
            )
        if len(key) + len(value) >= 2 * block_size and not data.is_empty:
            pending, stored = store(data.finish())
            data = BlockWriter(restart_interval)
            yield stored
        if pending is not None and last is not None:
            index.add(separator(last, key), write_handle(pending))
            pending = None
        data.add(key, value)
        last = key
        if data.size >= block_size:
            pending, stored = store(data.finish())
            data = BlockWriter(restart_interval)
            yield stored
    if not data.is_empty:
        pending, stored = store(data.finish())
        yield stored
    metaindex, stored = store(BlockWriter().finish())
    yield stored
    if pending is not None and last is not None:
        index.add(successor(last), write_handle(pending))
    position, stored = store(index.finish())
    yield stored + write_footer(Footer(metaindex, position))


def separator(last: bytes, following: bytes) -> bytes:
    """A short key from ``last`` up to before ``following``, as TensorFlow chooses it."""
    shared = 0
    limit = min(len(last), len(following))
    while shared < limit and last[shared] == following[shared]:
        shared += 1
    if shared < limit and last[shared] + 1 < following[shared]:
        return last[:shared] + bytes([last[shared] + 1])
    return last


def successor(last: bytes) -> bytes:
    """A short key from ``last`` on, for the end of a table; a run of ff stays as it is."""
    for place, byte in enumerate(last):
        if byte != 0xFF:
            return last[:place] + bytes([byte + 1])
    return last
