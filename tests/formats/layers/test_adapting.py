"""A model made ready for a Keras major, and what its masks mean there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import ConversionError
from modelfmt.layers.adapting import adapt
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def rnn(name: str, before: str, **more: Any) -> Layer:
    weights = {"kernel": (3, 3), "recurrent_kernel": (3, 3), "bias": (3,)}
    return Layer(
        "SimpleRNN", name, {"units": 3, "return_sequences": True},
        {n: Tensor.from_numpy(n, np.zeros(s, "f4")) for n, s in weights.items()},
        calls=[Call([Ref(before)], **more)],
    )  # fmt: skip


def model(*layers: Layer, major: int) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 5, 3], "dtype": "float32"})
    return Network("m", layers=[x, *layers], inputs=[Ref("x")], outputs=[Ref(layers[-1].name)],
                   keras_major=major)  # fmt: skip


def masking() -> Layer:
    return Layer("Masking", "hide", calls=[Call([Ref("x")])])


@pytest.mark.parametrize(("written", "target"), [(2, 3), (3, 2), (1, 3)])
def test_a_mask_of_one_meaning(written: int, target: int) -> None:
    network = adapt(model(masking(), rnn("r", "hide"), major=written), target)
    assert network.layer("r").calls[0].outputs[0].shape == (None, 5, 3)


def test_a_merge_of_a_masked_tensor_and_another() -> None:
    """Keras 2 hides what one of them hides, Keras 3 what all of them do."""

    def build(major: int) -> Network:
        both = Layer("Add", "both", calls=[Call([Ref("hide"), Ref("x")], structure=True)])
        return model(masking(), both, rnn("r", "both"), major=major)

    with pytest.raises(ConversionError, match=r'"(both|r)": the mask of .* has another effect'):
        adapt(build(2), 3)
    with pytest.raises(ConversionError, match="has another effect in Keras 2 than in Keras 3"):
        adapt(build(3), 2)
    adapt(build(3), 3)


def test_layers_that_are_added_are_compared_with_nothing() -> None:
    crop = Layer("RandomCrop", "c", {"height": 2, "width": 2}, calls=[Call([Ref("x")])])
    network = model(crop, major=2)
    network.layers[0].config["batch_shape"] = [None, 4, 4, 3]
    adapt(network, 3)
    assert network.layers[-1].class_name == "Resizing"
