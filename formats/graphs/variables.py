"""Variables of a graph, and the checkpoint keys they are restored from.

A graph that can be restored says itself which key goes where: a RestoreV2 lists the keys, and
each of its outputs ends in an Assign or AssignVariableOp on a variable. That holds for Savers of
TensorFlow 1 and, once calls are inlined, for SavedModels of TensorFlow 2. Where there is no
RestoreV2 the key is the variable's own name. A part of a partitioned variable holds a slice of
its key: the RestoreV2 says which. Source: tensorflow/python/training/saver.py and
checkpoint/functional_saver.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from modelfmt.errors import located
from modelfmt.graph import Graph, Node, parse_input
from modelfmt.graphs.partition import sliced
from modelfmt.tensor import Tensor

#: Ops that hold a value between runs: references of TensorFlow 1, resources since.
VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp"})
_ASSIGN = {"Assign", "AssignVariableOp"}
_PASS = {"Identity", "IdentityN", "Enter", "RefEnter", "RefIdentity"}
_RESTORE = {"RestoreV2", "Restore", "RestoreSlice"}


class Stored(NamedTuple):
    """Where a variable's value stands: a checkpoint key, and of that a slice ("": all of it)."""

    key: str
    part: str = ""


def variables(graph: Graph) -> Iterator[Node]:
    """The variable nodes, in the graph's order."""
    return (node for node in graph.values() if node.op in VARIABLES)


def stored(graph: Graph) -> dict[str, Stored]:
    """Where the value of each variable stands, by node name.

    Args:
        graph: with calls inlined.
    """
    places = {node.name: Stored(_own_name(node)) for node in variables(graph)}
    for node in graph.values():
        if node.op not in _ASSIGN or len(node.data_inputs) < 2:
            continue
        target = _source(node.data_inputs[0], graph)
        place = _restored(node.data_inputs[1], graph)
        if place is not None and target is not None and target.name in places:
            places[target.name] = place
    return places


def checkpoint_keys(graph: Graph) -> dict[str, str]:
    """The checkpoint key of each variable, by node name; the parts of one share theirs."""
    return {name: place.key for name, place in stored(graph).items()}


def values(graph: Graph, checkpoint: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The stored value of each variable that the checkpoint has, by node name and so named.

    The checkpoint is asked for a value when it is looked up, so that a damaged one disturbs
    nobody who doesn't need it. A lookup raises MismatchError where a part of a partitioned
    variable is no slice of what the checkpoint has.
    """
    places = {n: place for n, place in stored(graph).items() if place.key in checkpoint}
    return _Values(places, checkpoint)


class _Values(Mapping[str, Tensor]):
    def __init__(self, places: Mapping[str, Stored], checkpoint: Mapping[str, Tensor]) -> None:
        self._places, self._checkpoint = places, checkpoint

    def __getitem__(self, name: str) -> Tensor:
        place = self._places[name]
        with located(key=f'variable "{name}"'):
            return sliced(self._checkpoint[place.key], place.part).renamed(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, name: object) -> bool:
        return name in self._places


def _own_name(node: Node) -> str:
    shared = node.attrs.get("shared_name")
    return shared if isinstance(shared, str) and shared else node.name


def _source(tensor: str, graph: Graph) -> Node | None:
    """The node behind pass-through nodes; None where an edge leads nowhere."""
    for _ in range(len(graph)):
        edge = parse_input(tensor)
        node = graph.find(edge.node)
        if node is None or node.op not in _PASS or edge.port >= len(node.data_inputs):
            return node
        tensor = node.data_inputs[edge.port]
    return None


def _restored(tensor: str, graph: Graph) -> Stored | None:
    """The place whose value reaches ``tensor`` from a RestoreV2."""
    for _ in range(len(graph)):
        edge = parse_input(tensor)
        node = graph.find(edge.node)
        if node is None:
            return None
        if node.op in _RESTORE:
            keys, parts = (_strings(node, i, graph) for i in (1, 2))
            if keys is None or edge.port >= len(keys):
                return None
            part = parts[edge.port] if parts and edge.port < len(parts) else ""
            return Stored(keys[edge.port], part)
        if node.op not in _PASS and node.op != "Reshape":
            return None
        if edge.port >= len(node.data_inputs):
            return None
        tensor = node.data_inputs[edge.port]
    return None


def _strings(node: Node, index: int, graph: Graph) -> list[str] | None:
    """The strings in a constant input."""
    if index >= len(node.data_inputs):
        return None
    source = _source(node.data_inputs[index], graph)
    value = source.attrs.get("value") if source is not None else None
    if not isinstance(value, Tensor) or value.strings is None:
        return None
    return [text.decode("utf-8", "surrogateescape") for text in value.strings()]
