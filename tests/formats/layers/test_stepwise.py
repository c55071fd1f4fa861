"""What TimeDistributed wraps comes back, unrolled or joined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import recognise
from modelfmt.layers.inference import inference_form
from modelfmt.layers.stepwise import stepwise

INNER: list[tuple[str, dict[str, Any], tuple[int | None, ...], dict[str, tuple[int, ...]]]] = [
    ("Conv2D", {"filters": 2, "kernel_size": [2, 2], "activation": "relu"}, (None, 4, 5, 6, 3),
     {"kernel": (2, 2, 3, 2), "bias": (2,)}),
    ("Conv1D", {"filters": 2, "kernel_size": [2], "use_bias": False}, (None, 4, 5, 3),
     {"kernel": (2, 3, 2)}),
    ("MaxPooling2D", {"pool_size": [2, 2]}, (None, 4, 6, 6, 3), {}),
    ("GlobalAveragePooling2D", {}, (None, 4, 6, 6, 3), {}),
]  # fmt: skip


@pytest.mark.parametrize(("class_name", "config", "shape", "weights"), INNER)
def test_law(law: Any, class_name: str, config: Any, shape: Any, weights: Any) -> None:
    inner = {"class_name": class_name, "config": {"name": "inner", **config}}
    named = {f"layer/{name}": size for name, size in weights.items()}
    law("TimeDistributed", {"layer": inner}, [shape], **named)


def unrolled(graph: GraphBuilder, steps: int, kernels: list[str], skip: int = 0) -> str:
    """A product of every step, as Keras 3 writes it."""
    x = graph.placeholder("x", float32, (None, steps, 4))
    turned = graph.op("Transpose", x, [1, 0, 2])
    parts = []
    for step in range(steps):
        at = (step + skip) % steps
        row = graph.op("StridedSlice", turned, [at], [at + 1], [1], shrink_axis_mask=1)
        parts.append(graph.op("Tanh", graph.op("MatMul", row, kernels[step % len(kernels)])))
    return graph.op("Transpose", graph.op("Pack", *parts, axis=0), [1, 0, 2])


def kernel(graph: GraphBuilder, value: float = 1.0) -> str:
    return graph.const(np.full((4, 3), value), float32, "kernel")


def test_unrolled() -> None:
    graph = GraphBuilder()
    made = unrolled(graph, 3, [kernel(graph)])
    graph.op("Identity", made)
    (form,) = inference_form(recognise(look(graph), layers_only=True))
    assert form.class_name == "TimeDistributed"
    assert form.weights[0].shape == (4, 3)


@pytest.mark.parametrize("fault", ["kernel", "order"])
def test_steps_that_differ(fault: str) -> None:
    graph = GraphBuilder()
    kernels = [kernel(graph), *([kernel(graph, 2.0)] if fault == "kernel" else [])]
    made = unrolled(graph, 3, kernels, skip=int(fault == "order"))
    graph.op("Identity", made)
    assert stepwise(made, look(graph)) is None


def test_a_reshape_that_mixes_steps() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4, 6, 6, 2))
    flat = graph.op("Reshape", x, [-1, 6, 4, 3])
    table = graph.const(np.ones((2, 2, 3, 2)), float32, "kernel")
    attrs: dict[str, Any] = {"strides": [1, 1, 1, 1], "padding": "VALID", "data_format": "NHWC"}
    made = graph.op("Reshape", graph.op("Conv2D", flat, table, **attrs), [-1, 4, 5, 3, 2])
    graph.op("Identity", made)
    assert stepwise(made, look(graph)) is None
