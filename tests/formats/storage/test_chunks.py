"""Runs of a chunk: the bytes that stand together in it and in its array."""

from __future__ import annotations

from modelfmt.storage.chunks import Run, runs


def test_a_chunk_inside() -> None:
    assert list(runs((4, 6), (2, 3), (2, 3), 4)) == [Run(0, 60, 12), Run(12, 84, 12)]


def test_whole_rows_are_one_run() -> None:
    assert list(runs((4, 6), (2, 6), (2, 0), 1)) == [Run(0, 12, 12)]
    assert list(runs((4, 2, 3), (1, 2, 3), (1, 0, 0), 1)) == [Run(0, 6, 6)]


def test_edges_leave_padding() -> None:
    assert list(runs((3, 5), (2, 3), (2, 3), 1)) == [Run(0, 13, 2)]
    assert list(runs((5,), (3,), (3,), 8)) == [Run(0, 24, 16)]


def test_a_chunk_larger_than_its_array() -> None:
    assert list(runs((2, 2), (4, 4), (0, 0), 1)) == [Run(0, 0, 2), Run(4, 2, 2)]
