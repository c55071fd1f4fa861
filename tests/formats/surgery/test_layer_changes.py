"""Changes between files that state their layers."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.surgery.changes import Change

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"
NESTED = GOLDEN / "keras-h5" / "tfkeras-tf2.15.1-nested" / "model.h5"
ARCHIVE = GOLDEN / "keras" / "keras3.0.5-tf2.16.2-multi_output" / "model.keras"

Rows = list[tuple[str, str, str, str, Any, Any]]


def rows(changes: list[Change]) -> Rows:
    return [(c.part, c.where, c.what, c.item, c.a, c.b) for c in changes]


def reconfigured(source: Path, out: Path, edit: Callable[[Any], object]) -> Path:
    shutil.copy(source, out)
    with h5py.File(out, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)
    return out


def layer(config: Any, name: str) -> Any:
    return next(row for row in config["config"]["layers"] if row["config"]["name"] == name)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda c: layer(c, "fc")["config"].update(activation="tanh"),
         ("layers", "fc", "changed", "config.activation", "relu", "tanh")),
        (lambda c: layer(c, "drop")["config"].update(rate=0.5),
         ("layers", "drop", "changed", "config.rate", 0.25, 0.5)),
        (lambda c: layer(c, "act").update(class_name="ELU"),
         ("layers", "act", "changed", "class", "Activation", "ELU")),
        (lambda c: layer(c, "fc")["config"].update(extra=[1]),
         ("layers", "fc", "added", "config.extra", None, [1])),
        # A key that says nothing, which a Network leaves out: the files differ all the same.
        (lambda c: layer(c, "drop")["config"].update(seed=7),
         ("layers", "drop", "changed", "config.seed", None, 7)),
        (lambda c: c["config"].update(name="other"),
         ("model", "", "changed", "name", "cnn", "other")),
        (lambda c: c["config"].update(build_input_shape=[None, 1, 1, 3]),
         ("model", "", "added", "config.build_input_shape", None, [None, 1, 1, 3])),
    ],
)  # fmt: skip
def test_one_change_of_a_config(
    tmp_path: Path, edit: Callable[[Any], object], expected: tuple[Any, ...]
) -> None:
    other = reconfigured(CNN, tmp_path / "other.h5", edit)
    assert rows(modelfmt.diff(CNN, other)) == [expected]


def test_a_weight(tmp_path: Path) -> None:
    other = shutil.copy(NESTED, tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        file["model_weights/middle/inner_dense/kernel:0"][0, 0] += 0.5
    (change,) = modelfmt.diff(NESTED, other)
    assert (change.part, change.where) == ("weights", "middle/inner_seq/inner_dense/kernel")
    assert change.numbers is not None and change.numbers[:2] == (1, 56)
    assert change.numbers.max_abs == pytest.approx(0.5)
    assert modelfmt.diff(NESTED, other, atol=0.51) == []


def test_training_and_optimizer(tmp_path: Path) -> None:
    other = shutil.copy(NESTED, tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        path = next(p for p in _datasets(file["optimizer_weights"]) if p.endswith("bias:0"))
        file["optimizer_weights"][path][0] = 9
        training = json.loads(file.attrs["training_config"])
        training["loss"] = "mae"
        file.attrs["training_config"] = json.dumps(training)
        file.attrs["keras_version"] = "2.14.0"
    found = {(c.part, c.item) for c in modelfmt.diff(NESTED, other)}
    assert found == {
        ("versions", "keras_version"), ("training", "config.loss"), ("optimizer", "values"),
    }  # fmt: skip


def _datasets(group: Any) -> list[str]:
    found: list[str] = []
    group.visititems(lambda n, o: found.append(n) if isinstance(o, h5py.Dataset) else None)
    return found


def graph_h5(path: Path, names: dict[str, str], *, twice: bool = False) -> Path:
    """A functional model x -> a -> b with other names of layers; with ``twice``, a -> a -> b."""
    x, a, b = (names.get(k, k) for k in "xab")

    def dense(name: str, inbound: list[Any]) -> Any:
        body = {"name": name, "units": 2, "use_bias": False}
        return {"class_name": "Dense", "name": name, "config": body, "inbound_nodes": inbound}

    inbound = [[[x, 0, 0, {}]], *([[[a, 0, 0, {}]]] if twice else [])]
    config = {"class_name": "Functional", "config": {
        "name": "m",
        "layers": [
            {"class_name": "InputLayer", "name": x, "inbound_nodes": [],
             "config": {"name": x, "batch_input_shape": [None, 2], "dtype": "float32"}},
            dense(a, inbound),
            dense(b, [[[a, int(twice), 0, {}]]]),
        ],
        "input_layers": [[x, 0, 0]], "output_layers": [[b, 0, 0]],
    }}  # fmt: skip
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.15.0"
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [n.encode() for n in (x, a, b)]
        for name in (x, a, b):
            group = weights.create_group(name)
            group.attrs["weight_names"] = [] if name == x else [f"{name}/kernel:0".encode()]
            if name != x:
                group[f"{name}/kernel:0"] = np.full((2, 2), "xab".index(
                    next(k for k in "xab" if names.get(k, k) == name)), np.float32)
    return path


def test_a_renamed_layer_is_one_change(tmp_path: Path) -> None:
    a, b = graph_h5(tmp_path / "a.h5", {}), graph_h5(tmp_path / "b.h5", {"a": "z"})
    assert rows(modelfmt.diff(a, b)) == [("layers", "a", "renamed", "", "a", "z")]
    assert rows(modelfmt.diff(b, a)) == [("layers", "z", "renamed", "", "z", "a")]


def test_two_layers_that_swapped_their_names(tmp_path: Path) -> None:
    a, b = graph_h5(tmp_path / "a.h5", {}), graph_h5(tmp_path / "b.h5", {"a": "b", "b": "a"})
    changes = rows(modelfmt.diff(a, b))
    assert ("layers", "a", "changed", "calls[0].inputs", ["x"], ["b"]) in changes
    assert ("model", "", "changed", "outputs", ["b"], ["a"]) in changes
    assert {c[1] for c in changes if c[0] == "weights"} == {"a/kernel", "b/kernel"}


def test_another_call(tmp_path: Path) -> None:
    a = graph_h5(tmp_path / "a.h5", {})
    b = graph_h5(tmp_path / "b.h5", {}, twice=True)
    items = {(c.where, c.what, c.item) for c in modelfmt.diff(a, b)}
    assert items == {("a", "added", "calls[1]"), ("b", "changed", "calls[0].inputs")}


def test_a_layer_that_is_gone(tmp_path: Path) -> None:
    def edit(config: Any) -> None:
        config["config"]["layers"].remove(layer(config, "drop"))

    other = reconfigured(CNN, tmp_path / "other.h5", edit)
    assert ("layers", "drop", "removed", "", "Dropout", None) in rows(modelfmt.diff(CNN, other))
    assert ("layers", "drop", "added", "", None, "Dropout") in rows(modelfmt.diff(other, CNN))


def test_across_kinds_and_majors_spelling_is_no_change(tmp_path: Path) -> None:
    for source, out in ((CNN, "c.keras"), (NESTED, "n.keras")):
        modelfmt.convert(source, tmp_path / out)
        changes = modelfmt.diff(source, tmp_path / out)
        assert changes == [] and changes.way == "keras-h5 and keras: layers and weights"
    modelfmt.convert(ARCHIVE, tmp_path / "a.h5", keras=2)
    assert modelfmt.diff(ARCHIVE, tmp_path / "a.h5") == []


def test_across_kinds_a_weight_is(tmp_path: Path) -> None:
    modelfmt.convert(CNN, tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5", "r+") as file:
        path = next(p for p in _datasets(file["model_weights"]) if p.endswith("fc/bias"))
        file["model_weights"][path][0] += 1
    modelfmt.convert(CNN, tmp_path / "c.keras")
    (change,) = modelfmt.diff(tmp_path / "c.h5", tmp_path / "c.keras")
    assert (change.where, change.item) == ("fc/bias", "values")


def repacked(source: Path, out: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            if name.replace(".", "_") not in members:
                new.writestr(name, old.read(name))
        for key, data in members.items():
            new.writestr(key.replace("_json", ".json").replace("__", "/"), data)
    return out


def test_the_time_of_saving_and_addresses_are_no_changes(tmp_path: Path) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        metadata = json.loads(archive.read("metadata.json"))
        config = archive.read("config.json").decode()
    metadata["date_saved"] = "1999-01-01"
    config = config.replace('"registered_name"', '"shared_object_id": 4711, "registered_name"')
    other = repacked(ARCHIVE, tmp_path / "b.keras", metadata_json=json.dumps(metadata).encode(),
                     config_json=config.encode())
    assert modelfmt.diff(ARCHIVE, other) == []


def test_assets(tmp_path: Path) -> None:
    a = repacked(ARCHIVE, tmp_path / "a.keras", assets__x=b"1")
    b = repacked(ARCHIVE, tmp_path / "b.keras", assets__x=b"2")
    assert rows(modelfmt.diff(a, b)) == [("files", "assets/x", "changed", "content", None, None)]
    assert rows(modelfmt.diff(a, ARCHIVE)) == [("files", "assets/x", "removed", "", None, None)]


def test_models_whose_layers_nobody_reads(tmp_path: Path) -> None:
    """A subclassed model's config has no layers; its own entries and its tensors are compared."""
    subclassed = {"module": "me", "class_name": "Net", "config": {"width": 3}}
    a = repacked(ARCHIVE, tmp_path / "a.keras", config_json=json.dumps(subclassed).encode())
    assert modelfmt.diff(a, a) == []
    subclassed["config"] = {"width": 4}
    b = repacked(ARCHIVE, tmp_path / "b.keras", config_json=json.dumps(subclassed).encode())
    changes = modelfmt.diff(a, b)
    assert changes.way == "keras: configs and tensors"
    assert rows(changes) == [("model", "", "changed", "config.width", 3, 4)]
