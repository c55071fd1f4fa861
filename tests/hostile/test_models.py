"""Keras models that break the rules of Keras, one abuse each."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.errors import (
    ConversionError,
    CorruptFileError,
    MismatchError,
    MissingError,
    ModelFormatError,
    UnknownLayerError,
)

Refused = Callable[..., ModelFormatError]


def test_the_builder_builds_a_model(h5_model: Any, tmp_path: Path) -> None:
    """Else every refusal below may be of something else."""
    assert modelfmt.convert(h5_model(), tmp_path / "out.pb").weights == 2


def test_a_layer_nobody_knows(h5_model: Any, configs: Any, refused: Refused) -> None:
    path = h5_model(configs.functional(configs.dense(class_name="Cauldron")))
    error = refused(path, UnknownLayerError, end=".pb")
    assert error.exit_status == 4
    assert "Cauldron" in str(error) and '"d"' in str(error) and "register_layer" in str(error)
    assert modelfmt.dump(path)["layers"][1]["class_name"] == "Cauldron"


def test_nan_in_a_config(h5_model: Any, configs: Any, refused: Refused) -> None:
    row = configs.dense(config={"name": "d", "units": float("nan")})
    refused(h5_model(configs.functional(row)), end=".pb", survives=True)
    refused(h5_model(json.dumps(configs.functional(row))), end=".keras", survives=True)


def test_an_inbound_node_that_names_no_layer(
    h5_model: Any, configs: Any, refused: Refused
) -> None:
    row = configs.dense(inbound_nodes=[[["nobody", 0, 0, {}]]])
    error = refused(h5_model(configs.functional(row)), end=".pb")
    assert "nobody" in str(error)


@pytest.mark.parametrize(
    "inbound",
    [
        None, 3, "x", {}, [3], [[3]], [[[]]], [[["x"]]], [[["x", 0]]],
        [[["x", 7, 0, {}]]], [[["x", 0, 7, {}]]], [[["x", -1, 0, {}]]], [[["x", "0", 0, {}]]],
        [[["d", 0, 0, {}]]], [[[["x"], 0, 0, {}]]],
        [{"args": 3, "kwargs": {}}], [{"args": [], "kwargs": []}], [[]], [],
    ],
)  # fmt: skip
def test_inbound_nodes_that_are_none(
    h5_model: Any, configs: Any, refused: Refused, inbound: Any
) -> None:
    refused(h5_model(configs.functional(configs.dense(inbound_nodes=inbound))), end=".pb")


@pytest.mark.parametrize("key", ["input_layers", "output_layers"])
@pytest.mark.parametrize(
    "ends", [None, 3, "d", {}, [], [3], [[]], [["d"]], [["zz", 0, 0]], [["d", 9, 0]],
             [["d", 0, 9]], [[None, 0, 0]], [["d", 0, 0], 7]],
)  # fmt: skip
def test_ends_that_are_none(
    h5_model: Any, configs: Any, refused: Refused, key: str, ends: Any
) -> None:
    refused(h5_model(configs.functional(configs.dense(), **{key: ends})), end=".pb")


def test_a_ring_of_layers(h5_model: Any, configs: Any, refused: Refused) -> None:
    rows = [
        configs.dense(name="d", inbound_nodes=[[["e", 0, 0, {}]]]),
        configs.dense(name="e", config={"name": "e", "units": 3},
                      inbound_nodes=[[["d", 0, 0, {}]]]),
    ]  # fmt: skip
    refused(h5_model(configs.functional(*rows)), end=".pb")


def test_two_layers_of_one_name(h5_model: Any, configs: Any, refused: Refused) -> None:
    refused(h5_model(configs.functional(configs.dense(), configs.dense())), end=".pb")


@pytest.mark.parametrize(
    "config",
    [
        "", "{", "null", "[]", "3", '"Functional"', "{}", '{"class_name": "Functional"}',
        '{"class_name": 3, "config": {}}', '{"class_name": "Functional", "config": []}',
        '{"class_name": "Functional", "config": {"layers": 3}}',
        '{"class_name": "Functional", "config": {"layers": [3]}}',
        '{"class_name": "Sequential", "config": [[]]}',
        '{"class_name": "Sequential", "config": {"layers": []}}',
        '{"class_name": "Dense", "config": {"name": "d"}}', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_config_that_is_none(h5_model: Any, refused: Refused, config: str) -> None:
    path = h5_model(config)
    refused(path, end=".pb")
    assert modelfmt.dump(path)["oddities"] or config.startswith('{"class_name": "Seq')


@pytest.mark.parametrize(
    "changes",
    [
        {"units": "three"}, {"units": None}, {"units": -1}, {"units": []}, {"use_bias": "maybe"},
        {"activation": "sorcery"}, {"activation": 3}, {"activation": {"class_name": "Lambda"}},
        {"activation": ["relu"]}, {"dtype": {"nested": [1]}}, {"dtype": "float33"}, {"dtype": 3},
    ],
)  # fmt: skip
def test_a_layer_config_that_makes_no_sense(
    h5_model: Any, configs: Any, refused: Refused, changes: Any
) -> None:
    row = configs.dense(config={"name": "d", "units": 3, **changes})
    for end in (".pb", ".h5", ".keras"):
        refused(h5_model(configs.functional(row)), end=end, survives=True)


@pytest.mark.parametrize(
    "shape", [3, "2", {}, ["a"], [None, -2], [[2]], [None, 2.5], [True], None]
)
def test_an_input_shape_that_is_none(
    h5_model: Any, configs: Any, refused: Refused, shape: Any
) -> None:
    config = configs.functional(configs.dense())
    config["config"]["layers"][0]["config"]["batch_input_shape"] = shape
    for end in (".pb", ".h5", ".keras"):
        refused(h5_model(config), end=end)


@pytest.mark.parametrize("dtype", ["float33", "string", "resource", 3, None, {}])
def test_an_input_dtype_that_is_none(
    h5_model: Any, configs: Any, refused: Refused, dtype: Any
) -> None:
    config = configs.functional(configs.dense())
    config["config"]["layers"][0]["config"]["dtype"] = dtype
    for end in (".pb", ".h5"):
        refused(h5_model(config), end=end, survives=not dtype)


def test_a_kernel_that_does_not_fit(h5_model: Any, refused: Refused) -> None:
    zeros = np.zeros
    for kernel in (zeros((5, 3), "f4"), zeros(3, "f4"), zeros((), "f4"), zeros((2, 3, 1), "f4"),
                   zeros((0, 0), "f4")):  # fmt: skip
        path = h5_model(weights={"d/kernel:0": kernel, "d/bias:0": zeros(3, "f4")})
        refused(path, MismatchError, end=".pb")


def test_weights_of_a_type_that_does_not_fit(h5_model: Any, refused: Refused) -> None:
    for dtype in ("i4", "f8", "?", "c8", "S3"):
        path = h5_model(weights={"d/kernel:0": np.zeros((2, 3), dtype),
                                 "d/bias:0": np.zeros(3, dtype)})  # fmt: skip
        refused(path, end=".pb")


def test_too_few_and_too_many_weights(h5_model: Any, refused: Refused) -> None:
    array = np.zeros((2, 3), "f4")
    for count in (0, 1, 3):
        path = h5_model(weights={f"d/w{k}:0": array for k in range(count)})
        assert str(count) in str(refused(path, MismatchError, end=".pb"))


def test_a_weight_name_without_a_dataset(h5_model: Any, refused: Refused) -> None:
    refused(h5_model(weight_names=[b"d/kernel:0", b"d/ghost:0"]), MissingError, end=".pb")


def test_a_weight_name_twice(h5_model: Any, refused: Refused) -> None:
    refused(h5_model(weight_names=[b"d/kernel:0"] * 2), CorruptFileError, end=".pb")


def test_a_layer_name_without_a_group(h5_model: Any, refused: Refused) -> None:
    refused(h5_model(layer_names=[b"x", b"d", b"ghost"]), MissingError, end=".pb")


def test_names_that_are_no_text(h5_model: Any, refused: Refused) -> None:
    refused(h5_model(layer_names=[1, 2]), end=".pb")
    refused(h5_model(weight_names=np.zeros(2)), end=".pb")
    refused(h5_model(weight_names=[b"\xff\xfe"]), end=".pb")


def test_a_weight_name_that_climbs_out(h5_model: Any, refused: Refused) -> None:
    refused(h5_model(weight_names=[b"../../model_config", b"/etc/passwd"]), end=".pb")


def test_weights_in_another_file(h5_model: Any, tmp_path: Path, refused: Refused) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = np.zeros((2, 3), "f4")
    path = h5_model(weights={}, weight_names=[b"d/kernel:0", b"d/bias:0"])
    with h5py.File(path, "a") as file:
        group = file["model_weights/d"].create_group("d")
        group["kernel:0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "kernel")
        group["bias:0"] = np.zeros(3, "f4")
    refused(path, end=".pb")


def test_a_group_where_a_dataset_should_be(h5_model: Any, refused: Refused) -> None:
    path = h5_model(weights={})
    with h5py.File(path, "a") as file:
        group = file["model_weights/d"]
        group.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        group.create_group("d/kernel:0")
        group["d/bias:0"] = np.zeros(3, "f4")
    refused(path, end=".pb")


def test_a_model_config_that_is_no_text(h5_model: Any, refused: Refused) -> None:
    path = h5_model()
    for value in (3, np.zeros(3), [b"a", b"b"], h5py.Empty("f4")):
        with h5py.File(path, "a") as file:
            file.attrs["model_config"] = value
        refused(path, CorruptFileError, end=".pb")


def test_a_config_nested_very_deeply(h5_model: Any, configs: Any, refused: Refused) -> None:
    config = configs.functional(configs.dense())
    for k in range(200):
        inner = {**config, "name": f"m{k}", "inbound_nodes": []}
        config = {"class_name": "Sequential", "config": {"name": f"s{k}", "layers": [inner]}}
    refused(h5_model(json.dumps(config)), end=".pb")


@pytest.mark.parametrize("member", ["config.json", "metadata.json"])
@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff\xfe", b"3", b"{}"])
def test_a_keras_archive_with_broken_json(
    tmp_path: Path, golden_folder: Path, refused: Refused, member: str, text: bytes
) -> None:
    source = golden_folder / "keras/keras3.0.5-tf2.16.2-multi_output/model.keras"
    path = tmp_path / "broken.keras"
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(path, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, text if name == member else whole.read(name))
    harmless = member == "metadata.json" and text == b"{}"
    refused(path, end=".pb", survives=harmless)


def test_what_the_target_cannot_say_leaves_nothing(
    h5_model: Any, configs: Any, refused: Refused
) -> None:
    row = configs.dense(config={"name": "d", "units": 3, "activation": "sorcery"})
    error = refused(h5_model(configs.functional(row)), ConversionError, end=".pb")
    assert "sorcery" in str(error)
