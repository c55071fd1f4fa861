"""Products with quantized weights: how x is rounded, which nodes there are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import bind, write_network
from modelfmt.layers.quantized import Scheme
from modelfmt.layers.quantized_products import Rounding, rounding
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def policy(mode: str) -> dict[str, Any]:
    held = {"mode": mode, "source_name": "float32"}
    return {"class_name": "QuantizedDTypePolicy", "config": held}


def quantizer(class_name: str, **config: Any) -> dict[str, Any]:
    held = {"class_name": class_name, "config": config}
    return {"quantization_config": {"config": {"activation_quantizer": held}}}


def test_how_x_is_rounded() -> None:
    int8 = Scheme("int8", "float32")
    assert rounding(Layer("Dense", "d", {}), int8, Rounding()) == Rounding()
    said = quantizer("AbsMaxQuantizer", value_range=[-9, 9], epsilon=0.1, axis=[-1])
    assert rounding(Layer("Dense", "d", said), int8, None) == Rounding(-9.0, 9.0, 0.1, -1)
    nothing = {"quantization_config": {"config": {"activation_quantizer": None}}}
    assert rounding(Layer("Dense", "d", nothing), int8, Rounding()) is None
    with pytest.raises(ConversionError, match="AbsMaxQuantizer"):
        rounding(Layer("Dense", "d", quantizer("Mine")), int8, None)


def dense(mode: str, **weights: Any) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    tensors = {name: Tensor.from_numpy(name, value) for name, value in weights.items()}
    config = {"units": 3, "use_bias": False, "dtype": policy(mode)}
    it = Layer("Dense", "it", config, tensors, calls=[Call([Ref("x")])])
    return Network("m", layers=[x, it], inputs=[Ref("x")], outputs=[Ref("it")], keras_major=3)


def test_the_graph_holds_small_numbers() -> None:
    kernel = np.arange(12, dtype="int8").reshape(4, 3)
    network = bind(dense("int8", kernel=kernel, kernel_scale=np.ones(3, "float32")))
    graph = GraphBuilder()
    write_network(network, graph)
    dtypes = {node.name: node.attrs["dtype"] for node in graph.values() if node.op == "Const"}
    assert dtypes["it/kernel"].name == "int8"
    assert [node.op for node in graph.values()].count("MatMul") == 1


def test_low_rank_matrices_stay_beside_whole_numbers() -> None:
    weights = {
        "kernel": np.ones((4, 3), "int8"), "kernel_scale": np.ones(3, "float32"),
        "lora_kernel_a": np.ones((4, 2), "float32"), "lora_kernel_b": np.ones((2, 3), "float32"),
    }  # fmt: skip
    network = dense("int8", **weights)
    network.layer("it").config.update(lora_rank=2, lora_alpha=4)
    assert list(bind(network).layer("it").weights) == list(weights)
    graph = GraphBuilder()
    write_network(network, graph)
    assert [node.op for node in graph.values()].count("MatMul") == 3
