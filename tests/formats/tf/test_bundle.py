"""Reading bundles: shards, slices, strings, byte orders; and what is wrong, by name and place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnsupportedError,
)
from modelfmt.storage.crc32c import crc32c, mask
from modelfmt.storage.files import FileSpan
from modelfmt.storage.sstable import write_table
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle import Bundle, data_path
from modelfmt.tf.bundle_proto import BundleEntry, Header, write_entry, write_header
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.slices import Extent, Slice, write_slice_key

FLOATS = np.arange(6, dtype="f4").reshape(2, 3)


@pytest.fixture(scope="module")
def tf() -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return pytest.importorskip("tensorflow")


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., str]:
    """A bundle by hand: shards' bytes, and entries by key."""

    def make(
        shards: list[bytes], entries: dict[bytes, BundleEntry], header: Header | None = None
    ) -> str:
        prefix = str(tmp_path / "c")
        for number, data in enumerate(shards):
            Path(data_path(prefix, number, len(shards))).write_bytes(data)
        rows = [(b"", write_header(header or Header(len(shards))))]
        rows += [(key, write_entry(entry)) for key, entry in sorted(entries.items())]
        Path(f"{prefix}.index").write_bytes(b"".join(write_table(rows)))
        return prefix

    return make


def floats(array: np.ndarray, offset: int = 0, shard: int = 0) -> BundleEntry:
    data = array.astype("<f4").tobytes()
    return BundleEntry(1, array.shape, shard, offset, len(data), mask(crc32c(data)))


def read(prefix: str, name: str, **options: Any) -> Tensor:
    tensor = Bundle(prefix, **options).tensor(name)
    assert tensor is not None
    return tensor


def test_payloads_stay_in_the_file(build: Callable[..., str]) -> None:
    prefix = build([b"pad" + FLOATS.tobytes()], {b"a/b": floats(FLOATS, 3)})
    tensor = read(prefix, "a/b")
    assert isinstance(tensor.payload, FileSpan) and tensor.payload.offset == 3
    assert np.array_equal(tensor.numpy(), FLOATS)
    assert str(tensor.origin) == f'{data_path(prefix, 0, 1)} @0x3, entry "a/b"'
    bundle = Bundle(prefix)
    assert bundle.tensor("") is None and bundle.tensor("x") is None and not bundle.has("x")
    assert [name for name, _ in bundle.rows()] == list(bundle.names()) == ["a/b"]


def test_shards(build: Callable[..., str]) -> None:
    entries = {b"a": floats(FLOATS, shard=1), b"b": floats(FLOATS + 1)}
    prefix = build([(FLOATS + 1).tobytes(), FLOATS.tobytes()], entries)
    assert np.array_equal(read(prefix, "a").numpy(), FLOATS)
    assert np.array_equal(read(prefix, "b").numpy(), FLOATS + 1)
    assert [os.path.basename(p) for p in Bundle(prefix).files] == [
        "c.data-00000-of-00002", "c.data-00001-of-00002", "c.index",
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "complex64", "bfloat16", "float16"])
def test_big_endian(build: Callable[..., str], dtype: str) -> None:
    kind = dtypes.from_name(dtype)
    array = np.arange(5).astype(kind.numpy)
    unit = kind.itemsize // (2 if dtype.startswith("complex") else 1)
    data = array.view(f"<u{unit}").astype(f">u{unit}").tobytes()
    entry = BundleEntry(kind.enum, (5,), 0, 0, len(data), mask(crc32c(data)))
    prefix = build([data], {b"a": entry}, Header(1, big_endian=True))
    for verify in (False, True):
        assert read(prefix, "a", verify=verify).numpy().tobytes() == array.tobytes()
    assert list(Bundle(prefix).check()) == []


def sliced(build: Callable[..., str], boxes: list[Slice], **changes: Any) -> str:
    """FLOATS in slices, one shard each."""
    entries = {b"p": BundleEntry(1, (2, 3), slices=tuple(boxes))}
    shards = []
    for number, extents in enumerate(boxes):
        box = tuple(slice(e.start, None if e.length is None else e.start + e.length)
                    for e in extents)  # fmt: skip
        shards.append(FLOATS[box].tobytes())
        entries[write_slice_key(b"p", extents)] = floats(FLOATS[box], shard=number)
    return build(shards, entries | changes.get("entries", {}))


HALVES: list[Slice] = [
    (Extent(0, None), Extent(0, 2)), (Extent(0, None), Extent(2, 1)),
]  # fmt: skip


def test_slices_are_joined(build: Callable[..., str]) -> None:
    for boxes in (HALVES, HALVES[::-1], [(Extent(0, 1), Extent(0, None)),
                                         (Extent(1, 1), Extent(0, None))]):  # fmt: skip
        prefix = sliced(build, boxes)
        bundle = Bundle(prefix)
        assert list(bundle.names()) == ["p"]
        tensor = bundle.tensor("p")
        assert tensor is not None and np.array_equal(tensor.numpy(), FLOATS)
        assert list(bundle.check()) == []
        assert bundle.tensor(write_slice_key(b"p", boxes[0]).decode("latin-1")) is None


def test_a_slice_that_is_the_whole(build: Callable[..., str]) -> None:
    entry = floats(FLOATS)
    whole = BundleEntry(1, (2, 3), 0, 0, 24, entry.crc, slices=((Extent(0, None),) * 2,))
    prefix = build([FLOATS.tobytes()], {b"p": whole})
    assert np.array_equal(read(prefix, "p").numpy(), FLOATS)
    assert list(Bundle(prefix).check()) == []


def test_missing_and_wrong_slices(build: Callable[..., str]) -> None:
    with pytest.raises(CorruptFileError, match=r'c\.index @0x.*entry "p": .* do not cover'):
        read(sliced(build, HALVES[:1]), "p")
    entry = BundleEntry(1, (2, 3), slices=tuple(HALVES))
    prefix = build([b""], {b"p": entry})
    with pytest.raises(MissingError, match=r'entry "p": slice -:0,2 has no entry'):
        read(prefix, "p")
    assert [type(e) for e in Bundle(prefix).check()] == [MissingError]
    other = {write_slice_key(b"p", HALVES[0]): floats(FLOATS)}
    with pytest.raises(CorruptFileError, match=r"slice -:0,2 has another dtype or shape"):
        read(sliced(build, HALVES, entries=other), "p")


@pytest.mark.parametrize("change, error, words", [
    ({"size": 20}, CorruptFileError, "does not fit its shape; expected 24 bytes"),
    ({"shape": (1 << 40, 1 << 40)}, CorruptFileError, "does not fit its shape"),
    ({"offset": 1}, TruncatedError, "ends too early"),
    ({"offset": 1 << 62}, TruncatedError, "ends too early"),
    ({"shard": 1}, CorruptFileError, "shard that there is not"),
    ({"dtype": 99}, UnsupportedError, "unknown DataType"),
])
def test_wrong_entries(
    build: Callable[..., str], change: dict[str, Any], error: type[ModelFormatError], words: str
) -> None:
    fields = {**vars(floats(FLOATS)), **change}
    prefix = build([FLOATS.tobytes()], {b"a/b": BundleEntry(**fields)})
    with pytest.raises(ModelFormatError, match=words) as caught:
        read(prefix, "a/b")
    assert type(caught.value) is error
    assert 'entry "a/b"' in str(caught.value) and prefix in str(caught.value)
    assert str(caught.value).count('entry "') == 1 and caught.value.exit_status == 3
    assert [str(e) for e in Bundle(prefix).check()] == [str(caught.value)]


def test_an_entry_that_is_no_message(build: Callable[..., str]) -> None:
    prefix = build([b""], {})
    rows = [(b"", write_header(Header(1))), (b"a", b"\x0a\x50")]
    Path(f"{prefix}.index").write_bytes(b"".join(write_table(rows)))
    with pytest.raises(TruncatedError, match=r'c\.index @0xd, entry "a"'):
        Bundle(prefix).tensor("a")


def test_flipped_data(build: Callable[..., str]) -> None:
    prefix = build([FLOATS.tobytes()], {b"a/b": floats(FLOATS)})
    path = Path(data_path(prefix, 0, 1))
    path.write_bytes(b"\x01" + path.read_bytes()[1:])
    words = r'c\.data-00000-of-00001 @0x0, entry "a/b": the data: crc32c does not match; stored 0x'
    (error,) = Bundle(prefix).check()
    assert isinstance(error, ChecksumError)
    with pytest.raises(ChecksumError, match=words):
        raise error
    assert read(prefix, "a/b").numpy()[0, 1] == 1  # only on demand
    with pytest.raises(ChecksumError, match=words):
        read(prefix, "a/b", verify=True).numpy()


def test_missing_shard(build: Callable[..., str]) -> None:
    entries = {b"a": floats(FLOATS), b"b/c": floats(FLOATS, shard=1)}
    prefix = build([FLOATS.tobytes()] * 3, entries)
    os.unlink(data_path(prefix, 2, 3))  # nothing in it
    assert list(Bundle(prefix).names()) == ["a", "b/c"]
    os.unlink(data_path(prefix, 1, 3))
    words = r'c\.data-00001-of-00003, entry "b/c": shard 1 of 3 does not exist'
    with pytest.raises(MissingError, match=words) as caught:
        Bundle(prefix)
    assert caught.value.exit_status == 3


def test_truncated_shard(build: Callable[..., str]) -> None:
    prefix = build([FLOATS.tobytes()[:-1]], {b"a": floats(FLOATS)})
    (error,) = Bundle(prefix).check()
    assert isinstance(error, TruncatedError) and 'entry "a"' in str(error)


def test_a_damaged_index(build: Callable[..., str]) -> None:
    prefix = build([FLOATS.tobytes()], {b"a": floats(FLOATS)})
    index = Path(f"{prefix}.index")
    data = index.read_bytes()
    for damaged, error in [
        (b"", TruncatedError), (data[:20], TruncatedError), (data[:-1], CorruptFileError),
        (b"\xff" + data[1:], ChecksumError), (data[:-8] + b"12345678", CorruptFileError),
        (b"".join(write_table([(b"a", b"")])), CorruptFileError),
    ]:  # fmt: skip
        index.write_bytes(damaged)
        with pytest.raises(ModelFormatError, match=r"c\.index") as caught:
            Bundle(prefix)
        assert type(caught.value) is error


def test_a_header_for_newer_readers(build: Callable[..., str]) -> None:
    with pytest.raises(UnsupportedError, match=r"c\.index, the bundle's header: a checkpoint for"):
        Bundle(build([b""], {}, Header(1, min_consumer=7)))


def test_no_index(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="no such file"):
        Bundle(str(tmp_path / "c"))


@pytest.mark.oracle
def test_tensorflows_slices_shards_and_strings(tf: Any, tmp_path: Path) -> None:
    whole = np.arange(60, dtype="f4").reshape(5, 12)
    words = np.array([b"x", b"", b"yz"], object)
    parts = []
    for number, (low, high) in enumerate([(0, 5), (5, 6), (6, 12)]):
        prefix = str(tmp_path / f"part{number}")
        spec = f"5 12 -:{low},{high - low}"
        tf.raw_ops.SaveV2(
            prefix=prefix, tensor_names=["p", f"words{number}"], shape_and_slices=[spec, ""],
            tensors=[tf.constant(whole[:, low:high]), tf.constant(words)],
        )  # fmt: skip
        parts.append(prefix)
    merged = str(tmp_path / "merged")
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=merged)
    bundle = Bundle(merged)
    assert bundle.header.shards == 3
    assert list(bundle.names()) == ["p", "words0", "words1", "words2"]
    assert list(bundle.check()) == []
    tensor = bundle.tensor("p")
    assert tensor is not None and np.array_equal(tensor.numpy(), whole)
    text = bundle.tensor("words1")
    assert text is not None and text.numpy().tolist() == words.tolist()


@pytest.mark.oracle
def test_tensorflow_reads_our_big_endian_reading(
    tf: Any, build: Callable[..., str], tmp_path: Path
) -> None:
    """What we make of a big-endian bundle is what TensorFlow makes of it."""
    data = np.arange(5, dtype=">c8").tobytes()
    entry = BundleEntry(8, (5,), 0, 0, len(data), mask(crc32c(data)))
    prefix = build([data], {b"a": entry}, Header(1, big_endian=True))
    theirs = tf.train.load_checkpoint(prefix).get_tensor("a")
    assert read(prefix, "a").numpy().tobytes() == theirs.tobytes()


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_round_trip(tmp_path: Path, size: int) -> None:
    array = np.arange(size, dtype="f8")
    write_bundle(tmp_path / "c", [Tensor.from_numpy("a", array)])
    assert np.array_equal(read(str(tmp_path / "c"), "a").numpy(), array)
