"""Variables of a graph, and the checkpoint keys they are restored from.

A graph that can be restored says itself which key goes where: a RestoreV2 lists the keys, and
each of its outputs ends in an Assign or AssignVariableOp on a variable. That holds for Savers of
TensorFlow 1 and, once calls are inlined, for SavedModels of TensorFlow 2. Where there is no
RestoreV2 the key is the variable's own name. Source: tensorflow/python/training/saver.py and
checkpoint/functional_saver.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelfmt.graph import Graph, Node, parse_input
from modelfmt.tensor import Tensor

#: Ops that hold a value between runs: references of TensorFlow 1, resources since.
VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})
_ASSIGN = {"Assign", "AssignVariableOp"}
_PASS = {"Identity", "IdentityN", "Enter", "RefEnter", "RefIdentity"}
_RESTORE = {"RestoreV2", "Restore", "RestoreSlice"}


def variables(graph: Graph) -> Iterator[Node]:
    """The variable nodes, in the graph's order."""
    return (node for node in graph.values() if node.op in VARIABLES)


def checkpoint_keys(graph: Graph) -> dict[str, str]:
    """The checkpoint key of each variable, by node name.

    Args:
        graph: with calls inlined.
    """
    keys = {node.name: _own_name(node) for node in variables(graph)}
    for node in graph.values():
        if node.op not in _ASSIGN or len(node.data_inputs) < 2:
            continue
        target = _source(node.data_inputs[0], graph)
        key = _restored_key(node.data_inputs[1], graph)
        if key is not None and target is not None and target.name in keys:
            keys[target.name] = key
    return keys


def values(graph: Graph, checkpoint: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The stored value of each variable that the checkpoint has, by node name and so named."""
    return {
        name: checkpoint[key].renamed(name)
        for name, key in checkpoint_keys(graph).items()
        if key in checkpoint
    }


def _own_name(node: Node) -> str:
    shared = node.attrs.get("shared_name")
    return shared if isinstance(shared, str) and shared else node.name


def _source(tensor: str, graph: Graph) -> Node | None:
    """The node behind pass-through nodes; None where an edge leads nowhere."""
    for _ in range(len(graph)):
        edge = parse_input(tensor)
        node = graph[edge.node] if edge.node in graph else None
        if node is None or node.op not in _PASS or edge.port >= len(node.data_inputs):
            return node
        tensor = node.data_inputs[edge.port]
    return None


def _restored_key(tensor: str, graph: Graph) -> str | None:
    """The key whose value reaches ``tensor`` from a RestoreV2."""
    for _ in range(len(graph)):
        edge = parse_input(tensor)
        node = graph[edge.node] if edge.node in graph else None
        if node is None:
            return None
        if node.op in _RESTORE:
            names = _source(node.data_inputs[1], graph)
            value = names.attrs.get("value") if names is not None else None
            if not isinstance(value, Tensor) or value.strings is None:
                return None
            keys = value.strings()
            return keys[edge.port].decode() if edge.port < len(keys) else None
        if node.op not in _PASS and node.op != "Reshape":
            return None
        if edge.port >= len(node.data_inputs):
            return None
        tensor = node.data_inputs[edge.port]
    return None
