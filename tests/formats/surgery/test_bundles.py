"""Checkpoints as parts: the same files, and after an edit nothing but payload and checksums."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt import dtypes, proto
from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MismatchError,
    MissingError,
    UnsupportedError,
)
from modelfmt.storage import wire
from modelfmt.storage.crc32c import crc32c, mask
from modelfmt.storage.sstable import write_table
from modelfmt.surgery.bundles import explode_bundle, implode_bundle, write_imploded
from modelfmt.surgery.parts import Names, Parts, write_manifest
from modelfmt.tensor import Tensor
from modelfmt.tf import slices
from modelfmt.tf.bundle import Bundle
from modelfmt.tf.bundle_proto import BundleEntry, Header, write_entry, write_header
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.objects import KEY

KERNEL = np.arange(6, dtype="<f4").reshape(2, 3)


def tensors() -> list[Tensor]:
    graph = proto.TrackableObjectGraph()
    graph.nodes.add().children.add(node_id=0, local_name="me")
    return [
        Tensor.from_numpy("z/kernel", KERNEL),
        Tensor.from_numpy("words", np.array([b"ab", b"\xff"], object)),
        Tensor("half", dtypes.from_name("bfloat16"), (2,), b"\x80\x3f\0\0"),
        Tensor.from_numpy("step", np.int64(7)),
        Tensor.from_numpy("empty", np.zeros((0, 3), "<f4")),
        Tensor.from_numpy("a/../b", np.ones(2, "<f4")),
        Tensor(KEY, dtypes.string, (), strings=lambda: [graph.SerializeToString()]),
    ]


def exploded(tmp_path: Path, prefix: Path) -> Parts:
    folder = tmp_path / "parts"
    folder.mkdir()
    bundle = Bundle(str(prefix))
    record = explode_bundle(bundle, str(folder), Names())
    bundle.close()
    write_manifest(str(folder), "checkpoint", [record])
    return Parts(str(folder))


def files(prefix: Path) -> dict[str, bytes]:
    found = prefix.parent.glob(prefix.name + ".*")
    return {p.name.removeprefix(prefix.name): p.read_bytes() for p in found}


def assembled(tmp_path: Path) -> dict[str, bytes]:
    parts = Parts(str(tmp_path / "parts"))
    write_imploded(implode_bundle(parts, parts.records[0]), str(tmp_path / "new"), force=True)
    parts.close()
    return files(tmp_path / "new")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "old", tensors())
    return tmp_path / "old"


def test_the_same_files(tmp_path: Path, written: Path) -> None:
    parts = exploded(tmp_path, written)
    listed = [s["key"] for s in parts.records[0]["shards"][0]["segments"]]
    assert listed == [t.name for t in tensors()]  # the order of the data
    assert np.load(parts.path("tensors/half.npy")).tolist() == [0x3F80, 0]
    assert 'local_name: "me"' in parts.text("object_graph.pbtxt")
    assert assembled(tmp_path) == files(written)


def test_an_edit_changes_payload_and_checksums_only(tmp_path: Path, written: Path) -> None:
    parts = exploded(tmp_path, written)
    np.save(parts.path("tensors/z/kernel.npy"), KERNEL + 1)
    old, new = files(written), assembled(tmp_path)
    changed = sum(a != b for k in old for a, b in zip(old[k], new[k], strict=True))
    assert 0 < changed <= KERNEL.nbytes + 8
    again = Bundle(str(tmp_path / "new"), verify=True)
    assert list(again.check()) == []
    tensor = again.tensor("z/kernel")
    assert tensor is not None and tensor.numpy().tolist() == (KERNEL + 1).tolist()
    imploded = implode_bundle(parts, parts.records[0])
    assert imploded.edited == ["tensors/z/kernel.npy"]


def test_longer_strings_move_what_follows(tmp_path: Path, written: Path) -> None:
    parts = exploded(tmp_path, written)
    text = json.dumps({"shape": [2], "strings": ["a much longer one", ""]})
    Path(parts.path("tensors/words.json")).write_text(text)
    path = Path(parts.path("object_graph.pbtxt"))
    path.write_text(path.read_text().replace('"me"', '"you and me"'))
    assembled(tmp_path)
    again = Bundle(str(tmp_path / "new"))
    assert list(again.check()) == []
    for tensor in tensors():
        found = again.tensor(tensor.name)
        assert found is not None
        if tensor.name == "words" and found.strings:
            assert found.strings() == [b"a much longer one", b""]
        elif tensor.name == KEY and found.strings:
            assert b"you and me" in found.strings()[0]
        else:
            assert found.sha256() == tensor.sha256()


def test_shards_slices_gaps_and_unknown_fields(tmp_path: Path) -> None:
    """A bundle as no single writer makes it."""
    prefix = tmp_path / "old"
    parts = [(slices.Extent(row, 1), slices.Extent(0, None)) for row in (0, 1)]
    rows, shards = [], [b"", b"\0" * 16 + b"junk"]

    def entry(shard: int, shape: tuple[int, ...], data: bytes, unknown: bytes = b"") -> BundleEntry:
        offset = len(shards[shard])
        shards[shard] += data
        return BundleEntry(1, shape, shard, offset, len(data), mask(crc32c(data)), (), unknown)

    unknown = wire.length_delimited(99, b"??")
    rows.append((b"w", write_entry(entry(1, (3,), bytes(12), unknown))))
    whole = BundleEntry(1, (2, 3), slices=tuple(parts))
    rows.append((b"p", write_entry(whole)))
    for number, extents in enumerate(parts):
        data = KERNEL[number : number + 1].tobytes()
        key = slices.write_slice_key(b"p", extents)
        rows.append((key, write_entry(entry(number, (1, 3), data))))
    index = b"".join(write_table([(b"", write_header(Header(2))), *sorted(rows)]))
    (tmp_path / "old.index").write_bytes(index)
    for number, data in enumerate(shards):
        (tmp_path / f"old.data-0000{number}-of-00002").write_bytes(data)
    opened = exploded(tmp_path, prefix)
    stated = opened.records[0]["shards"][1]["segments"]
    assert ("raw" in stated[0], "key" in stated[0]) == (True, False)
    assert assembled(tmp_path) == files(prefix)
    slice_file = next(s["file"] for s in stated if s.get("slice"))
    np.save(opened.path(slice_file), np.float32([[9, 9, 9]]))
    assembled(tmp_path)
    again = Bundle(str(tmp_path / "new"))
    found, plain = again.tensor("p"), again.entry(b"w", "w")
    assert list(again.check()) == [] and found is not None and plain is not None
    assert found.numpy().tolist() == [[0, 1, 2], [9, 9, 9]]
    assert plain.unknown == unknown


def test_a_damaged_checkpoint_is_not_taken_apart(tmp_path: Path, written: Path) -> None:
    data = tmp_path / "old.data-00000-of-00001"
    raw = bytearray(data.read_bytes())
    raw[3] ^= 1
    data.write_bytes(raw)
    with pytest.raises(ChecksumError, match="z/kernel"):
        exploded(tmp_path, written)


def test_entries_that_share_bytes(tmp_path: Path) -> None:
    row = write_entry(BundleEntry(4, (4,), 0, 0, 4, mask(crc32c(b"abcd"))))
    index = b"".join(write_table([(b"", write_header(Header(1))), (b"a", row), (b"b", row)]))
    (tmp_path / "old.index").write_bytes(index)
    (tmp_path / "old.data-00000-of-00001").write_bytes(b"abcd")
    with pytest.raises(UnsupportedError, match="shares"):
        exploded(tmp_path, tmp_path / "old")


def test_what_is_edited_wrongly(tmp_path: Path, written: Path) -> None:
    parts = exploded(tmp_path, written)
    np.save(parts.path("tensors/z/kernel.npy"), KERNEL.T)
    with pytest.raises(MismatchError, match="kernel"):
        assembled(tmp_path)
    Path(parts.path("tensors/z/kernel.npy")).unlink()
    with pytest.raises(MissingError, match="kernel"):
        assembled(tmp_path)
    assert files(tmp_path / "new") == {}


def test_a_manifest_that_does_not_fit(tmp_path: Path, written: Path) -> None:
    parts = exploded(tmp_path, written)
    record = parts.records[0]
    with pytest.raises(CorruptFileError, match="shards"):
        implode_bundle(parts, {**record, "shards": []})
    record["shards"][0]["segments"][0]["key"] = "nobody"
    with pytest.raises(CorruptFileError, match="nobody"):
        implode_bundle(parts, record)
    with pytest.raises(CorruptFileError, match="padding"):
        implode_bundle(parts, {**record, "shards": [{"segments": [{"zeros": 1 << 40}]}]})


def test_another_dtype_and_shape_in_the_manifest(tmp_path: Path) -> None:
    """The index follows; a slice has those of its tensor."""
    source = Path(__file__).parents[3] / "golden/checkpoint/rawtf1.4.1-raw_partitioned/checkpoint"
    modelfmt.extract(source, tmp_path / "parts")
    path = tmp_path / "parts/manifest.json"
    manifest = json.loads(path.read_text())
    segments = [s for shard in manifest["parts"][0]["shards"] for s in shard["segments"]]
    (row,) = [s for s in segments if s.get("key") == "precise"]
    row |= {"dtype": "float32", "shape": [2]}
    file = tmp_path / "parts" / row["file"]
    array = np.load(file).ravel().astype("f4")
    np.save(file, array)
    path.write_text(json.dumps(manifest))
    done = modelfmt.assemble(tmp_path / "parts", tmp_path / "made")
    assert done.edited == [row["file"]] and modelfmt.check(tmp_path / "made") == []
    with modelfmt.open(tmp_path / "made") as made:
        np.testing.assert_array_equal(made.tensors["precise"].numpy(), array)
    slice_ = next(s for s in segments if "slice" in s)
    slice_["shape"] = [1, *slice_["shape"]]
    held = np.load(tmp_path / "parts" / slice_["file"])
    np.save(tmp_path / "parts" / slice_["file"], held[None])
    path.write_text(json.dumps(manifest))
    with pytest.raises(UnsupportedError, match="slice"):
        modelfmt.assemble(tmp_path / "parts", tmp_path / "other")
