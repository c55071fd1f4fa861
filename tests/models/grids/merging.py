"""Merges: two and more tensors, of equal and of other ranks, with masks and without."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from grid import Model, alone

ELEMENTWISE = ("Add", "Multiply", "Maximum", "Minimum", "Average")
#: Shapes that broadcast, of one rank and of several.
GROUPS: list[list[tuple[int | None, ...]]] = [
    [(4,), (4,)], [(3, 4), (3, 4), (3, 4)], [(None, 4), (None, 4)], [(3, 4), (1, 4)],
    [(3, 1), (1, 4)], [(3, 4), (4,)], [(4,), (2, 3, 4)], [(2, 3, 4), (3, 4), (4,)], [(1,), (3, 4)],
]  # fmt: skip


def models(keras: Any, major: int) -> Iterator[Model]:
    for k, shapes in enumerate(GROUPS):
        for name in (*ELEMENTWISE, *(["Subtract"] if len(shapes) == 2 else [])):
            yield f"{name}_{k}", lambda name=name, shapes=shapes: alone(keras, name, *shapes)[1]()
    for shapes, axis in (
        (((4,), (2,)), -1), (((3, 4), (3, 2)), -1), (((3, 4), (2, 4), (1, 4)), 1),
        (((None, 4), (None, 4)), 1), (((2, 3, 4), (2, 5, 4)), 2), (((2, 3, 4), (2, 5, 4)), -2),
    ):  # fmt: skip
        yield f"Concatenate_{len(shapes)}_{len(shapes[0])}_{axis}", lambda s=shapes, a=axis: alone(
            keras, "Concatenate", *s, axis=a
        )[1]()
    for k, (shapes, axes) in enumerate((
        (((4,), (4,)), 1), (((4,), (4,)), -1), (((4,), (3, 4)), (1, 2)), (((3, 4), (4,)), (2, 1)),
        (((3, 4), (5, 4)), 2), (((3, 4), (3, 4)), 1), (((3, 4), (4, 5)), (2, 1)),
        (((3, 4), (3, 5)), (1, 1)), (((2, 3, 4), (5, 4)), (3, 2)), (((3, 4), (2, 4, 5)), (2, 2)),
        (((2, 3, 4), (5, 3, 2)), (2, 2)), (((None, 4), (None, 4)), -1), (((4,), (2, 4, 3)), (1, 2)),
    )):  # fmt: skip
        for normalize in (False, True):
            yield f"Dot_{k}_{normalize}", lambda s=shapes, a=axes, n=normalize: alone(
                keras, "Dot", *s, axes=a, normalize=n
            )[1]()
    for name, which in itertools.product(
        (*ELEMENTWISE, "Subtract", "Concatenate"), ((True, True), (True, False), (False, True))
    ):
        # Concatenate of tf_keras leaves out nothing only where both have a mask.
        yield f"masked_{name}_{which[0]}_{which[1]}", lambda name=name, which=which: masked(
            keras, getattr(keras.layers, name)(), which
        )
    for name in ("Add", "Maximum", "Multiply"):
        yield f"masked_three_{name}", lambda name=name: masked(
            keras, getattr(keras.layers, name)(), (True, True, True)
        )
        yield f"masked_partly_{name}", lambda name=name: masked(
            keras, getattr(keras.layers, name)(), (True, False, True)
        )
    yield "masked_Concatenate_in_time", lambda: masked(
        keras, keras.layers.Concatenate(axis=1), (True, True)
    )
    yield "masked_Dot", lambda: masked(keras, keras.layers.Dot(axes=2), (True, True))
    yield "Add_integers", lambda: integers(keras, keras.layers.Add())


def masked(keras: Any, layer: Any, which: tuple[bool, ...]) -> Any:
    """Masks of several kinds, and a layer behind that tells what became of them."""
    inputs = [keras.Input((6, 4), name=f"x{k}") for k in range(len(which))]
    shown = [
        keras.layers.Masking()(x) if masks else x for x, masks in zip(inputs, which, strict=True)
    ]
    y = layer(shown)
    model = keras.Model(inputs, [y, keras.layers.LSTM(3, return_sequences=True)(y)])
    random = np.random.default_rng(0)
    model.arrays = [random.normal(size=(3, 6, 4)).astype("float32") for _ in which]
    for k, array in enumerate(model.arrays):
        array[0, 3 + k :] = 0
        array[1, : 2 - k] = 0
    return model


def integers(keras: Any, layer: Any) -> Any:
    inputs = [keras.Input((4,), name=f"x{k}", dtype="int32") for k in range(2)]
    model = keras.Model(inputs, layer(inputs))
    model.arrays = [np.arange(12, dtype="int32").reshape(3, 4)] * 2
    return model
