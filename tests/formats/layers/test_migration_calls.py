"""Calls, as the other Keras takes them."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.layers.migration_calls import settle_calls
from modelfmt.network import Call, Layer, Network, Ref


def settled(class_name: str, call: Call, written: int, major: int) -> Call:
    layer = Layer(class_name, "a", calls=[call])
    settle_calls(Network("m", layers=[layer], keras_major=written), layer, major)
    return call


@pytest.mark.parametrize("class_name", ["LSTM", "Bidirectional", "ConvLSTM2D"])
def test_states_that_a_list_gives(class_name: str) -> None:
    states = [Ref("h"), Ref("c")]
    call = settled(class_name, Call([Ref("x"), *states], structure=True), 2, 3)
    assert (call.inputs, call.structure) == ([Ref("x")], False)
    assert call.kwargs == {"initial_state": states}
    assert call.arguments() == ([Ref("x")], {"initial_state": states})


@pytest.mark.parametrize(("class_name", "major"), [("LSTM", 2), ("Concatenate", 3)])
def test_other_lists_stay(class_name: str, major: int) -> None:
    call = settled(class_name, Call([Ref("x"), Ref("y")], structure=True), 2, major)
    assert call.structure and len(call.inputs) == 2 and not call.kwargs


@pytest.mark.parametrize(("written", "major", "kept"), [
    (3, 2, {}), (3, 3, {"training": True}), (2, 2, {"training": True}),
])  # fmt: skip
def test_a_default_that_was_recorded(written: int, major: int, kept: Any) -> None:
    call = Call([Ref("x")], kwargs={"training": True})
    assert settled("RandomFlip", call, written, major).kwargs == kept
