"""Convolutions: what is written is recognised.

A channels_first convolution is written between two Transposes, since TensorFlow's CPU kernels
take channels last only. It comes back as Permute, Conv2D, Permute, and the inference form spells
it so; that these compute the same is settled by the oracle (tests/models/test_layers.py).
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MismatchError, UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise, write_network

GRID = [
    {"strides": strides, "padding": padding, "dilation_rate": rate, "use_bias": use_bias}
    for strides, padding, rate, use_bias in itertools.product(
        [(1, 1), 2, (2, 1)], ["valid", "same"], [(1, 1), 2, [1, 3]], [True, False]
    )
    if strides == (1, 1) or rate == (1, 1)
]


def weights(size: tuple[int, int], use_bias: bool) -> dict[str, tuple[int, ...]]:
    kernel = {"kernel": (*size, 3, 5)}
    return {**kernel, "bias": (5,)} if use_bias else kernel


@pytest.mark.parametrize("config", GRID, ids=str)
@pytest.mark.parametrize("size", [(3, 3), (1, 1), (2, 4)])
@pytest.mark.parametrize("shape", [(None, 12, 14, 3), (None, None, None, 3)], ids=str)
def test_conv2d(law: Any, config: Any, size: Any, shape: Any) -> None:
    form = law("Conv2D", config, [shape], **weights(size, config["use_bias"]))
    assert form[0].config["kernel_size"] == list(size)
    assert form[0].config["filters"] == 5


@pytest.mark.parametrize("activation", ["relu", "softmax", "silu", "hard_sigmoid_keras2"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_conv2d_with_activation(law: Any, activation: str, data_format: str) -> None:
    shape = (None, 9, 9, 3) if data_format == "channels_last" else (None, 3, 9, 9)
    form = law("Conv2D", {"activation": activation, "data_format": data_format}, [shape],
               **weights((3, 3), True))
    names = [layer.class_name for layer in form]
    turned = ["Permute", "Conv2D", "Permute"]
    assert names[: names.index("Conv2D") + 1] == (
        ["Conv2D"] if data_format == "channels_last" else turned[:2]
    )
    if data_format == "channels_first":
        assert names[:3] == turned


@pytest.mark.parametrize("config", GRID[:8], ids=str)
def test_channels_first_is_a_convolution_between_permutes(law: Any, config: Any) -> None:
    form = law("Conv2D", {**config, "data_format": "channels_first"}, [(None, 3, 12, 14)],
               **weights((3, 3), config["use_bias"]))
    assert [layer.class_name for layer in form] == ["Permute", "Conv2D", "Permute"]
    assert form[1].config["data_format"] == "channels_last"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"padding": "causal"}, "unknown padding"),
        ({"strides": (1, 2, 3)}, "each spatial axis"),
    ],
)
def test_what_is_refused_is_named(single: Any, config: Any, message: str) -> None:
    network = single("Conv2D", config, [(None, 9, 9, 3)], **weights((3, 3), True))
    with pytest.raises(ConversionError, match=f'layer "it": .*{message}'):
        write_network(network, GraphBuilder())


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        ({"groups": 3}, (None, 9, 9, 9), "filters in 3 group"),
        ({}, (None, 9, 9, 4), "does not fit its input.*expected 4, found 3"),
        ({"groups": 5}, (None, 9, 9, 3), "does not fit its input.*expected 3, found 15"),
    ],
)
def test_a_kernel_that_does_not_fit_is_named(
    single: Any, config: Any, shape: Any, message: str
) -> None:
    network = single("Conv2D", config, [shape], **weights((3, 3), True))
    with pytest.raises(MismatchError, match=message):
        write_network(network, GraphBuilder())


@pytest.mark.parametrize(
    ("paddings", "crops", "padding"),
    [
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]], "valid"),
        ([[0, 1], [0, 1]], [[0, 1], [0, 1]], "valid"),
        ([[2, 2], [2, 2]], [[0, 0], [0, 0]], "same"),
        ([[2, 3], [2, 2]], [[0, 1], [0, 0]], "same"),
        ([[2, 4], [2, 2]], [[0, 0], [0, 0]], None),
        ([[1, 3], [2, 2]], [[0, 0], [0, 0]], None),
        ([[2, 2], [2, 2]], [[1, 1], [0, 0]], None),
    ],
)
def test_a_dilation_spelled_in_blocks(paddings: Any, crops: Any, padding: str | None) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, None, 3))
    kernel = graph.const(np.ones((3, 3, 3, 2), "float32"))
    blocks = graph.op("SpaceToBatchND", x, [2, 2], paddings)
    y = graph.op("Conv2D", blocks, kernel, strides=[1, 1, 1, 1], padding="VALID")
    graph.op("Identity", graph.op("BatchToSpaceND", y, [2, 2], crops), name="out")
    if padding is None:
        with pytest.raises(UnrecognisedGraphError, match="BatchToSpaceND"):
            recognise(View(graph))
    else:
        found = recognise(View(graph)).layers[-1].config
        assert (found["padding"], found["dilation_rate"]) == (padding, [2, 2])


@pytest.mark.parametrize("rank", [1, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("sizes", [12, None])
def test_over_one_axis_and_three(
    law: Any, rank: int, padding: str, strides: int, use_bias: bool, sizes: int | None
) -> None:
    config = {"padding": padding, "strides": strides, "use_bias": use_bias}
    if rank == 1 and strides == 1:
        config["dilation_rate"] = 2
    kernel = {"kernel": (*[3] * rank, 4, 5), **({"bias": (5,)} if use_bias else {})}
    (form,) = law(f"Conv{rank}D", config, [(None, *[sizes] * rank, 4)], **kernel)
    assert form.class_name == f"Conv{rank}D"
    assert form.config["kernel_size"] == [3] * rank


@pytest.mark.parametrize(
    ("name", "config", "shape", "kernel", "out"),
    [
        ("Conv1D", {"padding": "causal", "dilation_rate": 2}, (9, 4), (3, 4, 6), (9, 6)),
        ("Conv1D", {"padding": "causal", "groups": 2}, (None, 4), (3, 2, 6), (None, 6)),
        ("Conv2D", {"groups": 2}, (9, 9, 4), (3, 3, 2, 6), (7, 7, 6)),
        ("Conv3D", {"dilation_rate": 2}, (9, None, 9, 4), (3, 3, 3, 4, 6), (5, None, 5, 6)),
        ("Conv3D", {"groups": 2, "dilation_rate": 2}, (9, 9, 9, 4), (2, 2, 2, 2, 6), (7, 7, 7, 6)),
        ("Conv2D", {}, (2, 9, 9, 4), (3, 3, 4, 6), (2, 7, 7, 6)),
        ("Conv1D", {}, (None, None, 4), (3, 4, 6), (None, None, 6)),
    ],
)
def test_what_no_template_says(
    single: Any, name: str, config: Any, shape: Any, kernel: Any, out: Any
) -> None:
    graph = GraphBuilder()
    (made,) = write_network(
        single(name, config, [(None, *shape)], kernel=kernel, bias=kernel[-1:]), graph
    )
    assert graph.shape(made) == (None, *out)


def test_more_batch_axes_stand_before_channels_last_only(single: Any) -> None:
    network = single("Conv2D", {"data_format": "channels_first"}, [(None, 2, 3, 9, 9)],
                     **weights((3, 3), True))  # fmt: skip
    with pytest.raises(ConversionError, match="more than one batch axis"):
        write_network(network, GraphBuilder())


@pytest.mark.parametrize("place", [1, -3])
@pytest.mark.parametrize("blocked", [True, False])
def test_over_one_axis_as_tensorflow_spells_it(place: int, blocked: bool) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 4))
    kernel = graph.op("ExpandDims", graph.const(np.ones((3, 4, 2), "float32")), 0)
    y = graph.op("SpaceToBatchND", x, [2], [[2, 3]]) if blocked else x
    y = graph.op("ExpandDims", y, place)
    y = graph.op("Conv2D", y, kernel, strides=[1, 1, 1, 1], padding="VALID")
    y = graph.op("Squeeze", y, squeeze_dims=[place])
    y = graph.op("BatchToSpaceND", y, [2], [[0, 1]]) if blocked else y
    graph.op("Identity", y, name="out")
    (layer,) = recognise(View(graph)).layers[1:]
    wanted = ([2], "same") if blocked else ([1], "valid")
    assert layer.class_name == "Conv1D"
    assert (layer.config["dilation_rate"], layer.config["padding"]) == wanted


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("rate", [1, 2])
def test_groups_are_recognised(law: Any, rank: int, padding: str, groups: int, rate: int) -> None:
    config = {"padding": padding, "groups": groups, "dilation_rate": rate}
    kernel = (*[3] * rank, 4 // groups, 8)
    (form,) = law(f"Conv{rank}D", config, [(None, *[9] * rank, 4)], kernel=kernel, bias=(8,))
    assert form.config["groups"] == groups


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("rate", [1, 2])
def test_causal_ones_are_recognised(law: Any, groups: int, rate: int) -> None:
    config = {"padding": "causal", "groups": groups, "dilation_rate": rate}
    (form,) = law("Conv1D", config, [(None, None, 4)], kernel=(3, 4 // groups, 6), bias=(6,))
    assert form.config["padding"] == "causal"
