"""The layers within a layer: what a wrapper's config holds, with its share of the weights.

    TimeDistributed    {"layer": {"class_name": "Dense", "config": {...}}}
    weights            layer/kernel, layer/bias

A list of them (``cells``) counts: ``cells/0/kernel``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from modelfmt.errors import MismatchError
from modelfmt.layers.registry import codec_for
from modelfmt.network import Config, Layer


def parts_of(config: Config, keys: Sequence[str]) -> Iterator[tuple[str, Layer]]:
    """The wrapped layers by their place (``layer``, ``cells/0``), without weights.

    Raises:
        MismatchError: an entry that is no layer.
    """
    for key in keys:
        held = config.get(key)
        if isinstance(held, list):
            yield from ((f"{key}/{k}", _layer(key, value)) for k, value in enumerate(held))
        elif held is not None:
            yield key, _layer(key, held)


def part(layer: Layer, place: str) -> Layer:
    """The layer that ``layer`` wraps at ``place``, its config completed, with its weights.

    Raises:
        MismatchError: there is none.
    """
    key = place.partition("/")[0]
    for found, inner in parts_of(layer.config, [key]):
        if found == place:
            start = f"{place}/"
            inner.weights = {
                name.removeprefix(start): tensor
                for name, tensor in layer.weights.items()
                if name.startswith(start)
            }
            inner.models = {
                name.removeprefix(start): model
                for name, model in layer.models.items()
                if name.startswith(start)
            }
            inner.config = codec_for(inner).completed(inner.config, inner.weights)
            return inner
    raise MismatchError(f"{layer.class_name} wraps no layer at {place!r}")


def names_of_parts(config: Config, keys: Sequence[str]) -> tuple[str, ...]:
    """The names of all weights of the wrapped layers, in order."""
    return tuple(
        f"{place}/{name}"
        for place, inner in parts_of(config, keys)
        for name in codec_for(inner).weight_names(codec_for(inner).completed(inner.config, {}))
    )


def untrained_of_parts(config: Config, keys: Sequence[str]) -> frozenset[str]:
    """Of ``names_of_parts`` those that training does not touch."""
    return frozenset(
        f"{place}/{name}"
        for place, inner in parts_of(config, keys)
        for name in codec_for(inner).untrained(codec_for(inner).completed(inner.config, {}))
    )


def _layer(key: str, value: Any) -> Layer:
    if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
        raise MismatchError(f"{key!r} holds no layer", found=f"{value!r:.80}")
    config = dict(value["config"])
    name = config.pop("name", None) or key
    return Layer(str(value.get("class_name")), str(name), config)
