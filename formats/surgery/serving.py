"""A model with variables, made of layers; and written as a .meta file or a SavedModel.

For Keras 2 a SavedModel also holds the model's objects, as tf.keras saves them: what computes
stands in a function then, and the signatures are objects too.

    root             layer_with_weights-0, layer-0, ..., signatures
    layer            kernel, bias, ..., variables
    signatures       serving_default, serve: one function, its captured variables those of layers
"""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from modelfmt.errors import ConversionError
from modelfmt.graph import Shape, parse_input
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.layers import write_network
from modelfmt.network import Config, Layer, Network
from modelfmt.ops.opages import Version, producer_of
from modelfmt.tensor import Tensor
from modelfmt.tf.metagraph import Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model

if TYPE_CHECKING:
    from modelfmt.keras.metadata import SavedObject, SavedWeight
    from modelfmt.tf.saved_object_writer import SavedThing

#: The TensorFlow whose ops and attrs our own graphs are made of.
_TENSORFLOW = "1.15.0"


def model_of_network(network: Network) -> Model:
    """A bound network as a graph with variables, and the signature that Keras' names give it.

    Raises: as ``write_network``.
    """
    return _model_and_handles(network)[0]


def _model_and_handles(network: Network) -> tuple[Model, dict[int, str]]:
    """The model, and the variable that holds each weight, by the weight's ``id``."""
    graph = VariableGraphBuilder()
    ends = write_network(network, graph)
    graph.not_trained(_not_trained(network))
    outputs: dict[str, str] = {}
    for ref, tensor in zip(network.outputs, ends, strict=True):
        outputs[ref.layer if ref.layer not in outputs else parse_input(tensor).node] = tensor
    inputs = [name for name, node in graph.items() if node.op == "Placeholder"]

    def info(tensor: str) -> TensorInfo:
        return TensorInfo(tensor, graph.dtype(tensor), graph.shape(tensor))

    signature = Signature(
        {ref.layer: info(name) for ref, name in zip(network.inputs, inputs, strict=True)},
        {key: info(tensor) for key, tensor in outputs.items()},
    )
    model = Model(
        graph, graph.variables(), signature, graph.table_initializers(), tensorflow=_TENSORFLOW
    )
    return model, graph.handles()


def for_release(model: Model, version: Version | None) -> Model:
    """The model in the words of an older TensorFlow; itself where none is stated.

    Raises: as ``retarget``.
    """
    if version is None:
        return model
    from modelfmt.graphs.retarget import retarget, with_references

    infos = (*model.signature.inputs.values(), *model.signature.outputs.values())
    return dataclasses.replace(
        model,
        graph=retarget(model.graph, version, [info.tensor for info in infos]),
        variables=with_references(model.variables, version),
        tensorflow=f"{version[0]}.{version[1]}.0", producer=producer_of(version), release=version,
    )


def model_with_batch(model: Model, size: int) -> Model:
    """The model for batches of ``size``. Raises ConversionError."""
    from modelfmt.surgery.batches import with_batch

    graph = with_batch(model.graph, size)

    def info_of(info: TensorInfo) -> TensorInfo:
        shape = graph[parse_input(info.tensor).node].attrs.get("shape")
        return dataclasses.replace(info, shape=shape.dims) if isinstance(shape, Shape) else info

    inputs = {key: info_of(info) for key, info in model.signature.inputs.items()}
    signature = Signature(inputs, model.signature.outputs, model.signature.method)
    return dataclasses.replace(model, graph=graph, signature=signature)


def write_model(model: Model, path: str, kind: str, *, force: bool = False) -> None:
    """Write a Model as ``kind``, metagraph or savedmodel."""
    if kind == "metagraph":
        from modelfmt.tf.metagraph_writer import write_metagraph

        write_metagraph(model, path, force=force)
    else:
        from modelfmt.tf.savedmodel_writer import write_savedmodel

        write_savedmodel(model, path, force=force)


def write_keras2_savedmodel(
    network: Network, path: str, *, version: Version | None = None, force: bool = False
) -> None:
    """Write a SavedModel that tf.keras loads as a model of layers.

    Args:
        network: bound and legalised for Keras 2.
        path: the folder.
        version: the TensorFlow that is to read it.
        force: replace an existing one.

    Raises:
        ConversionError: Keras 2 cannot express the model; or as ``write_network``.
    """
    from modelfmt.keras.metadata import describe
    from modelfmt.tf.keras_metadata_writer import write_keras_metadata
    from modelfmt.tf.objects import ObjectGraph, ObjectNode
    from modelfmt.tf.saved_object_writer import variable_keys
    from modelfmt.tf.savedmodel_writer import Objects, callable_signature, write_savedmodel
    from modelfmt.tf.serving_function import served

    model, handles = _model_and_handles(network)
    if model.table_initializers:
        raise ConversionError(
            "a SavedModel of tf.keras' own form cannot hold lookup tables yet",
            hint="Convert to a SavedModel without --keras 2.",
        )
    things, described, weights = number_objects(describe(network))
    keys = variable_keys(things)
    nodes = {handles[i]: number for i, number in weights.items() if i in handles}
    for variable in model.variables:
        if variable.name not in nodes:
            raise ConversionError(f'the variable "{variable.name}" is no weight of a layer')
    model = dataclasses.replace(
        model,
        variables=[dataclasses.replace(v, key=keys[nodes[v.name]]) for v in model.variables],
        signature=callable_signature(model.signature),
    )
    calling = served(for_release(model, version))
    captured = [nodes[name] for name in calling.captured]
    _add_signatures(things, calling.function, calling.model.signature, captured)
    graph = ObjectGraph([ObjectNode(thing.children, {}) for thing in things])
    metadata = write_keras_metadata(described, graph)
    write_savedmodel(calling.model, path, force=force, objects=Objects(things, metadata))


def number_objects(
    root: SavedObject,
) -> tuple[list[SavedThing], dict[int, tuple[str, Config]], dict[int, int]]:
    """Keras' objects as those of TensorFlow, numbered in the order in which a walk meets them.

    Returns:
        All objects; identifier and metadata of Keras' own, by number; and for the ``id`` of each
        weight's value the number of the first variable that holds it.
    """
    from modelfmt.keras.metadata import SavedObject as KerasObject
    from modelfmt.tf.saved_object_writer import SavedThing, SavedVariable

    things: list[SavedThing] = []
    described: dict[int, tuple[str, Config]] = {}
    weights: dict[int, int] = {}
    numbers: dict[int, int] = {}
    queue: deque[SavedObject | SavedWeight] = deque()

    def number_of(item: SavedObject | SavedWeight) -> int:
        if id(item) in numbers:
            return numbers[id(item)]
        number = numbers[id(item)] = len(things)
        if isinstance(item, KerasObject):
            text = json.dumps(item.metadata, allow_nan=True) if item.metadata else ""
            things.append(SavedThing({}, item.identifier, text))
            if text:
                described[number] = item.identifier, item.metadata
        else:
            things.append(SavedThing({}, SavedVariable(item.value, item.name, item.trainable)))
            weights.setdefault(id(item.value), number)
        queue.append(item)
        return number

    number_of(root)
    while queue:
        item = queue.popleft()
        if isinstance(item, KerasObject):
            thing = things[numbers[id(item)]]
            for name, child in item.children.items():
                thing.children[name] = number_of(child)
    return things, described, weights


def _add_signatures(
    things: list[SavedThing], name: str, signature: Signature, captured: list[int]
) -> None:
    """The object of the signatures below the root, and the function that both are."""
    from modelfmt.tf.metagraph_writer import SERVING
    from modelfmt.tf.saved_object_writer import (
        SIGNATURE_MAP,
        SIGNATURES,
        SavedFunction,
        SavedThing,
    )
    from modelfmt.tf.savedmodel import SERVE

    function = SavedFunction(name, signature.inputs, signature.outputs, captured)
    here = len(things)
    things[0].children[SIGNATURES] = here
    things.append(SavedThing(dict.fromkeys((SERVING, SERVE), here + 1), SIGNATURE_MAP))
    things.append(SavedThing({}, function))


def _not_trained(network: Network, frozen: bool = False) -> Iterator[Tensor]:
    """The weights that training does not touch: by their nature, or because a layer is frozen."""
    for layer in network.layers:
        here = frozen or _is_frozen(layer)
        if layer.network is not None:
            yield from _not_trained(layer.network, here)
        for name, tensor in layer.weights.items():
            if here or name in layer.non_trainable:
                yield tensor


def _is_frozen(layer: Layer) -> bool:
    return layer.config.get("trainable", True) is False
