"""Plain arrays as containers: .npz and .safetensors, recognised by content, read lazily."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import modelfmt
from modelfmt.errors import CorruptFileError, ModelFormatError, UnsupportedError
from modelfmt.storage.files import FileSpan
from modelfmt.surgery.opening import sniff


def test_npz(tmp_path: Path) -> None:
    path = tmp_path / "weights"  # no extension: the content tells
    with open(path, "wb") as file:
        np.savez(file, **{"d/kernel": np.ones((2, 3), np.float32), "words": np.array(["a", "bc"])})
    assert sniff(str(path)) == "npz"
    with modelfmt.open(path) as found:
        assert list(found.tensors) == ["d/kernel", "words"]
        kernel = found.tensors["d/kernel"]
        assert isinstance(kernel.payload, FileSpan) and (kernel.numpy() == 1).all()
        assert found.tensors["words"].numpy().tolist() == [b"a", b"bc"]


def test_safetensors(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "weights"
    safetensors.save_file(
        {"d/kernel": np.ones((2, 3), np.float32), "h": np.zeros(2, ml_dtypes.bfloat16)}, path
    )
    assert sniff(str(path)) == "safetensors"
    with modelfmt.open(path) as found:
        rows = {name: (t.dtype.name, t.shape) for name, t in found.tensors.items()}
        assert rows == {"d/kernel": ("float32", (2, 3)), "h": ("bfloat16", (2,))}
        assert (found.tensors["d/kernel"].numpy() == 1).all()


def test_dump_tells_of_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(3, np.int16))
    report = modelfmt.dump(tmp_path / "a.npz")
    assert report["kind"] == "npz" and report["tensors"][0]["dtype"] == "int16"
    assert not list(modelfmt.check(tmp_path / "a.npz"))


def test_a_dtype_that_tensorflow_lacks(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros(1, "V3"))
    with pytest.raises(UnsupportedError, match='array "x": unknown dtype'):
        modelfmt.open(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "header",
    [
        b"{", b"[]", b'{"a": 1}', b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 5]}}',
        b'{"a": {"dtype": "F31", "shape": [1], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [1, 5]}}',
        b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}',
        b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}',
    ],
)
def test_no_safetensors(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(CorruptFileError):
        modelfmt.open(path, kind="safetensors").close()
    with pytest.raises(ModelFormatError):
        modelfmt.open(path).close()
