"""Slices: protos and keys in hex, both directions; joining boxes of any kind."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from modelfmt.errors import CorruptFileError, Where
from modelfmt.storage.files import Computed, Piece, piece_bytes
from modelfmt.tf import slices
from modelfmt.tf.slices import Extent, Part

HALF = (Extent(0, 2), Extent(0, None))
PROTO = bytes.fromhex("0a 02 10 02" "0a 00")
KEY = bytes.fromhex("00" "65 6d 62 00 01" "01 02" "80 82" "80 7f")


def test_proto() -> None:
    assert slices.write_slice(HALF) == PROTO
    assert slices.read_slice(memoryview(PROTO)) == HALF
    second = (Extent(300, 2),)
    assert slices.write_slice(second).hex(" ") == "0a 05 08 ac 02 10 02"
    assert slices.read_slice(memoryview(slices.write_slice(second))) == second
    assert slices.read_slice(memoryview(b"")) == ()


def test_key() -> None:
    assert slices.write_slice_key(b"emb", HALF) == KEY
    assert slices.read_slice_key(KEY) == (b"emb", HALF)
    assert slices.read_slice_key(slices.write_slice_key(b"a\0b", ())) == (b"a\0b", ())


@pytest.mark.parametrize("key", [b"", b"emb", b"\0emb", KEY[:-1], KEY + b"x", b"\0a\0\x01\x08"])
def test_other_keys(key: bytes) -> None:
    assert slices.read_slice_key(key) is None


def test_describe() -> None:
    assert slices.describe(HALF) == "0,2:-"
    assert not slices.is_full(HALF) and slices.is_full((Extent(0, None),)) and slices.is_full(())


def test_resolve() -> None:
    assert slices.resolve(HALF, (4, 3), Where()) == ((0, 0), (2, 3))
    for shape in ((1, 3), (4,), (4, 3, 1)):
        with pytest.raises(CorruptFileError, match="not within its tensor"):
            slices.resolve(HALF, shape, Where("x"))
    with pytest.raises(CorruptFileError):
        slices.resolve((Extent(-1, 2),), (4,), Where("x"))


def chunked(data: bytes) -> Piece:
    def produce() -> Iterator[bytes]:
        for start in range(0, len(data), 7):
            yield data[start : start + 7]

    return Computed(len(data), produce)


def cut(array: np.ndarray, edges: list[list[int]], wrap: Callable[[bytes], Piece]) -> list[Part]:
    """The parts of an array cut at ``edges`` along each axis, in disorder."""
    boxes = itertools.product(*(itertools.pairwise(axis) for axis in edges))
    parts = []
    for box in boxes:
        part = array[tuple(slice(*ends) for ends in box)]
        parts.append(Part(tuple(b for b, _ in box), part.shape, wrap(part.tobytes())))
    random.Random(0).shuffle(parts)
    return parts


@pytest.mark.parametrize("wrap", [bytes, chunked])
@pytest.mark.parametrize("edges", [
    [[0, 6], [0, 5], [0, 4]], [[0, 2, 3, 6], [0, 5], [0, 4]], [[0, 6], [0, 1, 5], [0, 4]],
    [[0, 6], [0, 5], [0, 1, 2, 4]], [[0, 2, 6], [0, 3, 5], [0, 1, 4]], [[0, 0, 6], [0, 5], [0, 4]],
])
@pytest.mark.parametrize("limit", [1, 30, 1 << 20])
def test_join(
    wrap: Callable[[bytes], Piece], edges: list[list[int]], limit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slices, "_BLOCK", limit)
    array = np.arange(120, dtype="<i2").reshape(6, 5, 4)
    parts = cut(array, edges, wrap)
    slices.check_cover(array.shape, parts, Where())
    joined = slices.join(array.shape, 2, parts)
    assert piece_bytes(joined) == array.tobytes() == piece_bytes(joined)


def test_join_of_nothing() -> None:
    parts = [Part((0, 0), (2, 0), b""), Part((2, 0), (3, 0), b"")]
    slices.check_cover((5, 0), parts, Where())
    assert slices.join((5, 0), 4, parts) == b""


def test_join_holds_little_memory() -> None:
    row = bytes(1 << 20)
    parts = [
        Part((0, column), (64, 1 << 18), Computed(64 << 18, lambda: iter([row] * 16)))
        for column in (0, 1 << 18)
    ]
    joined = slices.join((64, 1 << 19), 1, parts)
    assert isinstance(joined, Computed)
    assert max(map(len, joined.produce())) <= 4 << 20


def test_join_strings() -> None:
    array = np.array([b"a", b"bb", b"", b"c", b"d", b"e"], object).reshape(2, 3)
    parts = [
        (Part((0, 1), (2, 2), b""), list(array[:, 1:].ravel())),
        (Part((0, 0), (2, 1), b""), list(array[:, :1].ravel())),
    ]
    assert slices.join_strings((2, 3), parts) == list(array.ravel())


@pytest.mark.parametrize("boxes, words", [
    ([((0, 0), (2, 3))], "do not cover"),
    ([((0, 0), (2, 3)), ((1, 0), (2, 3))], "overlap"),
    ([((0, 0), (4, 2)), ((0, 1), (4, 1))], "overlap"),
    ([], "do not cover"),
])
def test_wrong_covers(
    boxes: list[tuple[tuple[int, int], tuple[int, int]]], words: str
) -> None:
    parts = [Part(starts, shape, bytes(math.prod(shape))) for starts, shape in boxes]
    with pytest.raises(CorruptFileError, match=words):
        slices.check_cover((4, 3), parts, Where("x"))
