"""Weights from one file, layers from another."""

from __future__ import annotations

import hashlib
from pathlib import Path

import h5py
import pytest

import modelfmt
from modelfmt.errors import ConversionError, MismatchError, ModelFormatError, UnsupportedError
from modelfmt.layers import bind
from modelfmt.surgery.convert import convert
from modelfmt.surgery.populate import emptied, network_stated, populated

GOLDEN = Path(__file__).parents[3] / "golden"
NESTED = GOLDEN / "keras-h5" / "tfkeras-tf2.15.1-nested" / "model.h5"
#: A model of each Keras and layout, and the wanted places of its weights.
MODELS = [
    "keras-h5/keras1.2.2-tf1.2.1-k1_branches/model.h5",
    "keras-h5/keras2.1.2-tf1.4.1-nested/model.h5",
    "keras-h5/tfkeras-tf2.3.4-siamese/model.h5",
    "keras-h5/keras3.15.1-tf2.21.0-gru_pair/model.h5",
    "keras/keras3.15.1-tf2.21.0-mini_transformer/model.keras",
    "keras/tfkeras-tf2.15.1-rnn_zoo/model.keras",
]


def digests(path: Path) -> list[tuple[str, str, str | None]]:
    with modelfmt.open(path) as model:
        network = bind(model.network)
        return [(layer.name, name, tensor.sha256())
                for layer in network.walk() for name, tensor in layer.weights.items()]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("weights", ["w.weights.h5", "w.h5"])
def test_weights_alone_go_back_into_their_layers(
    model: str, weights: str, tmp_path: Path
) -> None:
    convert(GOLDEN / model, tmp_path / "whole.h5", strip=["optimizer"])
    convert(GOLDEN / model, tmp_path / weights, to="keras-weights")
    convert(GOLDEN / model, tmp_path / "arch.json")
    with modelfmt.open(tmp_path / weights) as alone:
        assert alone.kind == "keras-weights"
    convert(tmp_path / weights, tmp_path / "again.h5", config=tmp_path / "arch.json")
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_a_genuine_weights_file(tmp_path: Path) -> None:
    """The flat layout of Keras 2.3.1, and the architecture of the same model by tf.keras."""
    folder = GOLDEN / "keras-weights" / "keras2.3.1-tf1.15.5-nested"
    convert(folder / "weights.h5", tmp_path / "made.h5", config=NESTED)
    with h5py.File(folder / "weights.h5") as truth, modelfmt.open(tmp_path / "made.h5") as made:
        kernel = bind(made.network).layer("outer_dense").weight("kernel").numpy()
        assert (kernel == truth["outer_dense/outer_dense/kernel:0"][()]).all()


def test_layers_of_other_names_are_taken_in_order(tmp_path: Path) -> None:
    convert(NESTED, tmp_path / "w.h5", to="keras-weights")
    modelfmt.edit(tmp_path / "w.h5", tmp_path / "other.h5", rename={"outer_dense": "else"})
    convert(tmp_path / "other.h5", tmp_path / "again.h5", config=NESTED)
    convert(NESTED, tmp_path / "whole.h5", strip=["optimizer"])
    assert digests(tmp_path / "again.h5") == digests(tmp_path / "whole.h5")


def test_weights_of_another_model(tmp_path: Path) -> None:
    convert(GOLDEN / MODELS[3], tmp_path / "w.h5", to="keras-weights")
    with pytest.raises(MismatchError, match="others than those of the config"):
        convert(tmp_path / "w.h5", tmp_path / "again.h5", config=NESTED)
    assert not (tmp_path / "again.h5").exists()


def test_without_a_config(tmp_path: Path) -> None:
    convert(NESTED, tmp_path / "w.h5", to="keras-weights")
    with pytest.raises(ConversionError, match=r"weights only.*--config"):
        convert(tmp_path / "w.h5", tmp_path / "again.h5")


def test_a_whole_model_needs_no_config(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="states its layers itself"):
        convert(NESTED, tmp_path / "again.h5", config=NESTED)


def test_a_graph_is_no_architecture(tmp_path: Path) -> None:
    convert(NESTED, tmp_path / "w.h5", to="keras-weights")
    convert(NESTED, tmp_path / "g.pb")
    with pytest.raises(ModelFormatError, match="states no layers"):
        convert(tmp_path / "w.h5", tmp_path / "again.h5", config=tmp_path / "g.pb")


def test_the_architectures_own_weights_stay_where_they_are() -> None:
    before = hashlib.sha256(NESTED.read_bytes()).digest()
    with modelfmt.open(NESTED) as model:
        copy = emptied(network_stated(model))
        assert not any(layer.weights for layer in copy.walk())
        assert any(layer.weights for layer in model.network.walk())
        with modelfmt.open(NESTED) as other, pytest.raises(UnsupportedError):
            populated(other, model)
    assert hashlib.sha256(NESTED.read_bytes()).digest() == before
