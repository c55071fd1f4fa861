"""What dump says of a MetaGraph and of a SavedModel's folder, as plain data.

    tags         of the MetaGraph that is looked at
    metagraphs   [{"tags", "nodes", "functions", "signatures"}], all of a SavedModel's
    signatures   {key: {"method", "inputs", "outputs"}}; a row of these is {"name", "dtype",
                 "shape", "tensor"}, tensor being the graph's name for it; dtype null: an op
    objects      of TensorFlow 2: {"count", "kinds": {kind: count}, "users": {identifier: count},
                 "rows": [{"path", "kind", "identifier"}] as deep as it was asked for}
    files        [{"name", "nbytes"}] of the folder, without the checkpoint's own

A fingerprint.pb is stale where it tells another hash of variables.index than the file has. Its
other hashes are of messages that TensorFlow has rewritten before; those we do not compute.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from modelfmt.surgery.listing import files_below

if TYPE_CHECKING:
    from modelfmt.tf.metagraph import MetaGraph, TensorInfo
    from modelfmt.tf.saved_objects import SavedObjects
    from modelfmt.tf.savedmodel import SavedModel

Row = dict[str, Any]


def signature_rows(metagraph: MetaGraph) -> Row:
    """The signatures by key."""
    return {
        key: {
            "method": signature.method,
            "inputs": info_rows(signature.inputs),
            "outputs": info_rows(signature.outputs),
        }
        for key, signature in metagraph.signatures.items()
    }


def info_rows(infos: Mapping[str, TensorInfo]) -> list[Row]:
    """One end of a signature."""
    return [
        {
            "name": key,
            "dtype": None if info.dtype is None else info.dtype.name,
            "shape": None if info.shape is None else [*info.shape],
            "tensor": info.tensor,
        }
        for key, info in infos.items()
    ]


def metagraph_rows(model: SavedModel) -> list[Row]:
    """All the MetaGraphs of a SavedModel."""
    return [
        {
            "tags": [*metagraph.tags],
            "nodes": len(metagraph.graph),
            "functions": len(metagraph.graph.functions),
            "signatures": [*metagraph.signatures],
        }
        for metagraph in model.metagraphs
    ]


def object_rows(objects: SavedObjects, depth: int) -> Row:
    """The object graph: counts, and the ways to its objects of up to ``depth`` steps."""
    kinds = collections.Counter(node.kind or "unknown" for node in objects.nodes)
    users = collections.Counter(node.identifier for node in objects.nodes if node.identifier)
    rows = [
        {"path": path, "kind": node.kind, "identifier": node.identifier}
        for node, path in ((objects.nodes[n], path) for n, path in objects.paths.items())
        if path and path.count("/") < depth
    ]
    return {
        "count": len(objects.nodes),
        "kinds": dict(sorted(kinds.items())),
        "users": dict(sorted(users.items())),
        "rows": rows,
    }


def file_rows(model: SavedModel) -> list[Row]:
    """The files of a SavedModel's folder, but for the checkpoint's."""
    return [
        {"name": name, "nbytes": os.path.getsize(os.path.join(model.folder, *name.split("/")))}
        for name in files_below(model.folder)
        if not name.startswith("variables/variables.")
    ]


def odd_in_folder(model: SavedModel) -> Iterator[str]:
    """A stale fingerprint, and assets that are not there."""
    from modelfmt.tf.fingerprint import stale

    if stale(model.folder):
        yield "fingerprint.pb is stale: it tells another hash of variables.index than the file has"
    for asset in model.metagraph.assets:
        if not os.path.isfile(os.path.join(model.folder, "assets", asset.filename)):
            yield f'the asset file "{asset.filename}" does not exist'
