"""Layers of Keras 1 alone: shapes and refusals. What they compute was judged by Keras 1.2.2."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import write_network

NORM = {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)}


@pytest.mark.parametrize(
    ("class_name", "config", "shapes", "weights", "wanted"),
    [
        ("MaxoutDense", {}, [(None, 4)], {"kernel": (3, 4, 2), "bias": (3, 2)}, (None, 2)),
        ("MaxoutDense", {"use_bias": False}, [(None, 4)], {"kernel": (3, 4, 2)}, (None, 2)),
        ("Highway", {"activation": "relu"}, [(None, 4)],
         {"kernel": (4, 4), "bias": (4,), "kernel_carry": (4, 4), "bias_carry": (4,)}, (None, 4)),
        ("Highway", {"use_bias": False}, [(None, 4)],
         {"kernel": (4, 4), "kernel_carry": (4, 4)}, (None, 4)),
        ("ParametricSoftplus", {}, [(None, 3, 4)], {"alpha": (1, 4), "beta": (1, 4)},
         (None, 3, 4)),
        ("SReLU", {}, [(None, 4)],
         dict.fromkeys(("t_left", "a_left", "t_right", "a_right"), (4,)), (None, 4)),
        ("BatchNormalizationOfKeras1", {"mode": 1}, [(None, 3, 4)], NORM, (None, 3, 4)),
        ("BatchNormalizationOfKeras1", {"mode": 2, "axis": 1}, [(None, 4, 3)], NORM,
         (None, 4, 3)),
        ("Merge", {"mode": "cos", "dot_axes": [1, 1]}, [(None, 4), (None, 4)], {}, (None, 1, 1)),
    ],
)
def test_shapes(
    single: Any, class_name: str, config: Any, shapes: Any, weights: Any, wanted: Any
) -> None:
    graph = GraphBuilder()
    network = single(class_name, config, shapes, **weights)
    network.keras_major = 1
    assert graph.shape(write_network(network, graph)[0]) == wanted


@pytest.mark.parametrize(
    ("class_name", "config", "shapes", "weights", "error", "text"),
    [
        ("MaxoutDense", {}, [(None, 4)], {"kernel": (4, 2), "bias": (2,)}, MismatchError,
         "maxout"),
        ("BatchNormalizationOfKeras1", {"mode": 3}, [(None, 4)], NORM, ConversionError,
         "unknown mode"),
        ("Merge", {"mode": "mine", "mode_type": "function"}, [(None, 4), (None, 4)], {},
         ConversionError, "never run.*mine"),
        ("Merge", {"mode": ["code"], "mode_type": "lambda"}, [(None, 4), (None, 4)], {},
         ConversionError, "never run"),
    ],
)
def test_refusals(
    single: Any, class_name: str, config: Any, shapes: Any, weights: Any, error: Any, text: str
) -> None:
    with pytest.raises(error, match=text):
        write_network(single(class_name, config, shapes, **weights), GraphBuilder())


@pytest.mark.parametrize("biased", [True, False])
def test_maxout_is_recognised(law: Any, biased: bool) -> None:
    sizes = {"kernel": (3, 4, 2), "bias": (3, 2)} if biased else {"kernel": (3, 4, 2)}
    (form,) = law("MaxoutDense", {"use_bias": biased}, [(None, 4)], **sizes)
    assert (form.class_name, form.config["nb_feature"], form.config["units"]) == (
        "MaxoutDense", 3, 2
    )
