"""The weights tree of .keras archives."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.errors import ConversionError
from modelfmt.keras.tree import natural, read_tree, snake_case, write_tree
from modelfmt.network import Config, Layer, Network
from modelfmt.storage.hdf5 import Hdf5Array, Hdf5Group
from modelfmt.tensor import Tensor


def tensor(value: float) -> Tensor:
    return Tensor.from_numpy("w", np.full(2, value, np.float32))


def paths(group: Hdf5Group, prefix: str = "") -> list[str]:
    found = []
    for name, member in group.members.items():
        below = f"{prefix}{name}"
        found += [below] if isinstance(member, Hdf5Array) else paths(member, f"{below}/")
    return found


def sequential(*layers: Layer) -> Network:
    return Network("m", "Sequential", list(layers))


def weighted(class_name: str, name: str, count: int, config: Config | None = None) -> Layer:
    return Layer(class_name, name, config or {}, {f"w{k}": tensor(k) for k in range(count)})


@pytest.mark.parametrize(
    ("class_name", "wanted"),
    [("Dense", "dense"), ("Conv2DTranspose", "conv2d_transpose"), ("LSTM", "lstm"),
     ("GRUCell", "gru_cell"), ("PReLU", "p_re_lu"), ("ELU", "elu"), ("InputLayer", "input_layer"),
     ("MatMulLayer", "mat_mul_layer"), ("LeakyReLU", "leaky_re_lu")],
)
def test_snake_case(class_name: str, wanted: str) -> None:
    assert snake_case(class_name) == wanted


def test_natural_order() -> None:
    found = ["vars/10", "vars/2", "cell/vars/0", "backward_layer/cell/vars/0", "value_dense/vars/0",
             "forward_layer/cell/vars/0", "_query_dense/vars/0", "cells/lstm_cell_10/vars/0",
             "cells/lstm_cell_2/vars/0", "cells/lstm_cell/vars/0"]
    assert sorted(found, key=natural) == [
        "vars/2", "vars/10", "forward_layer/cell/vars/0", "backward_layer/cell/vars/0",
        "_query_dense/vars/0", "value_dense/vars/0", "cell/vars/0", "cells/lstm_cell/vars/0",
        "cells/lstm_cell_2/vars/0", "cells/lstm_cell_10/vars/0"]


def test_layers_are_found_by_class_and_count() -> None:
    network = sequential(Layer("InputLayer", "i"), Layer("Dense", "b"), Layer("Flatten", "f"),
                         Layer("Dense", "a"))
    stored = {"layers/dense/vars/0": tensor(1), "layers/dense_1/vars/0": tensor(2),
              "layers/dense_2/vars/0": tensor(3), "vars/0": tensor(4)}
    assert read_tree(network, stored) == ["layers/dense_2/vars/0"]
    assert network.layer("b").weights["vars/0"].numpy()[0] == 1
    assert network.layer("a").weights["vars/0"].numpy()[0] == 2


def test_2_12_skips_a_number_after_each_layer_with_weights() -> None:
    old = "_layer_checkpoint_dependencies"
    network = sequential(*(Layer("Dense", n) for n in "ab"), Layer("Flatten", "f"),
                         Layer("Flatten", "g"))
    stored = {f"{old}/dense/vars/0": tensor(1), f"{old}/dense_2/vars/0": tensor(2)}
    assert read_tree(network, stored) == []
    assert [n.weights["vars/0"].numpy()[0] for n in network.layers[:2]] == [1, 2]


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (weighted("Dense", "d", 2), ["dense/vars/0", "dense/vars/1"]),
        (weighted("LSTM", "d", 3), [f"lstm/cell/vars/{k}" for k in range(3)]),
        (weighted("Bidirectional", "d", 4, {"layer": {"class_name": "GRU", "config": {}}}),
         [f"bidirectional/{w}_layer/cell/vars/{k}" for w in ("forward", "backward")
          for k in range(2)]),
        (weighted("TimeDistributed", "d", 2, {"layer": {"class_name": "Dense", "config": {}}}),
         ["time_distributed/layer/vars/0", "time_distributed/layer/vars/1"]),
        (weighted("MultiHeadAttention", "d", 4, {"use_bias": False}),
         [f"multi_head_attention/{n}_dense/vars/0" for n in ("query", "key", "value", "output")]),
        (weighted("RNN", "d", 5, {"cell": {"class_name": "StackedRNNCells", "config": {"cells": [
            {"class_name": "GRUCell", "config": {}},
            {"class_name": "GRUCell", "config": {"use_bias": False}}]}}}),
         [*(f"rnn/cell/cells/gru_cell/vars/{k}" for k in range(3)),
          *(f"rnn/cell/cells/gru_cell_1/vars/{k}" for k in range(2))]),
    ],
)
def test_weights_are_placed_and_found_again(layer: Layer, wanted: list[str]) -> None:
    root = write_tree(sequential(layer))
    found = paths(root)
    assert found == [f"layers/{path}" for path in wanted]
    again = sequential(Layer(layer.class_name, layer.name, layer.config))
    values = dict(zip(found, layer.weights.values(), strict=True))
    assert read_tree(again, values) == []
    assert [w.numpy()[0] for w in again.layers[0].weights.values()] == [
        w.numpy()[0] for w in layer.weights.values()]
    assert paths(write_tree(again)) == found


def test_nested_models_and_names() -> None:
    inner = sequential(weighted("Dense", "deep", 1))
    root = write_tree(sequential(Layer("Sequential", "inner", network=inner)))
    assert paths(root) == ["layers/sequential/layers/dense/vars/0"]
    group = root
    for part in ("layers", "sequential", "layers", "dense", "vars"):
        member = group.members[part]
        assert isinstance(member, Hdf5Group)
        group = member
    assert group.attributes == {"name": "deep"}


@pytest.mark.parametrize(
    "layer",
    [
        weighted("MultiHeadAttention", "d", 3),
        weighted("Bidirectional", "d", 2),
        Layer("Sequential", "s", weights={"d/kernel": tensor(1)}, network=sequential()),
    ],
)
def test_weights_without_a_place_are_refused(layer: Layer) -> None:
    with pytest.raises(ConversionError):
        write_tree(sequential(layer))
