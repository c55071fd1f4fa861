"""keras.applications, whole nets with random weights; made in a child by frameworks.py.

The inputs are as small as a net allows, the weights are those of its initialisers. Scales and
statistics of every BatchNormalization are drawn, or measured, so that none is the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

#: The smallest square input of those nets that do not take 64 pixels.
SIZES = {"InceptionV3": 75, "InceptionResNetV2": 75, "Xception": 71, "NASNetLarge": 96}


def models(
    keras: Any, *, major: int = 3, only: str = ""
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(name, builder) of the net ``only``."""
    yield only, lambda: _built(keras, only)


def _built(keras: Any, name: str) -> Any:
    import numpy as np

    size = SIZES.get(name, 64)
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classifier_activation=None
    )
    random = np.random.default_rng(list(name.encode()))
    norms = [each for each in model.layers if type(each).__name__ == "BatchNormalization"]
    gates = name.startswith("EfficientNet")
    for layer in norms:
        for weight in layer.weights:
            low, high = (-0.2, 0.2)
            if weight.name in ("gamma", "moving_variance"):
                low, high = (0.1, 0.4) if gates and weight.name == "gamma" else (0.7, 1.5)
            weight.assign(random.uniform(low, high, weight.shape).astype("float32"))
    for layer in model.layers:
        if type(layer).__name__ == "Normalization":
            for weight in layer.weights:
                if "float" in str(weight.dtype):
                    weight.assign(random.uniform(0.5, 1.5, weight.shape).astype("float32"))
            layer.finalize_state()  # what it computes with follows its weights
    if gates:
        _take_statistics(model, norms, random.uniform(0.0, 255.0, (8, size, size, 3)))
    model.arrays = [random.uniform(0.0, 255.0, (2, size, size, 3)).astype("float32")]
    model.trained = True
    return model


def _take_statistics(model: Any, norms: list[Any], batch: Any) -> None:
    """Have every BatchNormalization measure its input once.

    Where gates multiply, statistics that are merely drawn let a difference grow from layer to
    layer, until a millionth of a deep net's input makes another output altogether. What is made
    of ReLU is scaled as its input is, and has no such trouble.
    """
    momentum = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    model(batch.astype("float32"), training=True)
    for layer, value in zip(norms, momentum, strict=True):
        layer.momentum = value
