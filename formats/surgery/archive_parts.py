"""A zip archive as parts: its members as JSON, as HDF5 in parts, or as files; and what is between.

    {"part": "archive", "output": "",
     "skeleton": "archive.bin",                  headers, directory, and members that stay in it
     "end": offset of the end record,
     "members": [{"name": "config.json", "local": 0, "data": 41, ...,       as archive_layout.py
                  "content": RECORD}, ...],
     "kept": [{"path": ..., "why": ...}]}
    RECORD    {"part": "json", "file": "config.json", "sha256": HEX}     stays in the skeleton too
              {"part": "hdf5", ...}              as hdf5_parts.py
              {"part": "file", "file": "files/assets/vocabulary.txt"}

Order, dates, flags, extra fields and comments are in the skeleton. What a member now holds mends
its checksum and sizes, and moves what stands behind it. A compressed member comes apart if one of
zlib's levels makes the same bytes again ("level"); else it stays in the skeleton as it is.
"""

from __future__ import annotations

import dataclasses
import json
import os
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

from modelfmt.errors import CorruptFileError, Where, located
from modelfmt.storage.archive import ArchiveReader, crc32
from modelfmt.storage.archive_layout import ArchiveLayout, Contents, Member, patches
from modelfmt.storage.files import (
    Computed,
    FileSpan,
    Piece,
    SourceFile,
    iterate_piece,
    piece_bytes,
    piece_length,
    write_pieces,
)
from modelfmt.surgery.hdf5_parts import explode_hdf5, implode_hdf5
from modelfmt.surgery.hdf5_texts import (
    allocate,
    parse_config,
    read_json,
    restyled,
    same_json,
    write_json,
)
from modelfmt.surgery.parts import Names, Parts, Record

_STORED, _DEFLATED = 0, 8
_LEVELS = (6, 9, 1, 5, 8, 7, 4, 3, 2)  # the usual ones first
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Above it a JSON is a file like any other, or where it compresses so well that it may be a bomb.
_TEXT, _SMALL, _RATIO = 64 << 20, 1 << 20, 200


def explode_archive(path: str, folder: str) -> Record:
    """Write the parts of a zip archive, and return their record for the manifest.

    Raises:
        CorruptFileError: damaged.
        UnsafeFileError: it would lead out of itself, or is a bomb.
        UnsupportedError: members that share bytes.

    Read by: ``implode_archive``.
    """
    names = Names()
    names.allocate(".", "manifest", ".json")
    members: list[Record] = []
    kept: list[Record] = []
    holes: list[Member] = []
    with SourceFile(path) as source, ArchiveReader(source) as archive:
        layout = archive.layout()
        for member in layout.members:
            row: Record = dataclasses.asdict(member)
            members.append(row)
            if member.name.endswith("/") or not member.size:
                continue
            with located(path=path, key=f'member "{member.name}"'):
                content, why = _explode_member(archive, member, folder, names, row)
            if content is None:
                kept.append({"path": member.name, "why": why})
                continue
            row["content"] = content
            if content["part"] != "json":
                holes.append(member)
        skeleton = names.allocate(".", "archive", ".bin")[2:]
        with open(os.path.join(folder, skeleton), "xb") as file:
            write_pieces(file, _outside(source.span(), holes))
    return {
        "part": "archive", "output": "", "skeleton": skeleton, "end": layout.end,
        "members": members, "kept": kept,
    }


def _outside(source: FileSpan, holes: list[Member]) -> Iterator[Piece]:
    done = 0
    for member in sorted(holes, key=lambda member: member.data):
        yield source.span(done, member.data - done)
        done = member.data + member.packed
    yield source.span(done, source.length - done)


def _explode_member(
    archive: ArchiveReader, member: Member, folder: str, names: Names, row: Record
) -> tuple[Record | None, str]:
    """A member's parts; or None, and why it stays in the skeleton."""
    extension = os.path.splitext(member.name)[1]
    is_text = member.size <= min(_TEXT, max(_SMALL, _RATIO * member.packed))
    if extension == ".json" and is_text and member.method in (_STORED, _DEFLATED):
        record = _explode_json(archive, member, folder, names)
        if record is not None:
            return record, ""
    if member.method == _STORED:
        archive.check(member.name)
        span = archive.member(member.name)
        assert isinstance(span, FileSpan)  # of what is stored
        return _explode_span(span, member.name, folder, names), ""
    if member.method != _DEFLATED:
        return None, "its compression is none that can be made again"
    spilled = os.path.join(folder, ".spilled")
    try:
        with open(spilled, "xb") as file:
            for chunk in archive.inflate(member.name):
                file.write(chunk)
        with SourceFile(spilled) as source:
            packed = archive.file.span(member.data, member.packed)
            level = next((n for n in _LEVELS if _makes(source.span(), n, packed)), None)
            if level is None:
                return None, "no level of zlib compresses it to the same bytes"
            row["level"] = level
            return _explode_span(source.span(), member.name, folder, names), ""
    finally:
        os.unlink(spilled)


def _explode_json(
    archive: ArchiveReader, member: Member, folder: str, names: Names
) -> Record | None:
    archive.check(member.name)
    try:
        text = piece_bytes(archive.member(member.name)).decode()
    except UnicodeDecodeError:
        return None
    parsed = parse_config(text)
    if parsed is None:
        return None
    name = allocate(names, os.path.splitext(member.name)[0], ".json")
    return {"part": "json", "file": name, "sha256": write_json(folder, name, parsed)}


def _explode_span(span: FileSpan, name: str, folder: str, names: Names) -> Record:
    if span.length > len(_HDF5) and span.span(0, len(_HDF5)).read() == _HDF5:
        stem = name.removesuffix(".h5")
        tensors = names.allocate(".", "tensors", "")[2:]
        return explode_hdf5(span, folder, names, output=name, stem=stem, tensors=tensors)
    file = names.allocate("files", name, "")
    path = os.path.join(folder, *file.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as out:
        write_pieces(out, [span])
    return {"part": "file", "file": file}


def _deflated(pieces: Iterable[Piece], level: int) -> Iterator[bytes]:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    for piece in pieces:
        for chunk in iterate_piece(piece):
            yield packer.compress(chunk)
    yield packer.flush()


def _makes(span: FileSpan, level: int, packed: FileSpan) -> bool:
    """Whether a level of zlib compresses a span to just these bytes."""
    at = 0
    for chunk in _deflated([span], level):
        if at + len(chunk) > packed.length or packed.span(at, len(chunk)).read() != chunk:
            return False
        at += len(chunk)
    return at == packed.length


# -- and back ---------------------------------------------------------------------------------


def implode_archive(parts: Parts, record: Record) -> tuple[list[Piece], list[str]]:
    """The archive that a record's parts make, as pieces, and the parts that were edited.

    Raises:
        MissingError, MismatchError, CorruptFileError, UnsupportedError: as the parts of its
            members do; or headers without room for what grew.

    Written by: ``explode_archive``.
    """
    rows = parts.get(record, "members", list)
    members = [_member(parts, row) for row in rows]
    layout = ArchiveLayout(members, parts.get(record, "end", int))
    skeleton = parts.span(parts.get(record, "skeleton", str))
    holes = sorted(
        (m.data, m.packed) for m, row in zip(members, rows, strict=True)
        if row.get("content", {}).get("part") not in (None, "json")
    )

    def place(offset: int) -> int:
        return offset - sum(length for at, length in holes if at < offset)

    def read(offset: int, length: int) -> bytes:
        return skeleton.span(place(offset), length).read()

    edited: list[str] = []
    changed: dict[str, Contents] = {}
    replaced: list[tuple[int, int, list[Piece]]] = []  # offset, old length, new bytes
    for member, row in zip(members, rows, strict=True):
        if "content" not in row:
            continue
        body, names = _implode_member(parts, member, row, read)
        edited += names
        if body is None:
            continue
        contents = Contents(crc32(body), sum(map(piece_length, body)), 0)
        contents = contents._replace(size=contents.packed)
        if member.method == _DEFLATED:
            body = [_packed(body, row.get("level"))]
            contents = contents._replace(packed=piece_length(body[0]))
        if contents != (member.crc, member.packed, member.size):
            changed[member.name] = contents
            if row["content"]["part"] == "file":
                edited.append(row["content"]["file"])
        replaced.append((member.data, member.packed, body))
    replaced += [
        (offset, len(data), [data])
        for offset, data in patches(layout, changed, read, parts.where)
    ]
    replaced.sort(key=lambda item: item[:2])
    pieces: list[Piece] = []
    done = 0
    for offset, length, body in replaced:
        if offset < done:
            raise CorruptFileError("the manifest's members share bytes", where=parts.where)
        pieces += [skeleton.span(place(done), offset - done), *body]
        done = offset + length
    at = place(done)
    return [*pieces, skeleton.span(at, skeleton.length - at)], edited


def _packed(body: list[Piece], level: Any) -> Computed:
    """The pieces deflated, when they are written; once before, for the length."""
    known = level if type(level) is int and 0 <= level <= 9 else 6
    length = sum(map(len, _deflated(body, known)))
    return Computed(length, lambda: _deflated(body, known))


def _member(parts: Parts, row: Record) -> Member:
    fields = [field.name for field in dataclasses.fields(Member)][1:]
    numbers = [parts.get(row, field, int) for field in fields]
    if min(numbers) < 0:
        raise CorruptFileError("a negative number in the manifest", where=parts.where)
    return Member(parts.get(row, "name", str), *numbers)


def _implode_member(
    parts: Parts, member: Member, row: Record, read: Any
) -> tuple[list[Piece] | None, list[str]]:
    """What a member holds, None if it is what the skeleton has; and what was edited."""
    content = parts.get(row, "content", dict)
    sort = parts.get(content, "part", str)
    if sort == "hdf5":
        return implode_hdf5(parts, content)
    if sort == "file":
        return [parts.span(parts.get(content, "file", str))], []
    if sort != "json":
        raise CorruptFileError(f"no sort of part {sort!r}", where=parts.where)
    name = parts.get(content, "file", str)
    value = read_json(parts, name, parts.get(content, "sha256", str))
    if value is None:
        return None, []
    raw = read(member.data, member.packed)
    try:
        text = (zlib.decompress(raw, -15) if member.method == _DEFLATED else raw).decode()
        old = json.loads(text)
    except (ValueError, zlib.error, RecursionError) as error:
        raise CorruptFileError(
            f'member "{member.name}" of the skeleton is not what it was ({error})',
            where=Where(parts.folder),
        ) from None
    if same_json(old, value):
        return None, []
    return [restyled(text, value).encode()], [name]
