"""Slices of tensors: every part of a partitioned variable gets its elements, and only those."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modelfmt.errors import MismatchError
from modelfmt.graphs.partition import sliced
from modelfmt.storage.files import Computed, FileSpan, SourceFile
from modelfmt.tensor import Tensor

WHOLE = np.arange(4 * 3 * 5, dtype="<f4").reshape(4, 3, 5)


def stored_in(kind: str, folder: Path) -> Tensor:
    tensor = Tensor.from_numpy("t", WHOLE)
    raw = WHOLE.tobytes()
    if kind == "file":
        (folder / "t").write_bytes(raw)
        payload: FileSpan | Computed = SourceFile(folder / "t").span()
    else:  # chunks that end within elements and ranges
        payload = Computed(len(raw), lambda: [raw[i : i + 7] for i in range(0, len(raw), 7)])
    return Tensor("t", tensor.dtype, tensor.shape, payload)


@pytest.mark.parametrize("kind", ["file", "chunks"])
@pytest.mark.parametrize(
    ("spec", "box"),
    [
        ("", np.s_[:]), ("4 3 5 -:-:-", np.s_[:]), ("4 3 5 1,2:-:-", np.s_[1:3]),
        ("4 3 5 -:1,2:-", np.s_[:, 1:3]), ("4 3 5 -:-:2,3", np.s_[:, :, 2:5]),
        ("4 3 5 1,3:0,1:4,1", np.s_[1:4, :1, 4:]), ("4 3 5 3,1:2,1:-", np.s_[3:, 2:]),
        ("4 3 5 2,0:-:-", np.s_[2:2]),
    ],
)  # fmt: skip
def test_a_slice_has_the_elements_of_its_box(
    kind: str, spec: str, box: object, tmp_path: Path
) -> None:
    part = sliced(stored_in(kind, tmp_path), spec)
    wanted = WHOLE[box]  # type: ignore[index]
    assert part.shape == wanted.shape
    assert part.numpy().tolist() == wanted.tolist()
    assert part.nbytes == wanted.nbytes


def test_rows_of_a_file_are_not_copied(tmp_path: Path) -> None:
    part = sliced(stored_in("file", tmp_path), "4 3 5 1,2:-:-")
    assert isinstance(part.payload, FileSpan)
    assert (part.payload.offset, part.payload.length) == (60, 120)


def test_strings_are_picked() -> None:
    words = Tensor.from_numpy("w", np.array([[b"a", b"b"], [b"c", b"d"]], object))
    assert sliced(words, "2 2 -:1,1").numpy().tolist() == [[b"b"], [b"d"]]


@pytest.mark.parametrize(
    "spec",
    ["4 3 1,2:-", "4 3 5 3,2:-:-", "4 3 5 -:-", "4 3 5 x:-:-", "4 3 5 -1,2:-:-", "5 3 4 -:-:-"],
)
def test_what_is_no_slice_of_the_tensor_is_named(spec: str, tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="slice"):
        sliced(stored_in("file", tmp_path), spec)
