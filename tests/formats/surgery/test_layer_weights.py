"""Weights by layer, of networks that stay as they are."""

from __future__ import annotations

import numpy as np

from modelfmt.network import Layer, Network
from modelfmt.surgery.layer_weights import bound, by_layer, copied, named, short_name
from modelfmt.tensor import Tensor


def network() -> Network:
    def weights(*names: str) -> dict[str, Tensor]:
        return {n: Tensor.from_numpy(n, np.zeros((2, 2), np.float32)) for n in names}

    inner = Network("in", layers=[Layer("Dense", "d", {"use_bias": False}, weights("vars/0"))])
    return Network(
        "m",
        layers=[
            Layer("InputLayer", "x"),
            Layer("Functional", "model", network=inner),
            Layer("Warp", "w", {}, weights("w/a:0", "w/b:0")),
        ],
    )


def test_a_copy_is_bound_and_the_original_is_not() -> None:
    original = network()
    found = dict(by_layer(bound(original)))
    assert list(found) == [("model", "d"), ("w",)]
    assert list(found["model", "d"]) == ["kernel"]
    assert list(found["w",]) == ["w/a:0", "w/b:0"]  # no codec knows its class
    assert list(dict(by_layer(original))["model", "d"]) == ["vars/0"]


def test_another_number_of_weights_keeps_the_names_of_the_file() -> None:
    original = network()
    assert original.layers[1].network is not None
    original.layers[1].network.layers[0].config["use_bias"] = True
    assert list(dict(by_layer(bound(original)))["model", "d"]) == ["vars/0"]


def test_copies_share_no_dicts_of_weights() -> None:
    original = network()
    copy = copied(original)
    copy.layers[2].weights.clear()
    assert original.layers[2].weights and copy.layers[1].network is not original.layers[1].network


def test_names() -> None:
    assert named(("outer", "inner"), "kernel") == "outer/inner/kernel"
    assert short_name("dense/kernel:0", "dense") == "kernel"
    assert short_name("m/dense/dense/kernel", "dense") == "kernel"
    assert short_name("vars/0", "dense") == "vars/0"
