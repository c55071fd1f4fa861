"""The part of a graph that its outputs need, ready to be changed.

Nodes that the outputs do not need are left out: training, saving, input pipelines. All others
keep their bytes, save for inputs and places that name another node now, or one that is gone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from modelfmt import dtypes
from modelfmt.errors import ConversionError, Where
from modelfmt.graph import Function, Graph, Node, Shape, parse_input, tensor_name
from modelfmt.graphs.saver import const_node, made_node
from modelfmt.ops import opdefs
from modelfmt.surgery.tables import initializers
from modelfmt.tf.metagraph import Signature, TensorInfo

_PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")


class KeptGraph(Graph):
    """A graph of other nodes, with the functions and the version of the one that it was."""

    def __init__(self, nodes: Mapping[str, Node], origin: Graph) -> None:
        super().__init__(nodes)
        self._origin = origin
        self.producer = origin.producer

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._origin.functions


class Kept:
    """The nodes that are needed for the outputs, ready to be changed.

    Attributes:
        nodes: by name, in the graph's order; copies where they are changed.
        ends: the signature; inputs that are no Placeholders have become some.
    """

    def __init__(self, graph: Graph, ends: Signature) -> None:
        self.graph = graph
        cut = {
            info.tensor: info for info in ends.inputs.values()
            if graph[parse_input(info.tensor).node].op not in _PLACEHOLDERS
        }  # fmt: skip
        self._cut = dict.fromkeys(cut, "")
        self._names: set[str] = set()
        self._extra: list[Node] = []
        self.nodes: dict[str, Node] = {}
        self.walk(info.tensor for info in (*ends.inputs.values(), *ends.outputs.values()))
        for tensor in cut:
            edge = parse_input(tensor)
            self._cut[tensor] = (
                edge.node if edge.port == 0 and edge.node not in self._names
                else free_name(f"{edge.node}_{edge.port}", graph.__contains__)
            )  # fmt: skip
        self._stand_ins = {
            self._cut[tensor]: self._stand_in(info) for tensor, info in cut.items()
        }
        inputs = {
            key: dataclasses.replace(info, tensor=self._cut.get(info.tensor, info.tensor))
            for key, info in ends.inputs.items()
        }
        self.ends = dataclasses.replace(ends, inputs=inputs)

    def _stand_in(self, info: TensorInfo) -> Node:
        """The Placeholder in the place of a tensor that is to be fed."""
        edge = parse_input(info.tensor)
        source = self.graph[edge.node]
        kind = info.dtype or opdefs.output_dtypes(source.op, source.attrs)[edge.port]
        return made_node(
            "Placeholder", self._cut[info.tensor], [], [], dtype=kind, shape=Shape(info.shape)
        )

    def walk(self, tensors: Iterable[str]) -> None:
        """Keep what these tensors need, by data or control edges."""
        todo = list(tensors)
        while todo:
            text = todo.pop()
            edge = parse_input(text)
            if tensor_name(edge.node, max(edge.port, 0)) in self._cut:
                continue
            if edge.node not in self._names:
                self._names.add(edge.node)
                todo.extend(self.graph[edge.node].inputs)

    def keep_tables(self, assets: Mapping[str, str]) -> list[str]:
        """Keep what fills the tables; the names of the nodes to run."""
        self._extra = initializers(self.graph, sorted(self._names), assets)
        made = {node.name for node in self._extra}
        self.walk(i for node in self._extra for i in node.inputs if parse_input(i).node not in made)
        return [node.name for node in self._extra if node.op != "Const"]

    def settle(self) -> None:
        """Make ``nodes``: in order, without what would name nodes that are gone.

        Raises:
            ConversionError: the outputs need a Placeholder that is no input.
        """
        made = {node.name: node for node in (*self._stand_ins.values(), *self._extra)}
        self.nodes = dict(self._stand_ins)
        fed = {parse_input(info.tensor).node for info in self.ends.inputs.values()}
        for name, node in self.graph.items():
            if name not in self._names or name in made:
                continue
            self.nodes[name] = node
            if node.op in ("Placeholder", "PlaceholderV2") and name not in fed:
                if "learning_phase" not in name:
                    raise ConversionError(
                        "the outputs need a Placeholder that is no input",
                        where=Where(key=f'node "{name}"'), hint="Name it with --inputs.",
                    )
                self.nodes[name] = const_node(name, False, dtypes.bool_)
        for node in self._extra:
            self.nodes[node.name] = node
        for name in list(self.nodes):
            self._repair(name)
        self.redirect({
            source: name for source, name in self._cut.items() if source != name
        })  # fmt: skip

    def _repair(self, name: str) -> None:
        """A node as a graph takes it: located with nodes that exist, a call without results."""
        node = self.nodes[name]
        if node.op == "IdentityN" and not node.data_inputs:
            self.nodes[name] = Node(name, "NoOp", list(node.inputs))
        places = node.attrs.get("_class")
        if isinstance(places, list):
            there = [p for p in places if str(p).removeprefix("loc:@") in self.nodes]
            if there != places:
                changed = self.changing(name)
                del changed.attrs["_class"]
                if there:
                    changed.attrs["_class"] = there

    def changing(self, name: str) -> Node:
        """The node, to be changed: not the container's own."""
        node = self.nodes[name]
        if self.graph.get(name) is node:
            node = self.nodes[name] = node.copy()
        return node

    def redirect(self, tensors: Mapping[str, str]) -> None:
        """Make every input that is a key of ``tensors`` the tensor that stands for it."""
        if not tensors:
            return
        for name, node in list(self.nodes.items()):
            inputs = [redirected(i, tensors) for i in node.inputs]
            if inputs != node.inputs:
                self.changing(name).inputs = inputs


def redirected(text: str, tensors: Mapping[str, str]) -> str:
    edge = parse_input(text)
    if edge.port < 0:
        return f"^{tensors[edge.node]}" if edge.node in tensors else text
    return tensors.get(tensor_name(edge.node, edge.port), text)


def free_name(name: str, taken: Callable[[str], bool]) -> str:
    """``name``, or the first of ``name_1``, ``name_2`` that is not taken."""
    free, count = name, 0
    while taken(free):
        count += 1
        free = f"{name}_{count}"
    return free
