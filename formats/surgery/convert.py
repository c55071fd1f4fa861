"""convert: a model file of one kind into another.

Layers in, layers or a graph out. A source that states its layers is believed; a graph is looked
at through a View, and every node must be claimed by a layer. Nothing is written unless all is.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from modelfmt.container import Container
from modelfmt.errors import ConversionError, ModelFormatError, UnsupportedError, Where, located
from modelfmt.graph import Graph
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.inline import inline
from modelfmt.graphs.view import View
from modelfmt.layers import bind, infer_specs, recognise, write_network
from modelfmt.layers.legalise import legalise
from modelfmt.network import Network
from modelfmt.storage.output import check_output
from modelfmt.surgery.opening import open as open_container

_BY_EXTENSION = {
    ".pb": "graphdef", ".pbtxt": "graphdef", ".h5": "keras-h5", ".hdf5": "keras-h5",
    ".keras": "keras", ".meta": "metagraph", ".ckpt": "checkpoint", ".index": "checkpoint",
    "": "savedmodel",
}  # fmt: skip


_WRITTEN = ("graphdef", "metagraph", "savedmodel", "keras-h5", "keras")


class UsageError(ModelFormatError):
    """What was asked for makes no sense."""

    exit_status = 2


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What ``convert`` did: kinds, counts, and where the result is."""

    source: str
    source_kind: str
    destination: str
    kind: str
    layers: int = 0
    weights: int = 0
    weight_bytes: int = 0


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    from_kind: str | None = None,
    to: str | None = None,
    keras: int = 3,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    signature: str | None = None,
    tags: Sequence[str] | None = None,
    force: bool = False,
) -> Conversion:
    """Convert a model file.

    Args:
        source: a .h5, .keras, .pb or .pbtxt file, recognised by content.
        destination: the file to write; its extension tells the kind unless ``to`` does.
        from_kind: overrides what the content of ``source`` says.
        to: graphdef, metagraph, savedmodel, keras-h5 or keras.
        keras: the Keras major (2 or 3) for which an .h5 is written.
        inputs: tensors of a graph to take as inputs; its Placeholders where left out.
        outputs: tensors of a graph to take as outputs; its sinks where left out.
        signature: of a .meta or SavedModel, where neither inputs nor outputs are given;
            ``serving_default`` where left out, else the only one.
        tags: of a SavedModel's MetaGraph; ``serve`` where left out.
        force: replace an existing output.

    Returns:
        A summary.

    Raises:
        ConversionError: UnknownLayerError, UnrecognisedGraphError, or a configuration that the
            target cannot express. Nothing is written then.
        ModelFormatError: ``source`` cannot be read, or ``destination`` not be written.
    """
    source, destination = os.fspath(source), os.fspath(destination)
    kind = to or kind_of_output(destination)
    if kind not in _WRITTEN:
        raise UnsupportedError(
            f"writing files of kind {kind} is not supported yet", where=Where(destination),
            expected=f"one of {', '.join(_WRITTEN)}",
        )
    if keras not in (2, 3) or (kind == "keras" and keras != 3):
        raise UsageError("no such target", expected="--keras 2 (.h5 only) or 3", found=keras)
    check_output(destination, force=force)
    with open_container(source, kind=from_kind, tags=tags) as container, located(path=source):
        if kind == "graphdef" and container.has_graph and not container.has_network:
            _rewrite_graph(container, destination, inputs, outputs, signature, force=force)
            return Conversion(source, container.kind, destination, kind)
        if kind in ("metagraph", "savedmodel") and not container.has_network:
            from modelfmt.surgery.serving import write_model
            from modelfmt.surgery.thaw import thaw

            model = thaw(container, inputs, outputs, signature)
            write_model(model, destination, kind, force=force)
            return Conversion(
                source, container.kind, destination, kind, weights=len(model.variables),
                weight_bytes=sum(v.value.nbytes for v in model.variables),
            )
        network = network_of(container, inputs, outputs, signature)
        if kind in ("metagraph", "savedmodel"):
            from modelfmt.surgery.serving import model_of_network, write_model

            write_model(model_of_network(network), destination, kind, force=force)
        elif kind == "graphdef":
            graph = GraphBuilder()
            write_network(network, graph)
            _write_graph(graph, destination, force=force)
        else:
            infer_specs(network)
            infer_specs(legalise(network, keras))
            _write_layers(network, destination, kind, major=keras, force=force)
        tensors = {id(t): t for layer in network.walk() for t in layer.weights.values()}
        return Conversion(
            source, container.kind, destination, kind,
            layers=sum(1 for layer in network.walk() if layer.class_name != "InputLayer"),
            weights=len(tensors), weight_bytes=sum(t.nbytes for t in tensors.values()),
        )


def network_of(
    container: Container,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    signature: str | None = None,
) -> Network:
    """The bound layers of any container: those it states, else those recognised in its graph.

    Raises:
        UnrecognisedGraphError, UnknownLayerError, MismatchError: the layers cannot be had.
        UnsupportedError: neither layers nor a graph.
    """
    if container.has_network:
        return bind(container.network)
    if not container.has_graph:
        raise ConversionError("weights only: the file states no layers, and holds no graph")
    return recognise(*_seen(container, inputs, outputs, signature))


def _seen(
    container: Container,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    signature: str | None,
) -> tuple[View, dict[str, str]]:
    """A look at a container's graph, and the names that its signature gives the inputs."""
    from modelfmt.tf.metagraph import GraphWithVariables

    if not isinstance(container, GraphWithVariables):
        return View(inline(container.graph), inputs, outputs), {}
    names: dict[str, str] = {}
    if not inputs and not outputs:
        found = container.metagraph.signature(signature)
        if found is not None:
            names = {info.tensor: key for key, info in found.inputs.items()}
            inputs, outputs = list(names), [info.tensor for info in found.outputs.values()]
    return View(container.graph, inputs, outputs, container.values), names


def kind_of_output(path: str) -> str:
    """The kind that an output's extension asks for. Raises UsageError."""
    name = os.path.basename(os.fspath(path))
    if name.endswith(".weights.h5"):
        return "keras-weights"
    kind = _BY_EXTENSION.get(os.path.splitext(name)[1])
    if kind is None:
        raise UsageError(
            "the extension tells no kind", where=Where(path),
            expected=", ".join(k for k in _BY_EXTENSION if k), hint="Pass --to KIND.",
        )
    return kind


def _rewrite_graph(
    container: Container,
    path: str,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    signature: str | None,
    *,
    force: bool,
) -> None:
    """Any graph as a frozen GraphDef."""
    from modelfmt.surgery.freeze import freeze_container

    graph = freeze_container(container, inputs, outputs, signature)
    for node in graph.values():
        len(node.attrs)  # a damaged node is no node to copy
    _write_graph(graph, path, force=force)


def _write_graph(graph: Graph, path: str, *, force: bool) -> None:
    from modelfmt.tf.graphdef import write_graphdef

    write_graphdef(graph, path, text=path.endswith(".pbtxt"), force=force)


def _write_layers(network: Network, path: str, kind: str, *, major: int, force: bool) -> None:
    if kind == "keras":
        from modelfmt.keras.archive import write_archive_model

        write_archive_model(network, path, force=force)
    else:
        from modelfmt.keras.h5 import write_h5

        write_h5(network, path, major=major, force=force)
