"""dump: what a file says about itself, as plain data. Nothing but structure is read.

The schema, which ``--json`` prints as it is:

    path, kind      as given, and as recognised
    versions        {"keras_version": ..., "backend": ..., "producer": ...}, as far as stated
    inputs, outputs [{"name", "dtype", "shape"}], shape null where unknown, null inside for a size
    layers          [{"name", "class_name", "weights", "parameters"}], nested ones behind a slash
    ops             {op: count} of a graph; functions: {name: count of nodes}
    tags            of a SavedModel's MetaGraph
    signatures      {key: {"inputs", "outputs"}}, rows as above with "tensor", the graph's name
    collections     {key: {"kind", "type", "count", "rows"}}; saver; assets: collection_rows.py
                    tells of their rows
    tensors         [{"name", "path", "dtype", "shape", "nbytes"}], with digest also "sha256"
    oddities        [sentence]: what is unusual about the file, or could not be read
"""

from __future__ import annotations

import collections
import fnmatch
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.container import Container
from modelfmt.errors import ModelFormatError
from modelfmt.graph import Graph
from modelfmt.network import Layer, Network, Ref
from modelfmt.surgery.opening import open as open_container
from modelfmt.surgery.stated import network_of_savedmodel
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    from modelfmt.tf.metagraph import TensorInfo

Report = dict[str, Any]

#: Shapes are inferred in graphs of up to so many nodes; in larger ones that would take longer
#: than all the rest.
_INFERRED_NODES = 10_000


def dump(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    select: Sequence[str] = (),
    digest: bool = False,
) -> Report:
    """Describe a model file of any kind.

    Args:
        path: the file.
        kind: overrides what the content says.
        select: list only tensors whose name matches one of these globs.
        digest: hash every tensor, which reads them all.

    Returns:
        The report; see the module's text for its keys.

    Raises:
        ModelFormatError: the file cannot be opened. A part that cannot be read becomes an oddity.
    """
    with open_container(path, kind=kind) as container:
        report: Report = {"path": container.path, "kind": container.kind, "versions": {}}
        report |= {"inputs": [], "outputs": [], "oddities": []}
        for describe in (_network, _graph, _metagraph):
            try:
                describe(container, report)
            except ModelFormatError as error:
                report["oddities"].append(str(error))
        report["tensors"] = list(_tensors(container, select, digest, report["oddities"]))
        report["oddities"] += getattr(container, "oddities", [])
        return report


def _network(container: Container, report: Report) -> None:
    for name in ("keras_version", "backend"):
        value = getattr(container, name, None)
        if value:
            report["versions"][name] = value
    if container.kind == "keras-weights":
        report["oddities"].append("weights only: the file states no layers to put them in")
    network = container.network if container.has_network else network_of_savedmodel(container)
    if network is None:
        return
    report["name"] = network.name
    report["layers"] = list(_layers(network))
    if not container.has_network:  # a SavedModel of tf.keras: its graph tells the ends
        if "keras_version" in network.extras:
            report["versions"]["keras_version"] = network.extras["keras_version"]
        return
    report["inputs"] = [_end(network, ref) for ref in network.inputs]
    report["outputs"] = [_end(network, ref) for ref in network.outputs]


def _layers(network: Network, prefix: str = "") -> Iterator[Report]:
    for layer in network.layers:
        yield {
            "name": prefix + layer.name,
            "class_name": layer.class_name,
            "weights": len(layer.weights),
            "parameters": sum(tensor.size for tensor in layer.weights.values()),
        }
        if layer.network is not None:
            yield from _layers(layer.network, f"{prefix}{layer.name}/")


def _end(network: Network, ref: Ref) -> Report:
    layer: Layer = network.layer(ref.layer)
    found: Report = {"name": ref.layer, "dtype": None, "shape": None}
    if layer.class_name == "InputLayer":
        shape = layer.config.get("batch_shape")
        found |= {"dtype": layer.config.get("dtype"), "shape": None if shape is None else [*shape]}
    elif ref.call < len(layer.calls) and ref.index < len(layer.calls[ref.call].outputs):
        spec = layer.calls[ref.call].outputs[ref.index]
        found |= {"dtype": spec.dtype, "shape": None if spec.shape is None else [*spec.shape]}
    return found


def _graph(container: Container, report: Report) -> None:
    if not container.has_graph:
        return
    from modelfmt.ops.shapes import infer

    graph = container.graph
    if graph.producer:
        report["versions"]["producer"] = graph.producer
    counts = collections.Counter(node.op for node in graph.values())
    report["ops"] = dict(sorted(counts.items()))
    report["functions"] = {name: len(body) for name, body in graph.functions.items()}
    for node in graph.values():
        if node.op in ("Placeholder", "PlaceholderWithDefault", "PlaceholderV2"):
            static = infer("Placeholder", node.attrs, [], producer=graph.producer)[0]
            shape = None if static.shape is None else [*static.shape]
            dtype = str(node.attrs.get("dtype"))
            report["inputs"].append({"name": node.name, "dtype": dtype, "shape": shape})
    report["outputs"] = list(_outputs(graph))


def _metagraph(container: Container, report: Report) -> None:
    """Signatures, collections, saver, assets; the serving signature tells inputs and outputs."""
    metagraph = getattr(container, "metagraph", None)
    if metagraph is None:
        return
    from modelfmt.surgery.collection_rows import (
        asset_rows,
        broken_collections,
        collection_rows,
        saver_row,
    )

    info = metagraph.message.meta_info_def
    if info.tensorflow_version:
        report["versions"]["tensorflow"] = info.tensorflow_version
    report["tags"] = list(metagraph.tags)
    report["signatures"] = {
        key: {"inputs": _infos(signature.inputs), "outputs": _infos(signature.outputs)}
        for key, signature in metagraph.signatures.items()
    }
    serving = metagraph.signature()
    if serving is not None:
        report["inputs"] = _infos(serving.inputs)
        report["outputs"] = _infos(serving.outputs)
    report["collections"] = collection_rows(metagraph)
    report["oddities"] += map(str, broken_collections(metagraph, container.path))
    report["saver"] = saver_row(metagraph)
    report["assets"] = asset_rows(metagraph)


def _infos(infos: Mapping[str, TensorInfo]) -> list[Report]:
    return [
        {
            "name": key,
            "dtype": None if info.dtype is None else info.dtype.name,
            "shape": None if info.shape is None else [*info.shape],
            "tensor": info.tensor,
        }
        for key, info in infos.items()
    ]


def _outputs(graph: Graph) -> Iterator[Report]:
    """A graph's sinks, with dtype and shape as far as they follow from the inputs'."""
    from modelfmt.graphs.view import View, sinks

    if len(graph) > _INFERRED_NODES:
        yield from ({"name": name, "dtype": None, "shape": None} for name in sinks(graph))
        return
    seen = View(graph)
    for name in seen.output_names:
        dtype, shape = seen.dtype(name), seen.shape(name)
        yield {
            "name": name,
            "dtype": None if dtype is None else dtype.name,
            "shape": None if shape is None else [*shape],
        }


def _tensors(
    container: Container, select: Sequence[str], digest: bool, oddities: list[str]
) -> Iterator[Report]:
    for name in container.tensors:
        if select and not any(fnmatch.fnmatchcase(name, glob) for glob in select):
            continue
        try:
            yield _row(name, container.tensors[name], digest)
        except ModelFormatError as error:
            oddities.append(str(error))


def _row(name: str, tensor: Tensor, digest: bool) -> Report:
    row: Report = {
        "name": name,
        "path": name,
        "dtype": tensor.dtype.name,
        "shape": list(tensor.shape),
        "nbytes": tensor.nbytes,
    }
    if digest:
        row["sha256"] = tensor.sha256()
    return row
