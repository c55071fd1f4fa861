"""Lengths of samples as masks: layers where the steps are known, operations where not."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.layers.recurrent.lengths import mask_of_lengths
from modelfmt.network import Ref


def test_layers_that_count_the_steps_left() -> None:
    layers, mask = mask_of_lengths(Ref("x"), Ref("n"), 4, 3, "lstm")
    assert [layer.class_name for layer in layers] == ["Reshape", "Dense"]
    assert mask == Ref(layers[-1].name)
    kernel, bias = (layers[-1].weights[name].numpy() for name in ("kernel", "bias"))
    left = np.maximum(np.array([[0.0], [2.0], [4.0]]) @ kernel + bias, 0) > 0
    assert left.tolist() == [
        [False, False, False, False], [True, True, False, False], [True, True, True, True],
    ]  # fmt: skip


@pytest.mark.parametrize("steps", [4, None])
def test_new_layers_are_chained_and_bear_new_names(steps: int | None) -> None:
    layers, mask = mask_of_lengths(Ref("x"), Ref("n"), steps, 3, "lstm")
    names = [layer.name for layer in layers]
    assert len(set(names)) == len(names) and all(name.startswith("lstm_") for name in names)
    read = {ref.layer for layer in layers for call in layer.calls for ref in call.inputs}
    states = {
        ref.layer for layer in layers for ref in layer.calls[0].kwargs.get("initial_state", [])
    }
    assert read | states | {mask.layer} >= set(names)
    assert not any(layer.is_operation for layer in layers)


def test_a_countdown_where_the_steps_are_not_known() -> None:
    layers, _ = mask_of_lengths(Ref("x"), Ref("n"), None, 3, "lstm")
    start, down = layers[1:3]
    assert down.weights["kernel"].shape == (3, 1) and not down.weights["kernel"].numpy().any()
    state = 2.0 * start.weights["kernel"].numpy() + start.weights["bias"].numpy()
    seen = []
    for _ in range(4):
        state = state @ down.weights["recurrent_kernel"].numpy() + down.weights["bias"].numpy()
        state = np.maximum(state, 0)
        seen.append(bool(state > 0))
    assert seen == [True, True, False, False]
