"""Weights as Keras 1 stores them -> canonical weights, bit for bit unless noted.

    Conv1D            kernel (window, 1, in, filters); before 1.2 (filters, in, window, 1)
    Conv2D, Conv3D    channels last (*window, in, filters), channels first (filters, in, *window)
    Conv2DTranspose   channels last (*window, in, filters), channels first (filters, in, *window);
                      canonical is (*window, filters, in)
    LSTM, ConvLSTM2D  W, U, b for each of the gates i, c, f, o: 12 arrays; or kernel,
                      recurrent_kernel, bias at once, gates i, f, c, o
    GRU               W, U, b for each of z, r, h: 9 arrays; or three
    Highway           by name: W, b, W_carry, b_carry, in an order that changed
    BatchNormalization  up to 1.0.5 the standard deviation d, y = (x - mean) / (d + epsilon): the
                      variance that gives the same y is (d + epsilon)^2 - epsilon

A Bidirectional has the forward layer's first. A nested model lists all trainable weights, then
all others. Files of the Theano backend differ in one more thing, their names: no ``:0``.
Source: Keras 1.2.2 and its 1.0 predecessors; tf_keras saving/legacy/hdf5_format.py,
preprocess_weights_for_loading; files of Keras 1.0.8, 1.1.1 and 1.2.2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError
from modelfmt.layers.registry import codec_for
from modelfmt.network import Config, Layer, Network
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

Named = list[tuple[str, Tensor]]

#: The gates in canonical order, by what their arrays' names end with.
_GATES = {"LSTM": "ifco", "ConvLSTM2D": "ifco", "GRU": "zrh"}
#: The order in which the gates are stored.
_STORED = {"LSTM": "icfo", "ConvLSTM2D": "icfo", "GRU": "zrh"}
_HIGHWAY = ("W", "b", "W_carry", "b_carry")
_VARIANCE_SINCE = (1, 0, 6)


def is_theano(network: Network) -> bool:
    """Whether a Keras 1 file comes from Theano: its variables' names have no output number."""
    names = [name for layer in network.walk() for name in layer.weights]
    return bool(names) and not any(":" in name for name in names)


def modernise(layer: Layer, version: str | None) -> None:
    """Bring a layer's weights to canonical shapes, number and order, in place.

    Args:
        layer: its config normalised, its weights named and ordered as in the file.
        version: of Keras, as the file states it.

    Raises:
        MismatchError: arrays that do not fit together.
    """
    found = _changed(layer.class_name, layer.config, list(layer.weights.items()), version)
    layer.weights = {f"{k}/{tensor.name}": tensor for k, (_, tensor) in enumerate(found)}
    if layer.class_name == "PReLU" and len(found) == 1:
        shape = found[0][1].shape
        shared = [axis + 1 for axis, size in enumerate(shape) if size == 1]
        if shared and layer.config.get("shared_axes") is None:
            layer.config["shared_axes"] = shared  # its config does not say so


def _changed(class_name: str, config: Config, stored: Named, version: str | None) -> Named:
    inner = config.get("layer")
    if isinstance(inner, dict) and isinstance(inner.get("config"), dict):
        within = str(inner.get("class_name")), inner["config"]
        if class_name == "Bidirectional":
            half = len(stored) // 2
            forward = _changed(*within, stored[:half], version)
            return forward + _changed(*within, stored[half:], version)
        if class_name == "TimeDistributed":
            return _changed(*within, stored, version)
    if class_name in _GATES:
        stored = _with_gates_joined(class_name, config, stored)
    if class_name == "Highway":
        stored = _by_ending(stored, _HIGHWAY)
    if class_name == "BatchNormalization" and stored and _parsed(version) < _VARIANCE_SINCE:
        name, deviation = stored[-1]
        stored = [*stored[:-1], (name, _variance(deviation, config.get("epsilon", 1e-6)))]
    order = _ORDERS.get(class_name)
    return stored if order is None else [(n, order(t, config)) for n, t in stored]


def _parsed(version: str | None) -> tuple[int, ...]:
    parts = (version or "").split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else (1, 2, 2)


def _by_ending(stored: Named, endings: Sequence[str]) -> Named:
    """In the order of ``endings``, where the names have just these; else as they stand."""
    plain = [(name.split(":")[0], tensor) for name, tensor in stored]
    longest = sorted(endings, key=len, reverse=True)
    found: dict[str, tuple[str, Tensor]] = {}
    for name, tensor in plain:
        ending = next((e for e in longest if name == e or name.endswith(f"_{e}")), "")
        found[ending] = name, tensor
    if "" in found or len(found) != len(stored):
        return stored
    return [found[ending] for ending in endings if ending in found]


# -- kernels ------------------------------------------------------------------------------------


def _first(config: Config) -> bool:
    return config.get("data_format") == "channels_first"


def _conv1(tensor: Tensor, config: Config) -> Tensor:
    if len(tensor.shape) != 4:
        return tensor
    if tensor.shape[1] != 1 or tensor.shape[3] != config.get("filters"):
        tensor = transposed(tensor, (2, 3, 1, 0))
    return tensor.reshaped((tensor.shape[0], *tensor.shape[2:]))


def _conv(tensor: Tensor, config: Config) -> Tensor:
    rank = len(tensor.shape)
    if rank < 4 or not _first(config):
        return tensor
    return transposed(tensor, (*range(2, rank), 1, 0))


def _deconv(tensor: Tensor, config: Config) -> Tensor:
    if len(tensor.shape) != 4:
        return tensor
    return transposed(tensor, (2, 3, 0, 1) if _first(config) else (0, 1, 3, 2))


_ORDERS: dict[str, Callable[[Tensor, Config], Tensor]] = {
    "Conv1D": _conv1, "Conv2D": _conv, "Conv3D": _conv, "SeparableConv2D": _conv,
    "Conv2DTranspose": _deconv,
}  # fmt: skip


def _with_gates_joined(class_name: str, config: Config, stored: Named) -> Named:
    gates, order = _GATES[class_name], _STORED[class_name]
    if class_name == "ConvLSTM2D":
        stored = [(name, _conv(tensor, config)) for name, tensor in stored]
    if len(stored) != 3 * len(order):
        return stored
    at = {gate: stored[3 * k : 3 * k + 3] for k, gate in enumerate(order)}
    return [
        (at[gates[0]][k][0], joined([at[gate][k][1] for gate in gates])) for k in range(3)
    ]


# -- changes of shape ---------------------------------------------------------------------------


def transposed(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    """The tensor with its axes in another order, made when it is read."""
    shape = tuple(tensor.shape[axis] for axis in axes)
    return tensor.changed(lambda array: array.transpose(axes), shape)


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """The tensors one after the other along the last axis, made when they are read.

    Raises:
        MismatchError: dtypes, or sizes along another axis, differ.
    """
    kinds = {(t.shape[:-1], t.dtype.name, bool(t.shape)) for t in tensors}
    if len(kinds) != 1 or not tensors[0].shape:
        raise MismatchError(
            "the arrays of the gates do not fit together",
            expected="equal shapes and dtypes", found=[list(t.shape) for t in tensors],
        )
    shape = (*tensors[0].shape[:-1], sum(t.shape[-1] for t in tensors))

    def together(first: npt.NDArray[Any]) -> npt.NDArray[Any]:
        import numpy as np

        return np.concatenate([first, *(t.numpy() for t in tensors[1:])], axis=-1)

    return tensors[0].changed(together, shape)


def _variance(deviation: Tensor, epsilon: float) -> Tensor:
    def squared(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        made: npt.NDArray[Any] = ((array.astype("float64") + epsilon) ** 2 - epsilon).astype(
            array.dtype
        )
        return made

    return deviation.changed(squared)


# -- nested models ------------------------------------------------------------------------------


def share_out(model: Layer) -> None:
    """Move a nested model's flat weights to its layers, in place, by their order.

    Raises:
        MismatchError: they are not as many as the layers ask for.
    """
    if model.network is None:
        return
    stored = list(model.weights.items())
    shares: dict[int, Named] = {}
    place = 0
    trained, fixed = _wanted(model.network)
    for leaf, count in (*trained, *fixed):
        count = _stored_count(leaf.class_name, leaf.config, count, stored[place:])
        shares.setdefault(id(leaf), []).extend(stored[place : place + count])
        place += count
    if place != len(stored):
        raise MismatchError(
            "the nested model has another number of weights than its configuration asks for",
            expected=place, found=len(stored),
        )
    for leaf, _ in (*trained, *fixed):
        leaf.weights = dict(shares[id(leaf)])
    model.weights = {}


def _wanted(network: Network) -> tuple[list[tuple[Layer, int]], list[tuple[Layer, int]]]:
    """How many canonical weights each layer has: those that are trained, and the others."""
    trained: list[tuple[Layer, int]] = []
    fixed: list[tuple[Layer, int]] = []
    for layer in network.layers:
        if layer.network is not None:
            inner = _wanted(layer.network)
            trained += inner[0]
            fixed += inner[1]
        elif layer.class_name != "InputLayer":
            codec = codec_for(layer)
            config = codec.completed(layer.config, {})
            names, untrained = codec.weight_names(config), codec.untrained(config)
            count = sum(name not in untrained for name in names)
            frozen = layer.config.get("trainable", True) is False
            (fixed if frozen else trained).append((layer, count))
            fixed.append((layer, len(names) - count))
    return trained, fixed


def _stored_count(class_name: str, config: Config, count: int, following: Named) -> int:
    """How many arrays hold ``count`` weights: those of gates may be stored gate by gate."""
    gates = _GATES.get(_innermost(class_name, config), "")
    if not gates or not following:
        return count
    by_gate = following[0][0].split(":")[0].endswith(f"_{gates[0]}")
    return count * len(gates) if by_gate else count


def _innermost(class_name: str, config: Config) -> str:
    """The class of what a wrapper wraps; else the class itself."""
    inner = config.get("layer")
    if isinstance(inner, dict) and isinstance(inner.get("config"), dict):
        return _innermost(str(inner.get("class_name")), inner["config"])
    return class_name
