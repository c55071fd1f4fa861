"""The table of layers: every class of Keras has a row, and the registry tells what it can do."""

from __future__ import annotations

import pytest

from modelfmt.layers import LayerCodec, op, register_layer
from modelfmt.layers.registry import _CODECS
from modelfmt.layers.template import X
from modelfmt.surgery.coverage import BEGIN, END, coverage, filled, markdown


def rows() -> dict[str, tuple[str, bool, bool]]:
    return {r.class_name: (r.majors, r.is_written, r.is_recognised) for r in coverage()}


def test_what_the_registry_knows() -> None:
    found = rows()
    assert found["Dense"] == ("2, 3", True, True)
    assert found["LSTMCell"][1]
    assert found["ThresholdedReLU"][0] == "2"
    assert found["InputLayer"] == ("2, 3", True, True)


def test_layers_of_users_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfmt.layers.registry._CODECS", dict(_CODECS))

    @register_layer
    class Mine(LayerCodec):
        class_name = "Mine"
        module = "mine"
        template = op("Neg", X)

    assert "Mine" not in rows()


def test_the_table_stands_between_its_marks() -> None:
    text = filled(f"a {BEGIN} old {END} b")
    assert text.startswith("a ")
    assert text.endswith(" b")
    assert markdown() in text
    assert filled(text) == text
    with pytest.raises(ValueError, match="no <!-- layers"):
        filled("no marks")
