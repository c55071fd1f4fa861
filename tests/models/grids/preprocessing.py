"""Preprocessing of numbers and of categories without a vocabulary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model

REFUSED: dict[str, str] = {}
RANDOM = np.random.default_rng(0)


def models(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    for k, (shape, axis) in enumerate([
        ((4,), -1), ((4,), None), ((None, 4), -1), ((3, 4), 1), ((3, 4), (1, 2)),
        ((2, 3, 4), (1, 3)), ((2, 3, 4), (3, 1)), ((2, None, 4), 1), ((None, None, 4), None),
    ]):  # fmt: skip
        for invert in (False, True):
            yield f"Normalization_{k}_{invert}", lambda s=shape, a=axis, i=invert: around(
                keras, s, layers.Normalization(axis=a, invert=i)
            )
    yield "Normalization_adapted", lambda: adapted(keras)
    yield "Normalization_masked", lambda: masked(keras)
    for k, (shape, axis, mean, variance) in enumerate([
        ((4,), -1, 1.5, 2.0), ((4,), -1, [1.0, 2.0, 3.0, 4.0], [0.0, 0.5, 1.0, 2.0]),
        ((None, 4), -1, 1.5, 2.0), ((3, 4), (1, 2), [[1.0] * 4] * 3, [[2.0] * 4] * 3),
        ((3, 4), 1, [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]), ((3, 4), None, 0.5, 3.0),
        ((3, 4), (1, 2), [1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]),
    ]):  # fmt: skip
        for invert in (False, True):
            yield f"Normalization_given_{k}_{invert}", (
                lambda s=shape, a=axis, m=mean, v=variance, i=invert: around(
                    keras, s, layers.Normalization(a, mean=m, variance=v, invert=i), trained=True
                )
            )
    yield "Normalization_of_integers", lambda: integers(
        keras, layers.Normalization(mean=1.5, variance=2.0), "int32", (3, 4)
    )
    yield "Rescaling_lists", lambda: around(
        keras, (4, 4, 3), layers.Rescaling([1.0, 0.5, 2.0], [0.1, 0.2, 0.3])
    )
    yield "Rescaling_array", lambda: around(
        keras, (4, 4, 3), layers.Rescaling(np.array([1.0, 0.5, 2.0]), np.array([0.1, 0.2, 0.3]))
    )
    yield "Rescaling_of_bytes", lambda: integers(
        keras, layers.Rescaling(1 / 255, -0.5), "uint8", (3, 4)
    )
    yield from categories(keras, major)
    yield from bins(keras, major)
    yield from hashes(keras, major)
    if major == 3:
        yield "Pipeline", lambda: around(keras, (6, 6, 3), layers.Pipeline([
            layers.Rescaling(2.0), layers.RandomFlip(), layers.CenterCrop(4, 4), layers.ReLU(),
        ]))  # fmt: skip


def categories(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    for mode in ("one_hot", "multi_hot", "count"):
        for shape in [(), (1,), (5,), (None,), (3, 4), (3, 1), (None, None)]:
            if major == 2 and (len(shape) > 1 or (mode == "one_hot" and shape not in ((), (1,)))):
                continue
            for dtype in ("int32", "int64"):
                yield f"Category_{mode}_{len(shape)}_{'x'.join(map(str, shape))}_{dtype}", (
                    lambda m=mode, s=shape, d=dtype: integers(
                        keras, layers.CategoryEncoding(num_tokens=7, output_mode=m), d, s
                    )
                )
    for shape in [(5,), (None,)] + [(3, 4)] * (major == 3):
        yield f"Category_weighed_{len(shape)}_{shape[0]}", lambda s=shape: weighed(keras, s)
    yield "Category_one_token", lambda: integers(
        keras, layers.CategoryEncoding(num_tokens=1, output_mode="count"), "int32", (3,), 1
    )
    yield "Category_then_Dense", lambda: stacked(keras)


def bins(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    bounds = [-0.5, 0.0, 0.25, 1.0]
    for mode in ("int", "one_hot", "multi_hot", "count"):
        for shape in [(1,), (5,), (None,), (3, 4)]:
            if major == 2 and mode != "int" and shape not in ((1,), (5,), (None,)):
                continue
            if major == 2 and mode == "one_hot" and shape != (1,):
                continue
            yield f"Discretization_{mode}_{len(shape)}_{shape[0]}", lambda m=mode, s=shape: around(
                keras, s, layers.Discretization(bin_boundaries=bounds, output_mode=m)
            )
    yield "Discretization_of_integers", lambda: integers(
        keras, layers.Discretization(bin_boundaries=[1.0, 3.0, 4.0]), "int32", (5,)
    )
    for count in (2, 3, 10):
        yield f"Discretization_adapted_{count}", lambda c=count: learnt_bins(keras, c)


def hashes(keras: Any, major: int) -> Iterator[Model]:
    layers = keras.layers
    for k, config in enumerate([
        {}, {"salt": 7}, {"salt": [7, 8]}, {"mask_value": ""}, {"mask_value": "a", "salt": 3},
        {"output_mode": "multi_hot"}, {"output_mode": "count"},
    ]):  # fmt: skip
        for shape in [(1,), (4,), (None,)]:
            yield f"Hashing_strings_{k}_{len(shape)}_{shape[0]}", lambda c=config, s=shape: strings(
                keras, layers.Hashing(num_bins=5, **c), s
            )
    yield "Hashing_one_hot", lambda: strings(
        keras, layers.Hashing(num_bins=5, output_mode="one_hot"), (1,)
    )
    yield "Hashing_one_bin", lambda: strings(keras, layers.Hashing(1, mask_value="a"), (3,))
    yield "Hashing_cube", lambda: strings(keras, layers.Hashing(5), (2, 3))
    for dtype in ("int32", "int64"):
        for config in ({}, {"mask_value": 2}, {"salt": 9}):
            yield f"Hashing_{dtype}_{len(config)}_{'salt' in config}", lambda d=dtype, c=config: (
                integers(keras, layers.Hashing(num_bins=4, **c), d, (5,))
            )
    for mode in ("int", "one_hot"):
        for shape in [(), (1,)]:
            for kinds in (("string", "string"), ("string", "int64"), ("int32", "int64", "int32")):
                if major == 3 and len(kinds) > 2:
                    continue  # it cannot tell the output's shape
                yield f"Crossing_{mode}_{len(shape)}_{'_'.join(kinds)}", (
                    lambda m=mode, s=shape, k=kinds: crossed(
                        keras, layers.HashedCrossing(num_bins=6, output_mode=m), s, k
                    )
                )


def sized(shape: Any) -> list[int]:
    return [3, *(6 if size is None else size for size in shape)]


def around(keras: Any, shape: Any, layer: Any, trained: bool = False) -> Any:
    x = keras.Input(shape, name="x")
    model = keras.Model(x, layer(x))
    if trained or not model.weights:
        model.trained = True
        return model
    for weight in model.weights:
        if "float" in str(weight.dtype):
            weight.assign(RANDOM.uniform(0.0, 2.0, weight.shape).astype("float32"))
    finalise = getattr(layer, "finalize_state", None)
    if finalise is not None:
        finalise()
    model.trained = True
    return model


def adapted(keras: Any) -> Any:
    layer = keras.layers.Normalization()
    layer.adapt(RANDOM.normal(2.0, 3.0, (20, 4)))
    return around(keras, (4,), layer, trained=True)


def masked(keras: Any) -> Any:
    x = keras.Input((5, 4), name="x")
    y = keras.layers.Normalization(mean=1.0, variance=2.0)(keras.layers.Masking()(x))
    model = keras.Model(x, keras.layers.GRU(3)(y))
    array = RANDOM.normal(size=(3, 5, 4)).astype("float32")
    array[0, 3:] = 0
    model.arrays = [array]
    return model


def integers(keras: Any, layer: Any, dtype: str, shape: Any, top: int = 7) -> Any:
    x = keras.Input(shape, name="x", dtype=dtype)
    model = keras.Model(x, layer(x))
    model.arrays = [RANDOM.integers(0, top, sized(shape)).astype(dtype)]
    return model


def weighed(keras: Any, shape: Any) -> Any:
    x, w = keras.Input(shape, name="x", dtype="int32"), keras.Input(shape, name="w")
    layer = keras.layers.CategoryEncoding(num_tokens=7, output_mode="count")
    model = keras.Model([x, w], layer(x, count_weights=w))
    size = sized(shape)
    model.arrays = [
        RANDOM.integers(0, 7, size).astype("int32"), RANDOM.normal(size=size).astype("float32")
    ]  # fmt: skip
    return model


def stacked(keras: Any) -> Any:
    x = keras.Input((5,), name="x", dtype="int64")
    y = keras.layers.CategoryEncoding(num_tokens=7, output_mode="multi_hot")(x)
    model = keras.Model(x, keras.layers.Dense(3)(y))
    model.arrays = [RANDOM.integers(0, 7, (3, 5))]
    return model


def learnt_bins(keras: Any, count: int) -> Any:
    layer = keras.layers.Discretization(num_bins=count, epsilon=0.05)
    layer.adapt(RANDOM.normal(size=(100, 1)).astype("float32"))
    return around(keras, (5,), layer, trained=True)


def words(shape: Any) -> Any:
    return RANDOM.choice(np.array([b"a", b"b", b"", "é".encode(), b"long word"]), sized(shape))


def strings(keras: Any, layer: Any, shape: Any) -> Any:
    x = keras.Input(shape, name="x", dtype="string")
    model = keras.Model(x, layer(x))
    model.arrays = [words(shape)]
    return model


def crossed(keras: Any, layer: Any, shape: Any, kinds: Any) -> Any:
    inputs = [keras.Input(shape, name=f"x{k}", dtype=kind) for k, kind in enumerate(kinds)]
    model = keras.Model(inputs, layer(tuple(inputs)))
    model.arrays = [
        words(shape) if kind == "string" else RANDOM.integers(0, 9, sized(shape)).astype(kind)
        for kind in kinds
    ]
    return model
