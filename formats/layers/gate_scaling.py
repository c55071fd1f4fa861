"""The hard_sigmoid of one Keras major within a layer of the other, by scaled weights.

    Keras 1, 2   clip(0.2 v + 0.5, 0, 1)       Keras 3   clip(v / 6 + 0.5, 0, 1)

Each is the other one of 1.2 v or v / 1.2. What a gate's activation is applied to is a sum of
products, so that its columns of the weights can take the factor: for LSTM i, f, o; for GRU z, r.
So can the candidate of a GRU and the output of a SimpleRNN, but not those of an LSTM, which applies
its activation to the cell state as well. Source: Keras 2 backend.hard_sigmoid; Keras 3
activations.hard_sigmoid.
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
_RECURRENT, _OWN = "recurrent_activation", "activation"
#: Which function each block of the weights' columns is for: the gates in their order.
_COLUMNS = {
    "SimpleRNN": (_OWN,),
    "LSTM": (_RECURRENT, _RECURRENT, "", _RECURRENT),
    "ConvLSTM": (_RECURRENT, _RECURRENT, "", _RECURRENT),
    "GRU": (_RECURRENT, _RECURRENT, _OWN),
}
#: Where a wrapper's layers keep their weights; a layer going backwards is stated only where it
#: differs.
_PLACES = {"layer": "forward_layer", "backward_layer": "backward_layer"}


def scale_gates(layer: Layer, major: int) -> None:
    """Say, in place, an activation that Keras ``major`` lacks by one that it has."""
    layer.config = _scaled(layer.class_name, layer.config, layer, [""], major)


def _scaled(class_name: str, config: Config, layer: Layer, starts: list[str], major: int) -> Config:
    """The config with the other activation; the weights below ``starts`` take the factor."""
    if class_name == "Bidirectional":
        stated = config.get("backward_layer") is not None
        both = list(_PLACES.values())
        for key, place in _PLACES.items():
            config = _within(config, key, layer, starts, [place] if stated else both, major)
        return config
    if class_name in ("RNN", "StackedRNNCells", "TimeDistributed"):
        for key in ("cell", "cells", "layer"):
            config = _within(config, key, layer, starts, [key], major)
        return config
    columns = _COLUMNS.get(_family(class_name))
    lacking, other, factor = _INSTEAD[major]
    if columns is None:
        return config
    found = {key for key in set(columns) if key and config.get(key) == lacking}
    if not found:
        return config
    factors = [factor if key in found else 1.0 for key in columns]
    for start in starts:
        for name in ("kernel", "recurrent_kernel", "bias"):
            full = f"{start}{name}"
            if full in layer.weights:
                layer.weights[full] = _times(layer.weights[full], factors)
    return {**config, **dict.fromkeys(found, other)}


def _family(class_name: str) -> str:
    """``ConvLSTM`` of ConvLSTM2D, ``GRU`` of GRUCell."""
    plain = class_name.removesuffix("Cell")
    return "ConvLSTM" if plain.startswith("ConvLSTM") else plain


def _within(
    config: Config, key: str, layer: Layer, starts: list[str], places: list[str], major: int
) -> Config:
    """The config with the layer, or the layers, that it holds at ``key`` scaled."""
    held = config.get(key)
    if isinstance(held, list):
        scaled: Any = [
            _wrapped(each, layer, [f"{s}{place}/{k}/" for s in starts for place in places], major)
            for k, each in enumerate(held)
        ]
    else:
        scaled = _wrapped(held, layer, [f"{s}{place}/" for s in starts for place in places], major)
    return config if scaled is held else {**config, key: scaled}


def _wrapped(held: Any, layer: Layer, starts: list[str], major: int) -> Any:
    if not isinstance(held, dict) or not isinstance(held.get("config"), dict):
        return held
    config = _scaled(str(held.get("class_name")), held["config"], layer, starts, major)
    return held if config is held["config"] else {**held, "config": config}


def _times(weight: Tensor, factors: list[float]) -> Tensor:
    """The weight with each gate's columns multiplied."""

    def change(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        import numpy as np

        columns = np.repeat(factors, array.shape[-1] // len(factors))
        scaled: npt.NDArray[Any] = (array * columns).astype(array.dtype)
        return scaled

    return weight.changed(change)
