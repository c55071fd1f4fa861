"""Network: layers, calls, and the order that Keras gives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from modelfmt.errors import MismatchError
from modelfmt.network import Call, Layer, Network, Ref, model_order, parents


def layer(name: str, *calls: list[str]) -> Layer:
    refs = [Call([Ref(*_ref(text)) for text in inputs]) for inputs in calls]
    return Layer("InputLayer" if not calls else "Dense", name, calls=refs)


def _ref(text: str) -> tuple[str, int]:
    name, _, call = text.partition("@")
    return name, int(call or 0)


def network(layers: list[Layer], inputs: list[str], outputs: list[str]) -> Network:
    refs = [[Ref(*_ref(text)) for text in ends] for ends in (inputs, outputs)]
    return Network("m", layers=layers, inputs=refs[0], outputs=refs[1])


def names(model: Network) -> list[str]:
    return [found.name for found in model_order(model)]


def test_a_chain() -> None:
    layers = [layer("c", ["b"]), layer("x"), layer("b", ["a"]), layer("a", ["x"])]
    assert names(network(layers, ["x"], ["c"])) == ["x", "a", "b", "c"]


def test_depth_comes_first_then_the_order_of_the_walk() -> None:
    layers = [
        layer("x"), layer("y"), layer("deep1", ["x"]), layer("deep2", ["deep1"]),
        layer("short", ["y"]), layer("sum", ["deep2", "short"]),
    ]  # fmt: skip
    assert names(network(layers, ["y", "x"], ["sum"])) == [
        "x", "deep1", "y", "deep2", "short", "sum",
    ]  # fmt: skip


def test_a_shared_layer_stands_at_its_deepest_call() -> None:
    layers = [
        layer("x"), layer("s", ["x"], ["d"]), layer("d", ["s@0"]), layer("out", ["s@1"]),
    ]  # fmt: skip
    assert names(network(layers, ["x"], ["out"])) == ["x", "s", "d", "out"]


def test_what_no_output_needs_is_left_out_but_inputs_are_not() -> None:
    layers = [layer("x"), layer("unused"), layer("dead", ["x"]), layer("a", ["x"])]
    assert names(network(layers, ["x", "unused"], ["a"])) == ["x", "unused", "a"]


def test_a_sequential_keeps_its_own_order() -> None:
    model = network([layer("b", ["a"]), layer("a")], ["a"], ["b"])
    model.kind = "Sequential"
    assert names(model) == ["b", "a"]


def test_a_very_deep_model_needs_no_stack() -> None:
    layers = [layer("n0")] + [layer(f"n{k}", [f"n{k - 1}"]) for k in range(1, 5000)]
    assert names(network(layers, ["n0"], ["n4999"])) == [n.name for n in layers]


@pytest.mark.parametrize("ring", [[("a", "a")], [("a", "b"), ("b", "a")]])
def test_a_ring_is_refused(ring: list[tuple[str, str]]) -> None:
    layers = [layer(name, [source]) for name, source in ring]
    with pytest.raises(MismatchError, match="depends on itself"):
        model_order(network(layers, [], ["a"]))


def test_a_layer_by_name() -> None:
    model = network([layer("x")], ["x"], ["x"])
    assert model.layer("x").name == "x"
    with pytest.raises(KeyError):
        model.layer("y")


def test_walk_gives_nested_layers_after_their_model() -> None:
    inner = network([layer("i")], ["i"], ["i"])
    model = network([layer("x"), layer("m", ["x"]), layer("z", ["m"])], ["x"], ["z"])
    model.layer("m").network = inner
    assert [found.name for found in model.walk()] == ["x", "m", "i", "z"]


def test_parents_include_tensors_in_arguments() -> None:
    call = Call([Ref("a")], kwargs={"mask": Ref("b", 1), "more": [1, {"deep": (Ref("c", 0, 2),)}]})
    found = Layer("Dense", "d", calls=[call])
    assert parents(found, 0) == [Ref("a"), Ref("b", 1), Ref("c", 0, 2)]
    assert parents(Layer("InputLayer", "x"), 0) == []


def test_a_weight_by_name() -> None:
    with pytest.raises(KeyError):
        Layer("Dense", "d").weight("kernel")


KERAS = """
import json
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
L = keras.layers
x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
late, shared = L.Dense(4, name="late"), L.Dense(4, name="shared")
a = shared(x)
b = L.Dense(4, name="deep2")(L.Dense(4, name="deep1")(a))
c = L.Add(name="sum")([b, shared(y)])
model = keras.Model([y, x], [late(c), L.Subtract(name="sub")([shared(c), a])])
listed = lambda v: v if isinstance(v, list) else [v]
rows = [[n["name"], [[t["config"]["keras_history"][:2]
         for arg in call["args"] for t in listed(arg)] for call in n["inbound_nodes"]]]
        for n in model.get_config()["layers"]]
print(json.dumps([rows[::-1], [l.name for l in model.layers]]))
"""


@pytest.mark.oracle
def test_keras_has_the_same_order() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KERAS], capture_output=True, text=True, check=True,
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
    )  # fmt: skip
    rows, wanted = json.loads(done.stdout.strip().splitlines()[-1])
    layers = [
        layer(name, *([f"{source}@{call}" for source, call in inputs] for inputs in calls))
        for name, calls in rows
    ]
    assert [n.name for n in layers] != wanted  # else nothing is proved
    assert names(network(layers, ["y", "x"], ["late", "sub"])) == wanted
