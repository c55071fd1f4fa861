"""What dump says of the layers of a model, as plain data.

    name      the model's
    class     Sequential, Functional or the class that its config names
    layers    [{"name", "class_name", "weights", "parameters"}], nested ones behind a slash
    inputs    [{"name", "dtype", "shape"}]; outputs likewise
    training  {"optimizer", "loss", "metrics"}: names, as far as the file states how it was compiled

A layer that has weights by its config and none in the file is odd, and so is one with others than
its config asks for: both only of layers that we know.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from modelfmt.container import Container
from modelfmt.errors import MismatchError
from modelfmt.network import Layer, Network, Ref

Row = dict[str, Any]


def layer_rows(network: Network, depth: int | None, prefix: str = "", at: int = 1) -> Iterator[Row]:
    """The layers, those in nested models down to ``depth`` levels (None: all)."""
    for layer in network.layers:
        yield {
            "name": prefix + layer.name,
            "class_name": layer.class_name,
            "weights": len(layer.weights),
            "parameters": sum(tensor.size for tensor in layer.weights.values()),
        }
        if layer.network is not None and (depth is None or at < depth):
            yield from layer_rows(layer.network, depth, f"{prefix}{layer.name}/", at + 1)


def owners(container: Container) -> dict[str, str]:
    """The layer that each tensor of a file of Keras belongs to, as far as the file tells."""
    from modelfmt.keras.h5 import KerasWeights
    from modelfmt.keras.sharded import ShardedWeights

    if container.has_network:
        return dict(_owned(container.network, ""))
    if not isinstance(container, KerasWeights) or container.layout != "tree":
        return {}
    found: dict[str, str] = {}
    readers = (
        container.readers if isinstance(container, ShardedWeights) else [container.reader]
    )
    for name in container.tensors:
        group = name.rpartition("/")[0]
        for reader in readers:
            stated = reader.attribute(group, "name") if reader.exists(group) else None
            if isinstance(stated, str) and stated:
                found[name] = stated
    return found


def _owned(network: Network, prefix: str) -> Iterator[tuple[str, str]]:
    for layer in network.layers:
        for tensor in layer.weights.values():
            yield tensor.origin.key or "", prefix + layer.name
        if layer.network is not None:
            yield from _owned(layer.network, f"{prefix}{layer.name}/")


def end_row(network: Network, ref: Ref) -> Row:
    """An input or output of a model, as far as its config tells."""
    layer: Layer = network.layer(ref.layer)
    found: Row = {"name": ref.layer, "dtype": None, "shape": None}
    if layer.class_name == "InputLayer":
        shape = layer.config.get("batch_shape")
        found |= {"dtype": layer.config.get("dtype"), "shape": None if shape is None else [*shape]}
    elif ref.call < len(layer.calls) and ref.index < len(layer.calls[ref.call].outputs):
        spec = layer.calls[ref.call].outputs[ref.index]
        found |= {"dtype": spec.dtype, "shape": None if spec.shape is None else [*spec.shape]}
    return found


def training_row(config: Row) -> Row:
    """How a model was compiled: names out of a training_config or compile_config."""
    return {
        "optimizer": _name(config.get("optimizer_config", config.get("optimizer"))),
        "loss": _names(config.get("loss")),
        "metrics": _names(config.get("metrics")),
    }


def _name(value: Any) -> str | None:
    """What a config is of: ``{"class_name": "Adam", "config": {...}}`` -> Adam."""
    if isinstance(value, dict):
        inner = value.get("config")
        if isinstance(inner, str):  # a function by its name
            return inner
        named = inner.get("fn", inner.get("name")) if isinstance(inner, dict) else None
        found = value.get("class_name")
        if found in ("LossFunctionWrapper", "MeanMetricWrapper") and named:
            return _name(named) if isinstance(named, dict) else str(named)
        return found if isinstance(found, str) else None
    return value if isinstance(value, str) else None


def _names(value: Any) -> list[str]:
    """The names in a loss or metric, a list of them, or one for each output."""
    name = _name(value)
    if name is not None:
        return [name]
    if isinstance(value, dict):
        return [f"{key}: {n}" for key, inner in value.items() for n in _names(inner)]
    if isinstance(value, list):
        return [n for inner in value for n in _names(inner)]
    return []


def unlike_config(network: Network) -> Iterator[MismatchError]:
    """An error for each layer whose weights are not those that its config asks for."""
    from modelfmt.errors import ConversionError
    from modelfmt.layers import bind

    if network.keras_major == 1:
        return
    for layer in network.layers:
        one = dataclasses.replace(
            network, layers=[copied(layer)], inputs=[], outputs=[], extras=dict(network.extras)
        )
        try:
            bind(one)
        except MismatchError as error:
            yield error
        except ConversionError:
            continue  # a layer that we don't know is nothing odd


def copied(layer: Layer) -> Layer:
    """A layer whose weights and config can be bound without changing the container's."""
    inner = layer.network
    if inner is not None:
        copies = [copied(one) for one in inner.layers]
        inner = dataclasses.replace(inner, layers=copies, extras=dict(inner.extras))
    return dataclasses.replace(
        layer, weights=dict(layer.weights), network=inner, config=dict(layer.config)
    )


def keras_versions(container: Container) -> dict[str, str]:
    """keras_version and backend, as far as a file of Keras says."""
    stated = {name: getattr(container, name, None) for name in ("keras_version", "backend")}
    return {name: value for name, value in stated.items() if isinstance(value, str) and value}
