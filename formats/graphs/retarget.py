"""A graph for an older TensorFlow: only ops and attrs that it knows, computing the same numbers.

Ops that came later are replaced by their older twins (twins.py), loops of functions by frames
(lowering.py), attrs that came later are left out where they hold their default (opages.py), and
below 1.15 resource variables become references. What cannot be said is refused by name.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, Where, located
from modelfmt.graph import (
    AttrValue,
    Dims,
    Function,
    Graph,
    Node,
    called_functions,
    parse_input,
    tensor_name,
)
from modelfmt.graphs.function_builder import BuiltFunction
from modelfmt.graphs.inline import inline
from modelfmt.graphs.lowering import LOOPS, lower
from modelfmt.graphs.saver import Variable, made_node
from modelfmt.graphs.specialise import Specialised
from modelfmt.graphs.twins import ASKING_LESS, TWINS
from modelfmt.graphs.view import View
from modelfmt.ops.opages import Version, age, is_younger, producer_of, settled
from modelfmt.tensor import Tensor

#: Before this release tools that freeze a graph do not know resource variables.
_RESOURCES: Version = (1, 15)
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})


class Retargeted(Graph):
    """A graph that ``retarget`` made."""

    is_stored = True

    def __init__(
        self, nodes: Mapping[str, Node], functions: Mapping[str, Function], version: Version
    ) -> None:
        super().__init__(nodes)
        self._functions = functions
        self.producer = producer_of(version)

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._functions


def retarget(graph: Graph, version: Version, ends: Sequence[str] = ()) -> Retargeted:
    """``graph`` in the words of TensorFlow ``version``.

    Args:
        graph: never changed; nodes of a file that need no change keep their bytes.
        version: major and minor.
        ends: tensors that are fetched or fed, whose names must stay.

    Raises:
        ConversionError: an op or an attr that this release does not know, and has no twin for.
    """
    return _Retargeting(graph, version, ends).run()


def with_references(variables: Sequence[Variable], version: Version) -> list[Variable]:
    """The variables of a graph that ``retarget`` has rewritten."""
    if version >= _RESOURCES:
        return list(variables)
    return [dataclasses.replace(variable, is_resource=False) for variable in variables]


def settle_node(node: Node, version: Version) -> Node:
    """The node without attrs that ``version`` does not know; itself where it has none.

    Raises:
        ConversionError: the op is younger, or an attr is and says something.
    """
    born = age(node.op)
    release = ".".join(map(str, version))
    with located(key=f'node "{node.name}"'):
        if born is not None and born > version:
            raise ConversionError(
                f"TensorFlow {release} does not know op {node.op}",
                expected=f"TensorFlow {born[0]}.{born[1]} or newer", found=f"--target-tf {release}",
            )
        young = [name for name in node.attrs if is_younger(node.op, name, version)]
        if not young:
            return node
        kept = settled(node.op, {name: node.attrs[name] for name in young}, version)
        for name, value in kept.items():
            known = age(node.op, name) or version
            raise ConversionError(
                f"TensorFlow {release} does not know attr {name!r} of {node.op}",
                expected=f"its default, or TensorFlow {known[0]}.{known[1]} or newer",
                found=f"{name}={value!r}",
            )
    new = node.copy()
    for name in young:
        del new.attrs[name]
    return new


class _Retargeting:
    """One graph on its way to one release."""

    def __init__(self, graph: Graph, version: Version, ends: Sequence[str]) -> None:
        self.version, self.ends = version, ends
        if any(self._is_young(node.op) and node.op in _CALLS for node in graph.values()):
            graph = inline(graph)
        functions = called_functions(graph, graph.functions)
        bodies = [graph, *functions.values()]
        if self._must_lower(bodies):
            graph, functions = Graph(lower(graph, ends)), {}
        self.graph, self.functions = graph, functions
        self.nodes: dict[str, Node] = {}
        self.view: View | None = None
        self.at = ""

    def run(self) -> Retargeted:
        for node in self.graph.values():
            self.at = node.name
            with located(key=f'node "{node.name}"'):
                self._rewrite(node)
        functions = {
            name: self._function(function)
            for name, function in called_functions(self.nodes, self.functions).items()
        }
        return Retargeted(self.nodes, functions, self.version)

    def _is_young(self, op: str) -> bool:
        born = age(op)
        return born is not None and born > self.version

    def _must_lower(self, bodies: Sequence[Graph]) -> bool:
        """Whether loops cannot stay: they or what they hold came later."""
        used = [{node.op for node in body.values()} for body in bodies]
        if not any(LOOPS & ops for ops in used):
            return False
        # An attr of StatelessWhile that says what goes around came with 1.15.
        return self.version < _RESOURCES or any(map(self._is_young, set().union(*used[1:])))

    def _function(self, function: Function) -> Function:
        nodes = {name: settle_node(node, self.version) for name, node in function.items()}
        if all(nodes[name] is node for name, node in function.items()):
            return function
        return _with_nodes(function, nodes)

    def _rewrite(self, node: Node) -> None:
        if self.version < _RESOURCES:
            node = self._reference(node)
        while self._is_young(node.op) and node.op in TWINS:
            if node is self.graph.find(node.name):
                node = node.copy()
            TWINS[node.op](node, _dtype(node), self)
            if self._is_made(node):
                return
        since, less = ASKING_LESS.get(node.op, ((0, 0), None))
        if less is not None and self.version < since:
            node = node.copy()
            less(node, _dtype(node), self)
            if self._is_made(node):
                return
        self.nodes[node.name] = settle_node(node, self.version)

    def _is_made(self, node: Node) -> bool:
        """Whether a twin is made of other nodes, the last of which has this one's name."""
        if node.name not in self.nodes:
            return False
        self.nodes[node.name].inputs += [f"^{c}" for c in node.controls]
        return True

    def _reference(self, node: Node) -> Node:
        """A resource variable, or what reads one, as TensorFlow 1 has it without resources."""
        if node.op == "VarHandleOp":
            attrs: dict[str, AttrValue] = {
                k: v for k, v in node.attrs.items() if k in ("dtype", "shape")
            }
            return Node(
                node.name, "VariableV2", list(node.inputs),
                {**attrs, "container": "", "shared_name": ""}, node.device,
            )  # fmt: skip
        if node.op == "ReadVariableOp":
            return Node(
                node.name, "Identity", list(node.inputs), {"T": node.attrs["dtype"]}, node.device
            )
        if node.op == "ResourceGather" and not node.attrs.get("batch_dims"):
            handle, indices = node.data_inputs
            return Node(
                node.name, "Gather", [handle, indices, *(f"^{c}" for c in node.controls)],
                {"Tparams": node.attrs["dtype"], "Tindices": node.attrs["Tindices"],
                 "validate_indices": True}, node.device,
            )  # fmt: skip
        handles = [i for i in node.data_inputs if self._is_handle(i)]
        if handles:
            raise ConversionError(
                f"{node.op} takes a resource variable, and references stand in their place "
                f"below TensorFlow {_RESOURCES[0]}.{_RESOURCES[1]}", where=Where(key=handles[0]),
            )
        return node

    def _is_handle(self, tensor: str) -> bool:
        source = self.graph.find(parse_input(tensor).node)
        return source is not None and source.op == "VarHandleOp"

    # --- what twins are made with ---

    def add(
        self, op: str, part: str, inputs: Sequence[str], kinds: Sequence[DType],
        **attrs: AttrValue,
    ) -> str:
        name = self._name(part) if part else self.at
        node = made_node(op, name, inputs, kinds, **attrs)
        self.nodes[name] = settle_node(node, self.version)
        return name

    def const(self, part: str, value: float | Sequence[int], dtype: DType, like: str) -> str:
        import numpy as np

        name = self._name(part)
        tensor = Tensor.from_numpy(name, np.asarray(value, dtype.numpy))
        node = made_node(
            "Const", name, [f"^{parse_input(like).node}"], [], dtype=dtype, value=tensor
        )
        self.nodes[name] = settle_node(node, self.version)
        return name

    def shape(self, tensor: str) -> Dims:
        if self.view is None:
            self.view = View(self.graph, None, self._asked())
        return self.view.shape(tensor)

    def value(self, tensor: str) -> list[float] | None:
        node = self.graph.find(parse_input(tensor).node)
        while node is not None and node.op == "Identity":
            node = self.graph.find(parse_input(node.inputs[0]).node)
        value = node.attrs.get("value") if node is not None and node.op == "Const" else None
        if not isinstance(value, Tensor) or value.size > 16 or value.strings is not None:
            return None
        return [float(number) for number in value.numpy().ravel()]

    def _asked(self) -> list[str]:
        """The tensors whose shapes twins may want."""
        return list(dict.fromkeys(
            tensor_name(*parse_input(i)[:2])
            for node in self.graph.values() if node.op in TWINS or node.op in ASKING_LESS
            for i in (node.name, *node.data_inputs)
        ))  # fmt: skip

    def _name(self, part: str) -> str:
        name, count = f"{self.at}/{part}", 0
        while name in self.nodes or name in self.graph:
            count += 1
            name = f"{self.at}/{part}_{count}"
        return name


def _with_nodes(function: Function, nodes: Mapping[str, Node]) -> Function:
    """A function with other nodes; its arguments and results as they were."""
    if isinstance(function, BuiltFunction):
        twin = copy.copy(function)
        twin._nodes = nodes
        return twin
    if isinstance(function, Specialised):
        origin, taken, yielded = function.origin, function.taken, function.yielded
    else:
        origin = function
        taken, yielded = [None] * len(function.arguments), [None] * len(function.results)
    return Specialised(function.name, nodes, origin, function.results, taken, yielded)


def _dtype(node: Node) -> DType:
    for name in ("T", "Tparams", "Ta"):
        kind = node.attrs.get(name)
        if isinstance(kind, DType):
            return kind
    return dtypes.float32
