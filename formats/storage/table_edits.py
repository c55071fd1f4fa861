"""A table (sstable.py) with other values: patched where it can be, else written anew.

Where every value keeps its length, only the values and the checksums of their blocks change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelfmt.storage.block import Block
from modelfmt.storage.crc32c import crc32c, mask
from modelfmt.storage.files import Piece
from modelfmt.storage.patching import patched
from modelfmt.storage.sstable import PLAIN, Table, write_table
from modelfmt.storage.wire import fixed32


def edited_table(table: Table, values: Mapping[bytes, bytes]) -> list[Piece]:
    """A table with other values under some of its keys, as pieces.

    Args:
        table: as it stands in its file.
        values: by key; each key is in the table.
    """
    if not values:
        return [table.file.span()]
    patches = _patches(table, values)
    if patches is not None:
        return patched(table.file.span(), patches)
    rows = ((row.key, values.get(row.key) or bytes(row.value)) for row in table)
    return list(write_table(rows))


def _patches(table: Table, values: Mapping[bytes, bytes]) -> list[tuple[int, bytes]] | None:
    """What to write over the file; None where a value has another length, or is compressed."""
    patches: list[tuple[int, bytes]] = []
    blocks: dict[int, tuple[Block, list[tuple[int, bytes]]]] = {}
    for row in table:
        value = values.get(row.key)
        if value is None or value == row.value:
            continue
        span = row.block.span
        if span is None or len(value) != row.end - row.start:
            return None
        patches.append((span.offset + row.start, value))
        blocks.setdefault(span.offset, (row.block, []))[1].append((row.start, value))
    for block, changes in blocks.values():
        assert block.span is not None  # looked at above
        crc = crc32c(bytes([PLAIN]), _crc(block.data, changes))
        patches.append((block.span.offset + block.span.length + 1, fixed32(mask(crc))))
    return patches


def _crc(data: memoryview, changes: list[tuple[int, bytes]]) -> int:
    """The crc32c of a block with changes in it."""
    crc = 0
    for part in _changed(data, sorted(changes)):
        crc = crc32c(part, crc)
    return crc


def _changed(data: memoryview, changes: list[tuple[int, bytes]]) -> Iterator[bytes]:
    done = 0
    for start, value in changes:
        yield bytes(data[done:start])
        yield value
        done = start + len(value)
    yield bytes(data[done:])
