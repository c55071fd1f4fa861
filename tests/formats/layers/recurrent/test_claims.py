"""Recurrent layers come back from the loops that they are written as."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.layers import write_network
from modelfmt.layers.recurrent.claims import recurrent
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
IN, UNITS = 4, 3


def weights(class_name: str, config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    columns = GATES[class_name] * UNITS
    made: dict[str, tuple[int, ...]] = {
        "kernel": (IN, columns), "recurrent_kernel": (UNITS, columns),
    }  # fmt: skip
    if config.get("use_bias", True):
        after = class_name == "GRU" and config.get("reset_after", True)
        made["bias"] = (2, columns) if after else (columns,)
    return made


@pytest.mark.parametrize("class_name", GATES)
@pytest.mark.parametrize(
    ("sequences", "bias", "backwards", "steps"),
    itertools.product((False, True), (False, True), (False, True), (None, 5)),
)
def test_law(
    law: Any, class_name: str, sequences: bool, bias: bool, backwards: bool, steps: int | None
) -> None:
    config = {
        "return_sequences": sequences, "use_bias": bias, "go_backwards": backwards,
    }  # fmt: skip
    form = law(class_name, config, [(None, steps, IN)], **weights(class_name, config))
    assert [layer.class_name for layer in form] == [class_name]


@pytest.mark.parametrize("class_name", GATES)
@pytest.mark.parametrize(
    "activation", ["relu", "linear", "sigmoid", "hard_sigmoid", "softsign", "elu", "selu"]
)
def test_law_of_activations(law: Any, class_name: str, activation: str) -> None:
    config = {"activation": activation}
    law(class_name, config, [(None, 5, IN)], **weights(class_name, config))


@pytest.mark.parametrize("class_name", ["LSTM", "GRU"])
@pytest.mark.parametrize("activation", ["hard_sigmoid", "tanh", "hard_sigmoid_keras2"])
def test_law_of_recurrent_activations(law: Any, class_name: str, activation: str) -> None:
    config = {"recurrent_activation": activation, "activation": "tanh"}
    law(class_name, config, [(None, 5, IN)], **weights(class_name, config))


@pytest.mark.parametrize("bias", [False, True])
def test_law_of_a_gru_that_resets_before(law: Any, bias: bool) -> None:
    config = {"reset_after": False, "use_bias": bias}
    law("GRU", config, [(None, 5, IN)], **weights("GRU", config))


def masked(class_name: str, maker: Layer, shape: tuple[int | None, ...], **config: Any) -> Network:
    random = np.random.default_rng(1)
    tensors = {
        name: Tensor.from_numpy(name, random.normal(size=shape).astype("float32"))
        for name, shape in weights(class_name, config).items()
    }
    dtype = "int32" if maker.class_name == "Embedding" else "float32"
    x = Layer("InputLayer", "x", {"batch_shape": list(shape), "dtype": dtype})
    it = Layer(class_name, "it", config, tensors, calls=[Call([Ref("maker")])])
    return Network("model", layers=[x, maker, it], inputs=[Ref("x")], outputs=[Ref("it")])


def masking(**config: Any) -> Layer:
    return Layer("Masking", "maker", config, calls=[Call([Ref("x")])])


def embedding(**config: Any) -> Layer:
    table = np.random.default_rng(2).normal(size=(7, IN)).astype("float32")
    tensors = {"embeddings": Tensor.from_numpy("embeddings", table)}
    return Layer("Embedding", "maker", config, tensors, calls=[Call([Ref("x")])])


@pytest.mark.parametrize("class_name", GATES)
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_law_of_masks(
    network_law: Any, class_name: str, zeros: bool, sequences: bool, backwards: bool
) -> None:
    config = {
        "return_sequences": sequences, "go_backwards": backwards, "zero_output_for_mask": zeros,
    }  # fmt: skip
    network = masked(class_name, masking(mask_value=-1.0), (None, 5, IN), **config)
    form = network_law(network)
    assert [layer.class_name for layer in form] == ["Masking", class_name]


@pytest.mark.parametrize("class_name", GATES)
def test_an_embedding_learns_that_it_masks(network_law: Any, class_name: str) -> None:
    form = network_law(masked(class_name, embedding(mask_zero=True), (None, 5)))
    assert form[0].config["mask_zero"] is True


def test_a_claim_names_the_mask_that_it_heeds() -> None:
    network = masked("LSTM", embedding(mask_zero=True), (None, 5))
    graph = GraphBuilder()
    write_network(network, graph)
    masks = {name for name, node in graph.items() if node.op == "NotEqual"}
    assert masks
    view = look(graph)
    (claim,) = [
        claim for tensor in view.live if (claim := recurrent("LSTM", tensor, view)) is not None
    ]
    assert claim.mask in masks
