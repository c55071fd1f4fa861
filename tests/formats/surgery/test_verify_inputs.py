"""Inputs to try a model on: shapes, dtypes, seeds, and what a model can take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import MismatchError, UnsupportedError
from modelfmt.surgery.verify_inputs import fitted, limits_of, random_inputs

GOLDEN = Path(__file__).parents[3] / "golden"


def row(name: str, shape: Any, dtype: str = "float32") -> dict[str, Any]:
    return {"name": name, "dtype": dtype, "shape": shape}


# -- without a framework --------------------------------------------------------------------------


def test_random_inputs_have_the_shapes_and_types_asked_for() -> None:
    inputs = [row("x", [None, 3, None]), row("i", [2], "int64"), row("b", [None], "bool"),
              row("s", [], "float64")]  # fmt: skip
    feeds = random_inputs({"inputs": inputs, "path": "a"}, 5, 0)
    assert {k: (v.shape, v.dtype.name) for k, v in feeds.items()} == {
        "x": ((5, 3, 8), "float32"), "i": ((2,), "int64"), "b": ((5,), "bool"),
        "s": ((), "float64"),
    }  # fmt: skip
    again = random_inputs({"inputs": inputs, "path": "a"}, 5, 0)
    other = random_inputs({"inputs": inputs, "path": "a"}, 5, 1)
    assert (again["x"] == feeds["x"]).all() and (other["x"] != feeds["x"]).any()


def test_an_input_of_unknown_rank_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r'input "x" has no known shape.*--inputs'):
        random_inputs({"inputs": [row("x", None)], "path": "a"}, 2, 0)


def test_inputs_go_by_name_else_by_shape() -> None:
    feeds: Any = {"a": np.zeros((2, 3)), "b": np.zeros((2, 4))}
    same = fitted(feeds, {"inputs": [row("b", [None, 4]), row("a", [None, 3])]})
    assert list(same) == ["b", "a"] and same["a"] is feeds["a"]
    other = fitted(feeds, {"inputs": [row("y", [None, 4]), row("x", [None, 3])]})
    assert other["y"] is feeds["b"] and other["x"] is feeds["a"]


@pytest.mark.parametrize(
    "inputs", [[row("y", [None, 9])], [row("y", [None, 3])], [row("y", [3])], []]
)
def test_other_inputs_are_refused(inputs: Any) -> None:
    feeds: Any = {"a": np.zeros((2, 3)), "b": np.zeros((2, 4))}
    with pytest.raises(MismatchError, match="other inputs"):
        fitted(feeds, {"inputs": inputs, "path": "p"})


def test_limits_words_and_phases() -> None:
    inputs = [row("i", [None, 50], "int64"), row("f", [50]), row("w", [9], "string"),
              row("s", [3], "string"), row("keras_learning_phase", [], "bool")]  # fmt: skip
    feeds = random_inputs(
        {"inputs": inputs, "path": "a"}, 4, 0, {"i": 7, "f": 5, "w": ["one", "two"]}
    )
    assert feeds["i"].min() >= 0 and 2 < feeds["i"].max() < 7
    assert set(feeds["f"].tolist()) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert set(feeds["w"].tolist()) == {"one", "two"} and feeds["s"].dtype.kind == "U"
    assert not feeds["keras_learning_phase"]


@pytest.mark.parametrize("name", ["m.h5", "m.pb"])
def test_the_rows_of_a_table_are_the_limit(name: str, tmp_path: Path) -> None:
    source = GOLDEN / "savedmodel/keras3.15.1-tf2.21.0-lstm_text/saved_model"
    modelfmt.convert(source, tmp_path / name)
    with modelfmt.open(tmp_path / name) as file:
        tables = [tensor for n, tensor in file.tensors.items() if "emb" in n]
        rows = {tensor.shape[0] for tensor in tables if tensor.shape}
        (limit,) = limits_of(file).values()
        assert limit in rows


def test_a_phase_is_fed_where_only_one_file_has_it() -> None:
    feeds: Any = {"a": np.zeros((2, 3))}
    report = {"inputs": [row("a", [None, 3]), row("keras_learning_phase", [], "bool")]}
    assert list(fitted(feeds, report)) == ["a", "keras_learning_phase"]
    both: Any = {**feeds, "keras_learning_phase": np.zeros((), bool)}
    assert list(fitted(both, {"inputs": [row("x", [None, 3])], "path": "p"})) == ["x"]
