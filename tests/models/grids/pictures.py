"""Images resized, cut and augmented; spectrograms of sound."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from grid import Model, compiled

REFUSED = {
    "ContrastLimitedAdaptiveHistogramEqualization needs to know": "its tiles follow from the size",
}
RANDOM = np.random.default_rng(0)
METHODS = ["nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5"]
#: Sizes of images, and the one that is asked for.
KNOWN: list[tuple[int, int]] = [(8, 10), (4, 9), (5, 4), (7, 7)]
SMALL = {"height": 5, "width": 6}
#: Keras 3's augmentation, with what it must be told.
AUGMENTATION: dict[str, dict[str, Any]] = {
    "AugMix": {}, "CutMix": {}, "Equalization": {}, "MaxNumBoundingBoxes": {"max_number": 3},
    "MixUp": {}, "RandAugment": {}, "RandomBrightness": {"factor": 0.2},
    "RandomColorDegeneration": {"factor": 0.2}, "RandomColorJitter": {},
    "RandomContrast": {"factor": 0.2}, "RandomElasticTransform": {}, "RandomErasing": {},
    "RandomFlip": {}, "RandomGaussianBlur": {}, "RandomGrayscale": {}, "RandomHue": {"factor": 0.2},
    "RandomHeight": {"factor": 0.1}, "RandomWidth": {"factor": 0.1}, "RandomInvert": {},
    "RandomPerspective": {}, "RandomPosterization": {"factor": 3},
    "RandomRotation": {"factor": 0.2},
    "RandomSaturation": {"factor": 0.2}, "RandomSharpness": {"factor": 0.2}, "RandomShear": {},
    "RandomTranslation": {"height_factor": 0.1, "width_factor": 0.1},
    "RandomZoom": {"height_factor": 0.1}, "Solarization": {},
}  # fmt: skip
#: Keras 3 stumbles over their configs when it writes them to .h5: .keras alone.
UNSAVED = (
    "RandomBrightness", "RandomColorDegeneration", "RandomPosterization", "RandomSaturation",
    "RandomSharpness", "Solarization",
)  # fmt: skip


def archived(build: Callable[[], Any]) -> Callable[[], Any]:
    """A model that is saved as .keras only."""

    def built() -> Any:
        model = build()
        model.archive_only = True
        return model

    return built


def models(keras: Any, major: int) -> Iterator[Model]:
    more = ["gaussian", "mitchellcubic"] if major == 2 else []
    for method, known in itertools.product(METHODS + more, (True, False)):
        config = {**SMALL, "interpolation": method}
        yield made(keras, "Resizing", (8, 10), known, **config)
        yield made(keras, "Resizing", (4, 9), known, crop_to_aspect_ratio=True, **config)
        if major == 3:
            yield made(keras, "Resizing", (8, 10), known, antialias=True, **config)
            yield made(keras, "Resizing", (4, 9), known, pad_to_aspect_ratio=True, **config)
    for size, known in itertools.product(KNOWN, (True, False)):
        yield made(keras, "CenterCrop", size, known and size, height=5, width=6)
        yield made(keras, "CenterCrop", size, known, height=4, width=3)
        yield made(keras, "RandomCrop", size, known, height=4, width=5)
        yield made(keras, "Resizing", size, known, crop_to_aspect_ratio=True, height=5, width=6)
        yield made(keras, "Resizing", size, known, height=7, width=7)
        if major == 3:
            padded = {"pad_to_aspect_ratio": True, "fill_value": 3.0}
            yield made(keras, "Resizing", size, known, **padded, height=5, width=6)
            first = {"data_format": "channels_first"}
            yield made(keras, "CenterCrop", size, known, True, height=4, width=3, **first)
            yield made(keras, "Resizing", size, known, True, height=4, width=3, **first)
            yield made(keras, "Resizing", size, known, True, height=5, width=6, **padded, **first)
    for method in METHODS:
        yield made(keras, "Resizing", (8, 10), True, False, "uint8", **SMALL, interpolation=method)
    yield made(keras, "CenterCrop", (8, 10), True, False, "uint8", **SMALL)
    for name, config in AUGMENTATION.items():
        if hasattr(keras.layers, name):
            for dtype in ("float32", "uint8"):
                if name == "Equalization":
                    continue  # Keras cannot use it in a model
                row, build = made(keras, name, (6, 7), True, False, dtype, **config)
                yield row, archived(build) if major == 3 and name in UNSAVED else build
    if major == 3:
        yield from contrast(keras)
        yield from sound(keras)


def contrast(keras: Any) -> Iterator[Model]:
    for bounds, dtype in itertools.product([(0, 255), (0.0, 1.0), (-1, 1)], ("float32", "uint8")):
        for known in (True, False):
            yield made(keras, "AutoContrast", (6, 7), known, False, dtype, value_range=bounds)
        for grid in ((8, 8), (2, 3)):
            yield made(
                keras, "ContrastLimitedAdaptiveHistogramEqualization", (16, 18), True, False, dtype,
                value_range=bounds, tile_grid_size=grid,
            )  # fmt: skip
    yield made(
        keras, "ContrastLimitedAdaptiveHistogramEqualization", (17, 19), True, False, "uint8",
        tile_grid_size=(3, 4), clip_limit=0,
    )  # fmt: skip
    yield made(keras, "ContrastLimitedAdaptiveHistogramEqualization", (16, 18), False)


def sound(keras: Any) -> Iterator[Model]:
    layers = keras.layers
    for mode in ("log", "magnitude", "psd", "real", "imag", "angle", "stft"):
        for k, config in enumerate([
            {}, {"expand_dims": True}, {"padding": "same", "frame_step": 3},
            {"data_format": "channels_first"},
            {"data_format": "channels_first", "expand_dims": True, "fft_length": 32},
        ]):  # fmt: skip
            first = "data_format" in config
            shapes: list[Any] = [(2, 50) if first else (50, 2)]
            if mode == "log":
                shapes.append((2, None) if first else (None, 2))
            if first and config.get("padding") != "same":
                shapes = shapes[:1]
            for shape in shapes:
                config = {"mode": mode, "frame_length": 16, "window": None, **config}
                name = f"STFT_{mode}_{k}_{shape[0]}"

                def build(said: Any = config, shape: Any = shape) -> Any:
                    return heard(keras, layers.STFTSpectrogram(**said), shape, False)

                yield compiled(name, build) if first else (name, build)
    for k, config in enumerate([
        {}, {"window": "hamming", "sequence_length": 24}, {"power_to_db": False, "mag_exp": 1.0},
        {"window": None, "max_freq": 3000}, {"sequence_length": 25, "ref_power": 2.0},
        {"top_db": 20.0, "min_freq": 300.0, "sampling_rate": 8000},
    ]):  # fmt: skip
        for shape in [(200,), (None,)]:
            yield f"Mel_{k}_{shape[0]}", lambda c=config, s=shape: heard(
                keras, layers.MelSpectrogram(
                    fft_length=32, sequence_stride=8, num_mel_bins=5, **c
                ), s,
            )  # fmt: skip


def heard(keras: Any, layer: Any, shape: Any, trained: bool = True) -> Any:
    x = keras.Input(shape, name="x")
    model = keras.Model(x, layer(x))
    size = [3, *(120 if n is None else n for n in shape)]
    model.arrays, model.trained = [RANDOM.normal(size=size).astype("float32")], trained
    return model


def made(
    keras: Any, name: str, size: tuple[int, int], known: Any = True, first: bool = False,
    dtype: str = "float32", **config: Any,
) -> Model:  # fmt: skip
    words = [f"{key[:9]}{value}" for key, value in config.items() if key != "data_format"]
    said = [name[:20], *map(str, size), "known" if known else "any", "first" * first, dtype, *words]
    title = "".join(c if c.isalnum() or c in "_-" else "." for c in "_".join(said))

    def build() -> Any:
        sides = list(size) if known else [None, None]
        shape = [3, *sides] if first else [*sides, 3]
        x = keras.Input(shape, name="x", dtype=dtype)
        model = keras.Model(x, getattr(keras.layers, name)(**config)(x))
        array = RANDOM.uniform(0, 255, [2, 3, *size] if first else [2, *size, 3])
        low, high = config.get("value_range", (0, 255))
        if dtype == "float32":
            array = array / 255 * (high - low) + low
        model.arrays = [array.astype(dtype)]
        return model

    return title[:110], build
