"""Channels first, made channels last between permutations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.layers import infer_specs
from modelfmt.layers.channels import put_channels_last
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def model(axes: int = 2, *, many: bool = True, **config: Any) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 3, *range(7, 7 + axes)],
                                  "dtype": "float32"})  # fmt: skip
    weights = {"kernel": Tensor.from_numpy("kernel", np.ones((*[2] * axes, 3, 4), "f4")),
               "bias": Tensor.from_numpy("bias", np.ones(4, "f4"))}  # fmt: skip
    config = {"data_format": "channels_first", "filters": 4, "kernel_size": [2] * axes, **config}
    conv = Layer(f"Conv{axes}D", "c", config, weights, calls=[Call([Ref("x")])])
    return Network("m", "Sequential", [x, conv], [Ref("x")], [Ref("c")], keras_major=2,
                   extras={"multi_backend": many})  # fmt: skip


@pytest.mark.parametrize("axes", [2, 3])
def test_shapes_stay(axes: int) -> None:
    made = model(axes)
    infer_specs(made)
    before = made.layer("c").calls[0].outputs[0].shape
    put_channels_last(made)
    infer_specs(made)
    assert made.kind == "Sequential"
    assert [n.name for n in made.layers] == ["x", "c_channels_last", "c", "c_channels_first"]
    last = made.layer(made.outputs[0].layer).calls[0].outputs[0].shape
    assert last == before == (None, 4, *range(6, 6 + axes))
    assert made.layer("c").config["data_format"] == "channels_last"


def test_a_function_along_an_axis_comes_after() -> None:
    made = model(activation="softmax")
    put_channels_last(made)
    assert made.outputs == [Ref("c_activation")]
    assert made.layer("c").config["activation"] == "linear"


@pytest.mark.parametrize("changes", [{"many": False}, {"data_format": "channels_last"}])
def test_others_stay(changes: Any) -> None:
    made = model(**changes)
    put_channels_last(made)
    assert len(made.layers) == 2
