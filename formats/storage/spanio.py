"""A part of a file as a Python file object, for libraries that want one."""

from __future__ import annotations

import io
from typing import Any

from modelfmt.storage.files import FileSpan


class SpanIO(io.RawIOBase):
    """A read-only, seekable file over a span; reads are bounded and never touch the map."""

    def __init__(self, span: FileSpan) -> None:
        self._span = span
        self._at = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position counted from the span's first byte; a negative one is an error."""
        target = offset + (0, self._at, self._span.length)[whence]
        if target < 0:
            raise OSError("seek before the start")  # as files do; zipfile counts on it
        self._at = target
        return target

    def tell(self) -> int:
        """The present position."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Fill ``buffer`` as far as the span goes; 0 at its end."""
        room = memoryview(buffer).cast("B")
        size = max(0, min(len(room), self._span.length - self._at))
        if size:  # the position may lie far behind the end
            room[:size] = self._span.file.read(self._span.offset + self._at, size)
            self._at += size
        return size
