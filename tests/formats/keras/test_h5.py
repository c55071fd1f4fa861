"""Keras models and weights in HDF5."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelfmt.errors import CorruptFileError, MissingError, UnsupportedError
from modelfmt.keras.h5 import KerasH5, KerasWeights, write_h5
from modelfmt.network import Call, Layer, Network, Ref, Spec
from modelfmt.storage.files import OutputExistsError
from modelfmt.tensor import Tensor

GOLDEN = Path(__file__).parents[3] / "golden" / "keras-h5"

#: case -> version, backend, weights of each layer that has some
CASES = {
    "keras1.2.2-tf1.2.1-k1_branches": ("1.2.2", None, dict.fromkeys(
        ("a1", "b1", "r1", "gate", "out"), 2)),
    "keras2.1.2-tf1.4.1-nested": ("2.1.2", "tensorflow", {"middle": 8, "outer_dense": 2}),
    "keras3.15.1-tf2.21.0-gru_pair": ("3.15.1", "tensorflow", {
        "gru_before": 3, "gru_after": 3, "gru_nobias": 2}),
    "keras3.3.3-tf2.16.2-siamese": ("3.3.3", "tensorflow", {"tower": 8, "same": 2}),
    "tfkeras-tf2.15.1-nested": ("2.15.0", "tensorflow", {"middle": 8, "outer_dense": 2}),
    "tfkeras-tf2.3.4-siamese": ("2.4.0", "tensorflow", {"tower": 8, "same": 2}),
    "tfkeras-tf2.6.5-tensor_ops": ("2.6.0", "tensorflow", {"o": 2}),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_genuine_files(case: str) -> None:
    path = str(GOLDEN / case / "model.h5")
    version, backend, weights = CASES[case]
    with KerasH5(path) as model, h5py.File(path) as truth:
        assert isinstance(model, KerasH5)
        assert (model.keras_version, model.backend) == (version, backend)
        network = model.network
        assert {n.name: len(n.weights) for n in network.layers if n.weights} == weights
        assert model.oddities == []
        for layer in network.layers:
            group = truth["model_weights"].get(layer.name)
            for name, found in layer.weights.items():
                assert found.name == name
                assert found.origin.key == f"model_weights/{layer.name}/{name}"
                np.testing.assert_array_equal(found.numpy(), group[name][()])
        assert sorted(model.tensors) == sorted(_datasets(truth))


def _datasets(group: Any, prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, member in group.items():
        below = f"{prefix}{name}"
        found += [below] if isinstance(member, h5py.Dataset) else _datasets(member, f"{below}/")
    return found


def test_a_shared_nested_model_has_two_calls() -> None:
    for case in ("tfkeras-tf2.3.4-siamese", "keras3.3.3-tf2.16.2-siamese"):
        with KerasH5(str(GOLDEN / case / "model.h5")) as model:
            tower = model.network.layer("tower")
            assert [c.inputs for c in tower.calls] == [[Ref("left")], [Ref("right")]]
            assert model.network.layer("larger").calls[0].inputs == [
                Ref("tower", 0), Ref("tower", 1)]


# -- files of our own ---------------------------------------------------------------------------


def small(path: Path, **changes: Any) -> str:
    """A weights file or, with a config, a model: one Dense layer called d."""
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if "model_config" in changes else file
        group.attrs["layer_names"] = changes.pop("layer_names", [b"d"])
        layer = group.create_group("d")
        layer.attrs["weight_names"] = changes.pop("weight_names", [b"d/kernel:0"])
        layer["d/kernel:0"] = np.arange(6, dtype=np.float32).reshape(2, 3)
        for name, value in changes.items():
            file.attrs[name] = value
    return str(path)


CONFIG = json.dumps({"class_name": "Sequential", "config": [
    {"class_name": "Dense", "config": {"name": "d", "batch_input_shape": [None, 2]}}]})


def test_an_optimizer_and_a_training_config_are_at_hand(tmp_path: Path) -> None:
    path = small(tmp_path / "m.h5", model_config=CONFIG, training_config='{"loss": "mse"}')
    with h5py.File(path, "a") as file:
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [b"SGD/iter:0"]
        group["SGD/iter:0"] = np.int64(7)
    model = KerasH5(path)
    assert model.training_config == {"loss": "mse"}
    assert {k: int(v.numpy()) for k, v in model.optimizer.items()} == {"SGD/iter:0": 7}
    assert model.network.keras_major == 2
    model.close()


def test_weights_only(tmp_path: Path) -> None:
    with KerasWeights(small(tmp_path / "w.h5")) as weights:
        assert isinstance(weights, KerasWeights)
        assert weights.layout == "layer_names"
        assert list(weights.layers) == ["d"] and list(weights.layers["d"]) == ["d/kernel:0"]
        with pytest.raises(UnsupportedError, match="states no layers"):
            weights.network  # noqa: B018


def test_the_tree_layout(tmp_path: Path) -> None:
    path = str(tmp_path / "w.weights.h5")
    with h5py.File(path, "w") as file:
        for k in range(11):
            file[f"layers/dense/vars/{k}"] = np.float32(k)
        file["layers/lstm/cell/vars/0"] = np.float32(0)
    with KerasWeights(path) as weights:
        assert isinstance(weights, KerasWeights)
        assert weights.layout == "tree"
        assert list(weights.layers) == ["layers/dense", "layers/lstm/cell"]
        assert list(weights.layers["layers/dense"]) == [f"vars/{k}" for k in range(11)]


def test_layers_and_groups_that_do_not_meet_are_odd(tmp_path: Path) -> None:
    other = CONFIG.replace('"d"', '"e"')
    with KerasH5(small(tmp_path / "m.h5", model_config=other)) as model:
        assert isinstance(model, KerasH5)
        assert model.network.layer("e").weights == {}
        assert model.oddities == ['layer "e" has no group of weights',
                                  'the weights of "d" belong to no layer of the config']


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"layer_names": [b"d", b"gone"]}, MissingError, 'layer_names lists "gone"'),
        ({"weight_names": [b"nothing"]}, MissingError, "no such"),
        ({"weight_names": [b"d/kernel:0"] * 2}, CorruptFileError, "stands twice"),
        ({"weight_names": [1, 2]}, CorruptFileError, "no list of names"),
        ({"model_config": "{"}, CorruptFileError, "not JSON"),
        ({"model_config": "[1]"}, CorruptFileError, "no JSON object"),
        ({"model_config": '{"class_name": "Sequential", "config": 3}'}, CorruptFileError,
         "has no config"),
    ],
)
def test_damage_is_named(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    path = small(tmp_path / "m.h5", **{"model_config": CONFIG, **changes})
    with KerasH5(path) as model, pytest.raises(error, match=message) as caught:
        model.network  # noqa: B018
    assert path in str(caught.value)


# -- writing ------------------------------------------------------------------------------------


def weight(name: str, *shape: int) -> Tensor:
    size = int(np.prod(shape))
    return Tensor.from_numpy(name, np.arange(size, dtype=np.float32).reshape(shape))


def normalized(name: str, source: str, trainable: bool = True) -> Layer:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return Layer("BatchNormalization", name, {"trainable": trainable},
                 {n: weight(n, 3) for n in names}, names[2:],
                 [Call([Ref(source)], outputs=[Spec((None, 3))])])


def nested_network() -> Network:
    inner = Network("inner", "Functional", [
        Layer("InputLayer", "i", {"batch_shape": [None, 3]}),
        normalized("bn", "i"), normalized("frozen", "bn", trainable=False),
    ], [Ref("i")], [Ref("frozen")])
    return Network("outer", "Functional", [
        Layer("Dense", "a_last", {"units": 3}, {"kernel": weight("k", 3, 3)},
              calls=[Call([Ref("inner")])]),
        Layer("Functional", "inner", network=inner,
              calls=[Call([Ref("x")], outputs=[Spec((None, 3))])]),
        Layer("InputLayer", "x", {"batch_shape": [None, 3]}),
    ], [Ref("x")], [Ref("a_last")])


@pytest.mark.parametrize(("major", "end"), [(2, ":0"), (3, "")])
def test_the_layout_is_keras_own(tmp_path: Path, major: int, end: str) -> None:
    path = str(tmp_path / "m.h5")
    write_h5(nested_network(), path, major=major)
    with h5py.File(path) as file:
        group = file["model_weights"]
        assert file.attrs["keras_version"].startswith(str(major))
        assert list(group.attrs["layer_names"]) == ["x", "inner", "a_last"]
        assert list(group["inner"].attrs["weight_names"]) == [
            f"{name}{end}" for name in (
                "bn/gamma", "bn/beta", "bn/moving_mean", "bn/moving_variance",
                "frozen/gamma", "frozen/beta", "frozen/moving_mean", "frozen/moving_variance")]
        assert group["x"].attrs["weight_names"].shape == (0,)
        assert group[f"a_last/a_last/kernel{end}"].shape == (3, 3)
        assert len(group["top_level_model_weights"].attrs["weight_names"]) == 0


def test_trainable_weights_of_a_nested_model_come_first(tmp_path: Path) -> None:
    network = nested_network()
    inner = network.layer("inner").network
    assert inner is not None
    inner.layer("frozen").config["trainable"] = True
    path = str(tmp_path / "m.h5")
    write_h5(network, path, major=3)
    with h5py.File(path) as file:
        assert list(file["model_weights/inner"].attrs["weight_names"]) == [
            "bn/gamma", "bn/beta", "frozen/gamma", "frozen/beta", "bn/moving_mean",
            "bn/moving_variance", "frozen/moving_mean", "frozen/moving_variance"]


@pytest.mark.parametrize("major", [2, 3])
def test_written_files_read_back_and_are_deterministic(tmp_path: Path, major: int) -> None:
    first, second = str(tmp_path / "a.h5"), str(tmp_path / "b.h5")
    write_h5(nested_network(), first, major=major)
    write_h5(nested_network(), second, major=major)
    assert Path(first).read_bytes() == Path(second).read_bytes()
    with KerasH5(first) as model:
        assert isinstance(model, KerasH5)
        assert [n.name for n in model.network.layers] == ["x", "inner", "a_last"]
        assert len(model.network.layer("inner").weights) == 8
        assert model.network.keras_major == major and model.oddities == []


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "m.h5"
    path.write_bytes(b"mine")
    with pytest.raises(OutputExistsError):
        write_h5(nested_network(), str(path))
    assert path.read_bytes() == b"mine"
    write_h5(nested_network(), str(path), force=True)
    assert path.read_bytes()[:4] == b"\x89HDF"
    assert [p.name for p in tmp_path.iterdir()] == ["m.h5"]


@pytest.mark.oracle
def test_tf_keras_loads_what_we_write(tmp_path: Path) -> None:
    """Equal outputs for every model of oracle_models.py, saved, rewritten and loaded."""
    script = Path(__file__).with_name("oracle_models.py")
    done = subprocess.run([sys.executable, str(script), "2", str(tmp_path)],
                          capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [line.split() for line in done.stdout.splitlines() if "->" in line]
    assert len(rows) == 7
    assert {row[0]: row for row in rows if float(row[2]) > 1e-6} == {}
