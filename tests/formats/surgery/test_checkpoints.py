"""Weights of layers written as an object-based checkpoint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import modelfmt
from modelfmt.surgery.convert import convert
from modelfmt.tf.objects import read_objects

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "golden"
MODELS = [
    "keras-h5/keras2.1.2-tf1.4.1-nested/model.h5",
    "keras-h5/tfkeras-tf2.3.4-cnn/model.h5",
    "keras-h5/tfkeras-tf2.3.4-siamese/model.h5",
    "keras-h5/keras3.15.1-tf2.21.0-gru_pair/model.h5",
    "keras/tfkeras-tf2.12.1-nested/model.keras",
    "keras/tfkeras-tf2.15.1-rnn_zoo/model.keras",
]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("major", [2, 3])
def test_there_and_back(model: str, major: int, tmp_path: Path) -> None:
    prefix = tmp_path / "ckpt" / "m.ckpt"
    prefix.parent.mkdir()
    convert(GOLDEN / model, prefix, keras=major)
    convert(GOLDEN / model, tmp_path / "whole.h5", keras=major, strip=["optimizer"])
    convert(prefix, tmp_path / "again.h5", config=tmp_path / "whole.h5", keras=major)
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert 'model_checkpoint_path: "m.ckpt"' in (prefix.parent / "checkpoint").read_text()


def test_the_objects(tmp_path: Path) -> None:
    convert(GOLDEN / MODELS[1], tmp_path / "m.ckpt.index")
    with modelfmt.open(tmp_path / "m.ckpt") as made:
        objects = read_objects(made.tensors)
        assert objects is not None
        assert "layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE" in made.tensors
        ways = ["layer_with_weights-0/kernel", "model/layer-0/kernel",
                "model/_functional/_operations/1/_kernel"]  # fmt: skip
        assert len({objects.find(way) for way in ways}) == 1
        assert made.tensors["save_counter/.ATTRIBUTES/VARIABLE_VALUE"].numpy() == 1


def test_an_existing_checkpoint_stays(tmp_path: Path) -> None:
    convert(GOLDEN / MODELS[0], tmp_path / "m.ckpt")
    before = (tmp_path / "m.ckpt.index").read_bytes()
    with pytest.raises(modelfmt.ModelFormatError, match="exists"):
        convert(GOLDEN / MODELS[1], tmp_path / "m.ckpt")
    assert (tmp_path / "m.ckpt.index").read_bytes() == before
    convert(GOLDEN / MODELS[1], tmp_path / "m.ckpt", force=True)
    assert (tmp_path / "m.ckpt.index").read_bytes() != before


@pytest.mark.oracle
@pytest.mark.parametrize("major", [2, 3])
def test_frameworks_load_weights_alone(major: int, tmp_path: Path) -> None:
    """Trees, layer_names files and checkpoints, each into a model with other weights."""
    names = []
    for case in ("keras-h5/tfkeras-tf2.3.4-cnn", "keras-h5/tfkeras-tf2.3.4-siamese",
                 "keras-h5/tfkeras-tf2.15.1-nested", "keras-h5/keras3.15.1-tf2.21.0-gru_pair",
                 ):  # fmt: skip
        name = os.path.basename(case)
        model = GOLDEN / case / "model.h5"
        start = tmp_path / name
        convert(model, f"{start}.config.{'h5' if major == 2 else 'keras'}", keras=major)
        convert(model, f"{start}.weights.h5", keras=major)
        convert(model, f"{start}.layers.h5", to="keras-weights", keras=major)
        convert(model, f"{start}.ckpt", keras=major)
        names.append(name)
    script = ROOT / "tests" / "models" / "weights_models.py"
    done = subprocess.run(
        [sys.executable, str(script), str(major), str(tmp_path), *names],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    ways = ["load_tree", "load_layers", "load_checkpoint", "restore"]
    wanted = {way: 0.0 for way in ways if major == 2 or way != "load_checkpoint"}
    assert found == dict.fromkeys(names, wanted)
    shutil.rmtree(tmp_path)
