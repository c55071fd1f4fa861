"""Weights from one file, layers from another: the weights' places are looked for.

    layer_names layout (.h5)    by the layers' names; where these are others, by their order
    tree (.weights.h5)          by the classes' names, counted
    checkpoint with objects     by the ways of attributes: object_weights.py
    checkpoint with names       by variables' names: name_matching.py
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from modelfmt.container import Container
from modelfmt.errors import ConversionError, MismatchError, UnsupportedError, located
from modelfmt.network import Network
from modelfmt.surgery.layer_weights import copied
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    from modelfmt.keras.h5 import KerasWeights


class WithArchitecture(Container):
    """Weights and, from another file, the layers that they belong to, as one container."""

    def __init__(self, weights: Container, architecture: Container) -> None:
        super().__init__(weights.path)
        self.kind = weights.kind
        self._weights, self._architecture = weights, architecture

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return self._weights.tensors

    @property
    def network(self) -> Network:
        """The layers with weights, unbound as any file's."""
        return populated(self._weights, self._architecture)

    @cached_property
    def _state(self) -> tuple[dict[str, Tensor], str]:
        from modelfmt.surgery.object_weights import optimizer_of
        from modelfmt.tf.objects import read_objects

        objects = read_objects(self.tensors) if self.kind == "checkpoint" else None
        return ({}, "") if objects is None else optimizer_of(objects, self.tensors)

    @property
    def optimizer(self) -> dict[str, Tensor]:
        """The optimizer's variables, as far as a checkpoint holds them; what it is, the file of
        the layers states."""
        return self._state[0]

    @property
    def keras_version(self) -> str:
        """A Keras that lists an optimizer's variables in that order."""
        return self._state[1]

    def verify(self) -> None:
        self._weights.verify()

    def close(self) -> None:
        """Who opened the two closes them."""


def populated(container: Container, architecture: Container) -> Network:
    """The layers of ``architecture`` with the weights of ``container``.

    Args:
        container: weights alone, or a checkpoint.
        architecture: what states layers; its own weights, if any, are left aside.

    Raises:
        UnsupportedError: ``architecture`` states no layers, or ``container`` does.
        MissingError, MismatchError: a layer finds no weights, or other ones than it asks for.
    """
    network = emptied(network_stated(architecture))
    if container.has_network:
        raise UnsupportedError(
            f"a {container.kind} file states its layers itself",
            hint="--config is for weights alone and for checkpoints.",
        )
    for key in ("keras_version", "backend"):
        stated = getattr(container, key, None)
        if isinstance(stated, str):
            network.extras[key] = stated
    from modelfmt.keras.h5 import KerasWeights

    if isinstance(container, KerasWeights):
        _from_keras(container, network)
    elif container.kind == "checkpoint":
        _from_checkpoint(container, network)
    else:
        raise UnsupportedError(f"weights for --config from a {container.kind} file")
    return network


def network_stated(architecture: Container) -> Network:
    """The layers that any container states, unbound. Raises UnsupportedError: it states none."""
    if architecture.has_network:
        return architecture.network
    from modelfmt.surgery.stated import network_of_savedmodel

    network = network_of_savedmodel(architecture)
    if network is None:
        raise UnsupportedError(
            "the file states no layers", expected="a model's .json, .yaml, .h5 or .keras",
            found=architecture.kind,
        )
    return network


def emptied(network: Network) -> Network:
    """A copy without weights."""
    copy = copied(network)
    todo = [copy]
    while todo:
        for layer in todo.pop().walk():
            layer.weights = {}
            todo.extend(layer.models.values())
    return copy


def _from_keras(container: KerasWeights, network: Network) -> None:
    layout = container.layout
    if layout == "tree":
        from modelfmt.keras.tree import read_tree

        read_tree(network, container.tensors)
    elif layout == "layer_names":
        with located(path=container.path):
            _by_layer(network, container.layers)
    else:
        raise ConversionError("weights of no layout that is known")


def _by_layer(network: Network, stored: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Hand out weights by the layers' names, else by their order, as ``load_weights`` does."""
    from modelfmt.keras.h5 import saved_layers

    layers = saved_layers(network)
    weighted = {name: weights for name, weights in stored.items() if weights}
    if set(weighted) <= {layer.name for layer in layers}:
        for layer in layers:
            layer.weights = dict(weighted.get(layer.name, {}))
        return
    asking = [layer for layer in layers if _asks(layer.name, network)]
    if len(asking) != len(weighted):
        raise MismatchError(
            "the layers with weights are others than those of the config",
            expected=", ".join(layer.name for layer in asking)[:200],
            found=", ".join(weighted)[:200],
        )
    for layer, weights in zip(asking, weighted.values(), strict=True):
        layer.weights = dict(weights)


def _asks(name: str, network: Network) -> bool:
    """Whether a layer, or a model, has weights: as far as its codec knows."""
    from modelfmt.layers.registry import codec_for

    layer = network.layer(name)
    if layer.network is not None:
        return any(_asks(inner.name, layer.network) for inner in layer.network.layers)
    if layer.class_name == "InputLayer":
        return False
    codec = codec_for(layer)
    return bool(codec.weight_names(codec.completed(layer.config, {})))


def _from_checkpoint(container: Container, network: Network) -> None:
    from modelfmt.surgery.name_matching import give_by_name
    from modelfmt.surgery.object_weights import give_by_objects
    from modelfmt.tf.objects import read_objects

    with located(path=container.path):
        objects = read_objects(container.tensors)
        if objects is None:
            give_by_name(network, container.tensors)
        else:
            give_by_objects(network, objects, container.tensors)
