"""Binding: what a file numbers or names its own way gets its canonical name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import MismatchError, UnknownLayerError
from modelfmt.layers.binding import bind, prepared
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def tensors(*names: str) -> dict[str, Tensor]:
    """One tensor a name, its value the place."""
    return {name: Tensor.from_numpy(name, np.float32([k])) for k, name in enumerate(names)}


def layer(class_name: str, name: str, *weights: str, **config: Any) -> Layer:
    return Layer(class_name, name, config, tensors(*weights))


def model(*layers: Layer, name: str = "m") -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4]})
    return Network(name, layers=[x, *layers], inputs=[Ref("x")], outputs=[Ref(layers[-1].name)])


def bound(layer: Layer) -> dict[str, float]:
    return {name: float(tensor.numpy()[0]) for name, tensor in layer.weights.items()}


@pytest.mark.parametrize(
    "names", [("d/kernel:0", "d/bias:0"), ("vars/0", "vars/1"), ("W", "b"), ("b", "a")]
)
def test_weights_are_named_by_their_order(names: tuple[str, ...]) -> None:
    network = bind(model(layer("Dense", "d", *names)))
    found = network.layer("d")
    assert bound(found) == {"kernel": 0, "bias": 1}
    assert [tensor.name for tensor in found.weights.values()] == ["kernel", "bias"]


def test_the_config_tells_which_weights_there_are() -> None:
    dense = layer("Dense", "d", "vars/0", use_bias=False)
    norm = layer("BatchNormalization", "n", "0", "1", "2", scale=False)
    bind(model(dense, norm))
    assert list(dense.weights) == ["kernel"]
    assert list(norm.weights) == ["beta", "moving_mean", "moving_variance"]
    assert norm.non_trainable == ("moving_mean", "moving_variance")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_weights_is_refused(count: int) -> None:
    dense = layer("Dense", "d", *(f"vars/{k}" for k in range(count)))
    with pytest.raises(MismatchError, match=r'"d": .*expected 2 \(kernel, bias\), found') as e:
        bind(model(dense))
    assert str(e.value.found).startswith(str(count))


def test_a_layer_without_codec_is_named() -> None:
    with pytest.raises(UnknownLayerError, match='"c"'):
        bind(model(layer("Cauldron", "c")))


def test_binding_twice_changes_nothing() -> None:
    network = bind(model(layer("Dense", "d", "a", "b")))
    assert bound(bind(network).layer("d")) == {"kernel": 0, "bias": 1}


def test_prepared_completes_a_copy() -> None:
    dense = layer("Dense", "d", "a", "b")
    bind(model(dense))
    dense.weights["kernel"] = Tensor.from_numpy("kernel", np.zeros((4, 3), "f4"))
    whole = prepared(dense)
    assert whole.config["units"] == 3 and whole.config["activation"] == "linear"
    assert dense.config == {}


# -- nested models: one flat list ------------------------------------------------------------------


def nested(*names: str, frozen: bool = False) -> tuple[Network, Layer]:
    inner = model(
        layer("Dense", "i", trainable=not frozen), layer("BatchNormalization", "n"),
        layer("Dense", "j"), name="inner",
    )  # fmt: skip
    outer = Layer("Functional", "inner", {}, tensors(*names), network=inner)
    return model(outer), outer


CANONICAL = {
    "i": ["kernel", "bias"], "n": ["gamma", "beta", "moving_mean", "moving_variance"],
    "j": ["kernel", "bias"],
}  # fmt: skip
ORDER = [(owner, name) for owner, names in CANONICAL.items() for name in names]


def shares(outer: Layer) -> dict[tuple[str, str], float]:
    assert outer.network is not None and outer.weights == {}
    return {
        (inner.name, name): value
        for inner in outer.network.layers
        for name, value in bound(inner).items()
    }


def test_a_nested_models_weights_are_shared_out_by_their_names() -> None:
    flat = [f"{owner}/{name}:0" for owner, name in reversed(ORDER)]
    network, outer = nested(*flat)
    bind(network)
    assert shares(outer) == {key: 7.0 - k for k, key in enumerate(ORDER)}


def test_scopes_in_front_of_the_names_do_not_matter() -> None:
    flat = [f"inner/deep/{owner}/{name}:0" for owner, name in reversed(ORDER)]
    network, outer = nested(*flat)
    bind(network)
    assert shares(outer)["i", "kernel"] == 7


def test_without_names_by_order_trainable_ones_first() -> None:
    network, outer = nested(*(f"w{k}" for k in range(8)))
    bind(network)
    assert shares(outer) == {
        ("i", "kernel"): 0, ("i", "bias"): 1, ("n", "gamma"): 2, ("n", "beta"): 3,
        ("j", "kernel"): 4, ("j", "bias"): 5,
        ("n", "moving_mean"): 6, ("n", "moving_variance"): 7,
    }  # fmt: skip


def test_a_frozen_layers_weights_stand_with_the_others() -> None:
    network, outer = nested(*(f"w{k}" for k in range(8)), frozen=True)
    bind(network)
    assert shares(outer) == {
        ("n", "gamma"): 0, ("n", "beta"): 1, ("j", "kernel"): 2, ("j", "bias"): 3,
        ("i", "kernel"): 4, ("i", "bias"): 5,
        ("n", "moving_mean"): 6, ("n", "moving_variance"): 7,
    }  # fmt: skip


def test_names_that_do_not_tell_apart_go_by_order() -> None:
    flat = ["a/kernel", "a/bias", "a/kernel_1", "b/kernel", "b/bias", "c/x", "c/y", "c/z"]
    network, outer = nested(*flat)
    bind(network)
    assert shares(outer)["j", "kernel"] == 4


def test_models_in_models() -> None:
    inner_network, inner = nested()
    inner.weights = {}
    middle = Layer("Functional", "middle", {}, tensors(*(f"w{k}" for k in range(8))),
                   network=inner_network)  # fmt: skip
    bind(model(middle))
    assert middle.weights == {}
    assert shares(inner)["n", "moving_variance"] == 7


def test_another_number_of_weights_in_a_nested_model() -> None:
    network, _ = nested("a", "b")
    with pytest.raises(MismatchError, match=r"nested model.*expected 8, found 2"):
        bind(network)


def test_a_shared_nested_model_is_bound_once() -> None:
    network, outer = nested(*(f"w{k}" for k in range(8)))
    outer.calls = [Call([Ref("x")]), Call([Ref("x")])]
    bind(network)
    assert len(shares(outer)) == 8


# -- Theano ---------------------------------------------------------------------------------------


def test_theanos_kernels_are_turned_and_nothing_else_is() -> None:
    kernel = np.arange(2 * 3 * 1 * 2, dtype="f4").reshape(2, 3, 1, 2)
    conv = Layer("Conv2D", "c", {}, {
        "W": Tensor.from_numpy("W", kernel), "b": Tensor.from_numpy("b", np.float32([1, 2])),
    })  # fmt: skip
    network = model(conv)
    network.extras["backend"] = "theano"
    bind(network)
    np.testing.assert_array_equal(conv.weights["kernel"].numpy(), kernel[::-1, ::-1])
    assert conv.weights["bias"].numpy().tolist() == [1, 2]
    again = model(Layer("Conv2D", "c", {}, dict(conv.weights)))
    np.testing.assert_array_equal(bind(again).layer("c").weights["kernel"].numpy(),
                                  kernel[::-1, ::-1])  # fmt: skip


def test_kernels_within_a_wrapper_are_turned_too() -> None:
    kernel = np.arange(8, dtype=np.float32).reshape(2, 2, 1, 2)
    inner = {"class_name": "Conv2D", "config": {}}
    stored = [kernel, np.float32([1, 2])]
    weights = {str(k): Tensor.from_numpy(str(k), v) for k, v in enumerate(stored)}
    network = model(Layer("TimeDistributed", "t", {"layer": inner}, weights))
    network.extras["backend"] = "theano"
    found = bind(network).layer("t").weights["layer/kernel"].numpy()
    np.testing.assert_array_equal(found, kernel[::-1, ::-1])


def test_keras_1_of_theano_is_told_by_its_names() -> None:
    kernel = np.arange(8, dtype=np.float32).reshape(2, 2, 1, 2)
    for number, turned in (("", True), (":0", False)):
        weights = {f"c_W{number}": Tensor.from_numpy("", kernel),
                   f"c_b{number}": Tensor.from_numpy("", np.float32([1, 2]))}
        network = model(Layer("Conv2D", "c", {}, weights))
        network.keras_major = 1
        found = bind(network).layer("c").weights["kernel"].numpy()
        np.testing.assert_array_equal(found, kernel[::-1, ::-1] if turned else kernel)
