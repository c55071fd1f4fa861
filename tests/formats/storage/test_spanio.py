"""SpanIO behaves as a file of just the span's bytes."""

import io
from pathlib import Path

import pytest

from modelfmt.storage.files import SourceFile
from modelfmt.storage.spanio import SpanIO


@pytest.fixture
def part(tmp_path: Path) -> SpanIO:
    (tmp_path / "in").write_bytes(b"0123456789")
    return SpanIO(SourceFile(tmp_path / "in").span(2, 5))


def test_reads_only_the_span(part: SpanIO) -> None:
    assert part.read() == b"23456"
    assert part.read(1) == b""
    assert io.BufferedReader(part).seek(0) == 0


def test_seeks(part: SpanIO) -> None:
    assert part.readable() and part.seekable() and not part.writable()
    assert part.seek(-2, io.SEEK_END) == 3
    assert part.read(9) == b"56"
    part.seek(1)
    part.seek(1, io.SEEK_CUR)
    assert (part.tell(), part.read(1)) == (2, b"4")
    part.seek(99)
    assert part.read(1) == b""
    with pytest.raises(OSError, match="before the start"):
        part.seek(-6, io.SEEK_END)
