"""Bytes compared: the runs that differ, and what stands there."""

from __future__ import annotations

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.storage.files import SourceFile
from modelfmt.surgery.byte_changes import file_byte_changes
from modelfmt.surgery.changes import Change
from modelfmt.surgery.regions import Region

GOLDEN = Path(__file__).parents[3] / "golden"
GRAPH = GOLDEN / "graphdef" / "keras2.1.2-tf1.4.1-cnn" / "model.pb"


def compared(
    tmp_path: Path, a: bytes, b: bytes, left: list[Region] | None = None,
    right: list[Region] | None = None,
) -> list[tuple[str, str, tuple[int, int] | None, tuple[int, int] | None]]:
    (tmp_path / "a").write_bytes(a)
    (tmp_path / "b").write_bytes(b)
    whole = [[Region(0, len(data), "")] if data else [] for data in (a, b)]
    with SourceFile(tmp_path / "a") as x, SourceFile(tmp_path / "b") as y:
        changes = file_byte_changes("f", x, y, left or whole[0], right or whole[1])
        return [(c.what, c.item, _span(c.a), _span(c.b)) for c in changes]


def _span(place: dict[str, int] | None) -> tuple[int, int] | None:
    return None if place is None else (place["offset"], place["length"])


def test_runs_of_one_length(tmp_path: Path) -> None:
    a = bytes(100)
    b = bytearray(a)
    b[3:5] = b"xy"
    b[10] = 1  # near enough to be one run
    b[70:74] = b"abcd"
    assert compared(tmp_path, a, bytes(b)) == [
        ("changed", "", (3, 8), (3, 8)), ("changed", "", (70, 4), (70, 4)),
    ]  # fmt: skip


def test_a_run_across_chunks(tmp_path: Path) -> None:
    edge = 1 << 20
    a = bytes(2 * edge)
    b = bytearray(a)
    b[edge - 2 : edge + 3] = b"xxxxx"
    assert compared(tmp_path, a, bytes(b)) == [("changed", "", (edge - 2, 5), (edge - 2, 5))]


def test_many_runs_end_in_one(tmp_path: Path) -> None:
    a = bytes(10_000)
    b = bytearray(a)
    for k in range(0, 10_000, 100):
        b[k] = 1
    found = compared(tmp_path, a, bytes(b))
    assert len(found) == 8 and found[-1][2] == (700, 9201)


def test_other_lengths(tmp_path: Path) -> None:
    assert compared(tmp_path, b"head tail", b"head and tail") == [
        ("changed", "", (5, 0), (5, 4)),
    ]  # fmt: skip
    assert compared(tmp_path, b"aaa", b"aaaaa") == [("changed", "", (3, 0), (3, 2))]
    assert compared(tmp_path, b"", b"new") == [("added", "", None, (0, 3))]


def test_regions_are_matched_by_label(tmp_path: Path) -> None:
    left = [Region(0, 3, "x"), Region(3, 3, "y"), Region(6, 3, "gone")]
    right = [Region(0, 5, "x"), Region(5, 3, "y"), Region(8, 2, "new")]
    assert compared(tmp_path, b"aaabbbccc", b"aa11abbbzz", left, right) == [
        ("changed", "x", (2, 0), (2, 2)), ("added", "new", None, (8, 2)),
        ("removed", "gone", (6, 3), None),
    ]  # fmt: skip


def test_regions_that_only_moved(tmp_path: Path) -> None:
    left = [Region(0, 3, "x"), Region(3, 3, "y")]
    right = [Region(0, 3, "y"), Region(3, 3, "x")]
    (change,) = compared(tmp_path, b"aaabbb", b"bbbaaa", left, right)
    assert change[0] == "moved"


def byte_diff(a: Path, b: Path) -> list[Change]:
    return modelfmt.diff(a, b, bytes=True)


def test_an_edited_node_is_one_place(tmp_path: Path) -> None:
    out = tmp_path / "edited.pb"
    with modelfmt.open(GRAPH) as container:
        container.graph["conv_same/convolution"].attrs["padding"] = "VALID_AND_LONGER"
        container.save(str(out))
    places = {c.item for c in byte_diff(GRAPH, out)}
    node = 'node "conv_same/convolution"'
    assert places and places <= {node, f'{node}, attr "padding"'}


def test_payloads_are_named(tmp_path: Path) -> None:
    source = GOLDEN / "keras" / "keras3.0.5-tf2.16.2-multi_output" / "model.keras"
    with modelfmt.open(source) as container:
        name, tensor = next((n, t) for n, t in container.tensors.items() if t.shape)
        at = tensor.payload.offset  # type: ignore[union-attr]
    data = bytearray(source.read_bytes())
    data[at] ^= 1
    (tmp_path / "b.keras").write_bytes(bytes(data))
    (change,) = byte_diff(source, tmp_path / "b.keras")
    assert (change.item, change.a) == (f'dataset "{name}"', {"offset": at, "length": 1})


def test_files_that_only_one_model_has(tmp_path: Path) -> None:
    source = next((GOLDEN / "savedmodel" / "keras2.1.2-tf1.4.1-cnn").glob("saved_model"))
    other = shutil.copytree(source, tmp_path / "other")
    (other / "extra.txt").write_text("x")
    (change,) = byte_diff(source, other)
    assert (change.part, change.where, change.what) == ("files", "extra.txt", "added")


def test_files_of_no_known_kind(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"what is this")
    (tmp_path / "b").write_bytes(b"what is that")
    found = modelfmt.diff(tmp_path / "a", tmp_path / "b", bytes=True)
    assert [c.a for c in found] == [{"offset": 10, "length": 2}]
    assert found.way == "files of no known kind: bytes"


@pytest.mark.parametrize("same", [True, False])
def test_memory_is_bounded(tmp_path: Path, same: bool) -> None:
    size = 64 << 20
    for name in ("a", "b"):
        np.zeros(size, np.uint8).tofile(tmp_path / name)
    if not same:
        with open(tmp_path / "b", "r+b") as file:
            file.write(b"\1" * (size // 2))
    tracemalloc.start()
    found = byte_diff(tmp_path / "a", tmp_path / "b")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert bool(found) is not same
    assert peak < size // 2
