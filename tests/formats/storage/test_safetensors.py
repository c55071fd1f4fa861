"""Writing .safetensors: by the library where it is there, refused by name where it is not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from modelfmt.errors import UnsupportedError
from modelfmt.storage.safetensors import write_safetensors

ROWS = [("w", "float32", (2, 1), np.array([1, 2], "<f4").tobytes()), ("b", "bool", (), b"\1")]


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(UnsupportedError, match=r"safetensors, which is not installed.*pip install"):
        write_safetensors(tmp_path / "x.safetensors", ROWS)
    assert list(tmp_path.iterdir()) == []


def test_a_dtype_that_the_format_lacks(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    with pytest.raises(UnsupportedError, match="complex64"):
        write_safetensors(tmp_path / "x.safetensors", [("w", "complex64", (1,), bytes(8))])
    assert list(tmp_path.iterdir()) == []


def test_the_library_reads_it(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    write_safetensors(path, ROWS)
    read = numpy.load_file(path)
    assert read["w"].tolist() == [[1], [2]] and read["b"].tolist() is True
