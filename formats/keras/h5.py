"""Keras models and weights in HDF5, as Keras 1, 2, tf.keras and 3 write them.

    /                attributes keras_version, backend, model_config, training_config
    /model_weights   attributes layer_names, backend, keras_version; one group a layer
      /<layer>       attribute weight_names; the datasets stand at those names below
      /top_level_model_weights
    /optimizer_weights   attribute weight_names

A file of weights only has the content of ``model_weights`` at its root. The weights of a nested
model stand in one list: all that training touches first, then the others. Source: Keras
legacy_h5_format.py, VERSION_FACTS 1.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from typing import Any

from modelfmt.container import Container, EditedTensors
from modelfmt.errors import CorruptFileError, MissingError, Where, located
from modelfmt.keras.config import read_config, write_config
from modelfmt.keras.operations import is_operation
from modelfmt.keras.stored import (
    StoredTensors,
    elements_of,
    group_at,
    put,
    read_names,
    write_names,
)
from modelfmt.keras.training import TRAINING, Training, optimizer_state, training_config
from modelfmt.network import Layer, Network, Ref, model_order
from modelfmt.storage.files import FileSpan, SourceFile, atomic_output, write_pieces
from modelfmt.storage.hdf5 import Hdf5Group, Hdf5Reader, write_hdf5
from modelfmt.storage.output import check_output
from modelfmt.tensor import Tensor

#: What a written file states, so that Keras reads it as one of its own.
KERAS_VERSION = {2: "2.15.0", 3: "3.15.1"}
_TOP_LEVEL = "top_level_model_weights"


class _KerasHdf5(Container):
    """What both HDF5 kinds have: datasets, versions, and groups of weights by layer."""

    def __init__(
        self, path: str, source: SourceFile | FileSpan | bytes | None = None
    ) -> None:
        super().__init__(path)
        self.reader = Hdf5Reader(path if source is None else source, name=path)
        self._tensors = StoredTensors(self.reader, path, self._ordered)
        self._edited = EditedTensors(self._tensors, path)
        self.oddities: list[str] = []

    @property
    def tensors(self) -> EditedTensors:
        """The datasets by path; assigning replaces the elements of one."""
        return self._edited

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the file with its edits; only the bytes of replaced elements differ.

        Elements that are packed (compressed chunks) are written by libhdf5, in a copy.
        """
        from modelfmt.storage.hdf5.refill import refilled

        check_output(path, force=force)
        edits = {name: elements_of(tensor) for name, tensor in self._edited.edits.items()}
        pieces = refilled(self.reader, edits, path) if edits else [self.reader.source]
        with atomic_output(path, force=force) as out:
            write_pieces(out.file, pieces)

    def _ordered(self, names: list[str]) -> list[str]:
        """Paths of datasets in the order that layer_names and weight_names state.

        What these don't tell follows by number and name, the optimizer's weights last.
        """
        from modelfmt.keras.tree import natural

        base = "model_weights" if self.reader.exists("model_weights") else ""
        stated: dict[str, None] = {}
        with suppress(CorruptFileError):
            layers = read_names(self.reader, base or "/", "layer_names") or []
            groups = [f"{base}/{layer}".strip("/") for layer in layers]
            for group in (*groups, "optimizer_weights"):
                if self.reader.exists(group):
                    for name in read_names(self.reader, group, "weight_names") or []:
                        stated.setdefault(f"{group}/{name}", None)
        places = {name: place for place, name in enumerate(stated)}
        return sorted(
            names,
            key=lambda n: (n.startswith("optimizer"), places.get(n, len(places)), natural(n)),
        )

    @property
    def keras_version(self) -> str | None:
        """The version that the file states; Keras 1 and 2.0 may leave it out."""
        return self._text("keras_version")

    @property
    def backend(self) -> str | None:
        """tensorflow, theano, cntk, jax or torch; Keras 1 does not say."""
        return self._text("backend")

    def _text(self, name: str) -> str | None:
        value = self.reader.attribute("/", name)
        if value is None and self.reader.exists("model_weights"):
            value = self.reader.attribute("model_weights", name)
        return value if isinstance(value, str) else None

    def _group_weights(self, group: str) -> dict[str, Tensor]:
        """The tensors of a group by the names, and in the order, of its ``weight_names``."""
        names = read_names(self.reader, group, "weight_names")
        if names is None:
            return {}
        if len(set(names)) != len(names):
            raise CorruptFileError("a weight name stands twice", where=Where(self.path, group))
        base = group.strip("/")
        return {
            name: self._tensors.at(f"{base}/{name}".strip("/")).renamed(name) for name in names
        }

    def _layer_weights(self, base: str) -> dict[str, dict[str, Tensor]]:
        names = read_names(self.reader, base, "layer_names") or []
        found: dict[str, dict[str, Tensor]] = {}
        for name in names:
            group = f"{base}/{name}".strip("/")
            if not self.reader.exists(group):
                raise MissingError(
                    f'layer_names lists "{name}", and there is no such group',
                    close_matches=(), where=Where(self.path, f'HDF5 "{base}"'),
                )
            found[name] = self._group_weights(group)
        return found

    def close(self) -> None:
        self.reader.close()


class KerasWeights(_KerasHdf5):
    """HDF5 weights without a config: the layer_names layout, or the tree of Keras 3."""

    kind = "keras-weights"

    @property
    def layout(self) -> str:
        """``layer_names`` (Keras 1 and 2), ``tree`` (``layers/dense/vars/0``), or ``plain``."""
        if read_names(self.reader, "/", "layer_names") is not None:
            return "layer_names"
        return "tree" if any(_owner(key) for key in self.tensors) else "plain"

    @cached_property
    def layers(self) -> dict[str, dict[str, Tensor]]:
        """Weights by layer: by its name, or in the tree layout by its path there."""
        if self.layout == "layer_names":
            return self._layer_weights("")
        from modelfmt.keras.tree import natural

        grouped: dict[str, dict[str, Tensor]] = {}
        for key in sorted(self.tensors, key=natural):
            owner = _owner(key) or ""
            grouped.setdefault(owner, {})[key.removeprefix(f"{owner}/")] = self.tensors[key]
        return grouped


def _owner(key: str) -> str | None:
    """``layers/dense`` of ``layers/dense/vars/0``; "" of a model's own variables."""
    head, found, _ = f"/{key}".rpartition("/vars/")
    return head.strip("/") if found else None


class KerasH5(_KerasHdf5):
    """A whole Keras model in HDF5."""

    kind = "keras-h5"

    @cached_property
    def model_config(self) -> dict[str, Any]:
        """The parsed attribute ``model_config``.

        Raises:
            MissingError: the file has none.
            CorruptFileError: it is not JSON.
        """
        config = self._json("model_config")
        if config is None:
            raise MissingError("no attribute model_config", where=Where(self.path))
        return config

    @cached_property
    def training_config(self) -> dict[str, Any] | None:
        """The parsed attribute ``training_config``; None where the model was not compiled."""
        return self._json("training_config")

    def _json(self, name: str) -> dict[str, Any] | None:
        text = self.reader.attribute("/", name)
        return None if text is None else parse_json(text, self.path, f'attribute "{name}"')

    @cached_property
    def optimizer(self) -> dict[str, Tensor]:
        """The optimizer's tensors, by the names and in the order of ``weight_names``."""
        group = "optimizer_weights"
        return self._group_weights(group) if self.reader.exists(group) else {}

    @cached_property
    def _network(self) -> Network:
        with located(path=self.path):
            network = read_config(self.model_config, keras_version=self.keras_version)
        stated = {"keras_version": self.keras_version, "backend": self.backend,
                  "training_config": self.training_config}
        network.extras.update({k: v for k, v in stated.items() if v is not None})
        base = "model_weights" if self.reader.exists("model_weights") else ""
        weights = self._layer_weights(base)
        _name_models(network, weights)
        # A Merge of Keras 1 at the start of a model has no group of its own.
        lists_parts = network.keras_major == 1
        for layer in network.layers:
            if layer.name in weights:
                layer.weights = weights.pop(layer.name)
            elif not lists_parts and layer.class_name != "InputLayer" and not is_operation(layer):
                self.oddities.append(f'layer "{layer.name}" has no group of weights')
        for name, tensors in weights.items():
            if tensors and not lists_parts:
                self.oddities.append(f'the weights of "{name}" belong to no layer of the config')
        top = f"{base}/{_TOP_LEVEL}".strip("/")
        if self.reader.exists(top) and self._group_weights(top):
            self.oddities.append("the model has weights of its own, outside of its layers")
        return network

    @property
    def network(self) -> Network:
        return self._network


def _name_models(network: Network, stored: Iterable[str]) -> None:
    """Name the models that a Sequential's config holds without names, as Keras up to 2.1 writes
    it: as the file's groups are called that no layer claims, in their order.
    """
    nameless = [layer for layer in network.layers if layer.extras.pop("nameless", False)]
    known = {layer.name for layer in network.layers} - {layer.name for layer in nameless}
    free = [name for name in stored if name not in known]
    if len(free) != len(nameless):
        return
    names = {layer.name: name for layer, name in zip(nameless, free, strict=True)}

    def named(ref: Ref) -> Ref:
        return dataclasses.replace(ref, layer=names.get(ref.layer, ref.layer))

    for layer in network.layers:
        layer.name = names.get(layer.name, layer.name)
        if layer.network is not None:
            layer.network.name = layer.name
        for call in layer.calls:
            call.inputs = [named(ref) for ref in call.inputs]
    network.inputs = [named(ref) for ref in network.inputs]
    network.outputs = [named(ref) for ref in network.outputs]


def parse_json(text: Any, path: str, key: str) -> dict[str, Any]:
    """A JSON object from a file. Raises CorruptFileError, located."""
    where = Where(path, key)
    try:
        value = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise CorruptFileError(f"not JSON ({error})", where=where) from None
    if not isinstance(value, dict):
        raise CorruptFileError("no JSON object", where=where, found=type(value).__name__)
    return value


# -- writing ------------------------------------------------------------------------------------


def write_h5(
    network: Network, path: str, *, major: int = 3, force: bool = False
) -> None:
    """Write a whole model as Keras ``major`` does: the twin of ``KerasH5.network``.

    Args:
        network: bound; weights by canonical name, in canonical order.
        path: where to.
        major: 2 (as tf.keras 2.15) or 3.
        force: replace an existing file.

    Raises:
        ConversionError: ``major`` cannot express the model.
        OutputExistsError: something stands there, and not ``force``.
    """
    config = write_config(network, major=major)
    weights = _weights(network, major)
    text = json.dumps(config, allow_nan=True)
    root = Hdf5Group({**_stated(major), "model_config": text.encode()}, {"model_weights": weights})
    training = network.extras.get(TRAINING)
    if isinstance(training, Training):
        compiled = json.dumps(training_config(training, major), allow_nan=True)
        root.attributes["training_config"] = compiled.encode()
        state = optimizer_state(training, network, major) if major == 2 else []
        if state:
            _write_group(group_at(root, "optimizer_weights"), state)
    with atomic_output(path, force=force) as out:
        write_hdf5(out.temporary, root)


def write_weights(
    network: Network, path: str, *, major: int = 3, force: bool = False
) -> None:
    """Write weights alone: the twin of ``KerasWeights``. What ends in ``.weights.h5`` gets the
    tree of Keras 3, as Keras from 2.12 on has it; else the layer_names layout.

    Args, Raises: as ``write_h5``.
    """
    if path.endswith(".weights.h5"):
        from modelfmt.keras.tree import write_tree

        root = write_tree(network, major=major)
    else:
        root = _weights(network, major)
    with atomic_output(path, force=force) as out:
        write_hdf5(out.temporary, root)


def _stated(major: int) -> dict[str, bytes]:
    return {"keras_version": KERAS_VERSION[major].encode(), "backend": b"tensorflow"}


def _weights(network: Network, major: int) -> Hdf5Group:
    """The group of all layers' weights."""
    layers = saved_layers(network)
    names = write_names("layer_names", [layer.name for layer in layers])
    weights = Hdf5Group({**_stated(major), **names})
    for layer in layers:
        group = group_at(weights, layer.name)
        with located(key=f'layer "{layer.name}"'):
            _write_group(group, _flat(layer, major))
    _write_group(group_at(weights, _TOP_LEVEL), [])
    return weights


def saved_layers(network: Network) -> list[Layer]:
    """Keras' ``model.layers``: without operations, and without a Sequential's InputLayer."""
    sequential = network.kind == "Sequential"
    return [
        layer
        for layer in model_order(network)
        if not is_operation(layer) and not (sequential and layer.class_name == "InputLayer")
    ]


def _write_group(group: Hdf5Group, tensors: list[tuple[str, Tensor]]) -> None:
    group.attributes.update(write_names("weight_names", [name for name, _ in tensors]))
    for name, tensor in tensors:
        put(group, name, tensor)


def _flat(layer: Layer, major: int) -> list[tuple[str, Tensor]]:
    """A layer's weights as Keras lists them: trainable ones first, stable otherwise."""
    suffix = ":0" if major == 2 else ""
    rows = sorted(_leaves(layer, layer.name, True), key=lambda row: not row[2])
    return [(name if name.endswith(suffix) else f"{name}{suffix}", tensor)
            for name, tensor, _ in rows]


def _leaves(layer: Layer, scope: str, trainable: bool) -> Iterator[tuple[str, Tensor, bool]]:
    """(name, tensor, trainable) of all weights; inner models' by the inner layers' names."""
    trainable = trainable and layer.config.get("trainable", True) is not False
    for name, tensor in layer.weights.items():
        yield f"{scope}/{name}", tensor, trainable and name not in layer.non_trainable
    if layer.network is not None:
        for inner in saved_layers(layer.network):
            below = f"{scope}/{inner.name}" if scope != layer.name else inner.name
            yield from _leaves(inner, below, trainable)
