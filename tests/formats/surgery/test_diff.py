"""diff as a whole: what is compared how, and what is refused. Each way has its own tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import modelfmt
from modelfmt.errors import CorruptFileError, MissingError, ModelFormatError

GOLDEN = Path(__file__).parents[3] / "golden"
H5 = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"
GRAPH = GOLDEN / "graphdef" / "keras2.1.2-tf1.4.1-cnn" / "model.pb"
ARCHIVE = GOLDEN / "keras" / "tfkeras-tf2.12.1-nested" / "model.keras"
WEIGHTS = GOLDEN / "keras-weights" / "tfkeras-tf2.12.1-nested" / "model.weights.h5"
LAYER_NAMES = GOLDEN / "keras-weights" / "keras2.1.2-tf1.4.1-multi_input"


@pytest.mark.parametrize(
    ("a", "b", "way"),
    [
        (GRAPH, GRAPH, "graphdef: nodes and functions"),
        (H5, H5, "keras-h5: layers and weights"),
        (H5, ARCHIVE, "keras-h5 and keras: layers and weights"),
        (H5, GRAPH, "keras-h5 and graphdef: weights by name"),
        (WEIGHTS, WEIGHTS, "keras-weights: tensors by path"),
        (WEIGHTS, next(LAYER_NAMES.glob("*.h5")), "keras-weights: weights by name"),
    ],
)
def test_the_way_is_told(a: Path, b: Path, way: str) -> None:
    assert modelfmt.diff(a, b).way.startswith(way)


def test_the_same_weights_are_equal_wherever_they_stand() -> None:
    assert modelfmt.diff(WEIGHTS, ARCHIVE) == modelfmt.diff(ARCHIVE, WEIGHTS) == []


def test_weights_only_by_path(tmp_path: Path) -> None:
    import shutil

    import h5py

    other = shutil.copy(WEIGHTS, tmp_path / "other.weights.h5")
    with h5py.File(other, "r+") as file:
        names: list[str] = []
        file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
        del file[names[0]]
        file[names[1]][...] += 1
    found = {(c.part, c.where, c.what) for c in modelfmt.diff(WEIGHTS, other)}
    assert found == {("weights", names[0], "removed"), ("weights", names[1], "changed")}


def test_kinds_may_be_stated(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError):
        modelfmt.diff(GRAPH, GRAPH, kinds=("keras", None))


@pytest.mark.parametrize(
    "options", [{"rtol": -1}, {"atol": float("nan")}, {"bytes": True, "inference_form": True},
                {"bytes": True, "atol": 1}],
)  # fmt: skip
def test_what_makes_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ModelFormatError) as caught:
        modelfmt.diff(GRAPH, GRAPH, **options)
    assert caught.value.exit_status == 2


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        modelfmt.diff(GRAPH, tmp_path / "nowhere")
    (tmp_path / "cut.pb").write_bytes(GRAPH.read_bytes()[:-100])
    with pytest.raises(CorruptFileError):
        modelfmt.diff(GRAPH, tmp_path / "cut.pb")
    assert modelfmt.diff(GRAPH, tmp_path / "cut.pb", bytes=True)
