"""fingerprint.pb: its checkpoint_hash, in genuine SavedModels and in edited ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError
from modelfmt.storage import wire
from modelfmt.tf import fingerprint
from modelfmt.tf.fingerprint import checkpoint_hash, renew, stale

GOLDEN = Path(__file__).parents[3] / "golden/savedmodel"
MODELS = sorted(path.parent for path in GOLDEN.glob("*/*/fingerprint.pb"))


@pytest.mark.parametrize("model", MODELS, ids=lambda p: p.parent.name)
def test_genuine_ones_are_reproduced(model: Path) -> None:
    stored = proto.FingerprintDef.FromString((model / "fingerprint.pb").read_bytes())
    assert stored.checkpoint_hash == checkpoint_hash(str(model)) != 0
    assert not stale(str(model))


def test_there_are_genuine_ones() -> None:
    assert MODELS


def test_other_variables(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(MODELS[0], tmp_path / "m"))
    index = copy / "variables/variables.index"
    index.write_bytes(index.read_bytes() + b"\0")
    assert stale(str(copy))
    index.unlink()
    assert checkpoint_hash(str(copy)) == 0 and stale(str(copy))
    (copy / "fingerprint.pb").unlink()
    assert not stale(str(copy))


def test_a_broken_one(tmp_path: Path) -> None:
    (tmp_path / "fingerprint.pb").write_bytes(b"\x0a\xff")
    with pytest.raises(CorruptFileError, match="FingerprintDef"):
        stale(str(tmp_path))


@pytest.mark.parametrize("room", range(1, 11))
@pytest.mark.parametrize("number", [0, 5, 1 << 55, (1 << 63) - 1, (1 << 64) - 1])
def test_a_hash_takes_the_room_of_the_old_one(
    room: int, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "checkpoint_hash", lambda folder: number)
    path = tmp_path / "fingerprint.pb"
    old = proto.FingerprintDef(saved_model_checksum=9, uuid="me").SerializeToString()
    hash_ = wire.tag(5, wire.VARINT) + wire.varint(1 << 7 * room - 7)
    path.write_bytes(old + hash_)
    said = renew(str(tmp_path), graph=False, structure=False)
    made = proto.FingerprintDef.FromString(path.read_bytes())
    fits = len(wire.varint(number)) <= room
    assert made.checkpoint_hash == (number if fits else 0) and bool(said) is not fits
    assert (made.saved_model_checksum, made.uuid) == (9, "me")
    assert path.stat().st_size == len(old) + len(hash_)


def test_nothing_to_renew(tmp_path: Path) -> None:
    assert renew(str(tmp_path), graph=True, structure=False) == []
    path = tmp_path / "fingerprint.pb"
    path.write_bytes(proto.FingerprintDef(uuid="me").SerializeToString())
    assert renew(str(tmp_path), graph=False, structure=False) == []
    assert proto.FingerprintDef.FromString(path.read_bytes()).uuid == "me"
    assert "left out" in renew(str(tmp_path), graph=True, structure=True)[0]
    assert not path.exists()
