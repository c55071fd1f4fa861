"""Low-rank matrices: added to their weight when a layer is bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import MismatchError
from modelfmt.layers import lora
from modelfmt.layers.binding import bind
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

RANDOM = np.random.default_rng(0)


def layer(class_name: str, config: dict[str, Any], **shapes: tuple[int, ...]) -> Layer:
    weights = {
        f"it/{name}": Tensor.from_numpy(name, RANDOM.normal(size=shape).astype("float32"))
        for name, shape in shapes.items()
    }
    return Layer(class_name, "it", config, weights, calls=[Call([Ref("x")])])


def bound(it: Layer) -> Layer:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4]})
    return bind(Network("m", layers=[x, it], inputs=[Ref("x")], outputs=[Ref("it")])).layer("it")


@pytest.mark.parametrize(("alpha", "scale"), [(None, 1.0), (2, 1.0), (6.0, 3.0)])
def test_dense(alpha: Any, scale: float) -> None:
    """The order is that of a .h5 file: what is not trained comes last."""
    config = {"units": 3, "lora_rank": 2, "lora_alpha": alpha}
    thin = {"lora_kernel_a": (4, 2), "lora_kernel_b": (2, 3)}
    it = layer("Dense", config, bias=(3,), **thin, kernel=(4, 3))
    bias, a, b, kernel = (tensor.numpy() for tensor in it.weights.values())
    found = bound(it)
    assert list(found.weights) == ["kernel", "bias"]
    assert np.allclose(found.weight("kernel").numpy(), kernel + scale * (a @ b), atol=1e-6)
    assert np.array_equal(found.weight("bias").numpy(), bias)
    assert "lora_rank" not in found.config and "lora_alpha" not in found.config


@pytest.mark.parametrize(
    ("class_name", "config", "name", "shape"),
    [("Embedding", {"input_dim": 7, "output_dim": 3}, "embeddings", (7, 3)),
     ("EinsumDense", {"equation": "ab,bcd->acd"}, "kernel", (4, 5, 3)),
     ("Conv2D", {"filters": 3, "kernel_size": [2, 2], "use_bias": False}, "kernel", (2, 2, 4, 3))],
)  # fmt: skip
def test_other_kernels(class_name: str, config: Any, name: str, shape: tuple[int, ...]) -> None:
    thin = {f"lora_{name}_a": (*shape[:-1], 2), f"lora_{name}_b": (2, shape[-1])}
    it = layer(class_name, {**config, "lora_rank": 2}, **thin, **{name: shape})
    a, b, whole = (tensor.numpy() for tensor in it.weights.values())
    assert np.allclose(bound(it).weight(name).numpy(), whole + a @ b, atol=1e-6)


def test_a_file_that_holds_the_sum_already() -> None:
    it = layer("Dense", {"units": 3, "lora_rank": 2}, kernel=(4, 3), bias=(3,))
    kernel = it.weights["it/kernel"].numpy()
    assert np.array_equal(bound(it).weight("kernel").numpy(), kernel)


def test_a_matrix_without_its_pair() -> None:
    it = layer("Dense", {"lora_rank": 2}, kernel=(4, 3), lora_kernel_a=(4, 2))
    with pytest.raises(MismatchError, match="without its pair"):
        lora.merge(it)


def test_matrices_that_do_not_fit() -> None:
    it = layer("Dense", {"lora_rank": 2}, kernel=(4, 3), lora_kernel_a=(4, 2), lora_kernel_b=(1, 3))
    with pytest.raises(MismatchError, match="do not fit"):
        lora.merge(it)
