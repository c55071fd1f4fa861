"""Checkpoints, and .meta files with theirs, that are damaged, incomplete or untrue."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.errors import (
    ChecksumError,
    ConversionError,
    CorruptFileError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnsupportedError,
)
from modelfmt.storage import wire
from modelfmt.storage.crc32c import crc32c, mask
from modelfmt.storage.files import SourceFile
from modelfmt.storage.sstable import Table, write_table
from modelfmt.tf.bundle_proto import (
    BundleEntry,
    Header,
    read_entry,
    read_header,
    write_entry,
    write_header,
)
from modelfmt.tf.bundle_strings import write_strings
from modelfmt.tf.objects import KEY, read_objects

Case = Callable[[str], Path]
Told = Callable[..., dict[str, ModelFormatError | None]]

META = "metagraph/keras2.1.2-tf1.4.1-linear_regression"
SHARDED = "checkpoint/rawtf1.15.5-raw_partitioned_sharded"
OBJECTS = "checkpoint/tfkeras-tf2.3.4-linear_regression_train"
DATA = ".data-00000-of-00001"


def rewritten(
    prefix: Path,
    header: Callable[[Header], Header] = lambda header: header,
    entry: Callable[[str, BundleEntry], BundleEntry] = lambda name, entry: entry,
) -> None:
    """Write an index anew, its header and entries changed; its checksums are right."""
    index = Path(f"{prefix}.index")
    with SourceFile(str(index)) as file:
        rows = [(row.key, bytes(row.value)) for row in Table(file)]
    made = [
        (key, write_entry(entry(key.decode("latin-1"), read_entry(memoryview(value)))))
        if key
        else (key, write_header(header(read_header(memoryview(value)))))
        for key, value in rows
    ]
    index.write_bytes(b"".join(write_table(made)))


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_the_builder_changes_nothing_unasked(case: Case, told: Told) -> None:
    """Else every refusal below may be of something else."""
    folder = case(META)
    before = (folder / "model.ckpt.index").read_bytes()
    rewritten(folder / "model.ckpt")
    assert (folder / "model.ckpt.index").read_bytes() == before
    assert set(told(folder / "model.ckpt.meta").values()) == {None}


# -- the index -------------------------------------------------------------------------------------


def test_an_index_cut_anywhere(case: Case, tmp_path: Path) -> None:
    folder = case(SHARDED)
    index = folder / "model.ckpt.index"
    whole = index.read_bytes()
    for end in range(len(whole)):
        index.write_bytes(whole[:end])
        with pytest.raises(CorruptFileError) as caught:
            modelfmt.dump(folder / "model.ckpt")
        assert caught.value.where.path == str(index)


def test_a_cut_index_of_a_metagraph(case: Case, told: Told) -> None:
    folder = case(META)
    index = folder / "model.ckpt.index"
    index.write_bytes(index.read_bytes()[:100])
    said = told(folder / "model.ckpt.meta")
    for verb in ("check", "convert"):
        error = said[verb]
        assert isinstance(error, CorruptFileError) and "cut off" in str(error)
        assert error.where.path == str(index) and error.where.offset is not None
    report = modelfmt.dump(folder / "model.ckpt.meta")  # the graph is there to be listed
    assert report["ops"]
    assert any(str(index) in oddity and "cut off" in oddity for oddity in report["oddities"])


def test_a_flipped_byte_anywhere_in_an_index(case: Case) -> None:
    """All but the metaindex, which is empty, and the padding of the footer, which say nothing."""
    folder = case(SHARDED)
    index = folder / "model.ckpt.index"
    whole = index.read_bytes()
    start, at = wire.read_varint(whole, len(whole) - 48)
    size, _ = wire.read_varint(whole, at)
    silent = {*range(start, start + size + 5), *range(len(whole) - 48, len(whole) - 8)}
    for at in sorted(set(range(len(whole))) - silent):
        flipped(index, at)
        with pytest.raises(CorruptFileError) as caught:
            modelfmt.dump(folder / "model.ckpt")
        assert caught.value.where.path == str(index)
        index.write_bytes(whole)


def test_a_big_endian_bundle_is_swapped(case: Case, tmp_path: Path) -> None:
    """What a big-endian machine writes is read as it is meant, and edited so that it still is."""
    folder = case(META)
    prefix, values = folder / "model.ckpt", {}
    data = bytearray((folder / f"model.ckpt{DATA}").read_bytes())
    with modelfmt.open(prefix) as container:
        for name, tensor in container.tensors.items():
            values[name] = tensor.numpy().copy()
            start, swapped = tensor.origin.offset or 0, values[name].byteswap().tobytes()
            data[start : start + len(swapped)] = swapped
    (folder / f"model.ckpt{DATA}").write_bytes(data)

    def summed(name: str, entry: BundleEntry) -> BundleEntry:
        part = data[entry.offset : entry.offset + entry.size]
        return dataclasses.replace(entry, crc=mask(crc32c(part)))

    rewritten(prefix, lambda header: dataclasses.replace(header, big_endian=True), summed)
    with modelfmt.open(prefix) as container:
        for name, tensor in container.tensors.items():
            np.testing.assert_array_equal(tensor.numpy(), values[name])
        container.tensors["SGD/lr"] = values["SGD/lr"] = np.float32(0.125)
        container.save(str(tmp_path / "edited"))
    with modelfmt.open(tmp_path / "edited") as container:
        for name, tensor in container.tensors.items():
            np.testing.assert_array_equal(tensor.numpy(), values[name])
    assert modelfmt.check(folder / "model.ckpt.meta") == []


def test_a_header_that_is_untrue(case: Case, told: Told) -> None:
    folder = case(META)
    untrue: list[tuple[dict[str, Any], type[ModelFormatError]]] = [
        ({"shards": 0}, CorruptFileError),
        ({"shards": 7}, MissingError),
        ({"min_consumer": 99}, UnsupportedError),
    ]
    for changes, kind in untrue:
        whole = (folder / "model.ckpt.index").read_bytes()
        rewritten(
            folder / "model.ckpt", lambda header, c=changes: dataclasses.replace(header, **c)
        )
        said = told(folder / "model.ckpt.meta")
        assert isinstance(said["convert"], kind) and isinstance(said["check"], kind)
        (folder / "model.ckpt.index").write_bytes(whole)


# -- entries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"offset": 1 << 40}, TruncatedError, DATA),
        ({"offset": 57}, TruncatedError, DATA),
        ({"shard": 3}, CorruptFileError, "a shard that there is not"),
        ({"size": 8}, CorruptFileError, "does not fit its shape"),
        ({"shape": (5, 1)}, CorruptFileError, "does not fit its shape"),
        ({"shape": (1 << 62, 1 << 62)}, CorruptFileError, "does not fit its shape"),
        ({"crc": 0}, ChecksumError, "crc32c does not match"),
        ({"dtype": 99}, ModelFormatError, "99"),
    ],
)
def test_an_entry_that_is_untrue(
    changes: dict[str, Any], kind: type[ModelFormatError], words: str, case: Case, told: Told
) -> None:
    folder = case(META)

    def lie(name: str, entry: BundleEntry) -> BundleEntry:
        return dataclasses.replace(entry, **changes) if name == "line/kernel" else entry

    rewritten(folder / "model.ckpt", entry=lie)
    said = told(folder / "model.ckpt.meta")
    for verb in ("check", "convert"):
        error = said[verb]
        assert isinstance(error, kind) and words in str(error)
        assert 'entry "line/kernel"' in str(error)


def test_the_other_tensors_are_listed(case: Case) -> None:
    """One bad entry does not stop dump from listing the others."""
    folder = case(META)

    def lie(name: str, entry: BundleEntry) -> BundleEntry:
        return dataclasses.replace(entry, size=8) if name == "line/kernel" else entry

    rewritten(folder / "model.ckpt", entry=lie)
    report = modelfmt.dump(folder / "model.ckpt")
    assert len(report["tensors"]) == 7
    assert any("line/kernel" in sentence for sentence in report["oddities"])


def test_a_slice_without_its_entry(case: Case, told: Told) -> None:
    folder = case(SHARDED)
    index = folder / "model.ckpt.index"
    with SourceFile(str(index)) as file:
        rows = [(row.key, bytes(row.value)) for row in Table(file)]
    gone = next(key for key, _ in rows if key.startswith(b"\0"))
    index.write_bytes(b"".join(write_table([row for row in rows if row[0] != gone])))
    said = told(folder / "model.ckpt")
    error = said["check"]
    assert isinstance(error, MissingError) and 'entry "emb/table"' in str(error)


# -- the data --------------------------------------------------------------------------------------


def test_a_flipped_byte_of_data_is_never_converted(case: Case, told: Told) -> None:
    folder = case(META)
    with modelfmt.open(folder / "model.ckpt") as container:
        at = container.tensors["line/kernel"].origin.offset or 0
    flipped(folder / f"model.ckpt{DATA}", at + 2)
    said = told(folder / "model.ckpt.meta")
    for verb in ("check", "convert"):
        error = said[verb]
        assert isinstance(error, ChecksumError)
        assert error.where.offset == at and error.where.key == 'entry "line/kernel"'
        assert str(error.where.path).endswith(DATA)
    assert isinstance(told(folder / "model.ckpt")["extract"], ChecksumError)


@pytest.mark.parametrize("end", [".npz", ""])
def test_a_flipped_byte_of_data_is_never_selected(case: Case, tmp_path: Path, end: str) -> None:
    folder = case(META)
    flipped(folder / f"model.ckpt{DATA}", 0)
    with pytest.raises(ChecksumError):
        modelfmt.extract(folder / "model.ckpt", tmp_path / f"out{end}", select=["*"])
    assert not (tmp_path / f"out{end}").exists()


def test_data_cut_anywhere(case: Case, told: Told) -> None:
    folder = case(META)
    data = folder / f"model.ckpt{DATA}"
    whole = data.read_bytes()
    for end in (0, 1, len(whole) // 2, len(whole) - 1):
        data.write_bytes(whole[:end])
        said = told(folder / "model.ckpt.meta")
        for verb in ("check", "convert") if end < len(whole) - 4 else ("check",):
            error = said[verb]
            assert isinstance(error, TruncatedError) and error.wanted > error.available
            assert error.where.path == str(data)


def test_a_missing_shard(case: Case, told: Told) -> None:
    folder = case(SHARDED)
    shard = folder / "model.ckpt.data-00001-of-00003"
    shard.unlink()
    said = told(folder / "model.ckpt")
    for verb in ("dump", "check", "extract"):
        error = said[verb]
        assert isinstance(error, MissingError) and error.where.path == str(shard)
        assert "shard 1 of 3 does not exist" in str(error) and "\\x" not in str(error)


def test_a_metagraph_without_its_checkpoint(case: Case, told: Told) -> None:
    folder = case(META)
    for path in [*folder.glob("model.ckpt.index"), *folder.glob("model.ckpt.data-*")]:
        path.unlink()
    said = told(folder / "model.ckpt.meta")
    assert said["dump"] is None and said["extract"] is None
    for verb in ("check", "convert"):
        assert isinstance(said[verb], MissingError) and "checkpoint" in str(said[verb])


def test_a_metagraph_whose_checkpoint_is_of_another_model(case: Case, told: Told) -> None:
    folder = case(META)
    index = folder / "model.ckpt.index"
    with SourceFile(str(index)) as file:
        rows = [(row.key, bytes(row.value)) for row in Table(file)]
    index.write_bytes(b"".join(write_table(sorted((k and b"my/" + k, v) for k, v in rows))))
    said = told(folder / "model.ckpt.meta")
    assert isinstance(said["convert"], ConversionError) and "line/" in str(said["convert"])
    assert isinstance(said["check"], MissingError)


# -- version 1 -------------------------------------------------------------------------------------


def test_a_missing_shard_of_version_1(case: Case, told: Told) -> None:
    folder = case("checkpoint/rawtf2.21.0-session_v1_sharded")
    (folder / "model.ckpt-00001-of-00002").unlink()
    for path in (folder / "model.ckpt", folder / "checkpoint"):
        error = told(path)["dump"]
        assert isinstance(error, MissingError)
        assert str(error.where.path).endswith("model.ckpt-00001-of-00002")


def test_flipped_bytes_of_version_1(case: Case, told: Told) -> None:
    folder = case("checkpoint/rawtf0.12.1-raw_partitioned_v1")
    path = folder / "model.ckpt"
    whole = path.read_bytes()
    rng = random.Random(3)
    for _ in range(25):
        flipped(path, rng.randrange(len(whole) - 60))
        said = told(path)
        assert isinstance(said["check"], ModelFormatError)
        path.write_bytes(whole)


# -- object graphs ---------------------------------------------------------------------------------


def spoiled_objects(prefix: Path, change: Callable[[Any], None]) -> None:
    """Write the object graph of a checkpoint anew, behind its data."""
    with modelfmt.open(prefix) as container:
        (text,) = (container.tensors[KEY].strings or list)()
    message = proto.TrackableObjectGraph.FromString(text)
    change(message)
    data = Path(f"{prefix}{DATA}")
    head, body, crc = write_strings([message.SerializeToString()])
    start, payload = data.stat().st_size, head + body
    data.write_bytes(data.read_bytes() + payload)

    def moved(name: str, entry: BundleEntry) -> BundleEntry:
        if name != KEY:
            return entry
        return dataclasses.replace(entry, offset=start, size=len(payload), crc=crc)

    rewritten(prefix, entry=moved)


def dangling_child(message: Any) -> None:
    message.nodes[0].children.add(node_id=99_999, local_name="ghost")


def dangling_slot(message: Any) -> None:
    message.nodes[0].slot_variables.add(slot_name="m", slot_variable_node_id=-1)


@pytest.mark.parametrize("change", [dangling_child, dangling_slot])
def test_an_object_graph_that_leads_nowhere(change: Any, case: Case, told: Told) -> None:
    prefix = case(OBJECTS) / "ckpt-1"
    spoiled_objects(prefix, change)
    error = told(prefix)["check"]
    assert isinstance(error, CorruptFileError) and "object 0 leads to objects" in str(error)
    assert str(error.where.path).endswith(DATA) and KEY in str(error.where.key)
    with modelfmt.open(prefix) as container, pytest.raises(CorruptFileError):
        read_objects(container.tensors)


def test_an_object_graph_that_is_a_ring(case: Case, told: Told) -> None:
    """Rings are usual: a child that is the root is no fault."""
    prefix = case(OBJECTS) / "ckpt-1"
    spoiled_objects(prefix, lambda m: m.nodes[0].children.add(node_id=0, local_name="self"))
    assert told(prefix)["check"] is None
