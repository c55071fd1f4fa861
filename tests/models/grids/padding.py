"""Padding, cropping and up-sampling."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from grid import Model, alone

LAST = {1: (9, 4), 2: (9, 8, 4), 3: (7, 6, 6, 4)}
FIRST = {rank: (shape[-1], *shape[:-1]) for rank, shape in LAST.items()}
NONE = {rank: (None,) * rank + (4,) for rank in LAST}
#: What is padded or cropped, for each rank.
SIDES: dict[int, list[Any]] = {
    1: [1, 2, (1, 2), (0, 3), (2, 0)],
    2: [1, (1, 2), ((1, 2), (0, 3)), ((0, 0), (2, 0))],
    3: [1, (1, 2, 0), ((1, 2), (0, 3), (2, 1)), ((0, 0), (2, 0), (0, 1))],
}
INTERPOLATIONS = ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", "area"]


def models(keras: Any, major: int) -> Iterator[Model]:
    for rank in (1, 2, 3):
        for shape, sides in itertools.product([LAST[rank], NONE[rank]], SIDES[rank]):
            yield alone(keras, f"ZeroPadding{rank}D", shape, padding=sides)
            yield alone(keras, f"Cropping{rank}D", shape, cropping=sides)
        for name in ("ZeroPadding", "Cropping", "UpSampling"):
            yield alone(keras, f"{name}{rank}D", LAST[rank])
        for shape in (LAST[rank], NONE[rank]):
            sizes = [1, 3] if rank == 1 else [3, (1, 2, 3)[:rank]]
            for size in sizes:
                yield alone(keras, f"UpSampling{rank}D", shape, size=size)
        first = {"data_format": "channels_first"}
        if rank > 1:
            for sides in SIDES[rank]:
                yield alone(keras, f"ZeroPadding{rank}D", FIRST[rank], padding=sides, **first)
                yield alone(keras, f"Cropping{rank}D", FIRST[rank], cropping=sides, **first)
            yield alone(keras, f"UpSampling{rank}D", FIRST[rank], size=2, **first)
    if major == 3:
        yield alone(keras, "ZeroPadding1D", FIRST[1], padding=(1, 2), data_format="channels_first")
    more = ["gaussian", "mitchellcubic"] if major == 2 else []
    for method, shape in itertools.product(INTERPOLATIONS + more, [LAST[2], NONE[2]]):
        yield alone(keras, "UpSampling2D", shape, interpolation=method)
        yield alone(keras, "UpSampling2D", shape, interpolation=method, size=(3, 2))
    yield alone(keras, "UpSampling2D", FIRST[2], interpolation="bilinear",
                data_format="channels_first")  # fmt: skip
