"""The object graph of a TensorFlow 2 SavedModel: which objects were saved, and of what kind.

    MetaGraphDef.object_graph_def = SavedObjectGraph {1 nodes, 2 concrete_functions}
    SavedObject {1 children {1 node_id, 2 local_name}, 3 slot_variables, oneof kind}

Node 0 is the root. An object that brings nothing of its own (a module, a layer, a list) is a
``user_object``; its ``identifier`` tells which. A list's children are called "0", "1", ...

What a variable holds stands in variables/: the bundle has an object graph as well (objects.py),
which numbers the same objects alike and gives their checkpoint keys. The saved graph has more nodes
at its end: functions, constants, resources. Source: tensorflow/core/protobuf/
saved_object_graph.proto, tensorflow/python/saved_model/save.py.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING

from modelfmt.errors import CorruptFileError
from modelfmt.tf.objects import ObjectGraph, ObjectNode, Slot

if TYPE_CHECKING:
    from modelfmt import proto
    from modelfmt.tf.metagraph import MetaGraph

#: The kinds of objects: the names of SavedObject's oneof ``kind``.
KINDS = (
    "user_object", "asset", "function", "variable", "bare_concrete_function", "constant",
    "resource", "captured_tensor",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class SavedNode:
    """One object.

    Attributes:
        kind: one of KINDS; empty where a newer TensorFlow knows kinds that we don't.
        children: node ids by attribute name.
        slots: an optimizer's slot variables.
        message: the SavedObject, for what its kind says (``message.variable.shape``).
    """

    kind: str
    children: dict[str, int]
    slots: tuple[Slot, ...]
    message: proto.SavedObject

    @property
    def identifier(self) -> str:
        """``_tf_keras_layer``, ``trackable_list_wrapper``, ...; empty for other kinds."""
        return self.message.user_object.identifier if self.kind == "user_object" else ""


class SavedObjects:
    """The objects of a SavedModel; ``nodes[0]`` is the root, if there are any."""

    def __init__(self, nodes: list[SavedNode]) -> None:
        self.nodes = nodes

    @cached_property
    def graph(self) -> ObjectGraph:
        """The same objects as an ObjectGraph, for ``paths`` and ``find``; it has no keys."""
        return ObjectGraph([ObjectNode(n.children, {}, slots=n.slots) for n in self.nodes])

    @property
    def paths(self) -> dict[int, str]:
        """The shortest way to each node, nearest ones first; the root's is empty."""
        return self.graph.paths if self.nodes else {}

    def items(self, node: int) -> list[int]:
        """The node ids in a list object, in the list's order."""
        children = self.nodes[node].children
        return [children[key] for key in sorted((k for k in children if k.isdecimal()), key=int)]


def read_saved_objects(metagraph: MetaGraph) -> SavedObjects:
    """The object graph of a SavedModel's MetaGraph; without nodes where TensorFlow 1 wrote it.

    Raises:
        CorruptFileError: an object leads to one that there is not.
    """
    message = metagraph.message.object_graph_def
    nodes = [
        SavedNode(
            node.WhichOneof("kind") or "",
            {child.local_name: child.node_id for child in node.children},
            tuple(
                Slot(s.original_variable_node_id, s.slot_name, s.slot_variable_node_id)
                for s in node.slot_variables
            ),
            node,
        )
        for node in message.nodes
    ]
    for number, node in enumerate(nodes):
        slots = (n for s in node.slots for n in (s.weight, s.node))
        wrong = [n for n in (*node.children.values(), *slots) if not 0 <= n < len(nodes)]
        if wrong:
            raise CorruptFileError(
                f"saved object {number} leads to objects that there are not",
                expected=f"0 to {len(nodes) - 1}", found=wrong[:3],
            )
    return SavedObjects(nodes)
