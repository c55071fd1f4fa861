"""What every hostile file is given to, and what must come of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt import ModelFormatError
from modelfmt.errors import ConversionError

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    return GOLDEN


@pytest.fixture
def refused(tmp_path: Path) -> Callable[..., ModelFormatError]:
    """Convert a file; the ModelFormatError that must come of it, with nothing left behind.

    With ``survives``, no error at all is right as well; None then.
    """

    def check(
        source: Path, kind: type[ModelFormatError] = ModelFormatError, end: str = ".h5",
        survives: bool = False, **options: Any,
    ) -> ModelFormatError | None:  # fmt: skip
        folder = tmp_path / "outputs"
        folder.mkdir(exist_ok=True)
        out = folder / f"out{end}"
        try:
            modelfmt.convert(source, out, **options)
        except ModelFormatError as error:
            assert isinstance(error, kind), error
            assert "\n" not in str(error)
            assert list(folder.iterdir()) == [], "something was left behind"
            return error
        assert survives, "the file was taken"
        assert [p.name for p in folder.iterdir()] == [out.name]
        out.unlink()
        return None

    return check


@pytest.fixture
def case(tmp_path: Path, golden_folder: Path) -> Callable[[str], Path]:
    """A copy of a golden case's folder, to be spoiled."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(golden_folder / name, tmp_path / "case"))

    return copy


@pytest.fixture
def told(tmp_path: Path) -> Callable[..., dict[str, ModelFormatError | None]]:
    """What dump, check and extract say of a file, and converting it; None where nothing is wrong.

    Every error must be one line, of status 3 (4: not convertible), and leave nothing behind. Of
    ``check`` the first finding counts.
    """

    def ask(path: Path, end: str = ".pb") -> dict[str, ModelFormatError | None]:
        folder = tmp_path / "told"
        verbs: dict[str, Callable[[], Any]] = {
            "dump": lambda: modelfmt.dump(path),
            "check": lambda: modelfmt.check(path),
            "extract": lambda: modelfmt.extract(path, folder / "parts"),
            "convert": lambda: modelfmt.convert(path, folder / f"out{end}"),
        }
        said: dict[str, ModelFormatError | None] = {}
        for verb, run in verbs.items():
            folder.mkdir()
            try:
                done = run()
                said[verb] = done[0] if verb == "check" and done else None
            except ModelFormatError as error:
                assert list(folder.iterdir()) == [], "something was left behind"
                said[verb] = error
            for error in filter(None, [said[verb]]):
                assert "\n" not in str(error)
                assert error.exit_status == (4 if isinstance(error, ConversionError) else 3), error
            shutil.rmtree(folder)
        return said

    return ask


@pytest.fixture
def h5_model(tmp_path: Path) -> Callable[..., Path]:
    """Build a .h5 model: one Dense layer ``d``, unless config or weights say otherwise."""

    def build(config: Any = None, weights: dict[str, Any] | None = None, **attrs: Any) -> Path:
        path = tmp_path / "model.h5"
        if config is None:
            config = functional(dense())
        with h5py.File(path, "w") as file:
            text = config if isinstance(config, str) else json.dumps(config)
            file.attrs["model_config"] = text
            file.attrs["keras_version"] = "2.15.0"
            group = file.create_group("model_weights")
            group.attrs["layer_names"] = attrs.get("layer_names", [b"x", b"d"])
            group.create_group("x").attrs["weight_names"] = []
            layer = group.create_group("d")
            arrays = weights if weights is not None else {
                "d/kernel:0": np.zeros((2, 3), "f4"), "d/bias:0": np.zeros(3, "f4"),
            }  # fmt: skip
            names = attrs.get("weight_names", [name.encode() for name in arrays])
            layer.attrs["weight_names"] = names
            for name, array in arrays.items():
                layer[name] = array
        return path

    return build


def dense(**changes: Any) -> dict[str, Any]:
    """The config of a Dense layer ``d`` on ``x``."""
    row = {
        "class_name": "Dense", "name": "d", "config": {"name": "d", "units": 3},
        "inbound_nodes": [[["x", 0, 0, {}]]],
    }  # fmt: skip
    return {**row, **changes}


def functional(*layers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A Functional model's config: an input ``x``, then ``layers``; the output is ``d``."""
    x = {
        "class_name": "InputLayer", "name": "x", "inbound_nodes": [],
        "config": {"name": "x", "batch_input_shape": [None, 2], "dtype": "float32"},
    }  # fmt: skip
    config = {
        "name": "m", "layers": [x, *layers],
        "input_layers": [["x", 0, 0]], "output_layers": [["d", 0, 0]], **changes,
    }  # fmt: skip
    return {"class_name": "Functional", "config": config}


@pytest.fixture
def configs() -> Any:
    """``dense`` and ``functional``, for tests: with importlib they cannot be imported."""

    class Configs:
        dense = staticmethod(dense)
        functional = staticmethod(functional)

    return Configs
