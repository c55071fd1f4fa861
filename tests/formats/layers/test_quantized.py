"""Quantized layers: which weights they have, what is unpacked, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.keras import dialects
from modelfmt.layers import bind, codec_for
from modelfmt.layers.quantized import Scheme, scheme, unpacked
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor


def policy(mode: str) -> dict[str, Any]:
    held = {"mode": mode, "source_name": "float32"}
    return {"class_name": "QuantizedDTypePolicy", "config": held}


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        (policy("int8"), Scheme("int8", "float32")),
        (policy("int4/128"), Scheme("int4", "float32", 4, 128)),
        (policy("int4/-1"), Scheme("int4", "float32", 4, 0)),
        (policy("gptq/8/-1"), Scheme("gptq", "float32", 8, 0)),
        (policy("awq/4/32"), Scheme("awq", "float32", 4, 32)),
        ("float8_from_mixed_bfloat16", Scheme("float8", "mixed_bfloat16")),
        ("int4/16_from_float32", Scheme("int4", "float32", 4, 16)),
        ("int8", None), ("float32", None), (None, None), ({"config": {"name": "float32"}}, None),
    ],
)  # fmt: skip
def test_policies(dtype: Any, wanted: Scheme | None) -> None:
    assert scheme({"dtype": dtype}) == wanted


@pytest.mark.parametrize("mode", ["gptq/4", "int8/4", "int4/1/2", "awq"])
def test_a_policy_that_no_keras_writes(mode: str) -> None:
    with pytest.raises(ConversionError, match="policy that cannot be read"):
        scheme({"dtype": policy(mode)})


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("kind", ["int8", "uint8"])
@pytest.mark.parametrize("length", [4, 5])
def test_unpacking_reverses_packing(axis: int, kind: str, length: int) -> None:
    least = -8 if kind == "int8" else 0
    numbers = np.random.default_rng(0).integers(least, least + 16, (length, length)).astype(kind)
    padded = np.zeros((length + length % 2, length), kind)
    padded[:length] = numbers
    packed = (padded[::2] & 15) | (padded[1::2] << 4)
    if axis == -1:
        packed, numbers = packed.T.copy(), numbers.T
    found = unpacked(Tensor.from_numpy("kernel", packed.astype(kind)), length, axis)
    assert found.shape == numbers.shape
    assert np.array_equal(found.numpy(), numbers)


def test_numbers_that_are_too_few() -> None:
    with pytest.raises(MismatchError, match="four bits"):
        unpacked(Tensor.from_numpy("kernel", np.zeros((3, 2), "int8")), 5)


NAMES = {
    "int8": "kernel bias kernel_scale",
    "int4/-1": "kernel bias kernel_scale",
    "int4/8": "kernel bias kernel_scale kernel_zero g_idx",
    "float8": "kernel bias inputs_scale inputs_amax_history kernel_scale kernel_amax_history "
    "outputs_grad_scale outputs_grad_amax_history",
    "gptq/4/8": "bias kernel kernel_scale kernel_zero g_idx",
    "awq/4/8": "bias kernel kernel_scale kernel_zero awq_scales g_idx",
}


@pytest.mark.parametrize("mode", NAMES)
@pytest.mark.parametrize("class_name", ["Dense", "EinsumDense"])
def test_weights(mode: str, class_name: str) -> None:
    codec = codec_for(Layer(class_name, "it", {}))
    config = codec.completed({"dtype": policy(mode), "bias_axes": "c"}, {})
    assert codec.weight_names(config) == tuple(NAMES[mode].split())
    trained = set(codec.weight_names(config)) - codec.untrained(config)
    assert trained == ({"bias"} if mode != "float8" else set(NAMES[mode].split()))


def test_weights_of_tables() -> None:
    codec = codec_for(Layer("ReversibleEmbedding", "it", {}))
    config = codec.completed({"dtype": policy("int4/8"), "tie_weights": False}, {})
    assert codec.weight_names(config) == (
        "embeddings", "embeddings_scale", "embeddings_zero", "g_idx",
        "reverse_embeddings", "reverse_embeddings_scale", "reverse_embeddings_zero",
    )  # fmt: skip
    with pytest.raises(ConversionError, match="int8 or int4, found float8"):
        codec.weight_names(codec.completed({"dtype": policy("float8")}, {}))


def dense(mode: str, **weights: Any) -> Network:
    x = Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"})
    tensors = {name: Tensor.from_numpy(name, value) for name, value in weights.items()}
    config = {"units": 3, "use_bias": False, "dtype": policy(mode)}
    it = Layer("Dense", "it", config, tensors, calls=[Call([Ref("x")])])
    return Network("m", layers=[x, it], inputs=[Ref("x")], outputs=[Ref("it")], keras_major=3)


def test_zeros_that_a_file_lacks() -> None:
    weights = {"a": np.zeros((2, 4), "uint8"), "b": np.ones((3, 1), "float32"),
               "c": np.zeros(4, "float32")}  # fmt: skip
    with pytest.raises(ConversionError, match="without the zeros"):
        bind(dense("gptq/4/8", **weights))


def test_keras_2_has_none() -> None:
    with pytest.raises(ConversionError, match="no quantized layers"):
        dialects.specialise("Dense", {"units": 3, "dtype": policy("int8")}, 2)
