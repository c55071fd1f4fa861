"""Table blocks: annotated hex in both directions, searching, one corrupt variant per error."""

from __future__ import annotations

import pytest

from modelfmt.errors import CorruptFileError, ModelFormatError, TruncatedError, Where
from modelfmt.storage.block import Block, BlockWriter

BLOCK = bytes.fromhex(
    "00 00 01 41"              # @0  "" -> "A"
    "00 02 01 61 62 42"        # @4  "ab" -> "B", nothing shared
    "02 01 00 63"              # @10 "ab" + "c" -> ""
    "00 01 02 62 43 44"        # @14 a restart point: "b" -> "CD"
    "00 00 00 00"              # @20 restart points
    "0e 00 00 00"
    "02 00 00 00"              # their number
)  # fmt: skip
ENTRIES = [(b"", b"A"), (b"ab", b"B"), (b"abc", b""), (b"b", b"CD")]
EMPTY = bytes.fromhex("00 00 00 00 01 00 00 00")


def block(data: bytes) -> Block:
    return Block(memoryview(data), Where("t", offset=0x100))


def test_read() -> None:
    assert [(e.key, bytes(e.value)) for e in block(BLOCK).entries()] == ENTRIES
    assert [(e.key, bytes(e.value)) for e in block(BLOCK).entries(14)] == ENTRIES[3:]
    assert list(block(EMPTY).entries()) == []


def test_write() -> None:
    writer = BlockWriter(restart_interval=3)
    assert writer.is_empty and writer.size == len(EMPTY)
    for key, value in ENTRIES:
        writer.add(key, value)
    assert writer.size == len(BLOCK)
    assert writer.finish() == BLOCK
    assert BlockWriter().finish() == EMPTY


@pytest.mark.parametrize("interval", [1, 2, 16])
def test_find(interval: int) -> None:
    keys = [f"{number:04d}".encode() for number in range(0, 400, 2)]
    writer = BlockWriter(interval)
    for key in keys:
        writer.add(key, b"v" + key * 50)
    found = block(writer.finish())
    for key in keys:
        entry = found.find(key)
        assert entry is not None and entry.value == b"v" + key * 50
        assert found.find(key + b"x") is None
    assert found.find(b"") is None and found.find(b"\xff") is None
    assert block(EMPTY).find(b"a") is None


@pytest.mark.parametrize("change, error, words", [
    ({0: "00"} | dict.fromkeys(range(1, 32), ""), TruncatedError, "no restart points"),
    ({28: "09"}, CorruptFileError, "restart points pass"),
    ({31: "ff"}, CorruptFileError, "restart points pass"),
    ({4: "01"}, CorruptFileError, "shares more"),
    ({10: "03"}, CorruptFileError, "shares more"),
    ({17: "00"}, CorruptFileError, "out of order"),
    ({16: "7f"}, TruncatedError, "passes the end"),
    ({14: "80", 15: "80", 16: "80", 17: "80", 18: "80", 19: "80"}, TruncatedError, "varint"),
])
def test_corrupt(change: dict[int, str], error: type[ModelFormatError], words: str) -> None:
    data = b"".join(bytes.fromhex(change.get(i, f"{b:02x}")) for i, b in enumerate(BLOCK))
    with pytest.raises(ModelFormatError, match=words) as caught:
        list(block(data).entries())
    assert type(caught.value) is error
    assert caught.value.where.path == "t" and (caught.value.where.offset or 0) >= 0x100


def test_a_restart_point_is_an_entry_with_its_whole_key() -> None:
    outside = BLOCK[:24] + b"\x20" + BLOCK[25:]
    with pytest.raises(CorruptFileError, match="restart point is no entry"):
        block(outside).find(b"b")
    within = BLOCK[:24] + b"\x0a" + BLOCK[25:]
    with pytest.raises(CorruptFileError, match="not whole"):
        block(within).find(b"b")
