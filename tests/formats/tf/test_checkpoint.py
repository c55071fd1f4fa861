"""Checkpoints as containers: every way to name one, laws of saving, edits, errors by command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.errors import (
    CorruptFileError,
    MissingError,
    ModelFormatError,
    UnknownFormatError,
    UnsupportedError,
)
from modelfmt.storage.files import OutputExistsError
from modelfmt.storage.sstable import write_table
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle import Bundle
from modelfmt.tf.bundle_proto import BundleEntry, Header, write_entry, write_header
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.checkpoint import Checkpoint, find_checkpoint
from modelfmt.tf.checkpoint_state import write_checkpoint_state
from modelfmt.tf.slices import Extent, write_slice_key

TENSORS = {
    "w/kernel": np.arange(6, dtype="f4").reshape(2, 3), "b": np.array(7, "i8"),
    "words": np.array([b"x", b"yz"], object), "none": np.zeros((0, 2), "f8"),
}  # fmt: skip


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    prefix = tmp_path / "model.ckpt-3"
    write_bundle(prefix, [Tensor.from_numpy(n, a) for n, a in TENSORS.items()])
    write_checkpoint_state(tmp_path, "model.ckpt-3")
    return prefix


def v1_table(values: list[float], name: str = "p") -> bytes:
    meta, data = proto.SavedTensorSlices(), proto.SavedTensorSlices()
    saved = meta.meta.tensor.add(name=name, type=1)
    saved.shape.dim.add(size=len(values))
    saved.slice.add().extent.add()
    data.data.data.float_val.extend(values)
    key = write_slice_key(name.encode(), (Extent(0, None),))
    rows = [(b"", meta.SerializeToString()), (key, data.SerializeToString())]
    return b"".join(write_table(rows))


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    path = tmp_path / "old.ckpt"
    path.write_bytes(v1_table([1.0, 2.0]))
    return path


def test_every_way_to_name_one(v2: Path) -> None:
    ends = ("", ".index", ".data-00000-of-00001")
    ways = [f"{v2}{end}" for end in ends] + [str(v2.parent), str(v2.parent / "checkpoint")]
    for way in ways:
        with modelfmt.open(way) as container:
            assert container.kind == "checkpoint" and container.path == way
            assert list(container.tensors) == sorted(TENSORS)
            assert isinstance(container, Checkpoint)
            assert (container.prefix, container.version) == (str(v2), 2)
    assert modelfmt.open(v2, kind="checkpoint").tensors["b"].numpy() == 7


def test_every_way_to_name_an_old_one(v1: Path, tmp_path: Path) -> None:
    with modelfmt.open(v1) as container:
        assert isinstance(container, Checkpoint) and container.version == 1
        assert container.tensors["p"].numpy().tolist() == [1.0, 2.0]
    for number in range(2):
        (tmp_path / f"s-{number:05d}-of-00002").write_bytes(v1_table([1.0], f"p{number}"))
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "s-?????-of-00002"')
    for way in ("s", "s-00001-of-00002", "", "checkpoint"):
        with modelfmt.open(tmp_path / way) as container:
            assert list(container.tensors) == ["p0", "p1"]
        found = find_checkpoint(str(tmp_path / way))
        assert found is not None and found.prefix == str(tmp_path / "s") and len(found.files) == 2


def test_what_is_none(v2: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").write_bytes(b"".join(write_table([(b"k", b"v")])))
    (tmp_path / "text").write_text("hello")
    for name in ("empty", "foreign", "text", "nothing"):
        assert find_checkpoint(str(tmp_path / name)) is None
    for name, error in [("empty", UnknownFormatError), ("foreign", UnknownFormatError),
                        ("text", UnknownFormatError), ("nothing", MissingError)]:  # fmt: skip
        with pytest.raises(error):
            modelfmt.open(tmp_path / name)
        with pytest.raises(error):
            Checkpoint(str(tmp_path / name))


def test_the_state_names_one_that_is_gone(v2: Path) -> None:
    os.unlink(f"{v2}.index")
    with pytest.raises(MissingError, match=r'checkpoint, checkpoint ".*model.ckpt-3": the latest'):
        modelfmt.open(v2.parent)


def test_a_missing_tensor_has_close_matches(v2: Path) -> None:
    with Checkpoint(str(v2)) as checkpoint:
        with pytest.raises(MissingError, match="Did you mean w/kernel"):
            checkpoint.tensors["w/kernal"]
        assert "w/kernel" in checkpoint.tensors and "x" not in checkpoint.tensors
        assert len(checkpoint.tensors) == 4


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


def test_saving_untouched_keeps_every_byte(v2: Path, v1: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for source in (v2, v1):
        with modelfmt.open(source) as checkpoint:
            dict(checkpoint.tensors)
            checkpoint.save(str(out / source.name))
            with pytest.raises(OutputExistsError):
                checkpoint.save(str(out / source.name))
    for name, data in contents(out).items():
        assert (tmp_path / name).read_bytes() == data
    assert len(contents(out)) == 3


def test_edits(v2: Path, tmp_path: Path) -> None:
    with Checkpoint(str(v2)) as checkpoint:
        tensors = checkpoint.tensors
        tensors["w/kernel"] = np.ones((5,), "f2")
        tensors["new"] = Tensor.from_numpy("any", 3)
        del tensors["b"]
        tensors["gone"] = 1
        del tensors["gone"]
        with pytest.raises(KeyError):
            del tensors["b"]
        assert list(tensors) == ["none", "w/kernel", "words", "new"]
        assert "b" not in tensors
        checkpoint.save(str(tmp_path / "out.index"))
    with Checkpoint(str(tmp_path / "out")) as again:
        assert list(again.check()) == []
        assert list(again.tensors) == ["new", "none", "w/kernel", "words"]
        assert again.tensors["w/kernel"].numpy().tolist() == [1.0] * 5
        assert again.tensors["words"].numpy().tolist() == [b"x", b"yz"]
        assert isinstance(again.reader, Bundle)
        rows = dict(again.reader.rows())
        assert sorted(rows, key=lambda name: rows[name].offset)[0] == "w/kernel"
        assert max(rows, key=lambda name: rows[name].offset) == "new"


def test_an_edit_keeps_slices_and_unknown_fields(tmp_path: Path) -> None:
    halves = [(Extent(0, 2),), (Extent(2, 1),)]
    shards = [b"\x01\x02", b"\x03\x09"]
    from modelfmt.storage.crc32c import crc32c, mask

    def entry(data: bytes, shard: int, offset: int = 0) -> BundleEntry:
        crc = mask(crc32c(data))
        return BundleEntry(4, (len(data),), shard, offset, len(data), crc, unknown=b"\x98\x06\x07")

    entries = {
        b"p": BundleEntry(4, (3,), slices=tuple(halves)),
        write_slice_key(b"p", halves[0]): entry(b"\x01\x02", 0),
        write_slice_key(b"p", halves[1]): entry(b"\x03", 1),
        b"q": entry(b"\x09", 1, 1),
    }
    rows = [(b"", write_header(Header(2))), *((k, write_entry(e)) for k, e in entries.items())]
    (tmp_path / "c.index").write_bytes(b"".join(write_table(sorted(rows))))
    for number, data in enumerate(shards):
        (tmp_path / f"c.data-{number:05d}-of-00002").write_bytes(data)
    with Checkpoint(str(tmp_path / "c")) as checkpoint:
        checkpoint.tensors["new"] = np.array([5], "u1")
        checkpoint.save(str(tmp_path / "out"))
        del checkpoint.tensors["p"]
        checkpoint.save(str(tmp_path / "less"))
    assert (tmp_path / "out.data-00000-of-00001").read_bytes() == b"\x01\x02\x03\x09\x05"
    assert (tmp_path / "less.data-00000-of-00001").read_bytes() == b"\x09\x05"
    with Checkpoint(str(tmp_path / "out")) as again:
        assert list(again.check()) == []
        assert list(again.tensors) == ["new", "p", "q"]
        assert again.tensors["p"].numpy().tolist() == [1, 2, 3]
        assert isinstance(again.reader, Bundle)
        kept = again.reader.entry(b"q", "q")
        assert kept is not None and (kept.offset, kept.unknown) == (3, b"\x98\x06\x07")
        sliced = again.reader.entry(b"p", "p")
        assert sliced is not None and len(sliced.slices) == 2


def test_edits_that_cannot_be_saved(v1: Path, tmp_path: Path) -> None:
    with Checkpoint(str(v1)) as checkpoint:
        checkpoint.tensors["x"] = 1
        with pytest.raises(UnsupportedError, match="version 1"):
            checkpoint.save(str(tmp_path / "out"))


def truncate(prefix: Path) -> None:
    index = Path(f"{prefix}.index")
    index.write_bytes(index.read_bytes()[:-10])


def flip(prefix: Path) -> None:
    index = Path(f"{prefix}.index")
    data = bytearray(index.read_bytes())
    data[20] ^= 1
    index.write_bytes(data)


def empty(prefix: Path) -> None:
    Path(f"{prefix}.index").write_bytes(b"")


def lose(prefix: Path) -> None:
    os.unlink(f"{prefix}.data-00000-of-00001")


@pytest.mark.parametrize("damage, words", [
    (truncate, "model.ckpt-3.index @0x"), (flip, "crc32c does not match"),
    (empty, "model.ckpt-3.index: too small"), (lose, 'entry "b": shard 0 of 1 does not exist'),
])
def test_one_line_and_status_3(v2: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(v2)
    ways = [str(v2), str(v2.parent)] + ([f"{v2}.index"] if damage is not lose else [])
    for way in ways:
        with pytest.raises(ModelFormatError):
            modelfmt.open(way)
    done = subprocess.run(
        [sys.executable, "-m", "modelfmt", "dump", str(v2)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1 and words in done.stderr and done.stdout == ""


def test_dump(v2: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelfmt", "dump", str(v2), "--json", "--digest"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = {row["path"]: row for row in json.loads(done.stdout)["tensors"]}
    assert list(rows) == sorted(TENSORS)
    assert rows["w/kernel"]["dtype"] == "float32" and rows["w/kernel"]["shape"] == [2, 3]
    assert rows["words"]["dtype"] == "string" and rows["words"]["sha256"] is None


def test_check_of_both_versions(v2: Path, v1: Path) -> None:
    for path in (v2, v1):
        with Checkpoint(str(path)) as checkpoint:
            assert list(checkpoint.check()) == []
    data = Path(f"{v2}.data-00000-of-00001")
    data.write_bytes(b"\xff" + data.read_bytes()[1:])
    with Checkpoint(str(v2)) as checkpoint:
        (error,) = checkpoint.check()
        assert isinstance(error, CorruptFileError) and 'entry "w/kernel"' in str(error)


def test_a_state_that_names_itself(tmp_path: Path) -> None:
    write_checkpoint_state(tmp_path, "checkpoint")
    with pytest.raises(MissingError, match="the latest checkpoint does not exist"):
        modelfmt.open(tmp_path)
    write_bundle(str(tmp_path / "checkpoint"), [Tensor.from_numpy("b", np.ones(1, "f4"))])
    with modelfmt.open(tmp_path) as found:  # a bundle may be called so as well
        assert list(found.tensors) == ["b"]


def test_states_that_name_each_other(tmp_path: Path) -> None:
    for one, other in ("ab", "ba"):
        (tmp_path / one).mkdir()
        write_checkpoint_state(tmp_path / one, f"../{other}/checkpoint")
    with pytest.raises(MissingError):
        modelfmt.open(tmp_path / "a")
