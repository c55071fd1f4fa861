"""Pipeline: layers in a row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, UnknownLayerError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def inner(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": class_name.lower(), **config}}


def ops(*layers: dict[str, Any], **weights: Tensor) -> list[str]:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, (None, 4))
    it = prepared(Layer("Pipeline", "it", {"layers": list(layers)}, weights))
    codec_for(it).write(it, [x], graph)
    return [node.op for node in graph.values() if node.op not in ("Const", "Placeholder")]


def test_one_layer_after_the_other() -> None:
    assert ops(inner("Rescaling", scale=2.0), inner("RandomFlip"), inner("ReLU")) == [
        "Mul", "AddV2", "Relu",
    ]  # fmt: skip
    assert ops() == []


def test_the_weights_are_those_of_its_layers() -> None:
    said = {"layers": [inner("ReLU"), inner("Dense", units=3, use_bias=True)]}
    assert codec_for(Layer("Pipeline", "")).weight_names(said) == (
        "layers/1/kernel", "layers/1/bias",
    )  # fmt: skip
    kernel = Tensor.from_numpy("", np.ones((4, 3), np.float32))
    bias = Tensor.from_numpy("", np.ones(3, np.float32))
    weights = {"layers/1/kernel": kernel, "layers/1/bias": bias}
    assert ops(*said["layers"], **weights) == ["Relu", "MatMul", "BiasAdd"]


def test_layers_of_several_tensors_are_refused() -> None:
    with pytest.raises(ConversionError, match="more than one tensor"):
        ops(inner("Dot", axes=1))
    with pytest.raises(UnknownLayerError):
        ops(inner("Mystery"))
