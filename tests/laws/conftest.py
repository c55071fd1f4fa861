"""Every law runs over the golden cases: one parameter a case, by the name of its folder."""

from __future__ import annotations

import os
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import modelfmt
from modelfmt.tf.checkpoint import Checkpoint

GOLDEN = Path(__file__).parents[2] / "golden"
MODELS: list[Path] = runpy.run_path(str(GOLDEN / "make_dumps.py"))["models"]()


def of(*kinds: str) -> list[Path]:
    return [model for model in MODELS if model.parents[1].name in kinds]


def is_bundle(model: Path) -> bool:
    """Whether a checkpoint, or the state file that names it, is of version 2."""
    return any(model.parent.glob("*.index"))


#: Fixture name -> the models that it stands for: files, folders, prefixes of checkpoints.
FIXTURES = {
    "golden": MODELS,
    "graphdef": of("graphdef"),
    "binary_graphdef": [m for m in of("graphdef") if m.suffix == ".pb"],
    "text_graphdef": [m for m in of("graphdef") if m.suffix == ".pbtxt"],
    "metagraph": of("metagraph"),
    "binary_metagraph": [m for m in of("metagraph") if m.suffix == ".meta"],
    "savedmodel": of("savedmodel"),
    "binary_savedmodel": [m for m in of("savedmodel") if (m / "saved_model.pb").exists()],
    "checkpoint": of("checkpoint"),
    "bundle": [m for m in of("checkpoint") if is_bundle(m)],
    # A text .meta may stand alone; every other model has tensors.
    "with_tensors": [m for m in MODELS if m.name != "model.meta.pbtxt"],
    "with_variables": [
        m for m in of("metagraph", "savedmodel") if m.name != "model.meta.pbtxt"
    ],
    # What extract takes apart, and assemble puts together again.
    "whole": [
        *of("graphdef", "metagraph", "savedmodel", "keras-h5", "keras-weights", "keras"),
        *(m for m in of("checkpoint") if is_bundle(m)),
    ],
    "layered": of("keras-h5", "keras-weights", "keras"),
    "saved": MODELS,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture, models in FIXTURES.items():
        if fixture in metafunc.fixturenames:
            names = [f"{m.parents[1].name}/{m.parent.name}" for m in models]
            metafunc.parametrize(fixture, models, ids=names)


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    return GOLDEN


@pytest.fixture(scope="session")
def files_of() -> Callable[[Path], dict[str, bytes]]:
    """The bytes of a model's files, by what their names have after the model's own.

    Of a checkpoint these are its index and shards, of a .meta the file alone.
    """

    def read(model: Path) -> dict[str, bytes]:
        if model.is_dir():
            return {
                p.relative_to(model).as_posix(): p.read_bytes()
                for p in model.rglob("*")
                if p.is_file()
            }
        with modelfmt.open(model) as container:
            if not isinstance(container, Checkpoint):
                return {"": model.read_bytes()}
            prefix = Path(container.prefix)
            return {
                Path(name).name.removeprefix(prefix.name): Path(name).read_bytes()
                for name in container.reader.files
            }

    return read


@pytest.fixture
def relocated(tmp_path: Path) -> Callable[[Path], Path]:
    """Copy a case to another folder, its model under another name, its times 1970."""

    def copy(model: Path) -> Path:
        folder = Path(shutil.copytree(model.parent, tmp_path / "another place"))
        stem = model.name.removesuffix(".meta")  # a checkpoint beside it has the same
        found = folder / model.name
        if model.name != "checkpoint":  # a state file's text names its checkpoint
            for path in sorted(folder.iterdir()):
                if path.name.startswith(stem):
                    path.rename(folder / f"another name{path.name.removeprefix(stem)}")
            found = folder / f"another name{model.name.removeprefix(stem)}"
        for path in folder.rglob("*"):
            os.utime(path, (0, 0))
        return found

    return copy
