"""keras.applications, whole nets with random weights; made in a child by frameworks.py.

The inputs are as small as a net allows, the weights are those of its initialisers, and the
statistics of every BatchNormalization are drawn, so that none is the identity.
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
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            for weight in layer.weights:
                low, high = (
                    (0.7, 1.5) if "var" in weight.path or "gamma" in weight.path else (-0.2, 0.2)
                )
                weight.assign(random.uniform(low, high, weight.shape).astype("float32"))
        if type(layer).__name__ == "Normalization":
            for weight in layer.weights:
                if "float" in str(weight.dtype):
                    weight.assign(random.uniform(0.5, 1.5, weight.shape).astype("float32"))
            layer.finalize_state()  # what it computes with follows its weights
    model.arrays = [random.uniform(0.0, 255.0, (2, size, size, 3)).astype("float32")]
    model.trained = True
    return model
