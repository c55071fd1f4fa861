"""Weights by layer, for comparisons that must not change the networks that they look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TypeAlias

from modelfmt.errors import ModelFormatError
from modelfmt.layers import bind
from modelfmt.network import Network
from modelfmt.tensor import Tensor

#: The names that lead to a layer: models that hold it, then itself.
Way: TypeAlias = tuple[str, ...]


def bound(network: Network) -> Network:
    """A copy with weights bound; a layer that cannot be bound keeps them as the file has them."""
    copy = copied(network)
    for k, layer in enumerate(network.layers):
        try:
            bind(dataclasses.replace(copy, layers=[copy.layers[k]]))
        except ModelFormatError:  # no codec, or other weights than the config asks for
            (copy.layers[k],) = copied(dataclasses.replace(network, layers=[layer])).layers
    return copy


def copied(network: Network) -> Network:
    """A copy whose weights may be bound; the layers' configs are shared."""
    layers = [
        dataclasses.replace(
            layer, weights=dict(layer.weights),
            network=None if layer.network is None else copied(layer.network),
            models={place: copied(model) for place, model in layer.models.items()},
        )
        for layer in network.layers
    ]
    return dataclasses.replace(network, layers=layers, extras=dict(network.extras))


def by_layer(network: Network, scope: Way = ()) -> Iterator[tuple[Way, dict[str, Tensor]]]:
    """The weights of each layer that has some, by the names that lead to it."""
    for layer in network.layers:
        if layer.weights:
            yield (*scope, layer.name), layer.weights
        if layer.network is not None:
            yield from by_layer(layer.network, (*scope, layer.name))


def named(scope: Way, name: str) -> str:
    """``outer/inner/name``."""
    return "/".join((*scope, name))


def short_name(name: str, layer: str) -> str:
    """A weight's name without its layer's before it: kernel of ``dense/kernel:0``."""
    name = name.split(":")[0]
    while f"{layer}/" in name:
        name = name.partition(f"{layer}/")[2]
    return name
