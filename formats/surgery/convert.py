"""convert: a model file of one kind into another.

Layers in, layers or a graph out; or a graph in and a graph out, frozen or thawed. A source that
states its layers is believed; where layers are wanted of a graph, it is looked at through a View,
and every node must be claimed by a layer. Nothing is written unless all is.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from modelfmt.container import Container
from modelfmt.errors import ConversionError, ModelFormatError, UnsupportedError, Where, located
from modelfmt.graph import Graph
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.view import View
from modelfmt.layers import bind, recognise, write_network
from modelfmt.layers.account import NodeFate
from modelfmt.layers.adapting import adapt
from modelfmt.layers.time_major import put_batch_first
from modelfmt.network import Network
from modelfmt.ops.opages import Version, parse_version
from modelfmt.storage.output import check_output
from modelfmt.surgery.batches import fix_batch, with_batch
from modelfmt.surgery.opening import open as open_container
from modelfmt.surgery.optimizers import carry_training
from modelfmt.surgery.populate import WithArchitecture
from modelfmt.surgery.report import ConversionReport
from modelfmt.surgery.stated import stated_or_recognised
from modelfmt.tensor import Tensor

_BY_EXTENSION = {
    ".pb": "graphdef", ".pbtxt": "graphdef", ".h5": "keras-h5", ".hdf5": "keras-h5",
    ".keras": "keras", ".meta": "metagraph", ".ckpt": "checkpoint", ".index": "checkpoint",
    ".json": "keras-config", "": "savedmodel",
}  # fmt: skip
#: The kinds that hold a graph; a graph is written into them as it is.
_OF_GRAPHS = ("graphdef", "metagraph", "savedmodel")
_WRITTEN = (*_OF_GRAPHS, "keras-h5", "keras", "keras-weights", "checkpoint", "keras-config")


class UsageError(ModelFormatError):
    """What was asked for makes no sense."""

    exit_status = 2


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What ``convert`` did: kinds, counts, where the result is, and what was left out."""

    source: str
    source_kind: str
    destination: str
    kind: str
    layers: int = 0
    weights: int = 0
    weight_bytes: int = 0
    notes: tuple[str, ...] = ()


def convert(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    from_kind: str | None = None,
    to: str | None = None,
    keras: int | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    signature: str | None = None,
    tags: Sequence[str] | None = None,
    freeze_batch: int | None = None,
    target_tf: str | None = None,
    config: str | os.PathLike[str] | None = None,
    strip: Sequence[str] = (),
    force: bool = False,
    report: str | os.PathLike[str] | None = None,
) -> Conversion:
    """Convert a model file.

    Args:
        source: a .h5, .keras, .pb, .pbtxt or .meta file, or a SavedModel; with ``config`` also
            weights alone, or a checkpoint. Recognised by content.
        destination: the file to write; its extension tells the kind unless ``to`` does.
        from_kind: overrides what the content of ``source`` says.
        to: graphdef, metagraph, savedmodel, keras-h5, keras, keras-weights, keras-config, or
            checkpoint (of objects).
        keras: the Keras major (2 or 3) for which an .h5 is written; a SavedModel for 2 holds what
            tf.keras' load_model needs. Where left out, 3, and of a checkpoint 2.
        inputs: tensors of a graph to take as inputs; its Placeholders where left out.
        outputs: tensors of a graph to take as outputs; its sinks where left out.
        signature: of a .meta or SavedModel, where neither inputs nor outputs are given;
            ``serving_default`` where left out, else the only one.
        tags: of a SavedModel's MetaGraph; ``serve`` where left out.
        freeze_batch: the size that the batch dimension of every input gets.
        target_tf: a release of TensorFlow, such as "1.12", that is to read a written graph.
        config: states the layers whose weights ``source`` holds: a model's .json or .yaml, or any
            model file with layers.
        strip: "optimizer": leave out how the model is compiled and its optimizer's state.
        force: replace an existing output.
        report: a file that is told what became of every node and layer, also where nothing can be
            converted: JSON, or text where its name ends in .txt or .md.

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
    if keras is None:
        keras = 2 if kind == "checkpoint" else 3
    if keras not in (2, 3) or (kind == "keras" and keras != 3):
        raise UsageError(
            "no such target", expected="--keras 2 (.h5 and SavedModel only) or 3", found=keras
        )
    if not set(strip) <= {"optimizer"}:
        raise UsageError("nothing to strip", expected="optimizer", found=", ".join(strip))
    check_output(destination, force=force)
    version = None if target_tf is None else parse_version(target_tf)
    if version is not None and kind not in _OF_GRAPHS:
        raise UsageError("--target-tf is for graphs", expected=" or ".join(_OF_GRAPHS), found=kind)
    if freeze_batch is not None and freeze_batch < 1:
        raise UsageError("no such batch", expected="--freeze-batch 1 or more", found=freeze_batch)
    target = _Target(destination, kind, keras, force, version, freeze_batch)
    ends = _Ends(inputs, outputs, signature)
    told = ConversionReport(source, destination, kind)
    if report is not None:
        check_output(report, force=force)
    try:
        return _convert(target, from_kind, tags, ends, config, strip, told)
    except ModelFormatError as error:
        told.error = str(error)
        raise
    finally:
        if report is not None:
            told.save(os.fspath(report), force=force)


def _convert(
    target: _Target, from_kind: str | None, tags: Sequence[str] | None, ends: _Ends,
    config: str | os.PathLike[str] | None, strip: Sequence[str], told: ConversionReport,
) -> Conversion:  # fmt: skip
    """Do what ``convert`` was asked for, and tell the report of it."""
    source, kind, destination = told.source, target.kind, target.path
    with ExitStack() as opened, located(path=source):
        container = opened.enter_context(open_container(source, kind=from_kind, tags=tags))
        container.verify()
        notes: list[str] = []
        if config is not None:
            container = WithArchitecture(container, opened.enter_context(open_container(config)))
        layered = kind not in _OF_GRAPHS or target.holds_layers
        if not layered and container.has_graph and not container.has_network:
            tensors = _write_graph_to(target, container, ends)
            layers = 0
        else:
            network = network_of(container, *ends, keras=target.keras, fates=told.nodes)
            notes = carry_training(container, network, kind, target.keras, strip)
            if kind in _OF_GRAPHS and (remembering := _stateful(network)):
                notes.append(
                    f"starts from zeros at every call, a graph having no memory of the last one: "
                    f"{', '.join(remembering)}"
                )
            told.notes += notes
            if told.nodes:
                told.guessed_ends(*(not given and not ends.signature for given in ends[:2]))
            before = [dataclasses.replace(layer) for layer in network.walk()]
            if target.keras == 3 or not layered:
                put_batch_first(network)
            _write_network_to(target, network)
            told.note_layers(before, network, not layered)
            named = (t for layer in network.walk() for t in layer.weights.values())
            tensors = list({id(tensor): tensor for tensor in named}.values())
            layers = sum(1 for layer in network.walk() if layer.class_name != "InputLayer")
        return Conversion(
            source, container.kind, destination, kind, layers=layers, weights=len(tensors),
            weight_bytes=sum(tensor.nbytes for tensor in tensors), notes=tuple(notes),
        )


def _stateful(network: Network) -> list[str]:
    """The layers that keep their state from one call to the next, wrapped ones by their wrapper."""
    found = []
    for layer in network.walk():
        configs = [layer.config]
        for config in configs:
            held = [config.get(key) for key in ("layer", "backward_layer")]
            configs += [h["config"] for h in held if isinstance(h, dict) and "config" in h]
        if any(isinstance(c, dict) and c.get("stateful") is True for c in configs):
            found.append(layer.name)
        found += [name for model in layer.models.values() for name in _stateful(model)]
    return found


class _Ends(NamedTuple):
    """Where a graph is cut."""

    inputs: Sequence[str] | None
    outputs: Sequence[str] | None
    signature: str | None


class _Target(NamedTuple):
    """What is written, and where."""

    path: str
    kind: str
    keras: int
    force: bool
    version: Version | None = None
    batch: int | None = None

    @property
    def holds_layers(self) -> bool:
        """Whether it is a SavedModel that states its layers beside the graph."""
        return self.kind == "savedmodel" and self.keras == 2


def _write_graph_to(target: _Target, container: Container, ends: _Ends) -> list[Tensor]:
    """A graph as a graph: its nodes stay what they are. The variables that it ends up with."""
    if target.kind == "graphdef":
        from modelfmt.surgery.freeze import freeze_container

        graph = freeze_container(container, *ends)
        for node in graph.values():
            len(node.attrs)  # a damaged node is no node to copy
        if target.batch is not None:
            graph = with_batch(graph, target.batch)
        _write_graphdef(graph, target, ends.outputs or ())
        return []
    from modelfmt.surgery.serving import for_release, model_with_batch, write_model
    from modelfmt.surgery.thaw import thaw

    model = thaw(container, *ends)
    if target.batch is not None:
        model = model_with_batch(model, target.batch)
    model = for_release(model, target.version)
    write_model(model, target.path, target.kind, force=target.force)
    return [variable.value for variable in model.variables]


def _write_network_to(target: _Target, network: Network) -> None:
    """Layers, as a graph or as layers."""
    if target.batch is not None:
        fix_batch(network, target.batch)
    if target.holds_layers:
        from modelfmt.surgery.serving import write_keras2_savedmodel

        adapt(network, 2)
        write_keras2_savedmodel(network, target.path, version=target.version, force=target.force)
    elif target.kind in ("metagraph", "savedmodel"):
        from modelfmt.surgery.serving import for_release, model_of_network, write_model

        model = for_release(model_of_network(network), target.version)
        write_model(model, target.path, target.kind, force=target.force)
    elif target.kind == "graphdef":
        graph = GraphBuilder()
        outputs = write_network(network, graph)
        _write_graphdef(graph, target, outputs)
    else:
        adapt(network, target.keras)
        _write_layers(network, target)


def network_of(
    container: Container,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    signature: str | None = None,
    *,
    keras: int = 3,
    fates: list[NodeFate] | None = None,
) -> Network:
    """The bound layers of any container: those it states, else those recognised in its graph.

    A SavedModel of tf.keras states layers beside its graph; they are those of the whole model, so
    inputs, outputs or a signature ask for the graph. Operations of a graph are said in the words
    of the Keras major ``keras`` where it has some; ``fates`` is told what becomes of every node.

    Raises:
        UnrecognisedGraphError, UnknownLayerError, MismatchError: the layers cannot be had.
        UnsupportedError: neither layers nor a graph.
    """
    if container.kind == "keras-config":
        raise ConversionError(
            "layers only: the file holds no weights",
            hint="Convert the file that has the weights, and pass this one as --config.",
        )
    if container.has_network:
        return bind(container.network)
    if not container.has_graph:
        raise ConversionError(
            "weights only: the file states no layers, and holds no graph",
            hint="Pass a model's .json, .yaml, .h5 or .keras as --config.",
        )

    def recognised() -> Network:
        return recognise(*_seen(container, inputs, outputs, signature), major=keras, fates=fates)

    if inputs or outputs or signature:
        return recognised()
    return stated_or_recognised(container, recognised)


def _seen(
    container: Container,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    signature: str | None,
) -> tuple[View, dict[str, str]]:
    """A look at a container's graph, and the names that its signature gives the inputs."""
    from modelfmt.tf.metagraph import GraphWithVariables

    if not isinstance(container, GraphWithVariables):
        return look(container.graph, inputs, outputs), {}
    names: dict[str, str] = {}
    if not inputs and not outputs:
        found = container.metagraph.signature(signature)
        if found is not None:
            names = {info.tensor: key for key, info in found.inputs.items()}
            inputs, outputs = list(names), [info.tensor for info in found.outputs.values()]
    return look(container.graph, inputs, outputs, container.values), names


def kind_of_output(path: str) -> str:
    """The kind that an output's extension asks for. Raises UsageError."""
    name = os.path.basename(os.fspath(path))
    if name.endswith(".weights.h5"):
        return "keras-weights"
    if name.endswith(".meta.pbtxt"):
        return "metagraph"
    kind = _BY_EXTENSION.get(os.path.splitext(name)[1])
    if kind is None:
        raise UsageError(
            "the extension tells no kind", where=Where(path),
            expected=", ".join(k for k in _BY_EXTENSION if k), hint="Pass --to KIND.",
        )
    return kind


def _write_graphdef(graph: Graph, target: _Target, outputs: Sequence[str]) -> None:
    from modelfmt.tf.graphdef import write_graphdef

    if target.version is not None:
        from modelfmt.graphs.retarget import retarget
        from modelfmt.graphs.sinks import sinks

        graph = retarget(graph, target.version, outputs or sinks(graph))
    write_graphdef(graph, target.path, text=target.path.endswith(".pbtxt"), force=target.force)


def _write_layers(network: Network, target: _Target) -> None:
    path, force = target.path, target.force
    if target.kind == "keras":
        from modelfmt.keras.archive import write_archive_model

        write_archive_model(network, path, force=force)
    elif target.kind == "checkpoint":
        from modelfmt.surgery.checkpoints import write_checkpoint_of

        write_checkpoint_of(network, path, force=force)
    elif target.kind == "keras-config":
        from modelfmt.keras.architecture import write_architecture

        write_architecture(network, path, major=target.keras, force=force)
    else:
        from modelfmt.keras.h5 import write_h5, write_weights

        write = write_h5 if target.kind == "keras-h5" else write_weights
        write(network, path, major=target.keras, force=force)
