"""SourceFile, pieces and write_pieces."""

import io
import os
from pathlib import Path

import pytest

from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    MissingError,
    TruncatedError,
    UnknownFormatError,
)
from modelfmt.storage import files
from modelfmt.storage.files import (
    Computed,
    FileSpan,
    SourceFile,
    iterate_piece,
    piece_bytes,
    piece_length,
    write_pieces,
)


@pytest.fixture
def source(tmp_path: Path) -> SourceFile:
    path = tmp_path / "in"
    path.write_bytes(bytes(range(256)) * 2048)  # 512 KiB
    return SourceFile(path)


def test_view_copies_nothing_and_is_read_only(source: SourceFile) -> None:
    view = source.view(3, 4)
    assert bytes(view) == b"\x03\x04\x05\x06"
    assert view.readonly
    assert view.obj is source.view().obj


def test_views_outlive_close(source: SourceFile) -> None:
    view = source.view(0, 2)
    source.close()
    assert bytes(view) == b"\x00\x01"
    with pytest.raises(ValueError, match="closed"):
        source.read(0, 1)


def test_reading_does_not_map(source: SourceFile) -> None:
    assert source.read(256, 3) == b"\0\1\2"
    write_pieces(io.BytesIO(), [source.span()])
    assert source._map is None


@pytest.mark.parametrize("get", ["read", "view", "span"])
def test_range_past_the_end_is_truncated(source: SourceFile, get: str) -> None:
    with pytest.raises(TruncatedError) as caught:
        getattr(source, get)(source.size - 2, 5)
    assert (caught.value.wanted, caught.value.available) == (5, 2)
    assert caught.value.where.path == source.path
    assert caught.value.where.offset == source.size - 2


def test_negative_range_is_corrupt(source: SourceFile) -> None:
    with pytest.raises(CorruptFileError, match="negative"):
        source.read(-1, 1)


def test_part_of_a_span(source: SourceFile) -> None:
    span = source.span(10, 10)
    assert span.span(2, 3).read() == b"\x0c\x0d\x0e"
    with pytest.raises(TruncatedError):
        span.span(8, 3)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with SourceFile(tmp_path / "empty") as empty:
        assert (empty.size, bytes(empty.view()), empty.read(0, 0)) == (0, b"", b"")
        assert write_pieces(io.BytesIO(), [empty.span()]) == 0


def test_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such file"):
        SourceFile(tmp_path / "absent")
    with pytest.raises(UnknownFormatError, match="a folder"):
        SourceFile(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnknownFormatError, match="a device"):
        SourceFile(tmp_path / "pipe")


def test_a_shrunken_file_is_truncated(source: SourceFile) -> None:
    os.truncate(source.path, 100)
    with pytest.raises(TruncatedError, match="shrank"):
        source.read(90, 20)
    with pytest.raises(TruncatedError, match="shrank"), open(source.path + ".out", "wb") as out:
        write_pieces(out, [source.span()])


def test_pieces_of_every_kind(source: SourceFile) -> None:
    wide = memoryview(b"\1\0\2\0").cast("H")
    pieces = [b"a", bytearray(b"b"), wide, source.span(1, 2), Computed(3, lambda: [b"x", b"yz"])]
    assert [piece_length(piece) for piece in pieces] == [1, 1, 4, 2, 3]
    assert b"".join(map(piece_bytes, pieces)) == b"ab\1\0\2\0\1\2xyz"
    out = io.BytesIO()
    assert write_pieces(out, pieces) == 11
    assert out.getvalue() == b"ab\1\0\2\0\1\2xyz"


@pytest.mark.parametrize("produced", [[b"ab"], [b"ab", b"cd"]])
def test_computed_must_keep_its_promise(produced: list[bytes]) -> None:
    with pytest.raises(MismatchError, match="expected 3 bytes"):
        write_pieces(io.BytesIO(), [Computed(3, lambda: produced)])


def test_spans_are_iterated_in_bounded_chunks(
    source: SourceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK", 1000)
    chunks = list(iterate_piece(source.span(1, 2500)))
    assert [len(chunk) for chunk in chunks] == [1000, 1000, 500]
    assert b"".join(chunks) == source.read(1, 2500)


@pytest.mark.parametrize("kernel", ["copies", "refuses", "gives up midway"])
def test_large_spans_whatever_the_kernel_says(
    source: SourceFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str
) -> None:
    genuine, calls = os.copy_file_range, []

    def copy_file_range(src: int, dst: int, count: int, *offsets: int) -> int:
        calls.append(count)
        if kernel == "refuses" or (kernel == "gives up midway" and len(calls) == 2):
            raise OSError(18, "EXDEV")
        return genuine(src, dst, min(count, 100_000), *offsets)

    monkeypatch.setattr(os, "copy_file_range", copy_file_range)
    with open(tmp_path / "out", "wb") as out:
        out.write(b"head")
        write_pieces(out, [b"<", source.span(5, 300_000), b">"])
        assert out.tell() == 300_006
        out.write(b"tail")
    assert calls
    written = (tmp_path / "out").read_bytes()
    assert written == b"head<" + source.read(5, 300_000) + b">tail"


def test_many_small_pieces_cost_few_system_calls(
    source: SourceFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, genuine = [], os.pread
    monkeypatch.setattr(os, "pread", lambda *args: reads.append(args) or genuine(*args))
    pieces = [p for at in range(0, 500_000, 50) for p in (FileSpan(source, at, 40), b"x")]
    with open(tmp_path / "out", "wb", buffering=0) as out:
        write_pieces(out, pieces)
    assert len(reads) < 10
    expected = b"".join(source.read(at, 40) + b"x" for at in range(0, 500_000, 50))
    assert (tmp_path / "out").read_bytes() == expected


def test_scattered_small_spans_are_not_read_ahead(
    source: SourceFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, genuine = [], os.pread
    monkeypatch.setattr(os, "pread", lambda fd, n, at: read.append(n) or genuine(fd, n, at))
    out = io.BytesIO()
    places = [(at * 7919) % 8 * 65_000 for at in range(100)]
    write_pieces(out, [FileSpan(source, at, 10) for at in places])
    assert max(read) <= 16384
    assert out.getvalue() == b"".join(source.read(at, 10) for at in places)
