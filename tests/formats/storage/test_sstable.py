"""Tables: footer and trailer in hex, both directions, several blocks, Snappy, corrupt variants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MismatchError,
    ModelFormatError,
    TruncatedError,
    UnsupportedError,
)
from modelfmt.storage import sstable
from modelfmt.storage.block import Block, BlockWriter
from modelfmt.storage.crc32c import crc32c, mask
from modelfmt.storage.files import SourceFile
from modelfmt.storage.sstable import Footer, Handle, Table, write_table
from modelfmt.storage.wire import fixed32, varint

FOOTER = bytes.fromhex("05 08 92 01 0d" + "00" * 35 + "57 fb 80 8b 24 75 47 db")
ENTRIES = [(f"k{number:04d}".encode(), b"v" * (number % 90)) for number in range(600)]


@pytest.fixture
def table(tmp_path: Path) -> Callable[[bytes], Table]:
    def build(data: bytes) -> Table:
        path = tmp_path / "t.index"
        path.write_bytes(data)
        return Table(SourceFile(path))

    return build


def small(**options: Any) -> bytes:
    """ENTRIES in blocks of about 1,000 bytes."""
    return b"".join(write_table(ENTRIES, block_size=1000, **options))


def listed(found: Table) -> list[tuple[bytes, bytes]]:
    return [(entry.key, bytes(entry.value)) for entry in found]


def test_footer(tmp_path: Path) -> None:
    footer = Footer(Handle(5, 8), Handle(146, 13))
    assert sstable.write_footer(footer) == FOOTER
    (tmp_path / "t").write_bytes(b"\0" * 100 + FOOTER)
    with SourceFile(tmp_path / "t") as file:
        assert sstable.read_footer(file) == footer
        assert sstable.is_table(file)


def test_trailer() -> None:
    contents = bytes.fromhex("00 00 00 00 01 00 00 00")
    # of the empty metaindex block of every checkpoint
    assert sstable.write_trailer(contents).hex(" ") == "00 c0 f2 a1 b0"


def test_both_directions(table: Callable[[bytes], Table]) -> None:
    data = small()
    assert listed(table(data)) == ENTRIES
    assert b"".join(write_table(listed(table(data)), block_size=1000)) == data
    assert listed(table(b"".join(write_table(ENTRIES)))) == ENTRIES
    assert listed(table(b"".join(write_table([])))) == []


def test_pieces_of_a_value_stand_in_the_file(table: Callable[[bytes], Table]) -> None:
    found = table(small())
    for entry in found:
        piece = entry.piece
        assert not isinstance(piece, bytes) and piece.read() == bytes(entry.value)
        assert entry.where.offset == piece.offset


def test_a_lookup_reads_one_block(
    table: Callable[[bytes], Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = table(small())
    read: list[Handle] = []
    original = sstable.read_block

    def counted(file: SourceFile, handle: Handle) -> Block:
        read.append(handle)
        return original(file, handle)

    monkeypatch.setattr(sstable, "read_block", counted)
    for key, value in (ENTRIES[17], ENTRIES[300], ENTRIES[599]):
        entry = found.get(key)
        assert entry is not None and entry.value == value
        assert found.get(key + b"\0") is None
    assert len(read) == 3
    assert found.get(b"") is None and found.get(b"zzz") is None


def test_a_large_value_has_a_block_of_its_own(table: Callable[[bytes], Table]) -> None:
    entries = [(b"a", b"1"), (b"b", b"2" * 3000), (b"c", b"3")]
    data = b"".join(write_table(entries, block_size=1000))
    assert listed(table(data)) == entries
    assert [handle.size for handle in table(data)._handles] == [13, 3013, 13]


def test_large_blocks_are_mapped(
    table: Callable[[bytes], Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sstable, "_LARGE", 1)
    assert listed(table(small())) == ENTRIES


@pytest.mark.parametrize("last, following, key", [
    (b"the quick brown fox", b"the who", b"the r"), (b"abc", b"abcd", b"abc"),
    (b"abc", b"abd", b"abc"), (b"ab", b"ad", b"ac"), (b"a\xff", b"b", b"a\xff"), (b"", b"a", b""),
])
def test_separator(last: bytes, following: bytes, key: bytes) -> None:
    assert sstable.separator(last, following) == key
    assert last <= key < following


@pytest.mark.parametrize("last, key", [
    (b"abc", b"b"), (b"\xff\xffz", b"\xff\xff{"), (b"\xff", b"\xff"), (b"", b""),
])
def test_successor(last: bytes, key: bytes) -> None:
    assert sstable.successor(last) == key >= last


def test_keys_must_ascend() -> None:
    for entries in ([(b"b", b""), (b"a", b"")], [(b"a", b""), (b"a", b"")]):
        with pytest.raises(MismatchError, match="must ascend"):
            list(write_table(entries))


# -- by hand, for what the writer never writes -----------------------------------------------------


def stored(contents: bytes, kind: int = 0) -> bytes:
    tail = bytes([kind])
    return contents + tail + fixed32(mask(crc32c(contents + tail)))


def by_hand(contents: list[bytes], handles: list[tuple[bytes, Handle]], kind: int = 0) -> bytes:
    """A table of given blocks and a given index."""
    body = b"".join(stored(c, kind) for c in contents)
    index = BlockWriter(1)
    for key, handle in handles:
        index.add(key, sstable.write_handle(handle))
    meta = Handle(len(body), 8)
    body += stored(BlockWriter().finish())
    data = index.finish()
    footer = sstable.write_footer(Footer(meta, Handle(len(body), len(data))))
    return body + stored(data) + footer


def contents(*keys: bytes) -> bytes:
    writer = BlockWriter()
    for key in keys:
        writer.add(key, b"v")
    return writer.finish()


def test_snappy_blocks(table: Callable[[bytes], Table]) -> None:
    plain = contents(b"a", b"b")
    packed = varint(len(plain)) + bytes([(len(plain) - 1) << 2]) + plain
    found = table(by_hand([packed], [(b"b", Handle(0, len(packed)))], kind=1))
    assert listed(found) == [(b"a", b"v"), (b"b", b"v")]
    entry = found.get(b"b")
    assert entry is not None and entry.piece == b"v" and entry.where.offset == 0


def test_damaged_snappy(table: Callable[[bytes], Table]) -> None:
    data = by_hand([b"\x05\x08a"], [(b"b", Handle(0, 3))], kind=1)
    with pytest.raises(TruncatedError, match="compressed table block"):
        listed(table(data))


A, B = contents(b"a", b"b"), contents(b"c", b"d")
END_A = len(A) + 5


@pytest.mark.parametrize("handles, error, words", [
    ([(b"b", Handle(0, len(A))), (b"d", Handle(0, len(A)))], CorruptFileError, "overlaps"),
    ([(b"b", Handle(END_A, len(B))), (b"d", Handle(0, len(A)))], CorruptFileError, "overlaps"),
    ([(b"b", Handle(0, len(A))), (b"d", Handle(END_A, 10**6))], CorruptFileError, "overlaps"),
    ([(b"b", Handle(10**6, len(A)))], TruncatedError, "passes the end of its file"),
    ([(b"b", Handle(0, len(A) - 1))], ChecksumError, "a table block"),
    ([(b"a", Handle(0, len(A)))], CorruptFileError, "out of order"),
    ([(b"b", Handle(0, len(A))), (b"c", Handle(END_A, len(B)))], CorruptFileError, "out of order"),
])
def test_wrong_handles(
    table: Callable[[bytes], Table], handles: list[tuple[bytes, Handle]],
    error: type[ModelFormatError], words: str,
) -> None:
    with pytest.raises(ModelFormatError, match=words) as caught:
        listed(table(by_hand([A, B], handles)))
    assert type(caught.value) is error
    assert caught.value.where.offset is not None and caught.value.where.path


def test_an_index_that_points_to_itself(table: Callable[[bytes], Table]) -> None:
    index_at = END_A + 13
    with pytest.raises(CorruptFileError, match="overlaps"):
        table(by_hand([A], [(b"b", Handle(index_at, 14))]))
    with pytest.raises(TruncatedError, match="passes the end"):
        footer = sstable.write_footer(Footer(Handle(0, 8), Handle(2**63, 2**63)))
        table(footer)


def test_blocks_out_of_order(table: Callable[[bytes], Table]) -> None:
    handles = [(b"d", Handle(0, len(B))), (b"e", Handle(len(B) + 5, len(A)))]
    with pytest.raises(CorruptFileError, match="out of order"):
        listed(table(by_hand([B, A], handles)))


def test_an_unknown_compression(table: Callable[[bytes], Table]) -> None:
    with pytest.raises(UnsupportedError, match="compression"):
        listed(table(by_hand([A], [(b"b", Handle(0, len(A)))], kind=2)))


def test_cut_off_anywhere(table: Callable[[bytes], Table]) -> None:
    data = small()
    for size in (0, 1, 47):
        with pytest.raises(TruncatedError, match="too small for a table"):
            table(data[:size])
    for size in (48, 1000, len(data) - 1):
        with pytest.raises(CorruptFileError, match="not a table, or cut off"):
            table(data[:size])


def test_every_flipped_byte_is_noticed(table: Callable[[bytes], Table]) -> None:
    """But for the padding of the footer, and the metaindex, which nobody reads."""
    data = b"".join(write_table([(b"", b"head"), (b"a", b"1"), (b"b", b"2")]))
    meta = sstable.read_footer(table(data).file).metaindex
    padding = range(len(data) - 48 + 4, len(data) - 8)
    unread = {*range(meta.offset, meta.end), *padding, len(data) - 48, len(data) - 47}
    for place in set(range(len(data))) - unread:
        with pytest.raises(CorruptFileError):
            listed(table(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]))


def test_the_metaindex_is_looked_at_when_asked(table: Callable[[bytes], Table]) -> None:
    data = bytearray(b"".join(write_table([(b"a", b"1"), (b"b", b"2")])))
    table(bytes(data)).check_metaindex()
    data[sstable.read_footer(table(bytes(data)).file).metaindex.offset] ^= 1
    damaged = table(bytes(data))
    assert [entry.value for entry in damaged] == [b"1", b"2"]
    with pytest.raises(ChecksumError):
        damaged.check_metaindex()
