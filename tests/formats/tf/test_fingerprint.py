"""fingerprint.pb: its checkpoint_hash, in genuine SavedModels and in edited ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from modelfmt import proto
from modelfmt.errors import CorruptFileError
from modelfmt.tf.fingerprint import checkpoint_hash, stale

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
