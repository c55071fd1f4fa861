"""A file with some of its bytes replaced by as many others: nothing moves."""

from __future__ import annotations

from collections.abc import Iterable

from modelfmt.errors import MismatchError
from modelfmt.storage.files import FileSpan, Piece, piece_length
from modelfmt.storage.splice import coalesce


def patched(
    source: FileSpan | bytes | memoryview, patches: Iterable[tuple[int, Piece]]
) -> list[Piece]:
    """``source`` with ``patches`` written over it, as pieces; the rest is neither read nor copied.

    Args:
        source: a file, a part of one, or bytes.
        patches: offsets from the first byte, each with what stands there then, in any order.

    Raises:
        MismatchError: two patches overlap, or one passes the end.
    """
    pieces: list[Piece] = []
    done, size = 0, piece_length(source)
    for offset, piece in sorted(patches, key=lambda patch: patch[0]):
        end = offset + piece_length(piece)
        if not done <= offset <= end <= size:
            raise MismatchError(
                "bytes to be replaced overlap, or pass the end",
                expected=f"within {done}..{size}", found=f"{offset}..{end}",
            )
        pieces += [_part(source, done, offset), piece]
        done = end
    return coalesce([*pieces, _part(source, done, size)])


def _part(source: FileSpan | bytes | memoryview, start: int, end: int) -> Piece:
    if isinstance(source, FileSpan):
        return source.span(start, end - start)
    return source if (start, end) == (0, len(source)) else memoryview(source)[start:end]
