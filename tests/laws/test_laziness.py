"""Laziness: opening a file and listing its tensors reads no payload."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.graphdef import write_graphdef


class PayloadReadError(Exception):
    """Something asked for the elements of a tensor."""


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to a payload raises."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise PayloadReadError

    monkeypatch.setattr(Tensor, "numpy", refuse)
    monkeypatch.setattr("modelfmt.tensor.iterate_piece", refuse)
    monkeypatch.setattr("modelfmt.tensor.piece_bytes", refuse)
    monkeypatch.setattr("modelfmt.tf.tensorproto._values", refuse)
    monkeypatch.setattr("modelfmt.storage.hdf5.Hdf5Reader._slabs", refuse)


@pytest.mark.usefixtures("poisoned")
def test_listing_the_tensors_reads_none(with_tensors: Path) -> None:
    with modelfmt.open(with_tensors) as container:
        rows = [(t.name, t.dtype.name, t.shape) for t in container.tensors.values()]
        assert rows and len(rows) == len(container.tensors)
        numbers = [t for t in container.tensors.values() if t.strings is None]
        with pytest.raises(PayloadReadError):
            numbers[0].sha256()


def test_dump_reads_nothing_large(with_tensors: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may read what can be shape arithmetic: constants of up to 64 elements."""
    read: list[Tensor] = []
    numpy = Tensor.numpy

    def noted(tensor: Tensor) -> Any:
        read.append(tensor)
        return numpy(tensor)

    def refuse(*_: Any) -> NoReturn:
        raise PayloadReadError

    monkeypatch.setattr(Tensor, "numpy", noted)
    monkeypatch.setattr("modelfmt.tensor.iterate_piece", refuse)
    monkeypatch.setattr("modelfmt.storage.hdf5.Hdf5Reader._slabs", refuse)
    assert modelfmt.dump(with_tensors)["tensors"]
    assert [t for t in read if t.size > 64] == []
    with pytest.raises(PayloadReadError):
        modelfmt.dump(with_tensors, digest=True)


def test_a_checkpoint_is_listed_without_its_data(bundle: Path, tmp_path: Path) -> None:
    """The index alone says it all: with zeros for data the rows are the same."""
    copy = Path(shutil.copytree(bundle.parent, tmp_path / "copy"))
    for shard in copy.glob("*.data-*"):
        size = shard.stat().st_size
        shard.unlink()
        with shard.open("wb") as file:
            file.truncate(size)
    assert listed(copy / bundle.name) == listed(bundle)


def listed(path: Path) -> list[Any]:
    """Name, dtype, shape and place of every tensor; bytes where they follow from those."""
    with modelfmt.open(path) as container:
        return [
            (t.name, t.dtype.name, t.shape, t.origin.offset, t.strings is None and t.nbytes)
            for t in container.tensors.values()
        ]


# -- and measured: what a process holds after it has listed a large file ---------------------------

SIZE = 64 << 20
LIMIT = 8 << 20
CHILD = """
import json, re, sys
import modelfmt

def peak():  # not ru_maxrss, which begins at that of the parent
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read())[1]) << 10

def listed(path):
    container = modelfmt.open(path)
    return container, [(t.name, t.shape, t.nbytes) for t in container.tensors.values()]

small, large = sys.argv[1:]
listed(small)
before = peak()
container, rows = listed(large)
after = peak()
tensor = next(t for t in container.tensors.values() if t.nbytes >= 64 << 20)
tensor.numpy().sum()
print(json.dumps([after - before, peak() - after, len(rows)]))
"""


def graphdef(path: Path, size: int) -> None:
    graph = GraphBuilder()
    graph.op("Identity", graph.const(np.zeros(size // 4, np.float32), name="c"), name="out")
    write_graphdef(graph, str(path))


def hdf5(path: Path, size: int) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"d"]
        group = file.create_group("d")
        group.attrs["weight_names"] = [b"d/kernel"]
        group["d/kernel"] = np.zeros(size // 4, np.float32)


def archive(path: Path, size: int) -> None:
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": []}}
    with h5py.File(f"{path}.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros(size // 4, np.float32)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        made.writestr("config.json", json.dumps(config))
        made.write(f"{path}.h5", "model.weights.h5")


def bundle(path: Path, size: int) -> None:
    write_bundle(path, [Tensor.from_numpy("w", np.zeros(size // 4, np.float32))])


def savedmodel(path: Path, size: int) -> None:
    """A message without a graph, and its variables."""
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    bundle(path / "variables" / "variables", size)


@pytest.mark.skipif(sys.platform != "linux", reason="measured with /proc")
@pytest.mark.parametrize("make", [graphdef, hdf5, archive, bundle, savedmodel])
def test_a_large_file_costs_no_memory(make: Any, tmp_path: Path) -> None:
    small, large = tmp_path / "small", tmp_path / "large"
    make(small, 64)
    make(large, SIZE)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, small, large], capture_output=True, text=True, check=True
    )
    listing, reading, rows = json.loads(done.stdout)
    assert rows == 1
    assert listing < LIMIT
    assert reading > SIZE // 2  # else the measure is blind
