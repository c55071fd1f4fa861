"""Variables taken out of a graph: with all that needs them, and out of its savers.

A saver reads every variable (SaveV2) and assigns it (RestoreV2, one output a key). Of one that is
gone, its key, its slice and its tensor leave both; what is behind moves up. Else nothing may need
what is gone; control edges from it are cut.
"""

from __future__ import annotations

from collections.abc import Iterable

from modelfmt.errors import UnsupportedError, Where
from modelfmt.graph import Node, parse_input, tensor_name
from modelfmt.graphs.variables import VARIABLES
from modelfmt.surgery.graph_edits import RESTORES, SAVES, GraphEditor, string_tensor
from modelfmt.tensor import Tensor

#: Op -> the first of its inputs that is a tensor to save.
_FIRST = {"SaveV2": 3, "Save": 2, "SaveSlices": 3}
_PASS = frozenset({"Identity", "ReadVariableOp", "RefIdentity"})


def dependents(editor: GraphEditor, variables: Iterable[str]) -> set[str]:
    """Some nodes, and all that needs them by data, save for what saves."""
    readers: dict[str, list[str]] = {}
    for name, node in editor.graph.items():
        if node.op not in SAVES:
            for text in node.data_inputs:
                readers.setdefault(parse_input(text).node, []).append(name)
    found: set[str] = set()
    todo = list(variables)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += readers.get(name, [])
    return found


def prune(editor: GraphEditor, gone: set[str]) -> list[str]:
    """Take nodes out, and out of the savers; the checkpoint keys that nothing saves any more.

    Args:
        editor: whose ``stripped`` grows.
        gone: closed: what is kept needs none of them, except for savers and by control edges.

    Raises:
        UnsupportedError: a saver whose keys are no constants of its own.
    """
    keys: list[str] = []
    graph = editor.graph
    for name, node in list(graph.items()):
        if name not in gone and node.op in SAVES:
            keys += _prune_save(editor, node, gone)
    restores = {n: node for n, node in graph.items() if n not in gone and node.op in RESTORES}
    outputs: dict[str, set[int]] = {name: set() for name in restores}
    for name, node in graph.items():
        if name in gone:
            continue
        for text in node.data_inputs:
            edge = parse_input(text)
            if edge.node in outputs:
                outputs[edge.node].add(edge.port)
    for name, node in restores.items():
        if not outputs[name]:
            gone.add(name)
            continue
        _prune_restore(editor, node, sorted(outputs[name]), gone)
    editor.stripped |= gone
    for _, node in editor.kept():
        left = [i for i in node.inputs if not (i.startswith("^") and i[1:] in gone)]
        if left != node.inputs:
            node.inputs = left
    _sweep_constants(editor)
    return keys


def _prune_save(editor: GraphEditor, node: Node, gone: set[str]) -> list[str]:
    first, data = _FIRST[node.op], node.data_inputs
    keep = [k for k, text in enumerate(data[first:]) if parse_input(text).node not in gone]
    if len(keep) == len(data) - first:
        return []
    if not keep:  # TensorFlow has no saver of nothing: the shard goes
        gone.add(node.name)
        _drop_shard(editor, parse_input(data[0]).node, gone)
        return _listed(editor, node, 1)
    old = _listed(editor, node, 1)
    for index in range(1, first):
        _pick(editor, node, index, keep)
    controls = [i for i in node.inputs if i.startswith("^")]
    node.inputs = [*data[:first], *(data[first + k] for k in keep), *controls]
    _pick_types(node, keep, "T" if "T" in node.attrs else "dtypes")
    return [key for k, key in enumerate(old) if k not in set(keep)]


def _drop_shard(editor: GraphEditor, file: str, gone: set[str]) -> None:
    """Take the file of a shard that nothing is saved to out of the list of those to be merged."""
    for name, node in editor.graph.items():
        if name in gone or file not in {parse_input(text).node for text in node.data_inputs}:
            continue
        if node.op == "Pack":
            node.inputs = [i for i in node.inputs if parse_input(i).node != file]
            node.attrs["N"] = len(node.data_inputs)
            if "_output_shapes" in node.attrs:
                del node.attrs["_output_shapes"]
        elif node.op == "Identity":  # says that the file is written
            gone |= dependents(editor, [name])


def _prune_restore(editor: GraphEditor, node: Node, keep: list[int], gone: set[str]) -> None:
    types = node.attrs.get("dtypes")
    if node.op != "RestoreV2" or not isinstance(types, list) or len(keep) == len(types):
        return
    for index in (1, 2):
        _pick(editor, node, index, keep)
    _pick_types(node, keep, "dtypes")
    place = {old: new for new, old in enumerate(keep)}
    for name, reader in editor.graph.items():
        if name in gone:
            continue
        inputs = []
        for text in reader.inputs:
            edge = parse_input(text)
            if edge.node == node.name and edge.port >= 0:
                text = tensor_name(edge.node, place[edge.port])
            inputs.append(text)
        if inputs != reader.inputs:
            reader.inputs = inputs


def _constant(editor: GraphEditor, node: Node, index: int) -> Node:
    """The Const behind an input of a saver."""
    source = editor.graph[parse_input(node.data_inputs[index]).node]
    value = source.attrs.get("value") if source.op == "Const" else None
    if not isinstance(value, Tensor) or value.strings is None:
        raise UnsupportedError(
            "a saver that does not list its keys in a constant",
            where=Where(editor.path, f'node "{node.name}"'),
        )
    return source


def _listed(editor: GraphEditor, node: Node, index: int) -> list[str]:
    value = _constant(editor, node, index).attrs["value"]
    assert isinstance(value, Tensor) and value.strings is not None  # _constant looked
    return [text.decode("utf-8", "surrogateescape") for text in value.strings()]


def _pick(editor: GraphEditor, node: Node, index: int, keep: list[int]) -> None:
    """Leave some elements of the constant list at an input, which no other node may read."""
    const = _constant(editor, node, index)
    readers = [
        name for name, other in editor.graph.items()
        if name not in editor.gone and name != node.name
        and any(parse_input(text).node == const.name for text in other.data_inputs)
    ]  # fmt: skip
    if readers:
        raise UnsupportedError(
            f'"{const.name}" lists the keys of two savers', where=Where(editor.path),
            found=f"{node.name}, {readers[0]}",
        )
    value = const.attrs["value"]
    assert isinstance(value, Tensor) and value.strings is not None
    values = value.strings()
    const.attrs["value"] = string_tensor(value, [values[k] for k in keep])
    for attr in ("_output_shapes",):
        if attr in const.attrs:
            del const.attrs[attr]


def _pick_types(node: Node, keep: list[int], attr: str) -> None:
    types = node.attrs.get(attr)
    if isinstance(types, list):
        node.attrs[attr] = [types[k] for k in keep]
    if "_output_shapes" in node.attrs:
        del node.attrs["_output_shapes"]


def _sweep_constants(editor: GraphEditor) -> None:
    """Constants that only stripped nodes read go along with them."""
    read: dict[str, int] = {}
    for _, node in editor.kept():
        for text in node.inputs:
            name = parse_input(text).node
            read[name] = read.get(name, 0) + 1
    before = {
        parse_input(text).node for name in editor.stripped for text in editor.graph[name].inputs
    }
    for name in before:
        source = editor.graph.find(name)
        if source is not None and source.op == "Const" and not read.get(name):
            editor.stripped.add(name)


def source_variable(editor: GraphEditor, text: str) -> str | None:
    """The variable behind an input, through what reads it."""
    for _ in range(len(editor.graph)):
        node = editor.graph.find(parse_input(text).node)
        if node is None or node.op in VARIABLES:
            return None if node is None else node.name
        if node.op not in _PASS or not node.data_inputs:
            return None
        text = node.data_inputs[0]
    return None

