"""Quantized layers of Keras 3: int8, int4, float8, and what GPTQ and AWQ leave in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from grid import Model

Build = Callable[[], Any]

REFUSED = {
    # Keras' own files of these cannot be loaded, by Keras either.
    "another number of weights": "Keras does not say in the config that what MultiHeadAttention is "
    "made of was quantized",
    "TimeDistributed of a quantized layer": "Keras multiplies with the unscaled numbers",
    "without the zeros of its kernel": "Keras leaves them out of a .keras, and cannot load it",
}


def models(keras: Any, major: int) -> Iterator[Model]:
    if major == 3:
        yield from (*dense(keras), *tables(keras), *others(keras), *calibrated(keras))


def filled(model: Any) -> Any:
    """Weights that are drawn before they are quantized, and are not touched again."""
    random = np.random.default_rng(5)
    for weight in model.weights:
        weight.assign(random.normal(0, 0.5, weight.shape).astype("float32"))
    model.trained = True
    return model


def schemes(keras: Any) -> dict[str, Any]:
    """What ``quantize`` takes, by name."""
    q = keras.quantizers
    return {
        "int8": q.Int8QuantizationConfig(),
        "int8.weights": q.Int8QuantizationConfig(activation_quantizer=None),
        "int8.range": q.Int8QuantizationConfig(
            activation_quantizer=q.AbsMaxQuantizer(value_range=(-100, 100), epsilon=1e-3)
        ),
        "int4": q.Int4QuantizationConfig(block_size=None),
        "int4.rounded": q.Int4QuantizationConfig(
            block_size=-1, activation_quantizer=q.AbsMaxQuantizer()
        ),
        "int4.groups": q.Int4QuantizationConfig(block_size=3),
        "int4.group": q.Int4QuantizationConfig(block_size=128),
        "float8": q.Float8QuantizationConfig(),
    }


def quantized(model: Any, config: Any) -> Any:
    """The model after ``quantize``; scales of float8, which training would find, are drawn."""
    filled(model).quantize(config=config)
    random = np.random.default_rng(6)
    if config.mode == "float8":
        for weight in model.weights:
            if "scale" in weight.name:
                weight.assign(random.uniform(0.002, 0.02))
    return model


def dense(keras: Any) -> Iterator[Model]:
    layers = keras.layers

    def flat(policy: str | None = None) -> Any:
        x = keras.Input((7,), name="x")
        y = layers.Dense(5, activation="relu", dtype=policy)(x)
        y = layers.Dense(4, use_bias=False, dtype=policy)(y)
        return keras.Model(x, layers.Activation("linear", dtype="float32")(y))

    def steps() -> Any:
        x = keras.Input((None, 6), name="x")
        return keras.Model(x, layers.Dense(5, activation="tanh")(layers.Dense(6)(x)))

    def distributed() -> Any:
        x = keras.Input((3, 6), name="x")
        return keras.Model(x, layers.TimeDistributed(layers.Dense(5))(x))

    def einsum(equation: str, shape: Any, output: Any, bias: str | None) -> Build:
        def build() -> Any:
            x = keras.Input(shape, name="x")
            return keras.Model(x, layers.EinsumDense(equation, output, bias_axes=bias)(x))

        return build

    builds = {
        "dense": flat, "dense_steps": steps,
        "distributed": distributed, "dense_mixed": lambda: flat("mixed_bfloat16"),
        "einsum_heads": einsum("abc,cde->abde", (4, 6), (None, 3, 5), "de"),
        "einsum_merged": einsum("abde,dec->abc", (4, 3, 5), (None, 7), "c"),
        "einsum_rows": einsum("ab,bc->ac", (6,), 5, "c"),
        "einsum_turned": einsum("abc,cd->adb", (4, 6), (5, 4), None),
    }  # fmt: skip
    for kind, build in builds.items():
        for name, config in schemes(keras).items():
            def made(build: Any = build, config: Any = config, kind: str = kind) -> Any:
                model = quantized(build(), config)
                if "mixed" in kind:
                    model.tolerance = 2.0**-6
                return model

            yield f"{kind}_{name}", made


def tables(keras: Any) -> Iterator[Model]:
    layers = keras.layers

    def lookup() -> Any:
        x = keras.Input((5,), dtype="int32", name="x")
        return keras.Model(x, layers.Embedding(9, 7)(x))

    def reversible(tied: bool, cap: float | None) -> Build:
        def build() -> Any:
            x, z = keras.Input((5,), dtype="int32", name="x"), keras.Input((4, 7), name="z")
            layer = layers.ReversibleEmbedding(9, 7, tie_weights=tied, logit_soft_cap=cap)
            return keras.Model([x, z], [layer(x), layer(z, reverse=True)])

        return build

    builds = {"embedding": lookup, "reversible_tied": reversible(True, 3.0),
              "reversible_apart": reversible(False, None)}  # fmt: skip
    for kind, build in builds.items():
        for name, config in schemes(keras).items():
            if config.mode == "float8":
                continue
            if kind == "embedding" and name in ("int8.range", "int4.rounded"):
                continue  # nothing is rounded there

            def made(build: Any = build, config: Any = config) -> Any:
                model = quantized(build(), config)
                random = np.random.default_rng(7)
                model.arrays = [
                    random.integers(0, 9, (3, 5)).astype("int32"),
                    random.normal(size=(3, 4, 7)).astype("float32"),
                ][: len(model.inputs)]
                return model

            yield f"{kind}_{name}", made


def others(keras: Any) -> Iterator[Model]:
    layers = keras.layers

    def attention() -> Any:
        x = keras.Input((4, 6), name="x")
        return quantized(keras.Model(x, layers.MultiHeadAttention(2, 3)(x, x)),
                         schemes(keras)["int8"])  # fmt: skip

    yield "attention_int8", attention

    def low_rank() -> Any:
        x = keras.Input((7,), name="x")
        model = keras.Model(x, layers.Dense(5, name="d")(x))
        quantized(model, schemes(keras)["int8"])
        model.get_layer("d").enable_lora(2)
        return model

    yield "lora_untrained", low_rank

    def nested() -> Any:
        z = keras.Input((6,))
        inner = keras.Model(z, layers.Dense(5)(z), name="inner")
        x = keras.Input((7,), name="x")
        y = layers.Dense(3)(inner(layers.Dense(6)(x)))
        return quantized(keras.Model(x, y), schemes(keras)["int8"])

    yield "nested_int8", nested


def calibrated(keras: Any) -> Iterator[Model]:
    """What GPTQ and AWQ leave: the numbers are drawn, where calibration would find them."""
    layers = keras.layers

    def build(policy: str, kind: str) -> Any:
        x = keras.Input((7,) if kind == "dense" else (4, 7), name="x")
        layer = (
            layers.Dense(5, activation="relu", dtype=policy, name="q")
            if kind == "dense"
            else layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", dtype=policy,
                                    name="q")
        )  # fmt: skip
        model = keras.Model(x, layer(x))
        random = np.random.default_rng(8)
        top = 255 if "/8/" in policy else 15
        for weight in model.weights:
            if weight.name == "g_idx":
                block = int(policy.split("/")[2].split("_")[0])
                weight.assign(np.arange(7, dtype="float32") // (block if block > 0 else 99))
            elif weight.dtype == "uint8":
                most = 255 if weight.name == "kernel" else top
                weight.assign(random.integers(0, most + 1, weight.shape).astype("uint8"))
            else:
                weight.assign(random.uniform(0.1, 0.5, weight.shape).astype("float32"))
        layer.is_gptq_calibrated = layer.is_awq_calibrated = True
        model.trained = True
        return model

    for policy in ("gptq/4/3", "gptq/8/-1", "gptq/4/-1", "awq/4/2", "awq/4/-1"):
        for kind in ("dense", "einsum"):
            whole = f"{policy}_from_float32"
            yield f"{policy.replace('/', '.')}_{kind}", (
                lambda whole=whole, kind=kind: build(whole, kind)
            )
