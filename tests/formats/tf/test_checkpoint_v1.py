"""Checkpoints of version 1, as TensorFlow writes them and by hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import proto
from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MissingError,
    ModelFormatError,
    UnsupportedError,
)
from modelfmt.storage.files import Computed, FileSpan
from modelfmt.storage.sstable import write_table
from modelfmt.tf.checkpoint_v1 import SliceTables, find_shards, shard_prefix
from modelfmt.tf.slices import Extent, Slice, write_slice, write_slice_key

FLOATS = np.arange(12, dtype="f4").reshape(4, 3)
WHOLE: Slice = (Extent(0, None), Extent(0, None))
TOP: Slice = (Extent(0, 3), Extent(0, None))
REST: Slice = (Extent(3, 1), Extent(0, None))


def table(
    parts: list[tuple[Slice, list[float]]], shape: tuple[int, ...] = (4, 3), dtype: int = 1,
    field: str = "float_val", consumer: int = 0,
) -> bytes:
    """A file that holds slices of a tensor ``p``."""
    meta = proto.SavedTensorSlices()
    meta.meta.versions.min_consumer = consumer
    saved = meta.meta.tensor.add(name="p", type=dtype)
    for size in shape:
        saved.shape.dim.add(size=size)
    rows = []
    for extents, values in parts:
        saved.slice.add().MergeFromString(write_slice(extents))
        data = proto.SavedTensorSlices()
        data.data.name = "p"
        getattr(data.data.data, field).extend(values)
        rows.append((write_slice_key(b"p", extents), data.SerializeToString()))
    return b"".join(write_table([(b"", meta.SerializeToString()), *sorted(rows)]))


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., SliceTables]:
    def make(*files: bytes) -> SliceTables:
        paths = []
        for number, data in enumerate(files):
            paths.append(str(tmp_path / f"c-{number:05d}-of-{len(files):05d}"))
            Path(paths[-1]).write_bytes(data)
        return SliceTables(paths)

    return make


def value(tables: SliceTables) -> Any:
    tensor = tables.tensor("p")
    assert tensor is not None
    return tensor.numpy()


def test_floats_stay_in_the_file(build: Callable[..., SliceTables]) -> None:
    tables = build(table([(WHOLE, FLOATS.ravel().tolist())]))
    tensor = tables.tensor("p")
    assert tensor is not None and isinstance(tensor.payload, FileSpan)
    assert np.array_equal(tensor.numpy(), FLOATS)
    assert list(tables.names()) == ["p"] and tables.has("p") and tables.tensor("q") is None
    assert list(tables.check()) == []


def test_slices_in_one_file_and_in_two(build: Callable[..., SliceTables]) -> None:
    top, rest = (TOP, FLOATS[:3].ravel().tolist()), (REST, FLOATS[3:].ravel().tolist())
    assert np.array_equal(value(build(table([rest, top]))), FLOATS)
    assert np.array_equal(value(build(table([rest]), table([top]))), FLOATS)


def test_numbers_that_are_varints(build: Callable[..., SliceTables]) -> None:
    tables = build(table([(TOP, [-1] * 9), (REST, [7] * 3)], dtype=3, field="int_val"))
    tensor = tables.tensor("p")
    assert tensor is not None and isinstance(tensor.payload, Computed)
    assert tensor.numpy().tolist() == [[-1] * 3] * 3 + [[7] * 3]


@pytest.mark.parametrize("files, error, words", [
    ([table([(WHOLE, [1.0])])], CorruptFileError, "fewer values"),
    ([table([(WHOLE, [1.0] * 13)])], CorruptFileError, "more values"),
    ([table([(TOP, [1.0] * 9)])], CorruptFileError, "do not cover"),
    ([table([(TOP, [1.0] * 9)], shape=(2, 3))], CorruptFileError, "not within"),
    ([table([(WHOLE, [1.0] * 12)], dtype=99)], UnsupportedError, "unknown DataType"),
])
def test_wrong_tensors(
    build: Callable[..., SliceTables], files: list[bytes], error: type[ModelFormatError], words: str
) -> None:
    tables = build(*files)
    with pytest.raises(error, match=words) as caught:
        value(tables)
    assert 'entry "p"' in str(caught.value) and "c-00000-of-00001" in str(caught.value)
    assert [type(e) for e in tables.check()] == [error]


@pytest.mark.parametrize("files, error, words", [
    ([b"".join(write_table([]))], CorruptFileError, "without the meta entry"),
    ([b"".join(write_table([(b"", b"\x08\x01")]))], CorruptFileError, "without the meta entry"),
    ([table([(WHOLE, [])], consumer=9)], UnsupportedError, "newer readers"),
    ([table([])], CorruptFileError, "no slice"),
    ([table([(TOP, [])]), table([(TOP, [])], shape=(5, 3))], CorruptFileError, "two dtypes or sh"),
])
def test_wrong_files(
    build: Callable[..., SliceTables], files: list[bytes], error: type[ModelFormatError], words: str
) -> None:
    with pytest.raises(error, match=words):
        build(*files)


def test_flipped_data(build: Callable[..., SliceTables], tmp_path: Path) -> None:
    data = bytearray(table([(WHOLE, FLOATS.ravel().tolist())]))
    data[60] ^= 1
    with pytest.raises(ChecksumError):
        build(bytes(data))


def test_shards(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"c-{number:05d}-of-00003").touch()
    prefix = str(tmp_path / "c")
    assert find_shards(prefix) == [f"{prefix}-{i:05d}-of-00003" for i in range(3)]
    assert find_shards(str(tmp_path / "d")) == find_shards(str(tmp_path / "no" / "c")) == []
    assert shard_prefix(f"{prefix}-00001-of-00003") == prefix and shard_prefix(prefix) is None
    (tmp_path / "c-00001-of-00003").unlink()
    with pytest.raises(MissingError, match="c-00001-of-00003"):
        find_shards(prefix)


@pytest.mark.oracle
def test_tensorflows_files(tmp_path: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf: Any = pytest.importorskip("tensorflow")
    kinds = (
        "float32", "float64", "int32", "uint8", "int16", "int8", "int64", "bool", "complex64",
        "complex128", "float16", "uint16",
    )  # fmt: skip
    shapes = [(), (3,), (2, 0), (4, 5), (1, 2, 3)]
    rng = np.random.default_rng(0)
    names, values, specs = [], [], []
    for number, kind in enumerate(kinds * 2):
        shape = shapes[number % len(shapes)]
        names.append(f"v{number}/{kind}")
        values.append(tf.cast(tf.constant(rng.standard_normal(shape) * 50), kind))
        specs.append("")
    names.append("words")
    values.append(tf.constant([b"x", b"", b"yz" * 200]))
    specs.append("")
    whole = rng.standard_normal((6, 4)).astype("f4")
    for low, high in [(0, 1), (1, 4), (4, 6)]:
        names.append("part")
        values.append(tf.constant(whole[low:high]))
        specs.append(f"6 4 {low},{high - low}:-")
    path = str(tmp_path / "c")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        op = tf.raw_ops.SaveSlices(
            filename=path, tensor_names=names, shapes_and_slices=specs,
            data=[tf.constant(v.numpy()) for v in values],
        )  # fmt: skip
        session.run(op)
    tables = SliceTables([path])
    assert list(tables.check()) == []
    assert list(tables.names()) == sorted(set(names))
    for name, theirs in zip(names, values, strict=True):
        tensor = tables.tensor(name)
        assert tensor is not None
        wanted = whole if name == "part" else theirs.numpy()
        assert tensor.dtype.name == theirs.dtype.name and tensor.shape == wanted.shape
        assert tensor.numpy().tolist() == wanted.tolist()
