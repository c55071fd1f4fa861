"""Attention with heads comes back from what it is written as, in both majors' forms."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import recognise, write_network
from modelfmt.layers.heads_recognition import headed
from modelfmt.layers.inference import inference_form
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

IN, HEADS, SIZE = 6, 4, 3


def tensors(class_name: str, config: dict[str, Any], groups: int = HEADS) -> dict[str, Tensor]:
    random = np.random.default_rng(0)
    out = config.get("output_shape") or [IN]
    value = config.get("value_dim", SIZE)
    gate = {"gate": (IN, HEADS, value)} if config.get("use_gate") else {}
    kernels = {
        "query": (IN, HEADS, SIZE), "key": (IN, groups, SIZE), **gate,
        "value": (IN, groups, value), "attention_output": (HEADS, value, *out),
    }  # fmt: skip
    found = {}
    for part, shape in kernels.items():
        bias = shape[2:] if part == "attention_output" else shape[1:]
        sizes = {"kernel": shape} | ({"bias": bias} if config.get("use_bias", True) else {})
        for kind, size in sizes.items():
            array = random.normal(size=size).astype("float32")
            found[f"{part}/{kind}"] = Tensor.from_numpy(f"{part}/{kind}", array)
    return found


def network(
    class_name: str = "MultiHeadAttention", major: int = 3,
    shapes: Any = ((5, IN), (7, IN), (7, IN)), groups: int = HEADS, mask: Any = None,
    kwargs: Any = None, masked: str = "", **config: Any,
) -> Network:  # fmt: skip
    """Attention of q to v by k; with a layer that masks where ``masked`` names one."""
    inputs = [
        Layer("InputLayer", name, {"batch_shape": [None, *shape], "dtype": "float32"})
        for name, shape in zip("qvk", shapes, strict=False)
    ]
    maskings = [
        Layer("Masking", f"m{name}", {"mask_value": 0.0}, calls=[Call([Ref(name)])])
        for name in masked
    ]
    q, v, k = (Ref(f"m{name}" if name in masked else name) for name in "qvk")
    named: dict[str, Any] = {"value": v, **(kwargs or {})}
    if len(shapes) > 2:
        named["key"] = k
    if mask is not None:
        inputs.append(Layer("InputLayer", "m", {"batch_shape": [None, *mask], "dtype": "bool"}))
        named["attention_mask"] = Ref("m")
    it = Layer(
        class_name, "it", config, tensors(class_name, config, groups),
        calls=[Call([q], kwargs=named)],
    )  # fmt: skip
    scores = [Ref("it", 0, 1)] if named.get("return_attention_scores") else []
    made = Network(
        "model", layers=[*inputs, *maskings, it], inputs=[Ref(i.name) for i in inputs],
        outputs=[Ref("it"), *scores],
    )  # fmt: skip
    made.keras_major = major
    return made


def back(made: Network) -> Network:
    graph = GraphBuilder()
    graph.keras_major = made.keras_major
    write_network(made, graph)
    return recognise(look(graph), layers_only=True)


def check(made: Network) -> Layer:
    found = back(made)
    assert inference_form(found) == inference_form(made)
    return found.layer("it")


CONFIGS: list[dict[str, Any]] = [
    {}, {"use_bias": False}, {"value_dim": 5}, {"output_shape": [7]}, {"output_shape": [2, 3]},
    {"use_gate": True}, {"sliding_window": 2}, {"use_gate": True, "use_bias": False},
]  # fmt: skip
SHAPES = [
    ((5, IN), (7, IN), (7, IN)), ((5, IN), (7, IN)), ((None, IN), (None, IN), (None, IN)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "shapes", "major"), itertools.product(CONFIGS, SHAPES, (2, 3))
)
def test_law(config: dict[str, Any], shapes: Any, major: int) -> None:
    check(network(shapes=shapes, major=major, **config))


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("config", [{}, {"use_bias": False}, {"use_gate": True}])
def test_law_of_shared_heads(groups: int, config: dict[str, Any]) -> None:
    made = network("GroupedQueryAttention", groups=groups, **config)
    if groups == HEADS:  # which computes the same as attention whose heads are not shared
        assert back(made).layer("it").class_name == "MultiHeadAttention"
    else:
        check(made)


@pytest.mark.parametrize("axes", [[1], [2], [1, 2]])
@pytest.mark.parametrize("major", [2, 3])
def test_law_of_axes(axes: list[int], major: int) -> None:
    shape = (3, 4, IN)
    config = check(network(shapes=(shape,) * 3, major=major, attention_axes=axes)).config
    assert config["attention_axes"] == (None if axes == [1, 2] else axes)


@pytest.mark.parametrize("shape", [(5, 7), (HEADS, 5, 7)])
@pytest.mark.parametrize("major", [2, 3])
def test_law_of_a_mask_of_its_own(shape: Any, major: int) -> None:
    layer = check(network(mask=shape, major=major))
    assert layer.calls[0].kwargs["attention_mask"] == Ref("m")


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_law_of_a_causal_call(shapes: Any, major: int, dropout: float) -> None:
    layer = check(network(
        shapes=shapes, major=major, kwargs={"use_causal_mask": True}, dropout=dropout,
    ))  # fmt: skip
    assert layer.calls[0].kwargs["use_causal_mask"] is True


def test_what_sets_hidden_scores_to_0_keeps_a_dropout() -> None:
    made = network(mask=(5, 7), dropout=0.2)
    assert back(made).layer("it").config["dropout"] > 0
    assert not back(network(mask=(5, 7))).layer("it").config["dropout"]


@pytest.mark.parametrize("major", [2, 3])
def test_law_of_scores(major: int) -> None:
    made = network(major=major, kwargs={"return_attention_scores": True})
    found = back(made)
    assert inference_form(found) == inference_form(made)
    assert found.outputs == [Ref("it"), Ref("it", 0, 1)]
    made.outputs.reverse()
    assert back(made).outputs == [Ref("it", 0, 1), Ref("it")]


@pytest.mark.parametrize("masked", ["q", "v", "k", "qv", "qvk"])
@pytest.mark.parametrize("major", [2, 3])
def test_law_of_masks_that_flow(masked: str, major: int) -> None:
    check(network(masked=masked, major=major))


def test_another_scale_is_no_such_attention() -> None:
    made = network()
    graph = GraphBuilder()
    (output,) = write_network(made, graph)
    for node in graph.values():
        if node.op == "Mul":
            value = Tensor.from_numpy("half", np.array(0.5, np.float32))
            graph[node.inputs[1]].attrs["value"] = value
    view = look(graph)
    assert headed(graph[output].inputs[0], view) is None
