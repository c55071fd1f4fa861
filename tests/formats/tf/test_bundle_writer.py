"""Writing bundles: byte for byte TensorFlow's; order, refusals, atomicity."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import MismatchError, ModelFormatError, UnsupportedError
from modelfmt.storage.files import Computed, OutputExistsError, SourceFile
from modelfmt.storage.output import OutputError
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle import Bundle
from modelfmt.tf.bundle_writer import write_bundle

DTYPES = (
    "float32", "float64", "int32", "uint8", "int16", "int8", "int64", "bool", "uint16", "complex64",
    "complex128", "float16", "bfloat16", "uint32", "uint64", "string", "qint8", "quint8", "qint32",
    "float8_e5m2", "float8_e4m3fn",
)  # fmt: skip
SHAPES = [(), (3,), (0, 3), (2, 5), (1, 4, 3), (7, 0)]


@pytest.fixture(scope="module")
def tf() -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return pytest.importorskip("tensorflow")


def as_ours(name: str, value: Any, tf: Any) -> Tensor:
    shape = tuple(value.shape)
    if value.dtype == tf.string:
        flat = [bytes(e) for e in np.asarray(value.numpy(), object).ravel()]
        return Tensor(name, dtypes.string, shape, strings=lambda: flat)
    dtype = dtypes.from_enum(value.dtype.as_datatype_enum)
    return Tensor(name, dtype, shape, value.numpy().tobytes())


def as_theirs(dtype: str, shape: tuple[int, ...], rng: np.random.Generator, tf: Any) -> Any:
    if dtype == "string":
        flat = [rng.bytes(int(rng.integers(0, 300))) for _ in range(int(np.prod(shape)))]
        return tf.constant(np.array(flat, object).reshape(shape), tf.string, shape)
    if dtype.startswith("q"):
        plain = tf.constant(rng.integers(0, 100, shape).astype(dtype[1:]))
        return tf.bitcast(plain, getattr(tf, dtype))
    return tf.cast(tf.constant(rng.standard_normal(shape) * 10), dtype)


def save(tf: Any, prefix: Path, names: list[str], values: list[Any]) -> None:
    """TensorFlow's BundleWriter, in the order given."""
    blank = [""] * len(names)
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=names, shape_and_slices=blank, tensors=values
    )


def same_files(folder: Path, a: str, b: str) -> bool:
    ends = (".index", ".data-00000-of-00001")
    return all((folder / f"{a}{e}").read_bytes() == (folder / f"{b}{e}").read_bytes() for e in ends)


@pytest.mark.oracle
def test_300_tensors_are_tensorflows_bytes(tf: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"m/{rng.integers(0, 1 << 30)}/w{i}" for i in range(300)] + ["é/ü", "z", "a", "ab"]
    values = [
        as_theirs(DTYPES[i % len(DTYPES)], SHAPES[i % len(SHAPES)], rng, tf)
        for i in range(len(names))
    ]
    assert {v.dtype.name for v in values} == set(DTYPES)
    assert names != sorted(names)
    save(tf, tmp_path / "theirs", names, values)
    ours = [as_ours(name, value, tf) for name, value in zip(names, values, strict=True)]
    write_bundle(tmp_path / "ours", ours)
    assert same_files(tmp_path, "ours", "theirs")

    reader = tf.train.load_checkpoint(str(tmp_path / "ours"))
    for name, value in zip(names[:60], values, strict=False):
        if value.dtype.name != "string" and not value.dtype.name.startswith("q"):
            assert reader.get_tensor(name).tobytes() == value.numpy().tobytes()
    bundle = Bundle(str(tmp_path / "theirs"))
    assert list(bundle.check()) == []
    assert list(bundle.names()) == sorted(names, key=str.encode)
    for tensor in ours:
        read = bundle.tensor(tensor.name)
        assert read is not None and (read.dtype, read.shape) == (tensor.dtype, tensor.shape)
        if tensor.strings is None:
            assert read.sha256() == tensor.sha256()
        else:
            assert read.strings is not None and read.strings() == tensor.strings()


@pytest.mark.oracle
def test_an_index_of_several_blocks_is_tensorflows_bytes(tf: Any, tmp_path: Path) -> None:
    names = [f"layer_{i % 97}/sub_{i * 7919 % 12000}/kernel/.ATTRIBUTES/V" for i in range(12_000)]
    save(tf, tmp_path / "theirs", names, [tf.constant(np.float32(i)) for i in range(12_000)])
    write_bundle(
        tmp_path / "ours", (Tensor.from_numpy(n, np.float32(i)) for i, n in enumerate(names))
    )
    assert same_files(tmp_path, "ours", "theirs")
    bundle = Bundle(str(tmp_path / "ours"))
    assert len(bundle.table._handles) > 1
    tensor = bundle.tensor(names[5000])
    assert tensor is not None and tensor.numpy() == 5000


def test_data_stands_in_the_order_of_adding(tmp_path: Path) -> None:
    write_bundle(tmp_path / "c", [Tensor.from_numpy(n, np.array(v, "u1")) for n, v in
                                  (("b", 1), ("c", 2), ("a", 3))])  # fmt: skip
    assert (tmp_path / "c.data-00000-of-00001").read_bytes() == b"\x01\x02\x03"
    assert list(Bundle(str(tmp_path / "c")).names()) == ["a", "b", "c"]


def test_an_empty_bundle(tmp_path: Path) -> None:
    write_bundle(tmp_path / "c", [])
    assert list(Bundle(str(tmp_path / "c")).names()) == []
    assert (tmp_path / "c.data-00000-of-00001").read_bytes() == b""


def test_large_spans_are_copied_with_their_checksum(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(os.urandom(1 << 18))
    with SourceFile(tmp_path / "raw") as file:
        write_bundle(tmp_path / "c", [Tensor("w", dtypes.float32, (1 << 16,), file.span())])
    bundle = Bundle(str(tmp_path / "c"))
    assert list(bundle.check()) == []
    assert (tmp_path / "c.data-00000-of-00001").read_bytes() == (tmp_path / "raw").read_bytes()


def broken() -> Iterator[Tensor]:
    yield Tensor.from_numpy("a", np.zeros(3))
    raise RuntimeError("killed")


def failing() -> Iterator[bytes]:
    yield b"\0"


@pytest.mark.parametrize("tensors, error, words", [
    ([Tensor.from_numpy("a", 1), Tensor.from_numpy("a", 2)], MismatchError, "two tensors of one"),
    ([Tensor.from_numpy("", 1)], MismatchError, "without a name"),
    ([Tensor("a", dtypes.float32, (2,), b"\0")], MismatchError, 'entry "a": the data of a tensor'),
    ([Tensor("a", dtypes.float32, (2,), Computed(8, failing))], MismatchError, 'entry "a"'),
    ([Tensor("a", dtypes.from_name("resource"), ())], UnsupportedError, "resource"),
])
def test_refused_tensors_leave_nothing(
    tmp_path: Path, tensors: list[Tensor], error: type[ModelFormatError], words: str
) -> None:
    with pytest.raises(error, match=words):
        write_bundle(tmp_path / "c", tensors)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_off_run_leaves_the_old_files(tmp_path: Path) -> None:
    write_bundle(tmp_path / "c", [Tensor.from_numpy("old", 1)])
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(RuntimeError):
        write_bundle(tmp_path / "c", broken(), force=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_the_index_appears_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed: list[str] = []
    replace = os.replace

    def watched(source: str, target: str) -> None:
        renamed.append(os.path.basename(target))
        replace(source, target)

    monkeypatch.setattr(os, "replace", watched)
    write_bundle(tmp_path / "c", [Tensor.from_numpy("a", 1)])
    assert renamed == ["c.data-00000-of-00001", "c.index"]


@pytest.mark.parametrize("end", [".index", ".data-00000-of-00001"])
def test_nothing_is_replaced_without_force(tmp_path: Path, end: str) -> None:
    (tmp_path / f"c{end}").write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write_bundle(tmp_path / "c", broken())
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"mine"]
    write_bundle(tmp_path / "c", [Tensor.from_numpy("a", 1)], force=True)
    assert list(Bundle(str(tmp_path / "c")).names()) == ["a"]


def test_a_prefix_is_a_name_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder to write to"):
        write_bundle(tmp_path / "none" / "c", [])
    with pytest.raises(MismatchError, match="name within its folder"):
        write_bundle(f"{tmp_path}/", [])


SIZE = 64 << 20
LIMIT = 8 << 20
CHILD = """
import re, sys
import modelfmt
from modelfmt.tf.bundle_writer import write_bundle

def peak():  # not ru_maxrss, which begins at that of the parent
    with open("/proc/self/status") as status:
        return int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read())[1]) << 10

def rewrite(name):
    with modelfmt.open(name) as checkpoint:
        write_bundle(name + "-again", checkpoint.tensors.values())
        assert list(checkpoint.check()) == []
        checkpoint.save(name + "-copy")

rewrite(sys.argv[1])
before = peak()
rewrite(sys.argv[2])
print(peak() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_rewriting_holds_little_memory(tmp_path: Path) -> None:
    chunk = bytes(1 << 20)

    def large() -> Iterator[bytes]:
        for _ in range(SIZE >> 20):
            yield chunk

    payload = Computed(SIZE, large)
    write_bundle(tmp_path / "small", [Tensor.from_numpy("w", np.zeros(1 << 16, "f4"))])
    write_bundle(tmp_path / "large", [Tensor("w", dtypes.float32, (SIZE >> 2,), payload)])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "small"), str(tmp_path / "large")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < LIMIT
    assert same_files(tmp_path, "large", "large-again")
    assert same_files(tmp_path, "large", "large-copy")
