"""The weights of any container under names that can be compared: ``layer/weight``.

    layers        the bound layers' weights: dense/kernel
    graphdef      Consts that are weights, by the variables' names (weights.py)
    metagraph,    variables, by their shared names
    savedmodel
    checkpoint    keys; in an object-based one the full name, or the way to the variable
    weights only  put into the layers of the other file where that states some

The state of an optimizer is no weight: what an object graph reaches through an optimizer only, and
a checkpoint's save_counter, are left out. Keras 3 exports each variable twice; once will do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from modelfmt.container import Container
from modelfmt.errors import MismatchError, ModelFormatError
from modelfmt.graphs.inline import inline
from modelfmt.graphs.variables import stored, variables
from modelfmt.keras.h5 import KerasWeights
from modelfmt.keras.tree import read_tree
from modelfmt.network import Network
from modelfmt.surgery.convert import network_of
from modelfmt.surgery.layer_weights import bound, by_layer, copied, named, short_name
from modelfmt.surgery.weights import Uses, variable_name
from modelfmt.tensor import Tensor
from modelfmt.tf.checkpoint import Checkpoint
from modelfmt.tf.metagraph import GraphWithVariables
from modelfmt.tf.objects import KEY as OBJECT_GRAPH_KEY
from modelfmt.tf.objects import VALUE, read_objects

Weights = dict[str, Tensor]
#: Ways in an object graph that lead to an optimizer's variables, or to tf.train.Checkpoint's own.
_STATE = re.compile(r"/\.OPTIMIZER_SLOT/|(^|/)_?optimizer/|^save_counter(/|$)")


def named_weights(container: Container, other: Container | None = None) -> Weights:
    """The weights of a container as ``layer/weight``; ``other`` may state the layers for them."""
    if container.has_network:
        return _of_network(container.network)
    if isinstance(container, GraphWithVariables):
        return _of_variables(container) or _of_constants(container)
    if isinstance(container, Checkpoint):
        return _of_checkpoint(container)
    if isinstance(container, KerasWeights):
        return _of_weights_only(container, other)
    return _of_constants(container) if container.has_graph else dict(container.tensors)


def _of_network(network: Network) -> Weights:
    return {
        named(way, short_name(name, way[-1])): tensor
        for way, weights in by_layer(bound(network))
        for name, tensor in weights.items()
    }


def _of_variables(container: GraphWithVariables) -> Weights:
    places = stored(container.graph)
    exported = _exported_twice(place.key for place in places.values())
    return {
        str(node.attrs.get("shared_name") or node.name): container.values[node.name]
        for node in variables(container.graph)
        if node.name in container.values and places[node.name].key not in exported
    }


def _exported_twice(keys: Iterable[str]) -> set[str]:
    """The keys ``variables/N`` where Keras 3 also wrote ``_all_variables/N``, with their names.

    Source: Keras, ExportArchive.
    """
    known = list(keys)
    if not any(key.startswith("_all_variables/") for key in known):
        return set()
    return {key for key in known if key.startswith("variables/")}


def _of_constants(container: Container) -> Weights:
    graph = inline(container.graph)
    uses = Uses(graph, graph.functions)
    found: Weights = {}
    for node in graph.values():
        if uses.is_weight(node):
            value = node.attrs["value"]
            if isinstance(value, Tensor):
                name = variable_name(node.name, uses.slot(node.name), graph)
                found[name if name not in found else node.name] = value
    return found


def _of_checkpoint(checkpoint: Checkpoint) -> Weights:
    tensors = checkpoint.tensors
    objects = read_objects(tensors)
    if objects is None:
        return dict(tensors)
    names = {key: way for way, key in reversed(objects.variables.items())}
    # An optimizer also leads to the weights that it trains.
    weights = {key for way, key in objects.variables.items() if not _STATE.search(way)}
    left_out = {OBJECT_GRAPH_KEY, *_exported_twice(tensors), *(set(names) - weights)}
    for node in objects.nodes:
        if node.full_name and VALUE in node.keys:
            names[node.keys[VALUE]] = node.full_name
    return {names.get(k, k): tensors[k] for k in tensors if k not in left_out}


def _of_weights_only(container: KerasWeights, other: Container | None) -> Weights:
    if other is not None and other.has_network:
        try:
            return _of_network(_filled(copied(other.network), container))
        except ModelFormatError:  # not the weights of that model: by their own names, then
            pass
    return {
        named(tuple(layer.split("/")), short_name(name, layer.rpartition("/")[2])): tensor
        for layer, weights in container.layers.items()
        if not _STATE.search(f"{layer}/")
        for name, tensor in weights.items()
    }


def _filled(network: Network, weights: KerasWeights) -> Network:
    """A network with other weights. Raises MismatchError where they are not for its layers."""
    for layer in network.walk():
        layer.weights = {}
    if weights.layout == "tree":
        left = [path for path in read_tree(network, weights.tensors) if not _STATE.search(path)]
    else:
        known = {layer.name for layer in network.layers}
        left = [name for name, found in weights.layers.items() if found and name not in known]
        for layer in network.layers:
            layer.weights = dict(weights.layers.get(layer.name, {}))
    if left:
        raise MismatchError("weights of layers that the model has not", found=", ".join(left))
    return network


def recognised_weights(container: Container) -> Weights | None:
    """The weights by the layers that a container states, or that its graph is recognised as."""
    if container.has_network:
        return _of_network(container.network)
    try:
        return _of_network(network_of(container))
    except ModelFormatError:
        return None
