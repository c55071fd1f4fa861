"""A message rewritten as raw spans and replacements: untouched bytes stay untouched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from modelfmt.errors import MismatchError
from modelfmt.storage.files import FileSpan, Piece, piece_length
from modelfmt.storage.wire import Span, tag, varint


def splice(
    source: FileSpan | bytes | memoryview,
    edits: Iterable[tuple[Span, Sequence[Piece]]] = (),
    appended: Sequence[Piece] = (),
) -> list[Piece]:
    """``source`` with some fields replaced.

    Args:
        source: a message; for a FileSpan, spans count from the span's first byte.
        edits: fields as ``scan`` gave them, in ascending order, each with the pieces that take
            the place of the whole field (tag included); no pieces: the field is deleted.
        appended: pieces after the last byte.

    Returns:
        Pieces, copying nothing; regions between edits are one piece each, and without any
        edit the source itself is the only piece.

    Raises:
        MismatchError: edits overlap, are out of order or pass the end.
    """
    size = piece_length(source)
    pieces: list[Piece] = []
    done = 0
    for span, replacement in edits:
        if not done <= span.start <= span.end <= size:
            raise MismatchError(
                "edits overlap, are out of order or pass the end",
                expected=f"a field within {done}..{size}", found=f"{span.start}..{span.end}",
            )
        if span.start > done:
            pieces.append(_part(source, done, span.start))
        pieces.extend(replacement)
        done = span.end
    if done < size or not pieces:
        pieces.append(_part(source, done, size))
    pieces.extend(appended)
    return coalesce(pieces)


def delimited(field: int, pieces: Sequence[Piece]) -> list[Piece]:
    """``pieces`` as the value of one length-delimited field: tag, length, then the pieces.

    Source: protobuf encoding guide, wire type 2 (LEN).
    """
    return [tag(field, 2) + varint(sum(map(piece_length, pieces))), *pieces]


def coalesce(pieces: Iterable[Piece]) -> list[Piece]:
    """The same bytes in as few pieces as possible: touching spans of one file become one."""
    out: list[Piece] = []
    for piece in pieces:
        last = out[-1] if out else None
        if (
            isinstance(piece, FileSpan)
            and isinstance(last, FileSpan)
            and piece.file is last.file
            and piece.offset == last.offset + last.length
        ):
            out[-1] = FileSpan(last.file, last.offset, last.length + piece.length)
        elif piece_length(piece) or last is None:
            if last is not None and not piece_length(last):
                out.pop()
            out.append(piece)
    return out


def _part(source: FileSpan | bytes | memoryview, start: int, end: int) -> Piece:
    if isinstance(source, FileSpan):
        return source.span(start, end - start)
    if start == 0 and end == piece_length(source):
        return source
    return memoryview(source)[start:end]
