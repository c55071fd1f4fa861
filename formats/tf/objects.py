"""The object graph of an object-based checkpoint: how attributes lead to checkpoint keys.

The string tensor _CHECKPOINTABLE_OBJECT_GRAPH holds a TrackableObjectGraph: nodes, node 0 the root,
with children by attribute name (there may be cycles, and several ways to one node), attributes
(name, checkpoint key) and, on an optimizer, slot variables of other nodes' variables.

    key     <way from the root>/.ATTRIBUTES/VARIABLE_VALUE
    slot    <way to the weight>/.OPTIMIZER_SLOT/<way to the optimizer>/<slot>/.ATTRIBUTES/...

The key shows one way to a variable; the graph knows them all. In a way a name's "." is written
".." and its "/" ".S". Source: tensorflow/core/protobuf/trackable_object_graph.proto,
tensorflow/python/checkpoint/trackable_view.py.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cached_property

from modelfmt.errors import CorruptFileError, MissingError, Where
from modelfmt.tensor import Tensor

KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
VALUE = "VARIABLE_VALUE"
ATTRIBUTES = "/.ATTRIBUTES/"
_SLOT = "/.OPTIMIZER_SLOT/"


@dataclasses.dataclass(frozen=True)
class Slot:
    """A slot variable: node ids of the weight and of the slot itself, and the slot's name."""

    weight: int
    name: str
    node: int


@dataclasses.dataclass(frozen=True)
class ObjectNode:
    """An object: children by attribute name; checkpoint keys by name (VARIABLE_VALUE); slots.

    ``full_name`` is the variable's name in a TensorFlow 1 checkpoint, or empty.
    """

    children: dict[str, int]
    keys: dict[str, str]
    full_name: str = ""
    slots: tuple[Slot, ...] = ()


class ObjectGraph:
    """The objects; ``nodes[0]`` is the root."""

    def __init__(self, nodes: list[ObjectNode]) -> None:
        self.nodes = nodes

    @cached_property
    def paths(self) -> dict[int, str]:
        """The shortest way to each node, nearest ones first; the root's is empty."""
        found, queue = {0: ""}, deque([0])
        while queue:
            node = queue.popleft()
            for name, child in self.nodes[node].children.items():
                if child not in found:
                    found[child] = _joined(found[node], name)
                    queue.append(child)
        return found

    @cached_property
    def keys(self) -> dict[str, str]:
        """``<way>/.ATTRIBUTES/<name>`` -> checkpoint key: by the shortest way first, then by all
        that differ from it in the last step; slot variables included."""
        found: dict[str, str] = {}
        for node, way in dict.fromkeys([*self.paths.items(), *self._detours()]):
            for name, key in self.nodes[node].keys.items():
                found.setdefault(way + ATTRIBUTES + name, key)
        for optimizer, way in self.paths.items():
            for slot in self.nodes[optimizer].slots:
                for name, key in self.nodes[slot.node].keys.items():
                    weight = self.paths.get(slot.weight, "")
                    slot_way = f"{weight}{_SLOT}{_joined(way, slot.name)}"
                    found.setdefault(slot_way + ATTRIBUTES + name, key)
        return found

    @property
    def variables(self) -> dict[str, str]:
        """``keys`` of variables' values only, by the way: ``model/dense/kernel`` -> key."""
        end = ATTRIBUTES + VALUE
        return {
            way.removesuffix(end): key for way, key in self.keys.items() if way.endswith(end)
        }

    def find(self, path: str) -> int:
        """The node at the end of any way, its names escaped as in keys. Raises MissingError."""
        node = 0
        for name in path.split("/") if path else ():
            children = {_escaped(c): number for c, number in self.nodes[node].children.items()}
            if name not in children:
                from difflib import get_close_matches

                raise MissingError(
                    f"no attribute {name!r} on the way {path!r}",
                    close_matches=get_close_matches(name, children, 3),
                )
            node = children[name]
        return node

    def _detours(self) -> Iterator[tuple[int, str]]:
        for node, way in self.paths.items():
            for name, child in self.nodes[node].children.items():
                yield child, _joined(way, name)


def read_objects(tensors: Mapping[str, Tensor]) -> ObjectGraph | None:
    """The object graph in a checkpoint's tensors; None in one that is not object-based.

    Raises:
        CorruptFileError: no TrackableObjectGraph, or node ids that there are not.
    """
    if KEY not in tensors:
        return None
    tensor = tensors[KEY]
    values = tensor.strings() if tensor.strings is not None else []
    if len(values) != 1:
        raise CorruptFileError(
            "the object graph is not one string", where=tensor.origin,
            found=f"{tensor.dtype}{list(tensor.shape)}",
        )
    return parse_objects(values[0], tensor.origin)


def parse_objects(data: bytes, origin: Where) -> ObjectGraph:
    """The object graph of a serialised TrackableObjectGraph. Raises as ``read_objects``."""
    from modelfmt import proto

    try:
        message = proto.TrackableObjectGraph.FromString(data)
    except proto.DecodeError as error:
        raise CorruptFileError(f"no TrackableObjectGraph ({error})", where=origin) from None
    nodes = [
        ObjectNode(
            {child.local_name: child.node_id for child in node.children},
            {attribute.name: attribute.checkpoint_key for attribute in node.attributes},
            next((a.full_name for a in node.attributes if a.full_name), ""),
            tuple(
                Slot(s.original_variable_node_id, s.slot_name, s.slot_variable_node_id)
                for s in node.slot_variables
            ),
        )
        for node in message.nodes
    ]
    for number, node in enumerate(nodes):
        slots = (n for s in node.slots for n in (s.weight, s.node))
        wrong = [n for n in (*node.children.values(), *slots) if not 0 <= n < len(nodes)]
        if wrong:
            raise CorruptFileError(
                f"object {number} leads to objects that there are not", where=origin,
                expected=f"0 to {len(nodes) - 1}", found=wrong[:3],
            )
    if not nodes:
        raise CorruptFileError("an object graph without a root", where=origin)
    return ObjectGraph(nodes)


def _joined(way: str, name: str) -> str:
    return f"{way}/{_escaped(name)}" if way else _escaped(name)


def _escaped(name: str) -> str:
    return name.replace(".", "..").replace("/", ".S")
