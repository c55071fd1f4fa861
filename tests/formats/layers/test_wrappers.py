"""TimeDistributed: shapes. The numbers are judged by the frameworks (models/grids)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import bind, write_network
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def distributed(graph: GraphBuilder, shape: Any) -> str:
    x = graph.placeholder("x", dtypes.float32, shape)
    config = {"layer": {"class_name": "Dense", "config": {"use_bias": False, "name": "inner"}}}
    kernel = Tensor.from_numpy("kernel", np.ones((4, 3), np.float32))
    layer = prepared(Layer("TimeDistributed", "td", config, {"layer/kernel": kernel}))
    (y,) = codec_for(layer).write(layer, [x], graph)
    return y


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((2, 5, 4), (2, 5, 3)), ((None, 5, 4), (None, 5, 3)), ((None, None, 4), (None, None, 3))],
)
def test_the_shape_of_the_result(shape: Any, expected: Any) -> None:
    graph = GraphBuilder()
    assert graph.shape(distributed(graph, shape)) == expected


def test_the_layer_within_has_a_scope_of_its_own() -> None:
    graph = GraphBuilder()
    distributed(graph, (None, 5, 4))
    assert "inner/MatMul" in graph


@pytest.mark.parametrize("shape", [None, (None,)])
def test_only_sequences_are_taken(shape: Any) -> None:
    with pytest.raises(MismatchError, match="takes a sequence"):
        distributed(GraphBuilder(), shape)


def of_a_model(steps: int | None, operation: str | None = None, **config: Any) -> Network:
    """x -> TimeDistributed(Dense -> operation), the weights flat as in a .h5 file."""
    inner = [
        Layer("InputLayer", "z", {"batch_shape": [None, 4], "dtype": "float32"}),
        Layer("Dense", "d", {"units": 3}, calls=[Call([Ref("z")])]),
    ]
    if operation:
        extras = {"module": "keras.src.ops.numpy"}
        inner.append(
            Layer(operation, "o", config, calls=[Call([Ref("d")])], extras=extras)
        )
    model = Network("inner", kind="Functional", layers=inner, inputs=[Ref("z")],
                    outputs=[Ref(inner[-1].name)], keras_major=3)  # fmt: skip
    weights = {
        "d/kernel": Tensor.from_numpy("kernel", np.ones((4, 3), np.float32)),
        "d/bias": Tensor.from_numpy("bias", np.ones(3, np.float32)),
    }
    x = Layer("InputLayer", "x", {"batch_shape": [None, steps, 4], "dtype": "float32"})
    td = Layer("TimeDistributed", "td", {}, weights, calls=[Call([Ref("x")])])
    td.models["layer"] = model
    return Network("m", kind="Functional", layers=[x, td], inputs=[Ref("x")],
                   outputs=[Ref("td")], keras_major=3)  # fmt: skip


def ops_of(network: Network) -> list[str]:
    graph = GraphBuilder()
    write_network(bind(network), graph)
    return [node.op for node in graph.values()]


def test_weights_of_a_model_are_shared_out_and_stay_the_wrappers() -> None:
    td = bind(of_a_model(5)).layer("td")
    assert list(td.weights) == ["layer/d/kernel", "layer/d/bias"]
    assert list(td.models["layer"].layer("d").weights) == ["kernel", "bias"]


@pytest.mark.parametrize(("operation", "config"), [(None, {}), ("Relu", {}), ("Max", {"axis": -1})])
def test_a_model_that_keeps_samples_apart_takes_all_steps_at_once(
    operation: str | None, config: dict[str, Any]
) -> None:
    found = ops_of(of_a_model(None, operation, **config))
    assert found.count("MatMul") == 1 and "Pack" not in found


@pytest.mark.parametrize("config", [{"axis": 0}, {"axis": None, "keepdims": True}])
def test_a_model_that_may_mix_them_takes_step_by_step(config: dict[str, Any]) -> None:
    found = ops_of(of_a_model(5, "Mean", **config))
    assert found.count("MatMul") == 5 and "Unpack" in found
    with pytest.raises(ConversionError, match="known number of steps"):
        ops_of(of_a_model(None, "Mean", **config))
