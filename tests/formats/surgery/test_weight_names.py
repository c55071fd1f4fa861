"""The weights of every container as ``layer/weight``."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelfmt
from modelfmt.surgery.weight_names import named_weights, recognised_weights

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"


def names(path: Path, other: Path | None = None) -> set[str]:
    with modelfmt.open(path) as container:
        if other is None:
            return set(named_weights(container))
        with modelfmt.open(other) as second:
            return set(named_weights(container, second))


def prefix(folder: str) -> Path:
    found = next((GOLDEN / "checkpoint" / folder).glob("*.index"))
    return found.with_suffix("")


@pytest.mark.parametrize("out", ["x.pb", "x.meta", "saved", "x.keras", "x.h5"])
def test_a_model_has_the_same_names_everywhere(out: str, tmp_path: Path) -> None:
    modelfmt.convert(CNN, tmp_path / out)
    assert names(tmp_path / out) == names(CNN) >= {"fc/kernel", "bn_a/moving_mean"}


def test_variables_of_an_object_graph_without_the_optimizers() -> None:
    found = names(prefix("tfkeras-tf2.3.4-linear_regression_train"))
    assert found >= {"line/kernel", "line/bias"}
    assert not any("SGD" in name or "save_counter" in name for name in found)


def test_a_weight_that_an_optimizer_leads_to_stays() -> None:
    found = names(prefix("keras3.15.1-tf2.21.0-nested_train"))
    assert any(name.endswith("outer_dense/kernel") for name in found)
    assert not any("momentum" in name or "velocity" in name for name in found)


def test_keras_3_exports_a_variable_twice() -> None:
    found = names(GOLDEN / "savedmodel" / "keras3.15.1-tf2.21.0-lstm_text" / "saved_model")
    assert found and not any(name.startswith("Variable") for name in found)


@pytest.mark.parametrize(
    ("weights", "model"),
    [
        ("tfkeras-tf2.12.1-nested", "keras/tfkeras-tf2.12.1-nested/model.keras"),
        ("keras3.15.1-tf2.21.0-mini_transformer",
         "keras/keras3.15.1-tf2.21.0-mini_transformer/model.keras"),
    ],
)  # fmt: skip
def test_weights_only_take_the_names_of_the_other_files_layers(weights: str, model: str) -> None:
    path = next((GOLDEN / "keras-weights" / weights).glob("model*"))
    assert names(path, GOLDEN / model) == names(GOLDEN / model)


def test_weights_of_another_model_keep_their_own_names() -> None:
    path = next((GOLDEN / "keras-weights" / "keras3.3.3-tf2.16.2-cnn").glob("model*"))
    assert names(path, GOLDEN / "keras/tfkeras-tf2.12.1-nested/model.keras") >= names(path)


def test_recognised_layers() -> None:
    graph = GOLDEN / "graphdef" / "keras2.1.2-tf1.4.1-cnn" / "model.pb"
    with modelfmt.open(graph) as container:
        assert set(recognised_weights(container) or ()) >= {"fc/kernel", "fc/bias"}
    strings = GOLDEN / "graphdef" / "rawtf1.15.5-raw_strings" / "model.pb"
    with modelfmt.open(strings) as container:
        assert recognised_weights(container) is None
