"""What leaves a loop."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.layers.recurrent.endings import ROOTS, ending_of


@pytest.mark.parametrize("sequences", [False, True])
def test_a_last_output_and_all_outputs(looked: Any, sequences: bool) -> None:
    view = looked("LSTM", return_sequences=sequences)
    (output,) = view.outputs
    node = view.producer(output)
    assert node is not None and node.op in ROOTS
    ending = ending_of(output, view)
    assert ending is not None and ending.sequences is sequences


def test_what_a_loop_reads_does_not_leave_it(looked: Any) -> None:
    view = looked("LSTM")
    transposed = [name for name, node in view.live.items() if node.op == "Transpose"]
    assert transposed and all(ending_of(name, view) is None for name in transposed)
