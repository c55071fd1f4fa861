"""Weights of layers in an object-based checkpoint: the ways of attributes that lead to them.

    model   Keras 2   layer-<n>: model.layers in order; also layer_with_weights-<n>
            Keras 3   _operations/<n>, below _functional where that is: the layers and operations
    layer   kernel, cell/kernel, _query_dense/kernel, ...: as keras/metadata.py knows them for Keras
            2; Keras 3 calls some with an underscore before them (_kernel)

A variable stands in the checkpoint under one of the ways to it, often not this one (the model's
variables under the optimizer's, say), so the object graph is asked, never the keys. The model is
the root, or what the root holds as ``model`` or by any other name. Source: tf_keras
engine/functional.py, ``_trackable_children``; Keras backend/tensorflow/trackable.py; files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelfmt.errors import ConversionError, MissingError, located
from modelfmt.keras.h5 import saved_layers
from modelfmt.keras.metadata import attribute_paths
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer, Network, model_order
from modelfmt.surgery.name_matching import give_by_name
from modelfmt.tensor import Tensor
from modelfmt.tf.objects import VALUE, ObjectGraph

#: How many steps below a layer a weight of it may stand.
_DEPTH = 5


def give_by_objects(
    network: Network, objects: ObjectGraph, tensors: Mapping[str, Tensor]
) -> None:
    """Give every layer its weights, in place, by canonical names.

    Args:
        network: without weights.
        objects: the checkpoint's.
        tensors: the checkpoint's, by key.

    Raises:
        MissingError: no such layer, or a layer without one of its weights.
    """
    root = _model(objects)
    if root is None:
        give_by_name(network, _by_full_name(objects, tensors))
        return
    _Giver(objects, tensors).give(network, root)


def _model(objects: ObjectGraph) -> int | None:
    """The object that is a model of Keras: the nearest to the root."""
    for node in objects.paths:
        children = objects.nodes[node].children
        if any(_is_layer(name) for name in children) or "_operations" in children:
            return node
    return None


def _numbered(children: Mapping[str, int], name: str) -> dict[int, int]:
    """The objects called ``name-<n>``, by n."""
    split = ((key.rpartition("-"), child) for key, child in children.items())
    return {int(n): child for (head, _, n), child in split if head == name and n.isdecimal()}


def optimizer_of(
    objects: ObjectGraph, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], str]:
    """The variables of the optimizer that a checkpoint holds, and a Keras that lists them so.

    Optimizers from Keras 2.11 on keep a list of them all; the older ones have iter, and slots of
    each weight, here one slot after the other. Nothing where there is no optimizer.
    """
    number = next(
        (n for node in objects.paths
         if (n := objects.nodes[node].children.get("optimizer")) is not None), None
    )  # fmt: skip
    if number is None:
        return {}, ""
    optimizer, found = objects.nodes[number], dict[str, Tensor]()

    def add(node: int) -> None:
        key = objects.nodes[node].keys.get(VALUE)
        if key is not None and key in tensors:
            found[key] = tensors[key]

    if "_variables" in optimizer.children:
        listed = objects.nodes[optimizer.children["_variables"]].children
        for name in sorted((n for n in listed if n.isdecimal()), key=int):
            add(listed[name])
        return found, "2.11"
    if "iter" in optimizer.children:
        add(optimizer.children["iter"])
    ranks = {node: rank for rank, node in enumerate(_variables_of(objects, _model(objects) or 0))}
    slots = sorted(optimizer.slots, key=lambda slot: ranks.get(slot.weight, len(ranks)))
    for name in dict.fromkeys(slot.name for slot in optimizer.slots):
        for slot in slots:
            if slot.name == name:
                add(slot.node)
    return found, "2.10"


def _variables_of(objects: ObjectGraph, node: int) -> Iterator[int]:
    """The variables of a model, layer by layer, in the order in which layers made them."""
    seen, todo = set[int](), [node]
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        if VALUE in objects.nodes[at].keys:
            yield at
        children = objects.nodes[at].children
        layers = _numbered(children, "layer_with_weights") or _numbered(children, "layer")
        order = [layers[n] for n in sorted(layers)] or [
            child for name, child in children.items() if name != "optimizer"
        ]
        todo.extend(reversed(order))


def _is_layer(name: str) -> bool:
    head, dash, number = name.rpartition("-")
    return bool(dash) and number.isdecimal() and head in ("layer", "layer_with_weights")


def _by_full_name(objects: ObjectGraph, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every variable by the name that it has of its own, else by the way to it."""
    found: dict[str, Tensor] = {}
    for number, way in objects.paths.items():
        key = objects.nodes[number].keys.get(VALUE)
        if key is not None and key in tensors:
            found.setdefault(objects.nodes[number].full_name or way, tensors[key])
    return found


class _Giver:
    def __init__(self, objects: ObjectGraph, tensors: Mapping[str, Tensor]) -> None:
        self.objects, self.tensors = objects, tensors

    def give(self, network: Network, node: int) -> None:
        for layer, child in self._pairs(network, node):
            with located(key=f'layer "{layer.name}"'):
                if layer.network is not None:
                    self.give(layer.network, child)
                elif layer.class_name != "InputLayer":
                    self._fill(layer, child)

    def _pairs(self, network: Network, node: int) -> Iterator[tuple[Layer, int]]:
        """Each layer of a model with its object; ones without weights may have none."""
        children = self.objects.nodes[node].children
        inside = self._child(node, "_functional", "_operations")
        listed = self.objects.nodes[inside].children if inside is not None else {}
        if "_operations" in children:
            listed = self.objects.nodes[children["_operations"]].children
        weighted = _numbered(children, "layer_with_weights")
        in_order = saved_layers(network)
        asking = [layer for layer in in_order if _names(layer)]
        if listed:
            in_order = model_order(network)
            places = {int(k): v for k, v in listed.items() if k.isdecimal()}
        elif len(weighted) == len(asking):  # some count an InputLayer among all layers, some don't
            in_order, places = asking, weighted
        else:
            places = _numbered(children, "layer")
        for place, layer in enumerate(in_order):
            if place in places:
                yield layer, places[place]
            elif _names(layer):
                raise MissingError(
                    f'the checkpoint has no layer {place} of the model, "{layer.name}"',
                    close_matches=[],
                )

    def _child(self, node: int, *names: str) -> int | None:
        for name in names:
            following = self.objects.nodes[node].children.get(name)
            if following is None:
                return None
            node = following
        return node

    def _fill(self, layer: Layer, node: int) -> None:
        names = _names(layer)
        if not names:
            return
        ways = self._ways(node)
        try:
            paths = attribute_paths(layer.class_name, layer.config, names)
        except ConversionError:
            paths = names
        for name, path in zip(names, paths, strict=True):
            found = ways.get(_plain(path), ways.get(_plain(name)))
            if found is None:
                raise MissingError(
                    f"the checkpoint has no {name!r} of a {layer.class_name}",
                    close_matches=sorted(ways)[:3],
                )
            layer.weights[name] = self.tensors[found].renamed(name)

    def _ways(self, node: int) -> dict[str, str]:
        """The checkpoint keys of the variables in a layer, by the ways to them."""
        found: dict[str, str] = {}
        todo = [(node, "")]
        for _ in range(_DEPTH):
            following: list[tuple[int, str]] = []
            for at, way in todo:
                for name, child in self.objects.nodes[at].children.items():
                    longer = _plain(f"{way}/{name}" if way else name)
                    key = self.objects.nodes[child].keys.get(VALUE)
                    if key is not None:
                        found.setdefault(longer, key)
                    else:
                        following.append((child, longer))
            todo = following[:1000]
        return found


def _plain(path: str) -> str:
    """A way without the underscores that some Keras puts before its names."""
    return "/".join(part.lstrip("_") for part in path.split("/"))


def _names(layer: Layer) -> list[str]:
    """The canonical names of a layer's weights; of a model's, those of all its layers."""
    if layer.network is not None:
        return [name for inner in layer.network.layers for name in _names(inner)]
    if layer.class_name == "InputLayer" or layer.is_operation:
        return []
    codec = codec_for(layer)
    return list(codec.weight_names(codec.completed(layer.config, {})))
