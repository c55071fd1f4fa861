"""Time-major recurrent layers between transposes."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.layers.time_major import put_batch_first
from modelfmt.network import Call, Layer, Network, Ref


def model(class_name: str = "LSTM", before: str = "Dense", **config: Any) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [6, 4, 3]})
    a = Layer(before, "a", calls=[Call([Ref("x")])])
    rnn = Layer(class_name, "rnn", config, calls=[Call([Ref("a")])])
    return Network("m", "Sequential", [x, a, rnn], [Ref("x")], [Ref("rnn")])


def test_a_state_has_no_time() -> None:
    made = put_batch_first(model(units=2, time_major=True))
    assert [layer.name for layer in made.layers] == ["x", "a", "rnn_batch_first", "rnn"]
    assert made.layer("rnn").config == {"units": 2}
    assert made.layer("rnn_batch_first").config == {"axes": [1, 0, 2]}
    assert made.outputs == [Ref("rnn")]


def test_a_sequence_is_turned_back() -> None:
    made = put_batch_first(model(units=2, time_major=True, return_sequences=True))
    assert made.outputs == [Ref("rnn_time_first")]
    assert made.layer("rnn_time_first").calls[0].inputs == [Ref("rnn")]


def test_both_ways() -> None:
    inner = {"class_name": "GRU", "config": {"time_major": True, "return_sequences": True}}
    made = put_batch_first(model("Bidirectional", layer=inner, merge_mode="sum"))
    assert made.layer("rnn").config["layer"]["config"] == {"return_sequences": True}
    assert made.outputs == [Ref("rnn_time_first")]


def test_nested_models_too() -> None:
    inner = model(time_major=True)
    outer = Layer("Sequential", "inner", network=inner, calls=[Call([Ref("x")])])
    put_batch_first(Network("m", layers=[outer]))
    assert "time_major" not in inner.layer("rnn").config


@pytest.mark.parametrize("changes", [{"before": "Masking"}, {"return_state": True}])
def test_what_cannot_be_rewritten_is_refused(changes: Any) -> None:
    with pytest.raises(ConversionError, match='layer "rnn": time_major together with'):
        put_batch_first(model(**changes, time_major=True))


def test_others_stay() -> None:
    made = put_batch_first(model(units=2, time_major=False))
    assert len(made.layers) == 3 and made.kind == "Sequential"
