"""Selected tensors: .npz, .safetensors, folders; dtypes that numpy lacks, and strings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt import dtypes
from modelfmt.errors import UnsupportedError
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle

KERNEL = np.arange(6, dtype="<f4").reshape(2, 3)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    tensors = [
        Tensor.from_numpy("dense/kernel", KERNEL),
        Tensor.from_numpy("dense/Kernel", KERNEL + 1),
        Tensor("half", dtypes.from_name("bfloat16"), (2,), b"\x80\x3f\0\0"),
        Tensor.from_numpy("words", np.array([b"ab", b"c"], object)),
        Tensor.from_numpy("raw", np.array([b"ab\0"], object)),
    ]
    write_bundle(tmp_path / "c", tensors)
    return tmp_path / "c"


def test_npz(checkpoint: Path, tmp_path: Path) -> None:
    done = modelfmt.extract(checkpoint, tmp_path / "x.npz", select=["dense/*", "half", "words"])
    assert done.tensors == 4 and done.remarks == [
        "bfloat16 is stored as its bits, in unsigned integers"
    ]
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        assert arrays["dense/kernel"].tolist() == KERNEL.tolist()
        assert arrays["half"].tolist() == [0x3F80, 0] and arrays["half"].dtype == np.uint16
        assert arrays["words"].tolist() == [b"ab", b"c"]


def test_an_npz_is_deterministic(checkpoint: Path, tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        modelfmt.extract(checkpoint, tmp_path / name, select=["dense/*"])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_strings_that_an_npz_would_cut(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="raw"):
        modelfmt.extract(checkpoint, tmp_path / "x.npz", select=["raw"])
    assert not (tmp_path / "x.npz").exists()


def test_a_folder(checkpoint: Path, tmp_path: Path) -> None:
    modelfmt.extract(checkpoint, tmp_path / "out", select=["*"])
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["kind"] == "tensors"
    files = {part["name"]: tmp_path / "out" / part["file"] for part in manifest["parts"]}
    assert len({str(f).casefold() for f in files.values()}) == len(files) == 5
    assert np.load(files["dense/kernel"]).tolist() == KERNEL.tolist()
    assert np.load(files["dense/Kernel"]).tolist() == (KERNEL + 1).tolist()
    assert json.loads(files["raw"].read_text())["strings"] == ["ab\0"]


def test_safetensors(checkpoint: Path, tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors")
    path = tmp_path / "x.safetensors"
    modelfmt.extract(checkpoint, path, select=["half"])
    ((name, stored),) = library.deserialize(path.read_bytes())
    assert (name, stored["dtype"], bytes(stored["data"])) == ("half", "BF16", b"\x80\x3f\0\0")


def test_no_strings_in_safetensors(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="words"):
        modelfmt.extract(checkpoint, tmp_path / "x.safetensors", select=["words"])
    assert not (tmp_path / "x.safetensors").exists()
