"""audit as a verb; what it finds is held by tests/hostile/test_audit.py."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelfmt
from modelfmt.errors import CorruptFileError, MissingError, UnknownFormatError

GOLDEN = Path(__file__).parents[3] / "golden"


@pytest.mark.parametrize(
    "path",
    [
        "keras-h5/tfkeras-tf2.3.4-cnn/model.h5", "keras/keras3.15.1-tf2.21.0-siamese/model.keras",
        "savedmodel/tfkeras-tf2.15.1-linear_regression/saved_model",
        "savedmodel/rawtf2.21.0-module_lookup/saved_model",
        "checkpoint/tfkeras-tf2.12.1-linear_regression/weights",
        "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb",
    ],
)
def test_a_genuine_model_is_silent(path: str) -> None:
    assert modelfmt.audit(GOLDEN / path) == []


def test_a_custom_layer_is_told() -> None:
    risks = modelfmt.audit(GOLDEN / "savedmodel/tfkeras-tf2.3.4-custom_layer/saved_model")
    found = {(risk.severity, risk.rule, risk.what) for risk in risks}
    assert found == {("low", "custom", "a layer of class MatMulLayer")}


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        modelfmt.audit(tmp_path / "none")
    (tmp_path / "x").write_bytes(b"\0\1\2 no model")
    with pytest.raises(UnknownFormatError):
        modelfmt.audit(tmp_path / "x")
    whole = (GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFileError):
        modelfmt.audit(tmp_path / "cut.h5")
