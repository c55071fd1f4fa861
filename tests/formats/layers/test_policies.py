"""Dtype policies: what is cast, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.layers import write_network
from modelfmt.layers.policies import compute_dtype
from modelfmt.network import Layer

DENSE = {"kernel": (4, 3), "bias": (3,)}
NORM = {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)}


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [("float32", "float32"), ("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16"),
     ("bfloat16", "bfloat16"), ("float64", "float64"), ("int64", None), ("string", None),
     (None, None)],
)  # fmt: skip
def test_the_dtype_that_a_layer_computes_in(policy: Any, wanted: str | None) -> None:
    found = compute_dtype(Layer("Dense", "d", {"dtype": policy}))
    assert (found and found.name) == wanted


def test_a_quantized_layer_is_refused_by_name() -> None:
    policy = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8"}}
    with pytest.raises(ConversionError, match=r"Dense.*QuantizedDTypePolicy.*int8"):
        compute_dtype(Layer("Dense", "d", {"dtype": policy}))


@pytest.mark.parametrize("builder", [GraphBuilder, VariableGraphBuilder])
def test_inputs_and_weights_are_cast(single: Any, builder: type[GraphBuilder]) -> None:
    graph = builder()
    network = single("Dense", {"dtype": "mixed_float16"}, [(None, 4)], **DENSE)
    (y,) = write_network(network, graph)
    assert graph.dtype(y).name == "float16"
    casts = [node for node in graph.values() if node.op == "Cast"]
    assert len(casts) == 3
    assert network.layer("it").calls[0].outputs[0].dtype == "float16"


def test_nothing_is_cast_without_need(single: Any) -> None:
    graph = GraphBuilder()
    write_network(single("Dense", {"dtype": "float32"}, [(None, 4)], **DENSE), graph)
    assert "Cast" not in [node.op for node in graph.values()]


def test_statistics_are_used_in_float32(single: Any) -> None:
    graph = GraphBuilder()
    network = single("BatchNormalization", {"dtype": "mixed_bfloat16"}, [(None, 4)], **NORM)
    (y,) = write_network(network, graph)
    assert graph.dtype(y).name == "bfloat16"
    product = next(node for node in graph.values() if node.op == "Rsqrt")
    assert graph.dtype(product.name).name == "float32"
