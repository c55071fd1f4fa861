"""Sums of convolutions, and convolutional LSTMs come back from the loops they are written as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.recurrent.conv_sums import ConvSums, Form

SIZES = {1: (7,), 2: (6, 7), 3: (5, 6, 4)}


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "config",
    [
        {}, {"return_sequences": True, "go_backwards": True}, {"padding": "same", "strides": 2},
        {"dilation_rate": 2}, {"dilation_rate": 2, "padding": "same"}, {"use_bias": False},
        {"return_state": True},
    ],
    ids=str,
)  # fmt: skip
def test_law(law: Any, rank: int, config: dict[str, Any]) -> None:
    window = (2,) * rank
    weights = {"kernel": (*window, 2, 12), "recurrent_kernel": (*window, 3, 12), "bias": (12,)}
    if config.get("use_bias") is False:
        del weights["bias"]
    spelled = {
        key: [value] * rank if key in ("strides", "dilation_rate") else value
        for key, value in {"strides": 1, "dilation_rate": 1, **config}.items()
    }
    form = law(f"ConvLSTM{rank}D", spelled, [(None, 3, *SIZES[rank], 2)], **weights)
    assert [layer.class_name for layer in form] == [f"ConvLSTM{rank}D"]


@pytest.mark.parametrize("late", [False, True])
def test_a_part_of_a_kernel_is_a_window_on_its_columns(late: bool) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 6, 7, 2))
    kernel = np.arange(3 * 3 * 2 * 4, dtype=np.float32).reshape(3, 3, 2, 4)
    part = graph.ops("Split", 3, graph.const(kernel), num_split=2)[1]
    y = graph.op("Conv2D", x, part, strides=[1, 2, 1, 1], padding="SAME")
    if late:
        bias = graph.op("Reshape", graph.const(kernel[0, 0, 0, :2]), [1, 1, 1, 2])
        y = graph.op("AddV2", y, bias)
    sums = ConvSums(View(graph, outputs=[y]), lambda _: None, 2)
    total = sums.sum(y)
    assert total is not None and not total.rest and len(total.biases) == late
    (block,) = total.products["x"]
    assert (block.numpy() == kernel.reshape(-1, 4)[:, 2:]).all()
    assert sums.forms["x"] == {Form((3, 3), (2, 1), (1, 1), "same")}
