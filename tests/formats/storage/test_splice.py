"""Splicing: untouched bytes stay untouched, and stay one piece."""

from pathlib import Path

import pytest

from modelfmt.errors import MismatchError
from modelfmt.storage.files import FileSpan, SourceFile, piece_bytes
from modelfmt.storage.splice import coalesce, delimited, splice
from modelfmt.storage.wire import length_delimited, scan, varint_field

FIELDS = [
    length_delimited(1, b"one"), length_delimited(2, b"two"),
    varint_field(57, 9), length_delimited(1, b"three"),
]


@pytest.fixture
def message(tmp_path: Path) -> FileSpan:
    (tmp_path / "in").write_bytes(b"head" + b"".join(FIELDS) + b"tail")
    return SourceFile(tmp_path / "in").span(4, len(b"".join(FIELDS)))


def joined(pieces: list) -> bytes:
    return b"".join(map(piece_bytes, pieces))


def test_no_edit_is_the_source_itself(message: FileSpan) -> None:
    assert splice(message) == [message]


def test_replace_delete_append(message: FileSpan) -> None:
    spans = list(scan(message.view()))
    pieces = splice(
        message, [(spans[1], [b"NEW"]), (spans[3], [])], [varint_field(4, 1)]
    )
    assert joined(pieces) == FIELDS[0] + b"NEW" + FIELDS[2] + varint_field(4, 1)
    assert [type(piece) for piece in pieces] == [FileSpan, bytes, FileSpan, bytes]


def test_a_field_put_back_coalesces(message: FileSpan) -> None:
    spans = list(scan(message.view()))
    same = message.span(spans[1].start, spans[1].end - spans[1].start)
    assert splice(message, [(spans[1], [same])]) == [message]


def test_bytes_and_views_are_sources_too(message: FileSpan) -> None:
    raw = message.read()
    spans = list(scan(raw))
    assert splice(raw) == [raw]
    for source in (raw, memoryview(raw)):
        assert joined(splice(source, [(spans[0], [])])) == b"".join(FIELDS[1:])


def test_deleting_everything_leaves_no_bytes(message: FileSpan) -> None:
    spans = list(scan(message.view()))
    assert joined(splice(message, [(span, []) for span in spans])) == b""


def test_nested(message: FileSpan) -> None:
    inner = splice(message, [(next(iter(scan(message.view()))), [b"x" * 200])])
    outer = delimited(7, inner)
    assert joined(outer) == length_delimited(7, b"x" * 200 + b"".join(FIELDS[1:]))
    assert isinstance(outer[-1], FileSpan)


@pytest.mark.parametrize("order", [(1, 0), (1, 1)])
def test_edits_must_be_in_order(message: FileSpan, order: tuple[int, int]) -> None:
    spans = list(scan(message.view()))
    with pytest.raises(MismatchError, match="out of order"):
        splice(message, [(spans[at], []) for at in order])


def test_edit_past_the_end(message: FileSpan) -> None:
    span = next(iter(scan(message.view())))._replace(start=100, offset=100)
    with pytest.raises(MismatchError, match="pass the end"):
        splice(message, [(span, [])])


def test_coalesce_joins_only_what_touches(message: FileSpan) -> None:
    first, second, apart = message.span(0, 2), message.span(2, 3), message.span(6, 1)
    assert coalesce([first, b"", second, apart]) == [message.span(0, 5), apart]
    other = SourceFile(message.file.path).span(6, 3)
    assert coalesce([first, other]) == [first, other]
