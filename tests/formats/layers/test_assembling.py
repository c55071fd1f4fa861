"""Assembling: claims become layers with calls, weights and names."""

from __future__ import annotations

import numpy as np

from modelfmt.dtypes import float32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.assembling import Recognised, _fuse_activations, assemble
from modelfmt.layers.codec import Claim, LayerCodec, TensorName
from modelfmt.network import ARGS, Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


class Halves(LayerCodec):
    class_name = "Halves"
    weights = ("scale",)


def view() -> View:
    graph = GraphBuilder()
    graph.placeholder("x", float32, (None, 4))
    graph.ops("Split", 1, "x", num_split=2, name="a/halves")
    graph.op("AddV2", "a/halves", "a/halves:1", name="sum")
    return View(graph)


def test_a_claim_of_several_outputs_is_one_call() -> None:
    """Its second output is the layer's second tensor; one that nobody reads has no place."""
    two = Claim(("x",), {}, {}, ("a/halves",), outputs={"a/halves": 0, "a/halves:1": 1})
    total = Claim(("a/halves:1", "a/halves"), {}, {}, ("sum",))
    found = [Recognised(Halves(), two, "a/halves:1"), Recognised(Halves(), total, "sum")]
    network = assemble(found, view(), {}, "m")
    assert network.layer("sum").calls[0].inputs == [Ref("a", 0, 1), Ref("a", 0, 0)]
    assert [spec.shape for spec in network.layer("a").calls[0].outputs] == [(None, 2)] * 2


def test_arguments_stand_as_the_claim_says() -> None:
    args = ["add", [TensorName("x"), 2.0]]
    claim = Claim(("x",), {}, {}, ("sum",), args=args, kwargs={"also": TensorName("x")})
    call = assemble([Recognised(Halves(), claim, "sum")], view(), {}, "m").layer("sum").calls[0]
    assert call.inputs == [Ref("x")]
    assert call.kwargs == {"also": Ref("x"), ARGS: ["add", [Ref("x"), 2.0]]}
    assert set(claim.read()) == {"x"}


def test_claims_of_one_weight_are_calls_of_one_layer() -> None:
    scale = Tensor.from_numpy("s", np.ones(2, "f4"))
    first = Claim(("x",), {}, {"scale": scale}, ("a/halves",), outputs={"a/halves": 0})
    second = Claim(("a/halves",), {}, {"scale": scale}, ("sum",))
    found = [Recognised(Halves(), first, "a/halves"), Recognised(Halves(), second, "sum")]
    network = assemble(found, view(), {}, "m")
    (layer,) = (layer for layer in network.layers if layer.weights)
    assert [call.inputs for call in layer.calls] == [[Ref("x")], [Ref(layer.name)]]


def test_fusing_takes_an_activation_once() -> None:
    """relu after tanh in one scope: only the first is the layer's own."""
    chain = [
        Layer("Dense", "d", {"activation": "linear"}, calls=[Call([Ref("x")])]),
        Layer("Activation", "a", {"activation": "tanh"}, calls=[Call([Ref("d")])]),
        Layer("Activation", "b", {"activation": "relu"}, calls=[Call([Ref("a")])]),
    ]
    network = Network("m", layers=[Layer("InputLayer", "x"), *chain], outputs=[Ref("b")])
    _fuse_activations(network, dict.fromkeys("dab", "d"))
    assert [layer.name for layer in network.layers] == ["x", "d", "b"]
    assert network.layer("d").config["activation"] == "tanh"
    assert network.layer("b").calls[0].inputs == [Ref("d")]
