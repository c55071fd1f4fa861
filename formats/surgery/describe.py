"""What dump asks of each kind of file: one small function for each part of its report.

What a part says stands in graph_rows.py, metagraph_rows.py, collection_rows.py, checkpoint_rows.py
and layer_rows.py. One that raises hides none of the others: dump.py sees to that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from modelfmt.container import Container

if TYPE_CHECKING:
    from modelfmt.tf.checkpoint import Checkpoint

Report = dict[str, Any]


class Asked(NamedTuple):
    """A container with what is wanted of it; ``report`` grows."""

    container: Container
    report: Report
    depth: int | None

    def odd(self, sentence: str) -> None:
        if sentence not in self.report["oddities"]:
            self.report["oddities"].append(sentence)


# -- layers ---------------------------------------------------------------------------------------


def _keras(asked: Asked) -> None:
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


def _versions(asked: Asked) -> None:
    from modelfmt.surgery.layer_rows import keras_versions

    asked.report["versions"] |= keras_versions(asked.container)
    asked.report["remarks"].append("layers only: the file holds no weights")


def _weights_only(asked: Asked) -> None:
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


def _network(asked: Asked) -> None:
    from modelfmt.surgery.layer_rows import end_row, layer_rows

    network, report = asked.container.network, asked.report
    report["name"], report["class"] = network.name, network.kind
    report["layers"] = list(layer_rows(network, asked.depth))
    report["inputs"] = [end_row(network, ref) for ref in network.inputs]
    report["outputs"] = [end_row(network, ref) for ref in network.outputs]


def _training(asked: Asked) -> None:
    from modelfmt.surgery.layer_rows import training_row

    config = getattr(asked.container, "training_config", None)
    if config:
        asked.report["training"] = training_row(config)


def _stated(asked: Asked) -> None:
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


def _graph(asked: Asked) -> None:
    from modelfmt.surgery.graph_rows import graph_rows, own_graph

    graph = own_graph(asked.container)
    if graph.producer:
        asked.report["versions"]["producer"] = graph.producer
    faults: list[str] = []
    asked.report.update({"ops": {}, "functions": {}})
    asked.report.update(graph_rows(graph, faults))
    for sentence in faults:
        asked.odd(sentence)


def _gradients(asked: Asked) -> None:
    from modelfmt.surgery.graph_rows import own_graph
    from modelfmt.tf.functiondef import read_gradients
    from modelfmt.tf.graphdef import WireGraph

    graph = own_graph(asked.container)
    if isinstance(graph, WireGraph) and (found := dict(read_gradients(graph.source))):
        asked.report["gradients"] = found


def _fed(asked: Asked) -> None:
    from modelfmt.surgery.graph_rows import fed_rows

    if not asked.report["inputs"] and not asked.report.get("served"):
        asked.report["inputs"] = fed_rows(asked.container.graph)


def _made(asked: Asked) -> None:
    from modelfmt.surgery.graph_rows import made_rows

    if not asked.report["outputs"] and not asked.report.get("served"):
        asked.report["outputs"] = list(made_rows(asked.container.graph))


def _signatures(asked: Asked) -> None:
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


def _collections(asked: Asked) -> None:
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


def _folder(asked: Asked) -> None:
    from modelfmt.surgery.metagraph_rows import file_rows, metagraph_rows, odd_in_folder
    from modelfmt.tf.savedmodel import SavedModel

    assert isinstance(asked.container, SavedModel)
    asked.report["metagraphs"] = metagraph_rows(asked.container)
    asked.report["files"] = file_rows(asked.container)
    for sentence in odd_in_folder(asked.container):
        asked.odd(sentence)


def _objects(asked: Asked) -> None:
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


def _checkpoint(asked: Asked) -> None:
    from modelfmt.surgery.checkpoint_rows import checkpoint_row, odd_in_checkpoint, odd_keys

    found = _checkpoint_of(asked.container)
    if found is None:
        if asked.container.kind == "metagraph":
            asked.report["remarks"].append("no checkpoint beside the graph")
        return
    asked.report["checkpoint"] = checkpoint_row(found)
    for sentence in (*odd_in_checkpoint(found), *odd_keys(found)):
        asked.odd(sentence)


def _saved_objects(asked: Asked) -> None:
    from modelfmt.surgery.checkpoint_rows import saved_object_row

    found = _checkpoint_of(asked.container)
    row = None if found is None else saved_object_row(found, asked.depth or 0)
    if row is not None and "checkpoint" in asked.report:
        asked.report["checkpoint"]["objects"] = row


_GRAPH = (_graph, _gradients)
_BESIDE = (_collections, _checkpoint, _saved_objects)
DESCRIBERS: dict[str, tuple[Callable[[Asked], None], ...]] = {
    "graphdef": (*_GRAPH, _fed, _made),
    "metagraph": (*_GRAPH, _signatures, _fed, _made, *_BESIDE),
    "savedmodel": (*_GRAPH, _signatures, _fed, _made, _stated, *_BESIDE, _objects, _folder),
    "checkpoint": (_checkpoint, _saved_objects),
    "keras-h5": (_keras, _network, _training),
    "keras-weights": (_keras, _weights_only),
    "keras": (_keras, _network, _training),
    "keras-config": (_versions, _network, _training),
    "npz": (),
    "safetensors": (),
}
