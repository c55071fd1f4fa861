"""The weights of gates, beside each other in Keras' order."""

from __future__ import annotations

import numpy as np

from modelfmt.layers.recurrent.blocks import Block, Row
from modelfmt.layers.recurrent.gates import Gate, gate_weights, gate_weights_after
from modelfmt.tensor import Tensor

UNITS = 2


def row(name: str, height: int, value: float) -> Row:
    tensor = Tensor.from_numpy(name, np.full((height, UNITS), value, np.float32))
    return (Block(tensor, (height, UNITS), (0, height), (0, UNITS)),)


def gate(value: float, biases: int = 1, offset: float = 0.0) -> Gate:
    return Gate(
        row("k", 3, value), row("r", UNITS, -value),
        tuple(row("b", 1, value + 10 * k) for k in range(biases)), offset,
    )  # fmt: skip


def test_one_bias_for_each_gate() -> None:
    found = gate_weights([gate(1.0), gate(2.0)])
    assert found is not None
    config, weights = found
    assert config == {"units": UNITS, "use_bias": True}
    assert weights["kernel"].numpy()[0].tolist() == [1, 1, 2, 2]
    assert weights["recurrent_kernel"].numpy()[0].tolist() == [-1, -1, -2, -2]
    assert weights["bias"].numpy().tolist() == [1, 1, 2, 2]


def test_a_number_added_to_a_gate_is_part_of_its_bias() -> None:
    found = gate_weights([gate(1.0), gate(2.0, offset=0.5)])
    assert found is not None
    assert found[1]["bias"].numpy().tolist() == [1, 1, 2.5, 2.5]


def test_gates_without_biases() -> None:
    found = gate_weights([gate(1.0, biases=0), gate(2.0, biases=0)])
    assert found is not None
    assert found[0]["use_bias"] is False and "bias" not in found[1]


def test_two_biases_for_each_gate_are_added_unless_they_stand_apart() -> None:
    gates = [gate(1.0, biases=2), gate(2.0, biases=2)]
    found = gate_weights(gates)
    assert found is not None
    assert found[1]["bias"].numpy().tolist() == [12, 12, 14, 14]
    apart = gate_weights_after([*gates, gate(3.0)], (row("b", 1, 5.0),))
    assert apart is not None
    assert apart[1]["bias"].shape == (2, 3 * UNITS)
    assert sorted(apart[1]["bias"].numpy()[:, -1].tolist()) == [3, 5]


def test_gates_of_other_widths_are_none_of_a_cell() -> None:
    wide = Gate(row("k", 3, 1.0) * 2, row("r", UNITS, 1.0) * 2, (), 0.0)
    assert gate_weights([gate(1.0, biases=0), wide]) is None
