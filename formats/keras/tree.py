"""The weights tree of .keras archives and Keras 3's .weights.h5: which layer owns which path.

    layers/dense/vars/0              the class name in snake case, with a counter, in the order of
    layers/dense_1/vars/0            ``model.layers``; never the layer's own name
    layers/functional/layers/...     a nested model
    layers/gru/cell/vars/0           sublayers by attribute: cell, forward_layer, query_dense, ...
    _layer_checkpoint_dependencies/  instead of ``layers`` in tf.keras 2.12, whose counter also
                                     skips a number after every layer that has weights

Keras 3.15 adds an attribute ``name`` to each ``vars`` group. Variables are numbered; the numbers
sort as text in HDF5. Source: Keras saving_lib.py ``_save_state``, VERSION_FACTS 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modelfmt.errors import ConversionError, located
from modelfmt.keras.accepted import words
from modelfmt.keras.h5 import saved_layers
from modelfmt.keras.operations import is_operation
from modelfmt.keras.stored import group_at, put
from modelfmt.network import Config, Layer, Network
from modelfmt.storage.hdf5 import Hdf5Group
from modelfmt.tensor import Tensor

_OLD = "_layer_checkpoint_dependencies"
_RECURRENT = words("SimpleRNN LSTM GRU ConvLSTM1D ConvLSTM2D ConvLSTM3D")
_ATTENTION = ("query_dense", "key_dense", "gate_dense", "value_dense", "output_dense")
#: Sublayers whose weights do not follow in the order of their names.
_RANKS = {name: k for k, name in enumerate(
    ("vars", "forward_layer", "backward_layer", *_ATTENTION)
)}

#: A weight that stands at two places, since two layers keep it: the second place -> the first.
_TWICE = {
    "SpectralNormalization": {"vars/0": "layer/vars/0"},
    "TextVectorization": {"_lookup_layer/vars/idf_weights": "vars/idf_weights"},
}
_LOOKUPS = words("StringLookup IntegerLookup TextVectorization")


def snake_case(class_name: str) -> str:
    """``Conv2DTranspose`` -> ``conv2d_transpose``. Source: Keras utils/naming.py."""
    name = re.sub(r"\W+", "", class_name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def natural(path: str) -> list[Any]:
    """A sort key: numbers by value, and sublayers in the order in which Keras makes them."""
    key: list[Any] = []
    for part in path.split("/"):
        words = re.split(r"(\d+)", part.lstrip("_"))
        rank = _RANKS.get(words[0], len(_RANKS)) if len(words) == 1 else len(_RANKS)
        key.append((rank, [(int(w), "") if w.isdigit() else (-1, w) for w in words]))
    return key


def tree_order(names: Iterable[str]) -> list[str]:
    """Paths of a tree by number and name, those of the optimizer and of metrics behind them."""
    last = ("optimizer", "metrics")
    return sorted(names, key=lambda name: (name.startswith(last), natural(name)))


def read_tree(network: Network, tensors: Mapping[str, Tensor]) -> list[str]:
    """Give every layer of ``network`` its weights, in place.

    Weights are keyed by the path below their layer: ``vars/0``, ``cell/vars/1``.

    Args:
        network: as config.json states it.
        tensors: of model.weights.h5, by path.

    Returns:
        What stands below the layers and belongs to none of them.
    """
    folder, folders = _folders(tensors)
    claimed: set[str] = set()
    for layer, path in _paths(network, "", folder, folders):
        found = folders.get(path, [])
        claimed.update(found)
        names = [key[len(path) + 1 :] for key in found]
        twice = _TWICE.get(layer.class_name, {})
        for name in _in_order(layer, [n for n in names if twice.get(n) not in names]):
            layer.weights[name] = tensors[f"{path}/{name}"].renamed(name)
    return [path for path in folders.get(folder, []) if path not in claimed]


def layer_paths(network: Network, tensors: Mapping[str, Tensor]) -> Iterator[tuple[Layer, str]]:
    """Every layer that is no model, with its path in the tree. Arguments as ``read_tree``."""
    return _paths(network, "", *_folders(tensors))


def _folders(tensors: Mapping[str, Tensor]) -> tuple[str, dict[str, list[str]]]:
    """The folder of a model's layers, and what stands in each folder."""
    folders: dict[str, list[str]] = {}
    for path in tensors:
        for end in re.finditer("/", path):
            folders.setdefault(path[: end.start()], []).append(path)
    old = any(path.startswith(f"{_OLD}/") for path in tensors)
    return (_OLD if old else "layers"), folders


def _paths(
    network: Network, prefix: str, folder: str, folders: Mapping[str, list[str]]
) -> Iterator[tuple[Layer, str]]:
    skipped = folders if folder == _OLD else {}
    layers = [
        layer for layer in network.layers
        if not is_operation(layer)
        and not (network.kind == "Sequential" and layer.class_name == "InputLayer")
    ]
    for layer, path in _placed(layers, f"{prefix}{folder}", skipped):
        if layer.network is not None:
            yield from _paths(layer.network, f"{path}/", folder, folders)
        elif layer.models:
            for place, model in layer.models.items():
                yield from _paths(model, f"{path}/{place}/", folder, folders)
        else:
            yield layer, path


def _in_order(layer: Layer, names: list[str]) -> list[str]:
    """A layer's paths in the order of its weights: as its sublayers take them, where that is known,
    else by number and name."""
    try:
        places = _sublayers(layer.class_name, layer.config, len(names))
    except ConversionError:
        places = []
    return places if set(places) == set(names) else sorted(names, key=natural)


def _placed(
    layers: Iterable[Layer], base: str, weighted: Mapping[str, list[str]]
) -> Iterator[tuple[Layer, str]]:
    """Each layer with its path; a path in ``weighted`` uses up a second number."""
    used: dict[str, int] = {}
    for layer in layers:
        name = snake_case(layer.class_name)
        count = used.get(name, -1) + 1
        path = f"{base}/{name}_{count}" if count else f"{base}/{name}"
        used[name] = count + (path in weighted)
        yield layer, path


def write_tree(network: Network, *, major: int = 3) -> Hdf5Group:
    """The content of model.weights.h5: the twin of ``read_tree``.

    Args:
        network: bound; or as ``read_tree`` left it, then every path is kept.
        major: the Keras that is to read it: 2 calls the parts of an attention layer otherwise.

    Raises:
        ConversionError: a layer's weights are more or fewer than its sublayers take.
    """
    root = Hdf5Group()
    group_at(root, "vars").attributes["name"] = network.name
    _write_models(network, "", root, major)
    return root


def _write_models(network: Network, prefix: str, root: Hdf5Group, major: int) -> None:
    for layer, path in _placed(saved_layers(network), f"{prefix}layers", {}):
        group_at(root, f"{path}/vars").attributes["name"] = layer.name
        if layer.network is not None:
            if layer.weights:
                raise ConversionError(
                    f'the weights of the nested model "{layer.name}" stand in one list',
                    hint="Bind the network first.",
                )
            _write_models(layer.network, f"{path}/", root, major)
            continue
        if layer.models:
            for place, model in layer.models.items():
                _write_models(model, f"{path}/{place}/", root, major)
            continue
        with located(key=f'layer "{layer.name}"'):
            places = _places(layer)
        if major == 2 and layer.class_name == "MultiHeadAttention":
            places = [f"_{place.lstrip('_')}" for place in places]
        for place, tensor in zip(places, layer.weights.values(), strict=True):
            put(root, f"{path}/{place}", tensor)
            for other, first in _TWICE.get(layer.class_name, {}).items():
                if first == place:
                    put(root, f"{path}/{other}", tensor)


def _places(layer: Layer) -> list[str]:
    """Where each of a layer's weights goes, below the layer."""
    names = list(layer.weights)
    if names and all("vars/" in name for name in names):
        return names
    places = _sublayers(layer.class_name, layer.config, len(names))
    if len(places) != len(names):
        raise ConversionError(
            f"{layer.class_name} has another number of weights than its config asks for",
            expected=len(places), found=f"{len(names)} ({', '.join(names)})",
        )
    return places


def _sublayers(class_name: str, config: Config, count: int) -> list[str]:
    if class_name in _RECURRENT:
        return _numbered("cell/vars", count)
    if class_name == "RNN":
        return [f"cell/{place}" for place in _cells(config.get("cell"), count)]
    if class_name == "Bidirectional":
        inner, half = config.get("layer") or {}, count // 2
        places = _inner(inner, half)
        return [f"forward_layer/{p}" for p in places] + [f"backward_layer/{p}" for p in places]
    if class_name in ("MultiHeadAttention", "GroupedQueryAttention"):
        private = _ATTENTION if class_name == "GroupedQueryAttention" else ("gate_dense",)
        each = 2 if config.get("use_bias", True) else 1
        parts = [p for p in _ATTENTION if p != "gate_dense" or config.get("use_gate")]
        named = [f"_{part}" if part in private else part for part in parts]
        return [f"{part}/vars/{k}" for part in named for k in range(each)]
    if class_name == "SpectralNormalization":
        inner = _inner(config.get("layer"), count - 1)
        return [*(f"layer/{place}" for place in inner), "vars/1"]
    if class_name in _LOOKUPS:
        return ["vars/idf_weights"][:count]
    if class_name == "TimeDistributed":
        return [f"layer/{place}" for place in _inner(config.get("layer"), count)]
    return _numbered("vars", count)


def _inner(wrapped: Any, count: int) -> list[str]:
    if not isinstance(wrapped, dict) or not isinstance(wrapped.get("config"), dict):
        raise ConversionError("a wrapper without the config of what it wraps")
    return _sublayers(str(wrapped.get("class_name")), wrapped["config"], count)


def _cells(cell: Any, count: int) -> list[str]:
    """The variables of an RNN's cell, or of the cells stacked in it."""
    if not isinstance(cell, dict) or cell.get("class_name") != "StackedRNNCells":
        return _numbered("vars", count)
    stacked = [
        Layer(str(inner.get("class_name")), "", inner.get("config") or {})
        for inner in cell.get("config", {}).get("cells", [])
    ]
    return [
        f"{place}/vars/{k}"
        for layer, place in _placed(stacked, "cells", {})
        for k in range(3 if layer.config.get("use_bias", True) else 2)
    ]


def _numbered(folder: str, count: int) -> list[str]:
    return [f"{folder}/{k}" for k in range(count)]
