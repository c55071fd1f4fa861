"""dump: what a file says about itself, as plain data. Nothing but structure is read.

The schema, which ``--json`` prints as it is:

    path, kind      as given, and as recognised
    versions        {"keras_version": ..., "backend": ..., "producer": ...}, as far as stated
    inputs, outputs [{"name", "dtype", "shape"}], shape null where unknown, null inside for a size
    layers          of a model of Keras, with name and training: layer_rows.py
    ops, functions  of a graph, with function_ops and gradients: graph_rows.py
    tags            of a MetaGraph, with metagraphs, signatures, objects, files: metagraph_rows.py
    collections     {key: {"kind", "type", "count", "rows"}}; saver; assets: collection_rows.py
                    tells of their rows
    checkpoint      of a checkpoint, also one beside a graph: checkpoint_rows.py
    remarks         [sentence]: what one should know, and is not odd
    tensors         [{"name", "path", "dtype", "shape", "nbytes"}], with digest also "sha256", with
                    values "values" of small ones, flat, in C order; "slices" of partitioned ones.
                    nbytes of strings is what the file spends on them, null where they would have
                    to be read for it
    holds           {"model", "optimizer", "other"}: how many of the tensors are whose, of a file of
                    Keras
    oddities        [sentence]: what is unusual about the file, or could not be read
"""

from __future__ import annotations

import base64
import fnmatch
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from modelfmt.container import Container
from modelfmt.errors import ModelFormatError, located
from modelfmt.surgery.opening import open as open_container
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    from modelfmt.tf.checkpoint import Checkpoint

Report = dict[str, Any]

#: With values, tensors of up to so many elements show them.
SMALL = 16


class _Asked(NamedTuple):
    """A container with what is wanted of it; ``report`` grows."""

    container: Container
    report: Report
    depth: int | None

    def odd(self, sentence: str) -> None:
        if sentence not in self.report["oddities"]:
            self.report["oddities"].append(sentence)


def dump(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    select: Sequence[str] = (),
    digest: bool = False,
    values: bool = False,
    depth: int | None = None,
) -> Report:
    """Describe a model file of any kind.

    Args:
        path: the file.
        kind: overrides what the content says.
        select: list only tensors whose name matches one of these globs.
        digest: hash every tensor, which reads them all.
        values: show the elements of small tensors.
        depth: list what is nested down to so many levels. Left out: all layers, and of object
            graphs only counts.

    Returns:
        The report; see the module's text for its keys.

    Raises:
        ModelFormatError: the file cannot be opened. A part that cannot be read becomes an oddity.
    """
    with open_container(path, kind=kind) as container:
        report: Report = {"path": container.path, "kind": container.kind, "versions": {}}
        report |= {"inputs": [], "outputs": [], "oddities": [], "remarks": []}
        asked = _Asked(container, report, depth)
        for describe in _DESCRIBERS[container.kind]:
            _guarded(asked, describe)
        report["tensors"] = []
        if digest or values:  # the tensors are read
            _guarded(asked, lambda _: container.verify())
        rows = _tensors(asked, select, digest, values)
        _guarded(asked, lambda _: report["tensors"].extend(rows))
        for sentence in getattr(container, "oddities", []):
            asked.odd(sentence)
        return report


def _guarded(asked: _Asked, describe: Callable[[_Asked], None]) -> None:
    """What cannot be read becomes an oddity, and does not hide the rest."""
    try:
        with located(path=asked.container.path):
            describe(asked)
    except ModelFormatError as error:
        asked.odd(str(error))


# -- layers ---------------------------------------------------------------------------------------


def _keras(asked: _Asked) -> None:
    from modelfmt.surgery.layer_rows import keras_versions

    container, report = asked.container, asked.report
    report["versions"] |= keras_versions(container)
    if report["versions"].get("backend") == "theano":
        report["remarks"].append("kernels as Theano has them: turned by 180 degrees")
    names = list(container.tensors)
    report["holds"] = {"model": 0, "optimizer": 0, "other": 0}
    for name in names:
        top = name.split("/")[0]
        whose = top.removesuffix("_weights") if top.startswith("optimizer") else "model"
        if top in ("metrics", "_compile_metrics"):
            whose = "other"
        report["holds"][whose if whose in report["holds"] else "model"] += 1


def _weights_only(asked: _Asked) -> None:
    from modelfmt.keras.h5 import KerasWeights

    assert isinstance(asked.container, KerasWeights)
    layout = asked.container.layout
    asked.report["remarks"].append("weights only: the file states no layers to put them in")
    asked.report["layout"] = layout
    if layout == "plain":
        asked.odd("neither layer_names nor the tree of Keras 3: weights of no layout that is known")
    asked.report["layers"] = [
        {
            "name": name or "(the model itself)", "class_name": None, "weights": len(weights),
            "parameters": sum(tensor.size for tensor in weights.values()),
        }
        for name, weights in asked.container.layers.items()
        if weights and not name.startswith("optimizer")
    ]  # fmt: skip


def _network(asked: _Asked) -> None:
    from modelfmt.surgery.layer_rows import end_row, layer_rows, unlike_config

    network, report = asked.container.network, asked.report
    report["name"], report["class"] = network.name, network.kind
    report["layers"] = list(layer_rows(network, asked.depth))
    report["inputs"] = [end_row(network, ref) for ref in network.inputs]
    report["outputs"] = [end_row(network, ref) for ref in network.outputs]
    for error in unlike_config(network):
        asked.odd(str(error))


def _training(asked: _Asked) -> None:
    from modelfmt.surgery.layer_rows import training_row

    config = getattr(asked.container, "training_config", None)
    if config:
        asked.report["training"] = training_row(config)


def _stated(asked: _Asked) -> None:
    """The layers that a SavedModel of tf.keras states; its graph tells the ends."""
    from modelfmt.surgery.layer_rows import layer_rows, training_row
    from modelfmt.surgery.stated import network_of_savedmodel

    network = network_of_savedmodel(asked.container)
    if network is None:
        return
    asked.report["name"], asked.report["class"] = network.name, network.kind
    asked.report["layers"] = list(layer_rows(network, asked.depth))
    if "keras_version" in network.extras:
        asked.report["versions"]["keras_version"] = network.extras["keras_version"]
    if isinstance(network.extras.get("training_config"), dict):
        asked.report["training"] = training_row(network.extras["training_config"])


# -- graphs ---------------------------------------------------------------------------------------


def _graph(asked: _Asked) -> None:
    from modelfmt.surgery.graph_rows import graph_rows, own_graph

    graph = own_graph(asked.container)
    if graph.producer:
        asked.report["versions"]["producer"] = graph.producer
    faults: list[str] = []
    asked.report.update({"ops": {}, "functions": {}})
    asked.report.update(graph_rows(graph, faults))
    for sentence in faults:
        asked.odd(sentence)


def _gradients(asked: _Asked) -> None:
    from modelfmt.surgery.graph_rows import own_graph
    from modelfmt.tf.functiondef import read_gradients
    from modelfmt.tf.graphdef import WireGraph

    graph = own_graph(asked.container)
    if isinstance(graph, WireGraph) and (found := dict(read_gradients(graph.source))):
        asked.report["gradients"] = found


def _fed(asked: _Asked) -> None:
    from modelfmt.surgery.graph_rows import fed_rows

    if not asked.report["inputs"] and not asked.report.get("served"):
        asked.report["inputs"] = fed_rows(asked.container.graph)


def _made(asked: _Asked) -> None:
    from modelfmt.surgery.graph_rows import made_rows

    if not asked.report["outputs"] and not asked.report.get("served"):
        asked.report["outputs"] = list(made_rows(asked.container.graph))


def _signatures(asked: _Asked) -> None:
    """Signatures and tags; the one that is served tells inputs and outputs."""
    from modelfmt.surgery.metagraph_rows import info_rows, signature_rows
    from modelfmt.tf.metagraph import GraphWithVariables

    assert isinstance(asked.container, GraphWithVariables)
    metagraph, report = asked.container.metagraph, asked.report
    info = metagraph.message.meta_info_def
    if info.tensorflow_version:
        report["versions"]["tensorflow"] = info.tensorflow_version
    report["tags"] = list(metagraph.tags)
    report["signatures"] = signature_rows(metagraph)
    serving = metagraph.signature()
    if serving is not None and any(i.dtype is not None for i in serving.outputs.values()):
        report["inputs"] = info_rows(serving.inputs)
        report["outputs"] = info_rows(serving.outputs)


def _collections(asked: _Asked) -> None:
    from modelfmt.surgery.collection_rows import (
        asset_rows,
        broken_collections,
        collection_rows,
        saver_row,
    )
    from modelfmt.tf.metagraph import GraphWithVariables

    assert isinstance(asked.container, GraphWithVariables)
    metagraph = asked.container.metagraph
    asked.report["collections"] = collection_rows(metagraph)
    for error in broken_collections(metagraph, asked.container.path):
        asked.odd(str(error))
    asked.report["saver"] = saver_row(metagraph)
    asked.report["assets"] = asset_rows(metagraph)


def _folder(asked: _Asked) -> None:
    from modelfmt.surgery.metagraph_rows import file_rows, metagraph_rows, odd_in_folder
    from modelfmt.tf.savedmodel import SavedModel

    assert isinstance(asked.container, SavedModel)
    asked.report["metagraphs"] = metagraph_rows(asked.container)
    asked.report["files"] = file_rows(asked.container)
    for sentence in odd_in_folder(asked.container):
        asked.odd(sentence)


def _objects(asked: _Asked) -> None:
    from modelfmt.surgery.metagraph_rows import object_rows
    from modelfmt.tf.saved_objects import read_saved_objects
    from modelfmt.tf.savedmodel import SavedModel

    assert isinstance(asked.container, SavedModel)
    objects = read_saved_objects(asked.container.metagraph)
    if objects.nodes:
        asked.report["objects"] = object_rows(objects, asked.depth or 0)


# -- checkpoints ----------------------------------------------------------------------------------


def _checkpoint_of(container: Container) -> Checkpoint | None:
    from modelfmt.tf.checkpoint import Checkpoint
    from modelfmt.tf.metagraph import GraphWithVariables

    if isinstance(container, GraphWithVariables):
        return container.checkpoint
    return container if isinstance(container, Checkpoint) else None


def _checkpoint(asked: _Asked) -> None:
    from modelfmt.surgery.checkpoint_rows import checkpoint_row, odd_in_checkpoint, odd_keys

    found = _checkpoint_of(asked.container)
    if found is None:
        if asked.container.kind == "metagraph":
            asked.report["remarks"].append("no checkpoint beside the graph")
        return
    asked.report["checkpoint"] = checkpoint_row(found)
    for sentence in (*odd_in_checkpoint(found), *odd_keys(found)):
        asked.odd(sentence)


def _saved_objects(asked: _Asked) -> None:
    from modelfmt.surgery.checkpoint_rows import saved_object_row

    found = _checkpoint_of(asked.container)
    row = None if found is None else saved_object_row(found, asked.depth or 0)
    if row is not None and "checkpoint" in asked.report:
        asked.report["checkpoint"]["objects"] = row


_GRAPH = (_graph, _gradients)
_BESIDE = (_collections, _checkpoint, _saved_objects)
_DESCRIBERS: dict[str, tuple[Callable[[_Asked], None], ...]] = {
    "graphdef": (*_GRAPH, _fed, _made),
    "metagraph": (*_GRAPH, _signatures, _fed, _made, *_BESIDE),
    "savedmodel": (*_GRAPH, _signatures, _fed, _made, _stated, *_BESIDE, _objects, _folder),
    "checkpoint": (_checkpoint, _saved_objects),
    "keras-h5": (_keras, _network, _training),
    "keras-weights": (_keras, _weights_only),
    "keras": (_keras, _network, _training),
}


# -- tensors --------------------------------------------------------------------------------------


def _tensors(
    asked: _Asked, select: Sequence[str], digest: bool, values: bool
) -> Iterator[Report]:
    slices = asked.report.get("checkpoint", {}).get("slices", {})
    for name in asked.container.tensors:
        if select and not any(fnmatch.fnmatchcase(name, glob) for glob in select):
            continue
        try:
            with located(path=asked.container.path):
                row = _row(name, asked.container.tensors[name], digest, values)
        except ModelFormatError as error:
            asked.odd(str(error))
            continue
        yield {**row, "slices": slices[name]} if name in slices else row


def _row(name: str, tensor: Tensor, digest: bool, values: bool) -> Report:
    row: Report = {
        "name": name,
        "path": name,
        "dtype": tensor.dtype.name,
        "shape": list(tensor.shape),
        "nbytes": tensor.nbytes if tensor.strings is None else tensor.stored,
    }
    if digest:
        row["sha256"] = tensor.sha256()
    if values and tensor.size <= SMALL:
        row["values"] = [_plain(value) for value in tensor.numpy().ravel().tolist()]
    return row


def _plain(value: Any) -> Any:
    """An element as JSON has it: text, or {"base64"}; numbers that JSON lacks as text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, complex):
        return str(value)
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
