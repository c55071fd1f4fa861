"""Files in, pieces between, atomic files out.

An input is opened read-only and mapped only when somebody asks for a view. What is to be
written is described as *pieces*: bytes at hand, a span of an input file, or bytes computed when
their turn comes. Spans travel with copy_file_range or bounded reads and never through the map,
since mapped pages count as resident memory.
"""

from __future__ import annotations

import dataclasses
import errno
import io
import mmap
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, TypeAlias

from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnknownFormatError,
    Where,
)
from modelfmt.storage.output import OutputError as OutputError
from modelfmt.storage.output import OutputExistsError as OutputExistsError
from modelfmt.storage.output import atomic_folder as atomic_folder
from modelfmt.storage.output import atomic_output as atomic_output

CHUNK = 1 << 20  # upper limit of one read, hence of the memory a copy takes
SMALL = 1 << 16  # below this a span is cheaper to buffer than to hand to the kernel
_FIRST_WINDOW = 1 << 14

# What copy_file_range answers where it can't do it, but reading and writing can.
_CANNOT_COPY = {
    errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM,
}


class SourceFile:
    """An input file, opened read-only; its size is known, its bytes are not read yet.

    Args:
        path: a regular file.

    Raises:
        MissingError: there is no such file.
        UnknownFormatError: a folder, a pipe, a device.
        ModelFormatError: it may not be read.
    """

    path: str
    size: int

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._fd = -1
        self._map: memoryview | None = None
        try:
            # O_NONBLOCK: opening a pipe would wait for its writer.
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError("no such file", where=Where(self.path)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ModelFormatError(
                f"cannot be opened ({reason})", where=Where(self.path)
            ) from error
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            os.close(fd)
            raise UnknownFormatError(
                "not a regular file", where=Where(self.path),
                expected="a file", found="a folder" if stat.S_ISDIR(status.st_mode) else "a device",
            )
        self._fd = fd
        self.size = status.st_size

    def __enter__(self) -> SourceFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SourceFile({self.path!r})"

    def close(self) -> None:
        """Close the file; views given out stay valid until they are dropped."""
        self._map = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def fileno(self) -> int:
        """The open file descriptor. Raises ValueError after ``close()``."""
        if self._fd < 0:
            raise ValueError(f"{self.path} is closed")
        return self._fd

    def check_range(self, offset: int, length: int) -> None:
        """Raise TruncatedError unless ``length`` bytes at ``offset`` lie within the file."""
        if offset < 0 or length < 0:
            raise CorruptFileError(
                "negative offset or length",
                where=Where(self.path), found=f"offset {offset}, length {length}",
            )
        if offset + length > self.size:
            raise TruncatedError(
                "the file ends too early",
                wanted=length, available=max(self.size - offset, 0),
                where=Where(self.path, offset=offset),
            )

    def view(self, offset: int = 0, length: int | None = None) -> memoryview:
        """Bytes of the file as a read-only view of its map: nothing is copied.

        Args:
            offset: first byte.
            length: how many; by default up to the end.

        Raises:
            TruncatedError: the range passes the end.
        """
        length = self.size - offset if length is None else length
        self.check_range(offset, length)
        if self._map is None:
            fd = self.fileno()
            # A map of zero bytes is an error to mmap, an empty file is none to us.
            self._map = (
                memoryview(mmap.mmap(fd, self.size, access=mmap.ACCESS_READ))
                if self.size else memoryview(b"")
            )
        return self._map[offset : offset + length]

    def read(self, offset: int, length: int) -> bytes:
        """A copy of ``length`` bytes at ``offset``, not touching the map.

        Raises:
            TruncatedError: the range passes the end, or the file shrank meanwhile.
        """
        self.check_range(offset, length)
        parts = []
        missing = length
        while missing:
            part = os.pread(self.fileno(), missing, offset + length - missing)
            if not part:
                raise TruncatedError(
                    "the file shrank while it was read",
                    wanted=length, available=length - missing,
                    where=Where(self.path, offset=offset),
                )
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def span(self, offset: int = 0, length: int | None = None) -> FileSpan:
        """A named range of the file, unread. Raises TruncatedError."""
        length = self.size - offset if length is None else length
        self.check_range(offset, length)
        return FileSpan(self, offset, length)


@dataclasses.dataclass(frozen=True)
class FileSpan:
    """``length`` bytes of ``file`` from ``offset`` on; nothing is read yet."""

    file: SourceFile
    offset: int
    length: int

    @property
    def where(self) -> Where:
        """The place, for errors."""
        return Where(self.file.path, offset=self.offset)

    def view(self) -> memoryview:
        """The bytes as a view of the map: no copy."""
        return self.file.view(self.offset, self.length)

    def read(self) -> bytes:
        """A copy of the bytes."""
        return self.file.read(self.offset, self.length)

    def span(self, offset: int, length: int) -> FileSpan:
        """A part of this span; ``offset`` counts from its start. Raises TruncatedError."""
        if offset < 0 or length < 0 or offset + length > self.length:
            raise TruncatedError(
                "range outside of its part of the file",
                wanted=length, available=max(self.length - max(offset, 0), 0),
                where=Where(self.file.path, offset=self.offset + offset),
            )
        return FileSpan(self.file, self.offset + offset, length)


@dataclasses.dataclass(frozen=True)
class Computed:
    """``length`` bytes that ``produce()`` yields in chunks, made when they are written.

    ``produce`` may be called more than once, and must give the same bytes each time.
    """

    length: int
    produce: Callable[[], Iterable[bytes | bytearray | memoryview]]


Piece: TypeAlias = bytes | bytearray | memoryview | FileSpan | Computed


def piece_length(piece: Piece) -> int:
    """Number of bytes of a piece, without making or reading them."""
    if isinstance(piece, (FileSpan, Computed)):
        return piece.length
    return piece.nbytes if isinstance(piece, memoryview) else len(piece)


def iterate_piece(piece: Piece) -> Iterator[bytes | bytearray | memoryview]:
    """The bytes of a piece in order; spans in copies of at most 1 MiB, bytes at hand whole.

    Raises:
        MismatchError: a Computed piece produced another number of bytes than it promised.
    """
    if isinstance(piece, FileSpan):
        for start in range(0, piece.length, CHUNK):
            size = min(CHUNK, piece.length - start)
            yield piece.file.read(piece.offset + start, size)
    elif isinstance(piece, Computed):
        total = 0
        for chunk in piece.produce():
            total += piece_length(chunk)
            if total > piece.length:
                break
            yield chunk
        if total != piece.length:
            raise MismatchError(
                "a computed piece has another length than promised",
                expected=f"{piece.length} bytes",
                found=f"{total} bytes" + (" or more" if total > piece.length else ""),
            )
    else:
        yield piece


def piece_bytes(piece: Piece) -> bytes:
    """All bytes of a piece, as a copy (the object itself if it is ``bytes``)."""
    if isinstance(piece, bytes):
        return piece
    return piece.read() if isinstance(piece, FileSpan) else b"".join(iterate_piece(piece))


def write_pieces(out: BinaryIO, pieces: Iterable[Piece]) -> int:
    """Write pieces one after the other at the present position of ``out``.

    Large spans go by copy_file_range where ``out`` is a file of the operating system and the
    kernel agrees; everything small is gathered, so that many small pieces cost few system calls.

    Returns:
        The number of bytes written.

    Raises:
        TruncatedError, MismatchError: from the pieces.
    """
    total = 0
    gathered = bytearray()
    window = _Window()

    def flush() -> None:
        if gathered:
            out.write(gathered)
            gathered.clear()

    for piece in pieces:
        length = piece_length(piece)
        total += length
        if isinstance(piece, FileSpan) and length < SMALL:
            gathered += window.read(piece)
        elif isinstance(piece, FileSpan):
            flush()
            _copy(out, piece)
        else:
            for chunk in iterate_piece(piece):
                if piece_length(chunk) < SMALL:
                    gathered += chunk
                else:
                    flush()
                    out.write(chunk)
        if len(gathered) >= CHUNK:
            flush()
    flush()
    return total


class _Window:
    """Read-ahead for small spans: it grows while they come in file order, and only then."""

    def __init__(self) -> None:
        self.file: SourceFile | None = None
        self.start = self.end = 0
        self.ahead = _FIRST_WINDOW
        self.bytes = b""

    def read(self, span: FileSpan) -> bytes:
        if span.file is not self.file or not self.start <= span.offset <= self.end:
            self.ahead = _FIRST_WINDOW
        elif span.offset + span.length <= self.end:
            return self.bytes[span.offset - self.start : span.offset + span.length - self.start]
        else:
            self.ahead = min(self.ahead * 4, CHUNK)
        size = max(span.length, min(self.ahead, span.file.size - span.offset))
        self.bytes = span.file.read(span.offset, size)
        self.file, self.start, self.end = span.file, span.offset, span.offset + size
        return self.bytes[: span.length]


def _copy(out: BinaryIO, span: FileSpan) -> None:
    done = 0
    if sys.platform == "linux" and isinstance(
        out, (io.FileIO, io.BufferedWriter, io.BufferedRandom)
    ):
        out.flush()
        target = out.tell()
        try:
            while done < span.length:
                moved = os.copy_file_range(
                    span.file.fileno(), out.fileno(), span.length - done,
                    span.offset + done, target + done,
                )
                if not moved:
                    break  # the bounded read below names the reason
                done += moved
        except OSError as error:
            if error.errno not in _CANNOT_COPY:
                raise
        out.seek(target + done)
    if done < span.length:
        for chunk in iterate_piece(span.span(done, span.length - done)):
            out.write(chunk)
