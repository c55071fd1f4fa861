"""Keras files edited: every golden file of layers, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import MismatchError, MissingError, UnsupportedError
from modelfmt.keras.archive import KerasArchive
from modelfmt.keras.h5 import KerasH5, KerasWeights

GOLDEN = Path(__file__).parents[3] / "golden"
MODELS = sorted(
    next(p for p in case.iterdir() if p.name.startswith("model"))
    for kind in ("keras-h5", "keras") for case in (GOLDEN / kind).iterdir()
)  # fmt: skip
H5 = GOLDEN / "keras-h5/tfkeras-tf2.15.1-nested/model.h5"
KERAS = GOLDEN / "keras/keras3.0.5-tf2.16.2-multi_output/model.keras"
WEIGHTS = next((GOLDEN / "keras-weights/keras1.2.2-tf1.2.1-k1_lstm").glob("*.h5"))


def contents(path: Path) -> dict[str, str | None]:
    with modelfmt.open(path) as found:
        return {name: tensor.sha256() for name, tensor in found.tensors.items()}


@pytest.mark.parametrize("source", MODELS, ids=lambda p: f"{p.parent.name}{p.suffix}")
def test_a_layer_is_renamed_everywhere(source: Path, tmp_path: Path) -> None:
    out = tmp_path / source.name
    with modelfmt.open(source) as before:
        weighted = [layer.name for layer in before.network.layers if layer.weights]
        old = weighted[0]
        modelfmt.edit(source, out, rename={old: "renamed_layer"})
        with modelfmt.open(out) as after:
            assert isinstance(after, KerasH5 | KerasArchive)
            pairs = zip(before.network.layers, after.network.layers, strict=True)
            for a, b in pairs:
                assert b.name == ("renamed_layer" if a.name == old else a.name)
                assert [t.sha256() for t in a.weights.values()] == [
                    t.sha256() for t in b.weights.values()
                ]
            assert after.oddities == before.oddities  # type: ignore[attr-defined]
    assert sorted(map(str, contents(source).values())) == sorted(map(str, contents(out).values()))
    modelfmt.edit(out, tmp_path / f"back{source.suffix}", rename={"renamed_layer": old})
    assert contents(tmp_path / f"back{source.suffix}") == contents(source)


@pytest.mark.parametrize("source", MODELS, ids=lambda p: f"{p.parent.name}{p.suffix}")
def test_the_optimizer_is_stripped(source: Path, tmp_path: Path) -> None:
    modelfmt.edit(source, tmp_path / "x", strip=["optimizer"])
    with modelfmt.open(tmp_path / "x") as made:
        assert isinstance(made, KerasH5 | KerasArchive)
        assert made.optimizer == {} and made.training_config is None
    left = contents(tmp_path / "x")
    assert left == {k: v for k, v in contents(source).items() if k in left}
    assert (tmp_path / "x").stat().st_size <= source.stat().st_size


def test_weights_alone(tmp_path: Path) -> None:
    with modelfmt.open(WEIGHTS) as before:
        assert isinstance(before, KerasWeights)
        name = next(n for n, held in before.layers.items() if held)
    modelfmt.edit(WEIGHTS, tmp_path / "x.h5", rename={name: "renamed_layer"})
    with modelfmt.open(tmp_path / "x.h5") as after:
        assert isinstance(after, KerasWeights)
        assert "renamed_layer" in after.layers and name not in after.layers


def test_set_and_cast(tmp_path: Path) -> None:
    with modelfmt.open(KERAS) as before:
        name = next(layer.name for layer in before.network.layers if layer.weights)
    modelfmt.edit(KERAS, tmp_path / "x.keras", set={f"{name}:trainable": False}, cast="bfloat16")
    with modelfmt.open(tmp_path / "x.keras") as made, modelfmt.open(KERAS) as before:
        assert made.network.layer(name).config["trainable"] is False
        for key, tensor in before.tensors.items():
            if tensor.dtype.name == "float32":
                found = made.tensors[key].numpy()
                np.testing.assert_array_equal(found, tensor.numpy().astype(found.dtype))
                assert found.dtype.name == "bfloat16"
    modelfmt.edit(tmp_path / "x.keras", tmp_path / "y.keras", cast="float32")
    with modelfmt.open(tmp_path / "y.keras") as made:
        assert {t.dtype.name for t in made.tensors.values()} <= {"float32", "int32", "int64"}


def test_a_slot_is_deleted(tmp_path: Path) -> None:
    with modelfmt.open(H5) as before:
        name = next(n for n in before.tensors if n.startswith("optimizer_weights/"))
    modelfmt.edit(H5, tmp_path / "x.h5", delete=[name.replace("[", "[[]")])
    with modelfmt.open(tmp_path / "x.h5") as made:
        assert isinstance(made, KerasH5) and name not in made.tensors
        assert name.removeprefix("optimizer_weights/") not in made.optimizer


def test_refused(tmp_path: Path) -> None:
    with modelfmt.open(H5) as before:
        names = [layer.name for layer in before.network.layers]
        weight = next(n for n in before.tensors if n.startswith("model_weights/"))
    with pytest.raises(MismatchError, match="already"):
        modelfmt.edit(H5, tmp_path / "x", rename={names[-1]: names[-2]})
    with pytest.raises(MissingError, match="nothing is called"):
        modelfmt.edit(H5, tmp_path / "x", rename={"nothing_like_it": "y"})
    with pytest.raises(UnsupportedError, match="layers are not deleted"):
        modelfmt.edit(H5, tmp_path / "x", delete=[weight])
    with pytest.raises(UnsupportedError, match="no Keras reads it"):
        modelfmt.edit(H5, tmp_path / "x", cast="bfloat16")
    with pytest.raises(UnsupportedError, match="stripping training"):
        modelfmt.edit(H5, tmp_path / "x", strip=["training"])
    with pytest.raises(MismatchError, match="no JSON"):
        modelfmt.edit(H5, tmp_path / "x", set={f"{names[-1]}:units": "three"})
    with pytest.raises(UnsupportedError, match="no config"):
        modelfmt.edit(WEIGHTS, tmp_path / "x", set={"a:units": "3"})
    assert list(tmp_path.iterdir()) == []
