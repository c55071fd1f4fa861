"""Changes between two MetaGraphs, SavedModels or checkpoints: what stands around a graph.

    metagraph    the graph; meta_info_def, saver, collections, signatures; its checkpoint
    savedmodel   the same for each MetaGraph, matched by tags; the other files of the folder
    checkpoint   tensors by key, the object graph, shards
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from modelfmt import proto
from modelfmt.errors import CorruptFileError, Where, located
from modelfmt.storage.files import SourceFile
from modelfmt.surgery.changes import (
    ADDED,
    CHANGED,
    REMOVED,
    Change,
    Tolerance,
    compare_values,
    in_order,
)
from modelfmt.surgery.elements import compare_tensors
from modelfmt.surgery.graph_changes import (
    graph_changes,
    message_changes,
    message_tree,
    same_bytes,
)
from modelfmt.tensor import Tensor
from modelfmt.tf.checkpoint import Checkpoint
from modelfmt.tf.metagraph import GraphWithVariables, MetaGraph
from modelfmt.tf.objects import KEY as OBJECT_GRAPH_KEY
from modelfmt.tf.savedmodel import SavedModel

#: Field of a MetaGraphDef -> the part that its changes belong to; of maps each entry has a name.
_PARTS = {
    "meta_info_def": "versions", "saver_def": "saver", "collection_def": "collections",
    "signature_def": "signatures", "asset_file_def": "assets",
    "object_graph_def": "object graph",
}  # fmt: skip
_MAPS = ("collection_def", "signature_def")
#: Files of a SavedModel that are messages.
_MESSAGES = {"fingerprint.pb": "FingerprintDef", "keras_metadata.pb": "KerasSavedMetadata"}
_READ_ELSEWHERE = ("saved_model.pb", "saved_model.pbtxt")


def metagraph_changes(
    a: GraphWithVariables, b: GraphWithVariables, tolerance: Tolerance
) -> Iterator[Change]:
    """The changes between two MetaGraphs or SavedModels, variables included."""
    if isinstance(a, SavedModel) and isinstance(b, SavedModel):
        yield from _tagged(a, b, tolerance)
    else:
        yield from _metagraph(a.metagraph, b.metagraph, tolerance, "")
    yield from _checkpoints(a.checkpoint, b.checkpoint, tolerance)
    if isinstance(a, SavedModel) and isinstance(b, SavedModel):
        yield from _files(a, b)


def _tagged(a: SavedModel, b: SavedModel, tolerance: Tolerance) -> Iterator[Change]:
    left, right = ({"+".join(m.tags): m for m in model.metagraphs} for model in (a, b))
    names = in_order(list(left), list(right))
    for tags in names:
        if tags not in right:
            yield Change("metagraphs", tags, REMOVED, a=f"{len(left[tags].graph)} nodes")
        elif tags not in left:
            yield Change("metagraphs", tags, ADDED, b=f"{len(right[tags].graph)} nodes")
        else:
            scope = f"[{tags}] " if len(names) > 1 else ""
            yield from _metagraph(left[tags], right[tags], tolerance, scope)


def _metagraph(a: MetaGraph, b: MetaGraph, tolerance: Tolerance, scope: str) -> Iterator[Change]:
    trees = _by_op(message_tree(a.message)), _by_op(message_tree(b.message))
    found = False
    for field in dict.fromkeys([*_PARTS, *trees[0], *trees[1]]):
        part = _PARTS.get(field, "versions")
        left, right = (tree.get(field, {}) for tree in trees)
        if field in _MAPS:
            changes = _named(part, scope, left, right)
        else:
            name = "" if field in ("saver_def", "object_graph_def") else field
            changes = compare_values(part, scope.rstrip(), name, left, right)
        for change in changes:
            found = True
            yield change
    if not found:
        yield from message_changes("versions", scope.rstrip(), "", a.message, b.message)
    yield from graph_changes(a.graph, b.graph, tolerance, scope=scope)


def _by_op(tree: Any) -> Any:
    """A MetaGraphDef's tree, the list of the ops it needs keyed by their names."""
    ops = tree.get("meta_info_def", {}).get("stripped_op_list", {})
    named = {op.get("name", ""): op for op in ops.get("op", ())}
    if len(named) == len(ops.get("op", ())):
        ops["op"] = named
    return tree


def _named(
    part: str, scope: str, a: Mapping[str, Any], b: Mapping[str, Any]
) -> Iterator[Change]:
    for key in in_order(list(a), list(b)):
        if key not in b:
            yield Change(part, scope + key, REMOVED)
        elif key not in a:
            yield Change(part, scope + key, ADDED)
        elif part == "collections":
            yield from compare_values(part, scope + key, "", _entries(a[key]), _entries(b[key]))
        else:
            yield from compare_values(part, scope + key, "", a[key], b[key])


def _entries(collection: Mapping[str, Any]) -> Any:
    """A collection's values; VariableDefs are keyed by the variables' names."""
    values = collection.get("bytes_list", {}).get("value")
    if values is None:
        return collection
    named = {}
    for value in values:
        try:
            tree = message_tree(proto.VariableDef.FromString(value))
        except proto.DecodeError:
            return collection
        if not tree.get("variable_name") or tree["variable_name"] in named:
            return collection
        named[tree["variable_name"]] = tree
    return named


# -- checkpoints ---------------------------------------------------------------------------------


def _checkpoints(
    a: Checkpoint | None, b: Checkpoint | None, tolerance: Tolerance
) -> Iterator[Change]:
    if a is not None and b is not None:
        yield from checkpoint_changes(a, b, tolerance)
    elif a is not None or b is not None:
        tensors = a.tensors if a is not None else {}, b.tensors if b is not None else {}
        yield from tensor_changes(*tensors, tolerance)


def checkpoint_changes(a: Checkpoint, b: Checkpoint, tolerance: Tolerance) -> Iterator[Change]:
    """The changes between two checkpoints."""
    heads = [_head(checkpoint) for checkpoint in (a, b)]
    yield from compare_values("versions", "", "", *heads)
    trees = [_objects(checkpoint) for checkpoint in (a, b)]
    if trees[0] is not None and trees[1] is not None:
        yield from compare_values("object graph", "", "", *trees)
    compared = OBJECT_GRAPH_KEY if trees[0] is not None and trees[1] is not None else ""
    left, right = (_Without(c.tensors, compared) for c in (a, b))
    yield from tensor_changes(left, right, tolerance)


def _head(checkpoint: Checkpoint) -> dict[str, Any]:
    header = getattr(checkpoint.reader, "header", None)
    if header is None:
        return {"version": 1}
    return {"version": 2, "shards": header.shards, "big_endian": header.big_endian}


def _objects(checkpoint: Checkpoint) -> Any:
    if OBJECT_GRAPH_KEY not in checkpoint.tensors:
        return None
    tensor = checkpoint.tensors[OBJECT_GRAPH_KEY]
    values = tensor.strings() if tensor.strings is not None else []
    return _parsed("TrackableObjectGraph", values[0], tensor.origin) if len(values) == 1 else None


def _parsed(kind: str, data: bytes, where: Where) -> Any:
    try:
        return message_tree(getattr(proto, kind).FromString(data))
    except proto.DecodeError as error:
        raise CorruptFileError(f"not a {kind} ({error})", where=where) from None


class _Without(Mapping[str, Tensor]):
    """Tensors but one."""

    def __init__(self, tensors: Mapping[str, Tensor], name: str) -> None:
        self._tensors, self._name = tensors, name

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._tensors if name != self._name)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def tensor_changes(
    a: Mapping[str, Tensor], b: Mapping[str, Tensor], tolerance: Tolerance, part: str = "tensors"
) -> Iterator[Change]:
    """The changes between two sets of tensors, by name."""
    known = set(a), set(b)
    for name in in_order(list(a), list(b)):
        if name not in known[1]:
            yield Change(part, name, REMOVED, a=described(a[name]))
        elif name not in known[0]:
            yield Change(part, name, ADDED, b=described(b[name]))
        else:
            with located(key=f'tensor "{name}"'):
                yield from compare_tensors(part, name, a[name], b[name], tolerance)


def described(tensor: Tensor) -> str:
    """``float32[3, 4]``."""
    return f"{tensor.dtype}{list(tensor.shape)}"


# -- the other files of a SavedModel -------------------------------------------------------------


def _files(a: SavedModel, b: SavedModel) -> Iterator[Change]:
    left, right = (dict(_listed(model.folder)) for model in (a, b))
    for name in in_order(sorted(left), sorted(right)):
        if name not in right:
            yield Change("files", name, REMOVED)
        elif name not in left:
            yield Change("files", name, ADDED)
        else:
            with SourceFile(left[name]) as first, SourceFile(right[name]) as second:
                yield from _file(name, first, second)


def _listed(folder: str) -> Iterator[tuple[str, str]]:
    for place, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if place != folder or f != "variables"]
        for file in files:
            path = os.path.join(place, file)
            name = os.path.relpath(path, folder).replace(os.sep, "/")
            if name not in _READ_ELSEWHERE:
                yield name, path


def _file(name: str, a: SourceFile, b: SourceFile) -> Iterator[Change]:
    if same_bytes(a.span(), b.span()):
        return
    if name in _MESSAGES:
        trees = [
            _unfolded(_parsed(_MESSAGES[name], file.read(0, file.size), Where(file.path)))
            for file in (a, b)
        ]
        yield from compare_values("files", name, "", *trees)
        return
    yield Change("files", name, CHANGED, "content", f"{a.size} bytes", f"{b.size} bytes")


def _unfolded(tree: Any) -> Any:
    """A message's tree in which ``metadata`` that is JSON text is what it says."""
    if isinstance(tree, dict):
        return {key: _json(v) if key == "metadata" else _unfolded(v) for key, v in tree.items()}
    return [_unfolded(each) for each in tree] if isinstance(tree, list) else tree


def _json(text: Any) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return text
