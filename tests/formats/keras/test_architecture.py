"""A model's config in a file of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import modelfmt
from modelfmt.errors import ConversionError, CorruptFileError, UnsupportedError
from modelfmt.keras.architecture import KerasConfig, write_architecture
from modelfmt.keras.h5 import KerasH5
from modelfmt.surgery.convert import convert
from modelfmt.surgery.opening import sniff

MODEL = Path(__file__).parents[3] / "golden" / "keras-h5" / "tfkeras-tf2.15.1-nested" / "model.h5"
KERAS_2 = {
    "class_name": "Sequential",
    "config": {"name": "s", "layers": [
        {"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3]}}
    ]},
    "keras_version": "2.4.0", "backend": "tensorflow",
}  # fmt: skip
YAML = """backend: tensorflow
class_name: Sequential
config:
  name: s
  layers:
  - class_name: Dense
    config: {name: d, units: 2, batch_input_shape: !!python/tuple [null, 3]}
keras_version: 2.4.0
"""


@pytest.mark.parametrize("text", [json.dumps(KERAS_2), json.dumps(KERAS_2, indent=1), YAML])
def test_layers_without_weights(text: str, tmp_path: Path) -> None:
    path = tmp_path / "arch"
    path.write_text(text)
    assert sniff(str(path)) == "keras-config"
    with modelfmt.open(path) as config:
        assert isinstance(config, KerasConfig)
        assert (config.keras_version, config.backend) == ("2.4.0", "tensorflow")
        assert [layer.class_name for layer in config.network.layers] == ["InputLayer", "Dense"]
        assert config.network.keras_major == 2 and not config.tensors
    report = modelfmt.dump(path)
    assert report["remarks"] == ["layers only: the file holds no weights"]
    assert report["inputs"] == [{"name": "d_input", "dtype": "float32", "shape": [None, 3]}]
    with pytest.raises(ConversionError, match=r"holds no weights.*--config"):
        convert(path, tmp_path / "out.h5")


def test_other_json_is_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"weight": 1, "class_name": 2}')
    with pytest.raises(modelfmt.ModelFormatError):
        sniff(str(path))


@pytest.mark.parametrize("text", ['{"class_name": ', "class_name: [", "config: 1\n--- \nb: 2"])
def test_damaged(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(text)
    with modelfmt.open(path) as config, pytest.raises(CorruptFileError, match=str(path)):
        _ = config.network


@pytest.mark.parametrize("major", [2, 3])
def test_what_is_written_is_read(major: int, tmp_path: Path) -> None:
    with KerasH5(str(MODEL)) as model:
        network: Any = model.network
        path = tmp_path / "arch.json"
        modelfmt.convert(MODEL, path, keras=major)
    with modelfmt.open(path) as config:
        assert config.network.keras_major == major
        assert [n.name for n in config.network.walk()] == [n.name for n in network.walk()]
    with pytest.raises(modelfmt.ModelFormatError, match="exists"):
        write_architecture(network, str(path), major=2)


def test_no_layers_for_an_archive_to_save(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(KERAS_2))
    with modelfmt.open(path) as config, pytest.raises(UnsupportedError):
        config.save(str(tmp_path / "b.json"))


def test_what_is_done_to_weights_is_not_done_to_a_config(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(KERAS_2))
    assert list(modelfmt.check(path)) == []
    with pytest.raises(UnsupportedError, match="editing a keras-config file"):
        modelfmt.edit(path, tmp_path / "b.json", rename={"d": "e"})
