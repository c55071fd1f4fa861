"""What check asks of each part of a file; every examination yields located errors.

Containers check their checksums; graphs are asked what check_graph.py tells, signatures and object
graphs whether they lead somewhere, layers whether they have the weights that their configuration
asks for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from modelfmt.container import Container
from modelfmt.errors import (
    ChecksumError,
    MismatchError,
    MissingError,
    ModelFormatError,
    Where,
)
from modelfmt.graph import parse_input
from modelfmt.graphs.inline import inline
from modelfmt.graphs.view import View
from modelfmt.surgery.check_graph import graph_findings, produced
from modelfmt.surgery.graph_rows import own_graph
from modelfmt.tensor import Tensor

Examiner: TypeAlias = Callable[[Container], Iterator[ModelFormatError]]


def _node(name: str) -> Where:
    return Where(key=f'node "{name}"')


def _graph(container: Container) -> Iterator[ModelFormatError]:
    if not container.has_graph:
        return
    graph = own_graph(container)
    yield from graph_findings(graph)
    for name, function in graph.functions.items():
        for error in graph_findings(function, graph.functions):
            error.where = Where(container.path, f'function "{name}", {error.where.key}')
            yield error


def _calls(container: Container) -> Iterator[ModelFormatError]:
    """Shapes that contradict each other only where functions are called."""
    if container.has_graph and own_graph(container).functions:
        View(inline(own_graph(container)))
    yield from ()


def _signatures(container: Container) -> Iterator[ModelFormatError]:
    """Inputs and outputs of signatures that no node stands for."""
    from modelfmt.tf.metagraph import GraphWithVariables

    if not isinstance(container, GraphWithVariables):
        return
    for key, signature in container.metagraph.signatures.items():
        for role, infos in (("input", signature.inputs), ("output", signature.outputs)):
            for name, info in infos.items():
                where = Where(key=f'signature "{key}", {role} "{name}"')
                edge = parse_input(info.tensor)
                node = container.metagraph.graph.find(edge.node)
                if node is None:
                    yield MissingError(f"no node {edge.node!r}", where=where)
                    continue
                found = produced(node, edge)
                if found is not None and info.dtype is not None and found != info.dtype:
                    yield MismatchError(
                        f"node {node.name!r} yields another dtype", where=where,
                        expected=info.dtype, found=found,
                    )


def _variables(container: Container) -> Iterator[ModelFormatError]:
    """Variables of the graph that the checkpoint beside it lacks."""
    from modelfmt.graphs.variables import checkpoint_keys
    from modelfmt.tf.metagraph import GraphWithVariables

    if not isinstance(container, GraphWithVariables):
        return
    keys = checkpoint_keys(container.graph)
    if container.checkpoint is None:
        if keys:
            yield MissingError(f"no checkpoint beside the graph, which has {len(keys)} variables")
        return
    outputs = [
        info.tensor
        for signature in container.metagraph.signatures.values()
        for info in signature.outputs.values()
        if info.dtype is not None and parse_input(info.tensor).node in container.graph
    ]
    # What no signature reads may be missing: Keras 3 exports variables that nothing restores.
    needed = View(container.graph, outputs=outputs).live if outputs else keys
    for name, key in keys.items():
        if name in needed and key not in container.checkpoint.tensors:
            yield MissingError(f'the checkpoint has no "{key}"', where=_node(name))
    yield from container.checkpoint.check()


def _objects(container: Container) -> Iterator[ModelFormatError]:
    """An object graph that leads to objects that there are not."""
    from modelfmt.tf.checkpoint import Checkpoint
    from modelfmt.tf.metagraph import GraphWithVariables
    from modelfmt.tf.objects import read_objects

    found = container.checkpoint if isinstance(container, GraphWithVariables) else container
    if isinstance(found, Checkpoint):
        try:
            graph = read_objects(found.tensors)
        except ChecksumError:
            return  # its bytes are damaged, which the checkpoint itself tells
        for way, key in graph.keys.items() if graph is not None else ():
            if key not in found.tensors:
                where = Where(found.path, f'object "{way}"')
                yield MissingError(f'the checkpoint has no "{key}"', where=where)


def _saved_objects(container: Container) -> Iterator[ModelFormatError]:
    """A SavedModel's object graph: ids, functions, and what these capture."""
    from modelfmt.tf.saved_objects import read_saved_objects
    from modelfmt.tf.savedmodel import SavedModel

    if not isinstance(container, SavedModel):
        return
    count = len(read_saved_objects(container.metagraph).nodes)
    functions = container.metagraph.graph.functions
    message = container.metagraph.message.object_graph_def
    for name, concrete in sorted(message.concrete_functions.items()):
        where = Where(key=f'concrete function "{name}"')
        if name not in functions:
            yield MissingError("the library has no such function", where=where)
        wrong = [number for number in concrete.bound_inputs if not 0 <= number < count]
        if wrong:
            yield MismatchError(
                "it captures objects that there are not", where=where,
                expected=f"0 to {count - 1}", found=wrong[:3],
            )
    for number, node in enumerate(message.nodes):
        if node.WhichOneof("kind") == "bare_concrete_function":
            called = [node.bare_concrete_function.concrete_function_name]
        else:
            called = [*node.function.concrete_functions]
        for name in called:
            if name not in message.concrete_functions:
                where = Where(key=f"object {number}")
                yield MissingError(f"no concrete function {name!r}", where=where)


def _folder(container: Container) -> Iterator[ModelFormatError]:
    """Files beside saved_model.pb: assets that lack, a fingerprint of something else."""
    from modelfmt.tf.fingerprint import FILE, stale
    from modelfmt.tf.savedmodel import SavedModel

    if not isinstance(container, SavedModel):
        return
    for asset in container.metagraph.assets:
        path = os.path.join(container.folder, "assets", asset.filename)
        if not os.path.isfile(path):
            yield MissingError("no such asset file", where=Where(path))
    if stale(container.folder):
        yield MismatchError(
            "checkpoint_hash is not that of variables.index",
            where=Where(os.path.join(container.folder, FILE)),
        )


def _payloads(container: Container) -> Iterator[ModelFormatError]:
    """Tensors that cannot be read, or, of a checkpoint, do not match their checksums."""
    from modelfmt.tf.checkpoint import Checkpoint
    from modelfmt.tf.metagraph import GraphWithVariables

    if isinstance(container, Checkpoint):
        yield from container.check()
    if isinstance(container, Checkpoint | GraphWithVariables):
        return  # of the latter _variables asks the checkpoint
    for name in container.tensors:
        try:
            tensor = container.tensors[name]
            tensor.verify()
            if tensor.strings is not None and not container.has_graph:
                tensor.strings()
        except ModelFormatError as error:
            yield error


def _attributes(container: Container) -> Iterator[ModelFormatError]:
    """Attributes of HDF5 objects that cannot be read, be they of use to us or not."""
    if container.kind not in ("keras-h5", "keras-weights", "keras"):
        return
    from modelfmt.keras.archive import KerasArchive
    from modelfmt.keras.h5 import KerasH5, KerasWeights
    from modelfmt.keras.sharded import ShardedWeights

    if isinstance(container, ShardedWeights):
        readers = container.readers
    else:
        assert isinstance(container, KerasArchive | KerasH5 | KerasWeights)
        readers = [container.reader]
    for reader in readers:
        for path in ("/", *reader.walk()):
            try:
                reader.attributes(path)
            except ModelFormatError as error:
                yield error


def _layers(container: Container) -> Iterator[ModelFormatError]:
    """Weights that do not fit the configuration, or belong to no layer of it."""
    if not container.has_network or container.kind == "keras-config":
        if container.has_network:
            _ = container.network  # a config alone is read, and has none
        return
    from modelfmt.surgery.layer_rows import unlike_config

    yield from unlike_config(container.network)
    for sentence in getattr(container, "oddities", ()):
        yield MismatchError(sentence)


def _names(container: Container) -> Iterator[ModelFormatError]:
    """Names of layers and weights that lead to no group or dataset, and datasets without."""
    from modelfmt.keras.h5 import KerasWeights

    if isinstance(container, KerasWeights) and container.layout == "layer_names":
        listed = {key for w in container.layers.values() for key in _origins(w)}
        for name in container.tensors:
            if name not in listed and not name.startswith("top_level_model_weights"):
                where = Where(key=f'dataset "{name}"')
                yield MismatchError("no weight_names list it", where=where)


def _origins(weights: Mapping[str, Tensor]) -> Iterator[str]:
    return (tensor.origin.key or "" for tensor in weights.values())


def _archive(container: Container) -> Iterator[ModelFormatError]:
    from modelfmt.keras.archive import KerasArchive

    if isinstance(container, KerasArchive):
        for name in container.archive.names():
            try:
                container.archive.check(name)
            except ModelFormatError as error:
                yield error


EXAMINERS: tuple[Examiner, ...] = (
    _graph, _calls, _signatures, _variables, _objects, _saved_objects, _folder, _payloads,
    _attributes, _names, _layers, _archive,
)  # fmt: skip
