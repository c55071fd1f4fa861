"""Attention without projections: weights, masks and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import recognise, write_network
from modelfmt.layers.binding import prepared
from modelfmt.layers.inference import inference_form
from modelfmt.layers.registry import codec_for
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def layer_of(class_name: str, *weights: str, **config: Any) -> Layer:
    size: tuple[int, ...] = (6,) if class_name == "AdditiveAttention" else ()
    held = {name: Tensor.from_numpy(name, np.ones(size, np.float32)) for name in weights}
    return prepared(Layer(class_name, "attention", config, held))


def written(
    layer: Layer, count: int = 2, major: int = 3, masked: bool = False, **arguments: Any
) -> tuple[GraphBuilder, list[str], list[str | None]]:
    graph = GraphBuilder()
    graph.keras_major = major
    shapes = [(None, 5, 6), (None, None, 6), (None, None, 6)][:count]
    inputs = [graph.placeholder(f"x{k}", dtypes.float32, s) for k, s in enumerate(shapes)]
    if masked:
        for x in inputs:
            graph.masks[x] = graph.placeholder(f"{x}_mask", dtypes.bool_, (None, None))
    codec: Any = codec_for(layer)
    made = codec.write(layer, inputs, graph, **arguments)
    return graph, made, codec.masks(layer, inputs, made, graph)


def ops(graph: GraphBuilder) -> set[str]:
    return {node.op for node in graph.values()}


@pytest.mark.parametrize(
    ("class_name", "config", "names"),
    [
        ("Attention", {}, ()),
        ("Attention", {"use_scale": True}, ("scale",)),
        ("Attention", {"score_mode": "concat"}, ("concat_score_weight",)),
        (
            "Attention", {"score_mode": "concat", "use_scale": True},
            ("scale", "concat_score_weight"),
        ),
        ("AdditiveAttention", {}, ("scale",)),
        ("AdditiveAttention", {"use_scale": False}, ()),
    ],
)
def test_weights(class_name: str, config: Any, names: Any) -> None:
    codec = codec_for(Layer(class_name, ""))
    assert codec.weight_names(codec.completed(config, {})) == names
    graph, made, _ = written(layer_of(class_name, *names, **config))
    assert graph.shape(made[0]) == (None, 5, 6)
    consts = [name for name in graph if name.split("_")[0] in ("scale", "concat")]
    assert len(consts) == len(names)


def test_config_from_the_weights() -> None:
    assert layer_of("Attention", "concat_score_weight").config["score_mode"] == "concat"


@pytest.mark.parametrize("major", [2, 3])
def test_masks(major: int) -> None:
    layer = layer_of("Attention")
    graph, _, masks = written(
        layer, major=major, masked=True, use_causal_mask=True, return_attention_scores=True
    )
    assert masks == ["x0_mask", None]
    assert {"LogicalAnd", "LogicalNot", "GreaterEqual"} <= ops(graph)
    assert ("SelectV2" in ops(graph)) == (major == 3)


def test_the_older_config_entry_for_a_causal_mask() -> None:
    graph, *_ = written(layer_of("Attention", causal=True), major=2)
    assert "GreaterEqual" in ops(graph)


def test_another_number_of_inputs() -> None:
    with pytest.raises(MismatchError, match="query, value"):
        written(layer_of("Attention"), 1)


def test_unknown_score_mode() -> None:
    with pytest.raises(ConversionError, match="score_mode"):
        written(layer_of("Attention", score_mode="cosine"))


def network(
    class_name: str, count: int, major: int, masked: bool = False, kwargs: Any = None,
    weights: Any = (), **config: Any,
) -> Network:  # fmt: skip
    names = ["q", "v", "k"][:count]
    inputs = [
        Layer("InputLayer", n, {"batch_shape": [None, 5 if n == "q" else 7, 6], "dtype": "float32"})
        for n in names
    ]
    masks = [
        Layer("Masking", f"m{n}", {"mask_value": 0.0}, calls=[Call([Ref(n)])]) for n in names
    ] if masked else []
    held = layer_of(class_name, *weights).weights
    call = Call([Ref(f"m{n}" if masked else n) for n in names], structure=True, kwargs=kwargs or {})
    it = Layer(class_name, "it", config, held, calls=[call])
    scores = [Ref("it", 0, 1)] if (kwargs or {}).get("return_attention_scores") else []
    made = Network("model", layers=[*inputs, *masks, it], inputs=[Ref(n) for n in names],
                   outputs=[Ref("it"), *scores])  # fmt: skip
    made.keras_major = major
    return made


FORMS: list[tuple[str, dict[str, Any]]] = [
    ("Attention", {}), ("Attention", {"weights": ("scale",), "use_scale": True}),
    ("Attention", {"weights": ("concat_score_weight",), "score_mode": "concat"}),
    ("Attention", {"weights": ("scale", "concat_score_weight"), "score_mode": "concat"}),
    ("AdditiveAttention", {"use_scale": False}), ("AdditiveAttention", {"weights": ("scale",)}),
]  # fmt: skip


@pytest.mark.parametrize(("class_name", "config"), FORMS)
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("major", [2, 3])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("flag", [None, "use_causal_mask", "return_attention_scores"])
def test_law(
    class_name: str, config: Any, count: int, major: int, masked: bool, flag: str | None
) -> None:
    made = network(class_name, count, major, masked, {flag: True} if flag else {}, **config)
    graph = GraphBuilder()
    graph.keras_major = major
    write_network(made, graph)
    found = recognise(look(graph), layers_only=True)
    assert inference_form(found) == inference_form(made)
    assert found.layer("it").calls[0].kwargs == made.layer("it").calls[0].kwargs
