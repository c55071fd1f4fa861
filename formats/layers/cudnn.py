"""CuDNNLSTM and CuDNNGRU as LSTM and GRU: what ran on a GPU only, in layers that run anywhere.

    kernel            every gate's (in, units) block holds its transpose's elements, row by row
    recurrent_kernel  every gate's (units, units) block transposed
    bias              LSTM (8 units,): of x and of h, which are summed
                      GRU (6 units,): of x and of h, which become the rows of (2, 3 units)

The activations are tanh and sigmoid, and a GRU resets after. The classes ended with Keras 2 and
tf.keras 1. Source: tf_keras saving/legacy/hdf5_format.py, _convert_rnn_weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError
from modelfmt.network import Config, Layer

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: Class -> its plain class, and what the plain one's config must say.
_PLAIN: dict[str, tuple[str, Config]] = {
    "CuDNNLSTM": ("LSTM", {}),
    "CuDNNGRU": ("GRU", {"reset_after": True}),
}
_ALIKE = {"activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}


def make_plain(layer: Layer) -> list[str]:
    """Rename the classes in a layer and in what it wraps, in place.

    Returns:
        The names of the plain classes that it was; ``convert_weights`` is due for them.
    """
    found: list[str] = []
    layer.class_name, layer.config = _renamed(layer.class_name, layer.config, found)
    return found


def _renamed(class_name: str, config: Config, found: list[str]) -> tuple[str, Config]:
    config = {key: _inside(value, found) for key, value in config.items()}
    if class_name not in _PLAIN:
        return class_name, config
    plain, more = _PLAIN[class_name]
    found.append(plain)
    return plain, {**_ALIKE, **more, **config}


def _inside(value: Any, found: list[str]) -> Any:
    if isinstance(value, list):
        return [_inside(inner, found) for inner in value]
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        return value
    class_name, config = _renamed(str(value.get("class_name")), value["config"], found)
    return {**value, "class_name": class_name, "config": config} if found else value


def convert_weights(layer: Layer, plain: list[str]) -> None:
    """Turn the weights of what ``make_plain`` found, in place; they bear canonical names.

    Raises:
        MismatchError: a bias of neither layout.
    """
    for name in [name for name in layer.weights if name.rpartition("/")[2] == "recurrent_kernel"]:
        start = name.removesuffix("recurrent_kernel")
        names = [f"{start}{weight}" for weight in ("kernel", "recurrent_kernel", "bias")]
        if names[2] not in layer.weights:
            continue
        kernel, recurrent, bias = (layer.weights[weight] for weight in names)
        units = recurrent.shape[0]
        gates = recurrent.shape[1] // max(units, 1)
        if bias.shape != (2 * gates * units,):
            if len(plain) == 1:
                raise MismatchError(
                    "not the bias of a cuDNN layer", expected=[2 * gates * units],
                    found=list(bias.shape),
                )
            continue
        converted = (
            kernel.changed(_by_gate(gates, _refilled)),
            recurrent.changed(_by_gate(gates, _transposed)),
            bias.changed(_summed, (gates * units,))
            if gates == 4
            else bias.changed(_in_rows, (2, gates * units)),
        )
        layer.weights.update(zip(names, converted, strict=True))


def _by_gate(gates: int, change: Callable[[Array], Array]) -> Callable[[Array], Array]:
    def changed(array: Array) -> Array:
        import numpy as np

        return np.concatenate([change(part) for part in np.split(array, gates, axis=1)], axis=1)

    return changed


def _refilled(kernel: Array) -> Array:
    return kernel.T.reshape(kernel.shape, order="F")


def _transposed(kernel: Array) -> Array:
    return kernel.T


def _summed(bias: Array) -> Array:
    half = len(bias) // 2
    total: Array = bias[:half] + bias[half:]
    return total


def _in_rows(bias: Array) -> Array:
    return bias.reshape(2, -1)
