"""Holes: what is outside of them, and the file that filling them gives."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from modelfmt.errors import MismatchError, TruncatedError, UnsupportedError, Where
from modelfmt.storage.files import SourceFile, piece_bytes
from modelfmt.storage.hdf5.places import Place
from modelfmt.surgery.hdf5_holes import (
    Region,
    cut,
    filled,
    fixed_strings,
    gathered,
    outside,
    padded_strings,
    regions,
    write_array,
    zeros,
)

#: ``0123 ... `` with a span at 2, and at 10 an array of 3 x 3 in chunks of 2 x 2.
SPAN = Place("s", "span", "|u1", (3,), ((2, 3),))
CHUNKS = Place(
    "c", "chunks", "|u1", (3, 3), ((10, 4), (14, 4), (20, 4), (24, 4)), (2, 2),
    ((0, 0), (0, 2), (2, 0), (2, 2)),
)
DATA = bytes(range(30))


@pytest.fixture
def source(tmp_path: Path) -> SourceFile:
    (tmp_path / "f").write_bytes(DATA)
    return SourceFile(tmp_path / "f")


def skeleton(source: SourceFile) -> bytes:
    return b"".join(map(piece_bytes, outside(source.span(), regions([CHUNKS, SPAN], Where()))))


def test_the_skeleton_keeps_padding(source: SourceFile) -> None:
    assert list(skeleton(source)) == [
        0, 1, 5, 6, 7, 8, 9, 15, 17, 18, 19, 22, 23, 25, 26, 27, 28, 29,
    ]


def test_the_array_and_back(source: SourceFile, tmp_path: Path) -> None:
    array = gathered(source.span(), CHUNKS)
    assert list(array) == [10, 11, 14, 12, 13, 16, 20, 21, 24]
    write_array(str(tmp_path / "a.npy"), b"head", source.span(), CHUNKS)
    assert (tmp_path / "a.npy").read_bytes() == b"head" + array
    (tmp_path / "s").write_bytes(skeleton(source))
    bodies = {"s": DATA[2:5], "c": array}
    with SourceFile(tmp_path / "s") as held:
        holes = regions([SPAN, CHUNKS], Where())
        made = list(filled(held.span(), holes, lambda region: bodies[region.place.path]))
        assert b"".join(map(piece_bytes, made)) == DATA
        empty = b"".join(map(piece_bytes, filled(held.span(), holes, lambda region: None)))
        assert empty[2:5] == bytes(3) and empty[10:18] == bytes(8)
        assert empty[:2] + empty[5:10] == DATA[:2] + DATA[5:10]


def test_a_cut_skeleton_is_named(source: SourceFile, tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(skeleton(source)[:9])
    with SourceFile(tmp_path / "s") as held, pytest.raises(TruncatedError):
        list(filled(held.span(), regions([SPAN, CHUNKS], Where()), lambda region: None))


def test_overlaps_are_named() -> None:
    other = Place("o", "span", "|u1", (2,), ((4, 2),))
    with pytest.raises(UnsupportedError, match='"s" and "o"'):
        regions([other, SPAN], Where())
    assert regions([SPAN, Place("n", "span", "|u1", (0,), ((3, 0),))], Where()) == [
        Region(2, 3, SPAN, 0)
    ]


@pytest.mark.parametrize("shape", list(itertools.product((1, 2, 5), (1, 3, 4), (2, 7))))
def test_every_shape_of_chunks(shape: tuple[int, ...], tmp_path: Path) -> None:
    chunk = (2, 3, 4)
    array = np.arange(np.prod(shape), dtype="<u2").reshape(shape)
    rest = np.full([-(-s // c) * c for s, c in zip(shape, chunk, strict=True)], 999, "<u2")
    rest[tuple(map(slice, shape))] = array
    origins = list(itertools.product(*(range(0, s, c) for s, c in zip(shape, chunk, strict=True))))
    data = b"".join(
        rest[tuple(slice(o, o + c) for o, c in zip(origin, chunk, strict=True))].tobytes()
        for origin in origins
    )
    at = tuple((k * 48, 48) for k in range(len(origins)))
    place = Place("x", "chunks", "<u2", shape, at, chunk, tuple(origins))
    (tmp_path / "f").write_bytes(data)
    with SourceFile(tmp_path / "f") as source:
        assert gathered(source.span(), place) == array.tobytes()
        holes = regions([place], Where())
        left = b"".join(map(piece_bytes, outside(source.span(), holes)))
    assert np.frombuffer(left, "<u2").tolist() == [999] * (rest.size - array.size)
    (tmp_path / "s").write_bytes(left)
    with SourceFile(tmp_path / "s") as held:
        made = filled(held.span(), holes, lambda region: array.tobytes())
        assert b"".join(map(piece_bytes, made)) == data


def test_zeros_and_cuts() -> None:
    assert piece_bytes(zeros(3 << 20)) == bytes(3 << 20)
    assert cut(b"abcdef", 2, 3) == b"cde"
    with pytest.raises(TypeError):
        cut(zeros(5), 0, 1)


def test_strings_of_fixed_length(tmp_path: Path) -> None:
    """Only NULs at the end go; those within, and blanks, are text."""
    (tmp_path / "f").write_bytes(b"ab\0" b"\0a " b"\0\0\0")
    place = Place("s", "span", "|S3", (3,), ((0, 9),))
    with SourceFile(tmp_path / "f") as source:
        values = list(fixed_strings(source.span(), place))
        assert values == [b"ab", b"\0a ", b""]
        assert padded_strings(place, values, "f.json") == source.span().read()
    with pytest.raises(MismatchError, match=r"f.json: .*at most 3 bytes, found 4"):
        padded_strings(place, [b"abcd"], "f.json")
