"""Layers taken apart: what they are made of computes the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import ConversionError
from modelfmt.layers import infer_specs
from modelfmt.layers.migration import migrate
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

RANDOM = np.random.default_rng(0)


def tensor(name: str, *shape: int) -> Tensor:
    return Tensor.from_numpy(name, RANDOM.normal(size=shape).astype("f4"))


def model(layer: Layer, shapes: list[tuple[int, ...]], major: int = 1) -> Network:
    inputs = [
        Layer("InputLayer", f"x{k}", {"batch_shape": [None, *shape], "dtype": "float32"})
        for k, shape in enumerate(shapes)
    ]
    refs = [Ref(each.name) for each in inputs]
    layer.calls = [Call(refs, structure=len(refs) > 1)]
    made = Network("m", layers=[*inputs, layer], inputs=refs, outputs=[Ref(layer.name)],
                   keras_major=major)  # fmt: skip
    infer_specs(made)
    return made


def classes(network: Network) -> list[str]:
    return [layer.class_name for layer in network.layers if layer.class_name != "InputLayer"]


@pytest.mark.parametrize("biased", [True, False])
def test_maxout(biased: bool) -> None:
    weights = {"kernel": tensor("kernel", 3, 4, 2)}
    if biased:
        weights["bias"] = tensor("bias", 3, 2)
    x = RANDOM.normal(size=(5, 4)).astype("f4")
    wanted = np.einsum("bi,kiu->bku", x, weights["kernel"].numpy())
    wanted = (wanted + (weights["bias"].numpy() if biased else 0)).max(1)
    layer = Layer("MaxoutDense", "m", {"nb_feature": 3, "use_bias": biased}, weights)
    network = model(layer, [(4,)])
    migrate(network, layer, 3)
    infer_specs(network)
    assert classes(network) == ["Dense", "Reshape", "GlobalMaxPooling1D"]
    y = x @ layer.weights["kernel"].numpy() + (layer.weights["bias"].numpy() if biased else 0)
    got = y.reshape(5, *network.layers[2].config["target_shape"]).max(1)
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
    assert layer.config["units"] == 6 and network.outputs == [Ref("m_max")]


def test_highway() -> None:
    weights = {n: tensor(n, *([4, 4] if "kernel" in n else [4]))
               for n in ("kernel", "bias", "kernel_carry", "bias_carry")}  # fmt: skip
    carried = weights["kernel_carry"].numpy()
    layer = Layer("Highway", "h", {"activation": "tanh", "trainable": False}, weights)
    network = model(layer, [(4,)])
    migrate(network, layer, 3)
    infer_specs(network)
    assert classes(network) == [
        "Dense", "Activation", "Dense", "Multiply", "Rescaling", "Multiply", "Add",
    ]  # fmt: skip
    carry = network.layer("h_carry")
    assert list(layer.weights) == list(carry.weights) == ["kernel", "bias"]
    np.testing.assert_array_equal(carry.weights["kernel"].numpy(), carried)
    assert carry.config["trainable"] is False and carry.config["activation"] == "sigmoid"
    assert network.layer("h_kept").calls[0].inputs == [Ref("x0"), Ref("h_rest")]


def test_merge_by_cosine() -> None:
    layer = Layer("Merge", "cos", {"mode": "cos", "mode_type": "raw", "dot_axes": -1})
    network = model(layer, [(4,), (4,)])
    migrate(network, layer, 2)
    assert layer.class_name == "Dot" and layer.config == {"axes": -1, "normalize": True}
    assert network.layer("cos_reshape").config == {"target_shape": [1, 1]}


def test_a_merge_by_a_function_is_refused() -> None:
    layer = Layer("Merge", "f", {"mode": "code", "mode_type": "lambda"})
    with pytest.raises(ConversionError, match="never run"):
        migrate(Network("m", layers=[layer]), layer, 3)


@pytest.mark.parametrize(("written", "target"), [(2, 3), (2, 2), (3, 3)])
def test_random_crop(written: int, target: int) -> None:
    layer = Layer("RandomCrop", "c", {"height": 5, "width": 4})
    network = model(layer, [(8, 8, 3)], written)
    migrate(network, layer, target)
    assert classes(network)[1:] == (["Resizing"] if written != target else [])


def test_a_random_crop_that_keeps_all_is_not_for_keras_2() -> None:
    layer = Layer("RandomCrop", "c", {"height": 5, "width": 4})
    network = model(layer, [(8, 8, 3)], 3)
    with pytest.raises(ConversionError, match="resizes at inference"):
        migrate(network, layer, 2)


def test_others_stay() -> None:
    config: dict[str, Any] = {"units": 2}
    layer = Layer("Dense", "d", config)
    network = Network("m", layers=[layer])
    migrate(network, layer, 3)
    assert network.layers == [layer] and layer.config is config
