"""A zip archive with other data in some of its members; all else keeps its bytes.

The checksum and, where the length changes, the sizes and the offsets behind are mended, as
archive_layout.py tells. A compressed member is compressed again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from modelfmt.errors import UnsupportedError, Where
from modelfmt.storage.archive import ArchiveReader, crc32
from modelfmt.storage.archive_layout import Contents, patches
from modelfmt.storage.files import Computed, Piece, iterate_piece, piece_length
from modelfmt.storage.splice import coalesce

_STORED, _DEFLATED = 0, 8


def with_members(archive: ArchiveReader, new: Mapping[str, Sequence[Piece]]) -> list[Piece]:
    """The archive as pieces, with other data in some members.

    Args:
        archive: open.
        new: the pieces of their data, by name.

    Raises:
        UnsupportedError: a member compressed in another way; headers without room for what grew.
        CorruptFileError: headers that are not where they should be.
    """
    layout = archive.layout()
    changed: dict[str, Contents] = {}
    replaced: list[tuple[int, int, list[Piece]]] = []
    for member in layout.members:
        if member.name not in new:
            continue
        body = list(new[member.name])
        size = sum(map(piece_length, body))
        contents = Contents(crc32(body), size, size)
        if member.method == _DEFLATED:
            body = [_deflated(body)]
            contents = contents._replace(packed=piece_length(body[0]))
        elif member.method != _STORED:
            raise UnsupportedError(
                "a member of another compression than zlib's",
                where=Where(archive.file.path, f'member "{member.name}"'), found=member.method,
            )
        if contents != (member.crc, member.packed, member.size):
            changed[member.name] = contents
        replaced.append((member.data, member.packed, body))
    where = Where(archive.file.path)
    fields = patches(layout, changed, archive.file.read, where)
    replaced += [(offset, len(data), [data]) for offset, data in fields]
    source = archive.file.span()
    pieces: list[Piece] = []
    done = 0
    for offset, length, body in sorted(replaced, key=lambda item: item[:2]):
        pieces += [source.span(done, offset - done), *body]
        done = offset + length
    return coalesce([*pieces, source.span(done, source.length - done)])


def _deflated(body: Sequence[Piece]) -> Computed:
    """The pieces deflated, when they are written; once before, for the length."""
    return Computed(sum(map(len, _deflate(body))), lambda: _deflate(body))


def _deflate(body: Iterable[Piece]) -> Iterator[bytes]:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    for piece in body:
        for chunk in iterate_piece(piece):
            yield packer.compress(chunk)
    yield packer.flush()
