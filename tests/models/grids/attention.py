"""Attention in every form of its call, alone and under masks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from grid import Model

QUERY, VALUE, KEY = (4, 6), (5, 6), (5, 6)


def models(keras: Any, major: int) -> Iterator[Model]:
    mha = keras.layers.MultiHeadAttention
    for config in (
        {}, {"value_dim": 5}, {"use_bias": False}, {"dropout": 0.3}, {"output_shape": 7},
        {"output_shape": (2, 3)},
    ):  # fmt: skip
        yield f"mha_{said(config)}", lambda config=config: three(
            keras, mha(2, 3, **config), QUERY, VALUE, KEY
        )
    for name, call in CALLS.items():
        for dropout in (0.0, 0.2):
            yield f"mha_{name}_{dropout}", lambda call=call, dropout=dropout: three(
                keras, mha(2, 3, dropout=dropout), QUERY, VALUE, KEY, call
            )
    yield "mha_unknown", lambda: three(keras, mha(2, 3), (None, 6), (None, 6), (None, 6))
    yield "mha_unknown_causal", lambda: three(
        keras, mha(2, 3), (None, 6), (None, 6), (None, 6), CALLS["causal"]
    )
    yield "mha_output_shape_list", lambda: three(
        keras, mha(2, 3, output_shape=[7]), QUERY, VALUE, KEY
    )
    for axes in ((1,), (2,), (1, 2), None):
        yield f"mha_axes_{axes}", lambda axes=axes: three(
            keras, mha(2, 3, attention_axes=axes), (3, 4, 6), (3, 4, 6), (3, 4, 6)
        )
    yield "mha_axes_scores", lambda: three(
        keras, mha(2, 3, attention_axes=(2,)), (3, 4, 6), (3, 4, 6), (3, 4, 6),
        lambda layer, q, v, k: layer(q, v, k, return_attention_scores=True),
    )  # fmt: skip
    for dropout in (0.0, 0.2):
        yield f"mha_self_masked_{dropout}", lambda dropout=dropout: masked(
            keras, lambda q, v, k: mha(2, 3, dropout=dropout)(q, q)
        )
        yield f"mha_masked_{dropout}", lambda dropout=dropout: masked(
            keras, lambda q, v, k: mha(2, 3, dropout=dropout)(q, v)
        )
        yield f"mha_masked_key_{dropout}", lambda dropout=dropout: masked(
            keras, lambda q, v, k: mha(2, 3, dropout=dropout)(q, v, k, use_causal_mask=True)
        )
    yield "mha_masked_scores", lambda: masked(
        keras, lambda q, v, k: mha(2, 3)(q, v, return_attention_scores=True)
    )
    yield "mha_twice_masked", lambda: masked(keras, lambda q, v, k: twice(keras, q))
    yield "mha_values_later", lambda: masked(keras, lambda q, v, k: values_later(keras, q, v))
    yield "mha_residual_masked", lambda: masked(keras, lambda q, v, k: residual(keras, q))
    for dtype in ("bool", "float32", "int32"):
        for dropout in (0.0, 0.2):
            yield f"mha_attention_mask_{dtype}_{dropout}", lambda dtype=dtype, dropout=dropout: (
                attention_mask(keras, mha(2, 3, dropout=dropout), dtype, (4, 5))
            )
    yield "mha_attention_mask_heads", lambda: attention_mask(
        keras, mha(2, 3), "bool", (2, 4, 5)
    )
    yield "mha_attention_mask_causal", lambda: attention_mask(
        keras, mha(2, 3), "bool", (4, 5), use_causal_mask=True
    )
    if major == 3:
        yield from newer(keras)
    for name in ("Attention", "AdditiveAttention"):
        yield from scored(keras, getattr(keras.layers, name), name)
    for config in ({"score_mode": "concat"}, {"score_mode": "concat", "use_scale": True}):
        yield f"Attention_{said(config)}", lambda config=config: listed(
            keras, keras.layers.Attention(**config)
        )


def newer(keras: Any) -> Iterator[Model]:
    """What Keras 3 alone has."""
    mha, gqa = keras.layers.MultiHeadAttention, keras.layers.GroupQueryAttention
    for config in (
        {"use_gate": True}, {"sliding_window": 2}, {"use_gate": True, "use_bias": False},
    ):  # fmt: skip
        yield f"mha_{said(config)}", lambda config=config: three(
            keras, mha(2, 3, **config), QUERY, VALUE, KEY
        )
    yield "mha_axes_negative", lambda: three(
        keras, mha(2, 3, attention_axes=(-2,)), (3, 4, 6), (3, 4, 6), (3, 4, 6)
    )
    yield "mha_sliding_causal", lambda: three(
        keras, mha(2, 3, sliding_window=2), (None, 6), (None, 6), (None, 6), CALLS["causal"]
    )
    for heads in (1, 2, 4):
        yield f"gqa_{heads}", lambda heads=heads: three(
            keras, gqa(3, 4, heads), QUERY, VALUE, KEY
        )
    for config in (
        {"use_gate": True}, {"sliding_window": 2}, {"use_bias": False}, {"dropout": 0.3},
    ):  # fmt: skip
        yield f"gqa_{said(config)}", lambda config=config: three(
            keras, gqa(3, 4, 2, **config), QUERY, VALUE, KEY
        )
    for name, call in CALLS.items():
        yield f"gqa_{name}", lambda call=call: three(
            keras, gqa(3, 4, 2), QUERY, VALUE, KEY, call
        )
    for dropout in (0.0, 0.2):
        yield f"gqa_masked_{dropout}", lambda dropout=dropout: masked(
            keras, lambda q, v, k: gqa(3, 4, 2, dropout=dropout)(q, v)
        )
        for dtype in ("bool", "float32"):
            yield f"gqa_attention_mask_{dtype}_{dropout}", lambda d=dropout, dtype=dtype: (
                attention_mask(keras, gqa(3, 4, 2, dropout=d), dtype, (4, 5))
            )
    for name, layer in (("mha", lambda: mha(2, 3)), ("gqa", lambda: gqa(3, 4, 2))):
        yield f"{name}_stated_masks", lambda layer=layer: stated(keras, layer())


CALLS: dict[str, Callable[..., Any]] = {
    "two": lambda layer, q, v, k: layer(q, v),
    "keywords": lambda layer, q, v, k: layer(q, value=v, key=k),
    "all_keywords": lambda layer, q, v, k: layer(query=q, value=v, key=k),
    "self": lambda layer, q, v, k: layer(q, q),
    "scores": lambda layer, q, v, k: layer(q, v, k, return_attention_scores=True),
    "causal": lambda layer, q, v, k: layer(q, v, use_causal_mask=True),
    "causal_scores": lambda layer, q, v, k: layer(
        q, v, return_attention_scores=True, use_causal_mask=True
    ),
}


def said(config: dict[str, Any]) -> str:
    text = "_".join(f"{key}_{value}" for key, value in config.items())
    return "".join(letter if letter.isalnum() or letter == "_" else "." for letter in text)


def three(
    keras: Any, layer: Any, query: Any, value: Any, key: Any,
    call: Callable[..., Any] = lambda layer, q, v, k: layer(q, v, k),
) -> Any:  # fmt: skip
    q, v, k = (
        keras.Input(shape, name=name)
        for shape, name in zip((query, value, key), "qvk", strict=True)
    )
    return keras.Model([q, v, k], call(layer, q, v, k))


def three_inputs(keras: Any) -> list[Any]:
    return [
        keras.Input(shape, name=name)
        for shape, name in zip((QUERY, VALUE, KEY), "qvk", strict=True)
    ]


def hidden(random: Any, *shape: int) -> Any:
    """Sequences of which steps are 0; the last sample is 0 throughout."""
    array = random.normal(size=(3, *shape)).astype("float32")
    array[0, 2:] = 0
    array[1, :1] = 0
    array[2] = 0
    return array


def masked(keras: Any, build: Callable[..., Any]) -> Any:
    """Masks that flow, and what goes on from the output's."""
    q, v, k = three_inputs(keras)
    seen = [keras.layers.Masking()(tensor) for tensor in (q, v, k)]
    made = build(*seen)
    made = list(made) if isinstance(made, list | tuple) else [made]
    made.append(keras.layers.GlobalAveragePooling1D()(made[0]))
    made.append(keras.layers.Flatten()(k))
    made.append(keras.layers.Flatten()(v))
    model = keras.Model([q, v, k], made)
    random = np.random.default_rng(0)
    model.arrays = [hidden(random, *shape) for shape in (QUERY, VALUE, KEY)]
    return model


def twice(keras: Any, q: Any) -> Any:
    """Two layers on the same masked tensor."""
    first = keras.layers.MultiHeadAttention(2, 3)(q, q)
    second = keras.layers.MultiHeadAttention(2, 3)(q, q)
    return [keras.layers.Add()([first, second]), second]


def values_later(keras: Any, q: Any, v: Any) -> Any:
    """One layer after the other on the same masked values."""
    first = keras.layers.MultiHeadAttention(2, 3)(q, v)
    return keras.layers.MultiHeadAttention(2, 3)(first, v)


def residual(keras: Any, q: Any) -> Any:
    """A block of a transformer, and another one on top."""
    x = keras.layers.Add()([q, keras.layers.MultiHeadAttention(2, 3)(q, q)])
    x = keras.layers.LayerNormalization()(x)
    return keras.layers.Add()([x, keras.layers.MultiHeadAttention(2, 3)(x, x)])


def attention_mask(keras: Any, layer: Any, dtype: str, shape: Any, **more: Any) -> Any:
    q, v = keras.Input(QUERY, name="q"), keras.Input(VALUE, name="v")
    m = keras.Input(shape, dtype=dtype, name="m")
    model = keras.Model([q, v, m], layer(q, v, attention_mask=m, **more))
    random = np.random.default_rng(1)
    mask = random.integers(0, 2, (3, *shape)).astype(dtype)
    mask[0, ..., 0, :] = 0
    model.arrays = [
        random.normal(size=(3, *QUERY)).astype("float32"),
        random.normal(size=(3, *VALUE)).astype("float32"), mask,
    ]  # fmt: skip
    return model


def stated(keras: Any, layer: Any) -> Any:
    """Masks as arguments of the call."""
    q, v, k = three_inputs(keras)
    masks = [
        keras.Input(shape[:1], dtype="bool", name=f"{name}_mask")
        for shape, name in zip((QUERY, VALUE, KEY), "qvk", strict=True)
    ]
    y = layer(q, v, k, query_mask=masks[0], value_mask=masks[1], key_mask=masks[2])
    model = keras.Model([q, v, k, *masks], y)
    random = np.random.default_rng(2)
    shapes = (QUERY, VALUE, KEY)
    model.arrays = [random.normal(size=(3, *shape)).astype("float32") for shape in shapes]
    model.arrays += [random.integers(0, 2, (3, shape[0])).astype(bool) for shape in shapes]
    return model


def scored(keras: Any, layer: Any, name: str) -> Iterator[Model]:
    for config in ({}, {"use_scale": True}, {"use_scale": False}, {"dropout": 0.2}):
        yield f"{name}_{said(config)}", lambda config=config: listed(keras, layer(**config))
    for count in (2, 3):
        yield f"{name}_{count}", lambda count=count: listed(keras, layer(), count)
    for call in (
        {"use_causal_mask": True}, {"return_attention_scores": True},
        {"return_attention_scores": True, "use_causal_mask": True},
    ):  # fmt: skip
        yield f"{name}_{said(call)}", lambda call=call: listed(keras, layer(), **call)
        yield f"{name}_masked_{said(call)}", lambda call=call: masked(
            keras, lambda q, v, k: layer()([q, v], **call)
        )
    yield f"{name}_masked", lambda: masked(keras, lambda q, v, k: layer()([q, v, k]))
    yield f"{name}_unknown", lambda: listed(keras, layer(), 3, None, use_causal_mask=True)
    yield f"{name}_stated", lambda: listed_masks(keras, layer())


def listed(keras: Any, layer: Any, count: int = 3, length: Any = 5, **call: Any) -> Any:
    """A layer on a list; the values may be of another size than queries and keys."""
    size = 3 if count == 3 and type(layer).__name__ == "Attention" else 6
    shapes = [(4, 6), (length, size), (length, 6)][:count]
    inputs = [keras.Input(shape, name=f"x{k}") for k, shape in enumerate(shapes)]
    return keras.Model(inputs, layer(inputs, **call))


def listed_masks(keras: Any, layer: Any) -> Any:
    q, v = keras.Input(QUERY, name="q"), keras.Input(VALUE, name="v")
    masks = [keras.Input((n,), dtype="bool", name=f"m{n}") for n in (4, 5)]
    model = keras.Model([q, v, *masks], layer([q, v], mask=masks))
    random = np.random.default_rng(3)
    model.arrays = [random.normal(size=(3, *shape)).astype("float32") for shape in (QUERY, VALUE)]
    model.arrays += [random.integers(0, 2, (3, n)).astype(bool) for n in (4, 5)]
    return model
