"""The hard_sigmoid of one Keras major in the gates of a layer of the other, by scaled weights.

    Keras 1, 2   clip(0.2 v + 0.5, 0, 1)       Keras 3   clip(v / 6 + 0.5, 0, 1)

Each is the other one of 1.2 v or v / 1.2. What a gate's activation is applied to is a sum of
products, so that its columns of the weights can take the factor: for LSTM i, f, o; for GRU z, r.
Source: Keras 2 backend.hard_sigmoid; Keras 3 activations.hard_sigmoid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

#: The target's major -> what it lacks, what it has instead, the factor of the weights.
_INSTEAD = {
    3: ("hard_sigmoid_keras2", "hard_sigmoid", 1.2),
    2: ("hard_sigmoid", "hard_sigmoid_keras2", 1 / 1.2),
}
#: Which of the gates, in their order, the recurrent activation is applied to.
_SCALED = {"LSTM": (True, True, False, True), "GRU": (True, True, False)}
_BOTH = {"layer": "forward_layer", "backward_layer": "backward_layer"}


def scale_gates(layer: Layer, major: int) -> None:
    """Say, in place, a recurrent activation that Keras ``major`` lacks by one that it has."""
    if layer.class_name in _SCALED:
        layer.config = _scaled(layer.class_name, layer.config, layer, [""], major)
    if layer.class_name != "Bidirectional":
        return
    stated = layer.config.get("backward_layer") is not None
    for key, place in _BOTH.items():
        wrapped = layer.config.get(key)
        if not isinstance(wrapped, dict) or wrapped.get("class_name") not in _SCALED:
            continue
        starts = [f"{place}/"] if stated else [f"{each}/" for each in _BOTH.values()]
        config = _scaled(wrapped["class_name"], wrapped["config"], layer, starts, major)
        layer.config = {**layer.config, key: {**wrapped, "config": config}}


def _scaled(class_name: str, config: Config, layer: Layer, starts: list[str], major: int) -> Config:
    """The config with the other activation; the weights below ``starts`` take the factor."""
    lacking, other, factor = _INSTEAD[major]
    if config.get("recurrent_activation") != lacking:
        return config
    factors = [factor if scaled else 1.0 for scaled in _SCALED[class_name]]
    for start in starts:
        for name in ("kernel", "recurrent_kernel", "bias"):
            full = f"{start}{name}"
            if full in layer.weights:
                layer.weights[full] = _times(layer.weights[full], factors)
    return {**config, "recurrent_activation": other}


def _times(weight: Tensor, factors: list[float]) -> Tensor:
    """The weight with each gate's columns multiplied."""

    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        import numpy as np

        columns = np.repeat(factors, array.shape[-1] // len(factors))
        scaled: npt.NDArray[Any] = (array * columns).astype(array.dtype)
        return scaled

    return weight.changed(change)
