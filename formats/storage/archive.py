"""Zip archives, read and written; the one door of zipfile.

What is stored without compression is given as a span of the file, to be mapped or copied;
what is written is always stored, and carries no times. Layout, for the span's offset
(APPNOTE.TXT 4.3.7, local file header):

     0  4  50 4b 03 04
    26  2  length of the name       28  2  length of the extra field
    30     name, extra field, data
"""

from __future__ import annotations

import io
import os
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MismatchError,
    MissingError,
    TruncatedError,
    UnsafeFileError,
    UnsupportedError,
    Where,
)
from modelfmt.storage.archive_layout import ArchiveLayout, read_layout
from modelfmt.storage.files import (
    FileSpan,
    Piece,
    SourceFile,
    iterate_piece,
    piece_length,
    write_pieces,
)
from modelfmt.storage.spanio import SpanIO

MAGIC = b"PK\x03\x04"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_BOMB_BYTES, _BOMB_RATIO = 64 << 20, 1000
_ENCRYPTED = 0x1
_DIRECTORY_END = 22 + 0xFFFF  # the end record and the longest comment
_CHUNK = 1 << 20
_HELD = 8 << 20  # of what is unpacked, so much is held in memory


def is_archive(prefix: bytes | bytearray | memoryview) -> bool:
    """Whether a file that begins with ``prefix`` (4 bytes or more) is a zip with members."""
    return bytes(prefix[:4]) == MAGIC


class ArchiveReader:
    """A zip archive; opening reads its directory only.

    Args:
        source: a path, or an open SourceFile, which stays the caller's to close.

    Raises:
        TruncatedError: the file begins like a zip, but its directory is not there.
        CorruptFileError: no zip directory, or a damaged one.
        UnsafeFileError: a member's name leads out of a folder, or stands there twice.
    """

    def __init__(self, source: SourceFile | str | os.PathLike[str]) -> None:
        self.file = source if isinstance(source, SourceFile) else SourceFile(source)
        self._owned = None if isinstance(source, SourceFile) else self.file
        try:
            self._zip = self._open()
            self._infos = self._checked(self._zip.infolist())
        except BaseException:
            self.close()
            raise

    def _open(self) -> zipfile.ZipFile:
        with self._translated(None):
            try:
                return zipfile.ZipFile(io.BufferedReader(SpanIO(self.file.span())))
            except zipfile.BadZipFile:
                size = self.file.size
                if size > 4 and is_archive(self.file.read(0, 4)):
                    tail = self.file.read(max(0, size - _DIRECTORY_END), min(size, _DIRECTORY_END))
                    if b"PK\x05\x06" not in tail:
                        raise TruncatedError(
                            "the zip archive ends without its directory",
                            wanted=size + 22, available=size,
                            where=Where(self.file.path),
                        ) from None
                raise

    def _checked(self, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        size, packed = self.file.size, [info.compress_size for info in infos]
        if sum(packed) > size and max(packed) <= size:  # the same bytes, unpacked again and again
            raise UnsafeFileError("the archive's members overlap", where=self._where(None))
        for info in infos:
            name = info.filename
            # orig_filename: zipfile cuts names at a NUL byte.
            parts = info.orig_filename.replace("\\", "/").split("/")
            if parts[0] == "" or parts[0].endswith(":") or ".." in parts or "\0" in parts[-1]:
                raise UnsafeFileError(
                    "a member's name leads out of the archive", where=self._where(name)
                )
            if name in found:  # two readers would see two files
                raise UnsafeFileError("two members of one name", where=self._where(name))
            found[name] = info
        return found

    @contextmanager
    def _translated(self, name: str | None) -> Iterator[None]:
        try:
            yield
        except EOFError as error:
            raise TruncatedError(
                "the member's data ends early", wanted=1, available=0, where=self._where(name)
            ) from error
        except NotImplementedError as error:
            raise UnsupportedError(f"zip: {error}", where=self._where(name)) from error
        except (zipfile.BadZipFile, zlib.error, struct.error, UnicodeDecodeError, OSError) as error:
            raise CorruptFileError(f"zip: {error}", where=self._where(name)) from error

    def _where(self, name: str | None, offset: int | None = None) -> Where:
        return Where(self.file.path, None if name is None else f'member "{name}"', offset)

    def __enter__(self) -> ArchiveReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened here; spans of a SourceFile that was passed in stay valid."""
        if (opened := getattr(self, "_zip", None)) is not None:
            opened.close()
        if self._owned is not None:
            self._owned.close()

    def names(self) -> list[str]:
        """Names of all members in the order of the directory; folders end with a slash."""
        return list(self._infos)

    def is_link(self, name: str) -> bool:
        """Whether a member says that it is a symbolic link of Unix."""
        return (self._info(name).external_attr >> 28) == 0xA

    def member(self, name: str) -> FileSpan | bytes:
        """A member's data: a span of the file if it is stored, else decompressed bytes.

        The span's checksum is not looked at (see ``check``); that of decompressed bytes is.

        Raises:
            MissingError: no such member.
            UnsupportedError: encrypted, or an unknown compression.
            UnsafeFileError: it would unpack to more than 64 MiB and 1000 times its size.
            TruncatedError, CorruptFileError, ChecksumError: damaged.
        """
        info = self._info(name)
        if info.compress_type == zipfile.ZIP_STORED:
            return self._stored(info)
        self._check_size(info)
        return b"".join(self._inflate(info))

    def check_ratio(self, name: str, size: int, ratio: int) -> None:
        """Raise UnsafeFileError for a member above ``size`` bytes and ``ratio`` times its own."""
        self._check_size(self._info(name), size, ratio)

    def spilled(self, name: str) -> FileSpan | bytes:
        """As ``member``; what is large and compressed is unpacked to a temporary file instead."""
        info = self._info(name)
        if info.compress_type == zipfile.ZIP_STORED or info.file_size < _HELD:
            return self.member(name)
        self._check_size(info)
        folder = tempfile.mkdtemp(prefix="modelfmt-")
        path = os.path.join(folder, "member")
        try:
            with open(path, "xb") as file:
                for chunk in self._inflate(info):
                    file.write(chunk)
            source = SourceFile(path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # what is open stays readable
        source.path = self.file.path  # for errors
        return source.span()

    def _check_size(
        self, info: zipfile.ZipInfo, size: int = _BOMB_BYTES, ratio: int = _BOMB_RATIO
    ) -> None:
        if info.file_size > size and info.file_size > ratio * info.compress_size:
            raise UnsafeFileError(
                "the member unpacks to an absurd size", where=self._where(info.filename),
                expected=f"at most {ratio} times its {info.compress_size} bytes",
                found=f"{info.file_size} bytes",
            )

    def layout(self) -> ArchiveLayout:
        """Where the archive's headers and data stand. Raises CorruptFileError."""
        return read_layout(
            self.file, self._zip.start_dir,
            [
                (i.filename, i.header_offset, i.flag_bits, i.compress_type, i.CRC,
                 i.compress_size, i.file_size)
                for i in self._infos.values()
            ],
        )

    def inflate(self, name: str) -> Iterator[bytes]:
        """A compressed member's data in chunks; raises as ``member``."""
        info = self._info(name)
        self._check_size(info)
        return self._inflate(info)

    def check(self, name: str) -> None:
        """Compare a member's CRC-32 with its data, in bounded memory.

        Raises:
            ChecksumError: they differ; and whatever ``member`` raises.
        """
        info = self._info(name)
        if info.compress_type != zipfile.ZIP_STORED:
            for _ in self._inflate(info):
                pass
            return
        self._compare(info, crc32([self._stored(info)]))

    def _info(self, name: str) -> zipfile.ZipInfo:
        info = self._infos.get(name)
        if info is None:
            raise MissingError(f"no member {name!r}", where=self._where(None))
        if info.flag_bits & _ENCRYPTED:
            raise UnsupportedError("the member is encrypted", where=self._where(name))
        return info

    def _compare(self, info: zipfile.ZipInfo, computed: int) -> None:
        if computed != info.CRC:
            raise ChecksumError(
                "crc32 does not match", stored=info.CRC, computed=computed,
                where=self._where(info.filename),
            )

    def _inflate(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Decompressed chunks; the declared size is the limit, whatever the stream goes on to."""
        crc = total = 0
        with self._translated(info.filename), self._zip.open(info) as stream:
            # zipfile would say "Bad CRC-32" without the two numbers.
            stream._expected_crc = None  # type: ignore[attr-defined]
            while chunk := stream.read(_CHUNK):
                crc = zlib.crc32(chunk, crc)
                total += len(chunk)
                yield chunk
        if total != info.file_size:
            raise TruncatedError(
                "the member unpacks to less than it declares", wanted=info.file_size,
                available=total, where=self._where(info.filename),
            )
        self._compare(info, crc)

    def _stored(self, info: zipfile.ZipInfo) -> FileSpan:
        at = info.header_offset
        header = self.file.read(at, 30)
        if header[:4] != MAGIC:
            raise CorruptFileError(
                "no local header", where=self._where(info.filename, at),
                expected=MAGIC.hex(" "), found=header[:4].hex(" "),
            )
        name_length, extra_length = struct.unpack_from("<HH", header, 26)
        name = self.file.read(at + 30, name_length)
        encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
        if name != info.orig_filename.encode(encoding, "surrogateescape"):
            raise CorruptFileError(
                "local header and directory name different members",
                where=self._where(info.filename, at),
                expected=repr(info.orig_filename), found=repr(name),
            )
        if info.file_size != info.compress_size:
            raise CorruptFileError(
                "a stored member of two sizes", where=self._where(info.filename, at),
                expected=f"{info.file_size} bytes", found=f"{info.compress_size} bytes",
            )
        return self.file.span(at + 30 + name_length + extra_length, info.file_size)


def crc32(pieces: Sequence[Piece]) -> int:
    """CRC-32 (zlib's) over the pieces in order, read in bounded memory."""
    value = 0
    for piece in pieces:
        for chunk in iterate_piece(piece):
            value = zlib.crc32(chunk, value)
    return value


def write_archive(out: BinaryIO, members: Sequence[tuple[str, Sequence[Piece]]]) -> None:
    """Write a zip archive: members stored, in this order, dated 1980-01-01; nothing else varies.

    Args:
        out: a seekable file.
        members: names and the pieces of their data; a piece is read once, and Zip64 headers
            are used for members and archives that need them.

    Raises:
        MismatchError: two members of one name; and whatever the pieces raise.
    """
    names = [name for name, _ in members]
    if len(set(names)) != len(names):
        raise MismatchError("two zip members of one name", found=", ".join(names))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, pieces in members:
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3  # else it is that of the machine
            info.external_attr = 0o644 << 16
            info.file_size = sum(map(piece_length, pieces))
            with archive.open(info, "w") as stream:
                write_pieces(stream, pieces)  # type: ignore[arg-type]
