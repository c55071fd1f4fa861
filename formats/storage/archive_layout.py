"""The places of a zip archive's headers, and what must change in them when a member does.

APPNOTE.TXT 4.3; all little-endian. Offsets within a header:

    local    50 4b 03 04    14 crc  18 packed  22 size  26 len(name)  28 len(extra)  30 name, extra
    data, then with flag 8 a descriptor: [50 4b 07 08] crc, packed, size (4 bytes each; 8 in Zip64)
    central  50 4b 01 02    16 crc  20 packed  24 size  28 len(name)  30 len(extra)
                            32 len(comment)  42 offset of the local header  46 name, extra, comment
    end      50 4b 05 06    16 offset of the directory    20 len(comment)
    end 64   50 4b 06 06    48 offset of the directory
    locator  50 4b 06 07     8 offset of end 64

Where 4 bytes are ff ff ff ff, the value stands in the extra field 0x0001: size, packed, offset, 8
bytes each, those that are needed.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from modelfmt.errors import CorruptFileError, UnsupportedError, Where
from modelfmt.storage.files import SourceFile

_FULL = 0xFFFFFFFF
_DESCRIBED = 0x8


@dataclasses.dataclass(frozen=True)
class Member:
    """One member: ``local``, ``data`` and ``central`` are offsets in the file."""

    name: str
    local: int
    data: int
    central: int
    flags: int
    method: int
    crc: int
    packed: int
    size: int


@dataclasses.dataclass(frozen=True)
class ArchiveLayout:
    """All members in the order of the directory, and the offset of the end record."""

    members: list[Member]
    end: int


class Contents(NamedTuple):
    """What a member is to hold: checksum, packed length, and length."""

    crc: int
    packed: int
    size: int


#: Reads bytes of the archive: (offset, length).
Read = Callable[[int, int], bytes]


def read_layout(
    file: SourceFile, directory: int, infos: Sequence[tuple[str, int, int, int, int, int, int]]
) -> ArchiveLayout:
    """The layout of an archive.

    Args:
        file: the archive.
        directory: where the central directory begins.
        infos: (name, offset, flags, method, crc, packed, size) in the directory's order.

    Raises:
        CorruptFileError: headers that are not where they should be.
        UnsupportedError: members that share bytes.
    """
    members = []
    at = directory
    for name, local, flags, method, crc, packed, size in infos:
        head, central = file.read(local, 30), file.read(at, 46)
        if head[:4] != b"PK\x03\x04" or central[:4] != b"PK\x01\x02":
            raise CorruptFileError(
                "no zip header", where=Where(file.path, f'member "{name}"', local)
            )
        data = local + 30 + sum(struct.unpack_from("<HH", head, 26))
        members.append(Member(name, local, data, at, flags, method, crc, packed, size))
        at += 46 + sum(struct.unpack_from("<HHH", central, 28))
    end = file.read(at, file.size - at).find(b"PK\x05\x06") + at
    if end < at:
        raise CorruptFileError("no end of the zip directory", where=Where(file.path))
    done = 0
    for member in sorted(members, key=lambda m: m.local):
        if member.local < done or member.data + member.packed > directory:
            raise UnsupportedError(
                "members that share bytes", where=Where(file.path, f'member "{member.name}"')
            )
        done = member.data + member.packed
    return ArchiveLayout(members, end)


def patches(
    layout: ArchiveLayout, new: Mapping[str, Contents], read: Read, where: Where
) -> Iterator[tuple[int, bytes]]:
    """The fields to correct, as (offset, bytes), where members hold something else.

    Args:
        layout: as it was.
        new: of the members that changed.
        read: bytes of the headers, by their old offsets.
        where: for errors.

    Raises:
        UnsupportedError: a size or offset above 4 GiB where there is no room for it.
    """
    slots = _Slots(read, where)
    moved = sorted(
        (member.data, new[member.name].packed - member.packed)
        for member in layout.members if member.name in new
    )

    def shift(offset: int) -> int:
        return sum(by for at, by in moved if at < offset)

    for member in layout.members:
        contents = new.get(member.name)
        if contents is not None:
            yield from _contents(member, contents, slots)
        by = shift(member.local)
        if by:
            yield slots.added(member.central, 42, by, 28, 46, (24, 20, 42))
    by = shift(layout.end)
    if not by:
        return
    end = read(layout.end, 22)
    (directory,) = struct.unpack_from("<I", end, 16)
    if directory != _FULL:
        yield layout.end + 16, _packed("<I", directory + by, where)
    locator = layout.end - 20
    if read(locator, 4) == b"PK\x06\x07":
        (end64,) = struct.unpack("<Q", read(locator + 8, 8))
        yield locator + 8, struct.pack("<Q", end64 + by)
        at = locator - 56
        if read(at, 4) == b"PK\x06\x06":
            (directory,) = struct.unpack("<Q", read(at + 48, 8))
            yield at + 48, struct.pack("<Q", directory + by)


def _contents(member: Member, new: Contents, slots: _Slots) -> Iterator[tuple[int, bytes]]:
    """The checksum and sizes of a member, in all places that state them."""
    crc = struct.pack("<I", new.crc)
    yield member.central + 16, crc
    for field, value in ((20, new.packed), (24, new.size)):
        yield slots.put(member.central, field, value, 28, 46, (24, 20, 42))
    if member.flags & _DESCRIBED:
        at = member.data + member.packed
        at += 4 * (slots.read(at, 4) == b"PK\x07\x08")
        wide = slots.is_wide(member.local)
        sizes = struct.pack("<QQ" if wide else "<II", new.packed, new.size)
        yield at, crc + sizes
        return
    yield member.local + 14, crc
    for field, value in ((18, new.packed), (22, new.size)):
        yield slots.put(member.local, field, value, 26, 30, (22, 18))


class _Slots:
    """Finds where a header states a number: in its 4 bytes, or in its Zip64 field."""

    def __init__(self, read: Read, where: Where) -> None:
        self.read = read
        self.where = where

    def _find(
        self, header: int, field: int, lengths: int, fixed: int, order: Sequence[int]
    ) -> tuple[int, str]:
        head = self.read(header, fixed)
        if struct.unpack_from("<I", head, field)[0] != _FULL:
            return header + field, "<I"
        name, extra = struct.unpack_from("<HH", head, lengths)
        at = header + fixed + name
        data = self.read(at, extra)
        place = 0
        while place + 4 <= len(data):
            tag, length = struct.unpack_from("<HH", data, place)
            if tag == 1:
                full = [f for f in order if struct.unpack_from("<I", head, f)[0] == _FULL]
                return at + place + 4 + 8 * full.index(field), "<Q"
            place += 4 + length
        return header + field, "<I"

    def put(
        self, header: int, field: int, value: int, lengths: int, fixed: int, order: Sequence[int]
    ) -> tuple[int, bytes]:
        """A number that takes the place of the one in a header."""
        at, kind = self._find(header, field, lengths, fixed, order)
        return at, _packed(kind, value, self.where)

    def added(
        self, header: int, field: int, by: int, lengths: int, fixed: int, order: Sequence[int]
    ) -> tuple[int, bytes]:
        """The number in a header, made larger."""
        at, kind = self._find(header, field, lengths, fixed, order)
        (old,) = struct.unpack(kind, self.read(at, struct.calcsize(kind)))
        return at, _packed(kind, old + by, self.where)

    def is_wide(self, local: int) -> bool:
        """Whether a local header has a Zip64 field, and its descriptor 8-byte sizes."""
        name, extra = struct.unpack("<HH", self.read(local + 26, 4))
        data = self.read(local + 30 + name, extra)
        place = 0
        while place + 4 <= len(data):
            tag, length = struct.unpack_from("<HH", data, place)
            if tag == 1:
                return True
            place += 4 + length
        return False


def _packed(kind: str, value: int, where: Where) -> bytes:
    if not 0 <= value < (_FULL if kind == "<I" else 1 << 64):
        raise UnsupportedError(
            "the archive's headers have no room for a number above 4 GiB", where=where, found=value
        )
    return struct.pack(kind, value)
