"""check: is a file what its own format says? Every finding is one of our errors, located.

Containers check their checksums; graphs are asked whether every edge leads somewhere and every
shape agrees; layers whether they have the weights that their configuration asks for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from modelfmt.container import Container
from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MissingError,
    ModelFormatError,
    Where,
    located,
)
from modelfmt.graph import Graph, parse_input
from modelfmt.graphs.inline import inline
from modelfmt.graphs.view import View
from modelfmt.surgery.opening import open as open_container


def check(path: str | os.PathLike[str], *, kind: str | None = None) -> list[ModelFormatError]:
    """Look for everything in a file that does not hold; reads all of it, in bounded memory.

    Args:
        path: a model file of any kind.
        kind: overrides what the content says.

    Returns:
        The findings; empty means that none was found.

    Raises:
        ModelFormatError: the file cannot be opened at all.
    """
    with open_container(path, kind=kind) as container:
        findings: list[ModelFormatError] = []
        for examine in (_graph, _signatures, _variables, _objects, _payloads, _layers, _archive):
            try:
                with located(path=container.path):
                    findings += examine(container)
            except ModelFormatError as error:
                findings.append(error)
        return findings


def _graph(container: Container) -> Iterator[ModelFormatError]:
    if not container.has_graph:
        return
    yield from _edges(container.graph)
    for name, function in container.graph.functions.items():
        for error in _edges(function, function.arguments):
            error.where = Where(container.path, f'function "{name}", {error.where.key}')
            yield error
    View(inline(container.graph))  # raises where shapes contradict each other


def _edges(graph: Graph, arguments: list[str] | None = None) -> Iterator[ModelFormatError]:
    """Nodes that cannot be decoded, and edges that lead nowhere."""
    known = {*graph, *(arguments or ())}
    for name in graph:
        try:
            node = graph[name]
        except ModelFormatError as error:
            yield error
            continue
        for i in node.inputs:
            if parse_input(i).node not in known:
                yield MissingError(f"reads {i!r}, which does not exist", where=_node(name))


def _node(name: str) -> Where:
    return Where(key=f'node "{name}"')


def _signatures(container: Container) -> Iterator[ModelFormatError]:
    """Inputs and outputs of signatures that no node stands for."""
    from modelfmt.tf.metagraph import GraphWithVariables

    if not isinstance(container, GraphWithVariables):
        return
    for key, signature in container.metagraph.signatures.items():
        for role, infos in (("input", signature.inputs), ("output", signature.outputs)):
            for name, info in infos.items():
                node = parse_input(info.tensor).node
                if info.dtype is not None and node not in container.graph:
                    where = Where(key=f'signature "{key}", {role} "{name}"')
                    yield MissingError(f"no node {node!r}", where=where)


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
            read_objects(found.tensors)
        except ChecksumError:
            return  # its bytes are damaged, which the checkpoint itself tells
        except ModelFormatError as error:
            yield error


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
            container.tensors[name].sha256()
        except ModelFormatError as error:
            yield error


def _layers(container: Container) -> Iterator[ModelFormatError]:
    """Weights that do not fit the configuration, of the layers that have a codec."""
    if not container.has_network:
        return
    from modelfmt.errors import ConversionError
    from modelfmt.layers import bind

    with suppress(ConversionError):  # a layer that we don't know is no fault of the file
        bind(container.network)
    for sentence in getattr(container, "oddities", []):
        yield CorruptFileError(sentence)


def _archive(container: Container) -> Iterator[ModelFormatError]:
    from modelfmt.keras.archive import KerasArchive

    if isinstance(container, KerasArchive):
        for name in container.archive.names():
            try:
                container.archive.check(name)
            except ModelFormatError as error:
                yield error
