"""Wire format: annotated hex, both directions, one corrupt variant per error."""

import mmap
import tempfile
from collections.abc import Callable

import pytest

from modelfmt.errors import CorruptFileError, ModelFormatError, TruncatedError, UnsupportedError
from modelfmt.storage import wire
from modelfmt.storage.wire import Span, fields, scan

MESSAGE = bytes.fromhex(
    "08 96 01"                 # @0  field 1, VARINT 150
    "12 07 74 65 73 74 69 6e 67"  # @3  field 2, LEN 7 "testing"
    "1d 01 02 03 04"           # @12 field 3, I32
    "21 01 02 03 04 05 06 07 08"  # @17 field 4, I64
    "a2 06 00"                 # @26 field 100, two-byte tag, LEN 0
    "10 05"                    # @29 field 2 again, VARINT
)
SPANS = [
    Span(1, 0, 0, 1, 2),
    Span(2, 2, 3, 5, 7),
    Span(3, 5, 12, 13, 4),
    Span(4, 1, 17, 18, 8),
    Span(100, 2, 26, 29, 0),
    Span(2, 0, 29, 30, 1),
]


def mapped(data: bytes) -> mmap.mmap:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, mapped])
def test_scan(kind: Callable[[bytes], wire.Buffer]) -> None:
    assert list(scan(kind(MESSAGE))) == SPANS
    assert list(fields(kind(MESSAGE))) == [tuple(span) for span in SPANS]


def test_spans_are_named_and_tile_the_message() -> None:
    spans = list(scan(MESSAGE))
    assert all(type(span) is Span for span in spans)
    assert [span.start for span in spans[1:]] == [span.end for span in spans[:-1]]
    assert spans[-1].end == len(MESSAGE)


def test_write_what_was_scanned() -> None:
    assert b"".join([
        wire.varint_field(1, 150),
        wire.length_delimited(2, b"testing"),
        wire.tag(3, wire.I32) + wire.fixed32(0x04030201),
        wire.tag(4, wire.I64) + wire.fixed64(0x0807060504030201),
        wire.length_delimited(100, b""),
        wire.varint_field(2, 5),
    ]) == MESSAGE
    assert wire.read_fixed32(MESSAGE, 13) == 0x04030201
    assert wire.read_fixed64(MESSAGE, 18) == 0x0807060504030201


def test_scan_of_a_range_keeps_positions() -> None:
    assert list(scan(MESSAGE, 3, 17)) == SPANS[1:3]
    assert list(scan(MESSAGE, 5, 5)) == []


def test_long_field() -> None:
    data = wire.length_delimited(1, b"x" * 300)
    assert list(scan(data)) == [Span(1, 2, 0, 3, 300)]


@pytest.mark.parametrize("value, encoded", [
    (0, "00"), (1, "01"), (127, "7f"), (128, "80 01"), (300, "ac 02"),
    (2**32, "80 80 80 80 10"), (2**64 - 1, "ff ff ff ff ff ff ff ff ff 01"),
    (-1, "ff ff ff ff ff ff ff ff ff 01"), (-(2**63), "80 80 80 80 80 80 80 80 80 01"),
])
def test_varint(value: int, encoded: str) -> None:
    raw = bytes.fromhex(encoded)
    assert wire.varint(value) == raw
    unsigned, end = wire.read_varint(b"\xff" + raw, 1)
    assert end == len(raw) + 1
    assert unsigned == value % 2**64
    assert (wire.signed64(unsigned) if value < 0 else unsigned) == value


@pytest.mark.parametrize("data, error, offset, words", [
    ("08 80 80 80 80 80 80 80 80 80 80 01", CorruptFileError, 1, "above 10 bytes"),
    ("08 80 80 80 80 80 80 80 80 80 02", CorruptFileError, 1, "above 64 bits"),
    ("0a 00 08 80", TruncatedError, 3, "within a varint"),
    ("0a 00 08", TruncatedError, 3, "within a varint"),
    ("0a 00 82", TruncatedError, 2, "within a varint"),
    ("0a 00 0a 05 61 62", TruncatedError, 2, "field 1 passes the end"),
    ("0a 80 01 61", TruncatedError, 0, "field 1 passes the end"),
    ("0d 01 02 03", TruncatedError, 0, "field 1 passes the end"),
    ("09 01 02 03 04 05 06 07", TruncatedError, 0, "field 1 passes the end"),
    ("0a 00 02 00", CorruptFileError, 2, "field number"),
    ("0a 00 00 00", CorruptFileError, 2, "field number"),
    ("0a 00 82 80 80 80 10 00", CorruptFileError, 2, "field number"),
    ("0a 00 0e", CorruptFileError, 2, "wire type"),
    ("0a 00 0f", CorruptFileError, 2, "wire type"),
    ("0a 00 0b 08 01 0c", UnsupportedError, 2, "group"),
    ("0a 00 0c", UnsupportedError, 2, "group"),
])
def test_corrupt(data: str, error: type[ModelFormatError], offset: int, words: str) -> None:
    with pytest.raises(ModelFormatError, match=words) as caught:
        list(scan(bytes.fromhex(data)))
    assert type(caught.value) is error
    assert caught.value.where.offset == offset


def test_end_counts_even_where_the_buffer_goes_on() -> None:
    with pytest.raises(TruncatedError) as caught:
        list(scan(MESSAGE, 3, 9))
    assert (caught.value.wanted, caught.value.available) == (7, 4)
    with pytest.raises(TruncatedError):
        list(scan(MESSAGE, 0, 2))  # cuts the varint


def test_fixed_past_the_end() -> None:
    with pytest.raises(TruncatedError):
        wire.read_fixed32(b"\0\0\0", 0)
    with pytest.raises(TruncatedError):
        wire.read_fixed64(b"\0" * 8, 1)


def test_fields_that_are_not_known_are_left() -> None:
    later = bytes.fromhex("ca 03 01 61")  # 57: "a"
    raw = bytes.fromhex("0a 01 78") + later + bytes.fromhex("10 01") + later
    assert wire.without(raw, {1, 2}) == later + later
    assert wire.without(raw, {1, 2, 57}) == b""
    with pytest.raises(TruncatedError):
        wire.without(raw[:-1], {1})
