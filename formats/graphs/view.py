"""View: one canonical, read-only way to look at any graph, for recognition.

TensorFlow's versions spell the same computation in many ways. A View shows a graph as if one
version had written all of it, in inference mode: pass-through nodes are resolved, old op names
are the new ones, the learning phase is false and its Switch and Merge are gone, shape arithmetic
is folded. The graph itself never changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, MissingError, located
from modelfmt.graph import AttrValue, Dims, Graph, Node, parse_input, tensor_name
from modelfmt.graphs.sizes import reshaped
from modelfmt.graphs.variables import VARIABLES
from modelfmt.ops import opdefs
from modelfmt.ops.shapes import Static, constant, infer
from modelfmt.tensor import Tensor

#: Ops whose output k is their input k, at inference.
_PASS = {
    "Identity", "IdentityN", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot",
    "EnsureShape", "PlaceholderWithDefault", "RefIdentity",
}  # fmt: skip
#: Ops that show a constant with another shape and leave its elements in place.
_RESHAPING = {"Reshape", "Squeeze", "ExpandDims"}
#: Ops that read nothing of a tensor but its shape; they are no consumers of its values.
SHAPE_ONLY = {"Shape", "ShapeN", "Size", "Rank"}
#: Nodes that may stand unconsumed in a frozen graph without being an output of the model.
_NO_OUTPUT = {"Const", "NoOp", "Assert", "Placeholder", "PlaceholderV2"}


@dataclasses.dataclass(frozen=True)
class Constant:
    """A tensor fixed by the file: the stored one at its root, and the shape it is seen with."""

    root: Tensor
    shape: tuple[int, ...]


def _concat_v2(node: Node) -> Node:
    inputs = [*node.inputs[1:], *node.inputs[:1]]
    return dataclasses.replace(node, op="ConcatV2", inputs=inputs)


_RENAMED = {
    "Add": "AddV2", "BiasAddV1": "BiasAdd", "BatchMatMul": "BatchMatMulV2",
    "BatchMatMulV3": "BatchMatMulV2", "Select": "SelectV2", "Div": "RealDiv",
    "FusedBatchNorm": "FusedBatchNormV3", "FusedBatchNormV2": "FusedBatchNormV3",
    "PlaceholderV2": "Placeholder", "MaxPoolV2": "MaxPool",
}  # fmt: skip


def _modern(node: Node) -> Node:
    """The node as the newest TensorFlow spells it."""
    if node.op == "Concat":
        return _concat_v2(node)
    new = _RENAMED.get(node.op)
    return dataclasses.replace(node, op=new) if new else node


class View:
    """A canonical look at ``graph`` between ``inputs`` and ``outputs``.

    Args:
        graph: nodes; never changed.
        inputs: tensors to cut at; every Placeholder counts as well. In the model's order.
        outputs: tensors of interest; where left out, the graph's sinks.
        values: what the variables hold, by node name; such a variable reads as a constant.

    Tensors are named as in ``graph``; a name that was resolved away stands for what it
    resolves to. Raises MissingError for a named input or output that does not exist.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
        values: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.graph = graph
        self._values = values or {}
        self._nodes: dict[str, Node] = {}
        self._alias: dict[str, str] = {}
        self._static: dict[str, Static] = {}
        self._constant: dict[str, Constant] = {}
        self._dead: set[str] = set()
        #: What Switch, Merge and Select stand for where their predicate is known.
        self.folded: dict[str, str] = {}
        self._cut = {_plain(i) for i in inputs or ()}
        wanted = [_plain(o) for o in outputs] if outputs else sinks(graph)
        for tensor in (*self._cut, *wanted):
            graph[parse_input(tensor).node]
        for name in self._order(parse_input(o).node for o in wanted):
            self._visit(name)
        if not outputs:
            wanted = [o for o in wanted if self._is_computed(o)]
        #: The outputs as they were named, and the tensors that they stand for.
        self.output_names = wanted
        self.outputs = [self.resolve(o) for o in wanted]
        self.inputs = [_plain(i) for i in inputs or ()] or [
            name for name in graph if name in self.live and self.live[name].op == "Placeholder"
        ]

    # -- questions that codecs ask ------------------------------------------------------------

    def producer(self, tensor: str) -> Node | None:
        """The canonical node whose output this is; None for inputs and what was folded away."""
        tensor = self.resolve(tensor)
        return None if tensor in self._cut else self._nodes.get(parse_input(tensor).node)

    def resolve(self, tensor: str) -> str:
        """The tensor that this one stands for."""
        return self._alias.get(_plain(tensor), _plain(tensor))

    def constant(self, tensor: str) -> Constant | None:
        """The constant behind a tensor, through reshapes; None where it is computed."""
        return self._constant.get(self.resolve(tensor))

    def static(self, tensor: str) -> Static:
        """Shape, and value of small integer tensors, as far as they are known."""
        return self._static.get(self.resolve(tensor), Static(None))

    def shape(self, tensor: str) -> Dims:
        """The static shape: None where the rank is unknown, None inside where a size is."""
        return self.static(tensor).shape

    def dtype(self, tensor: str) -> DType | None:
        """The dtype of a tensor; None where the op or its attrs do not tell."""
        edge = parse_input(self.resolve(tensor))
        node = self.graph[edge.node]
        if opdefs.get(node.op) is None:
            return None
        kinds = opdefs.output_dtypes(node.op, node.attrs)
        return kinds[edge.port] if edge.port < len(kinds) else None

    def ints(self, tensor: str) -> list[int | None] | None:
        """The elements of a small integer tensor, None for the unknown ones; None if unknown."""
        value = self.static(tensor).value
        return None if value is None else [v if v is None else int(v) for v in value.ravel()]

    def matrix(self, tensor: str) -> list[list[int]] | None:
        """The rows of a constant integer matrix (paddings, crops), else None."""
        constant = self.constant(tensor)
        if constant is None or len(constant.shape) != 2 or not constant.root.dtype.is_integer:
            return None
        rows: list[list[int]] = constant.root.numpy().reshape(constant.shape).tolist()
        return rows

    def scalar(self, tensor: str) -> Any:
        """The Python number in a constant of one element, else None."""
        constant = self.constant(tensor)
        if constant is None or constant.root.size != 1 or constant.root.strings is not None:
            return None
        return constant.root.numpy().item()

    def vector(self, tensor: str) -> list[float] | None:
        """The elements of a constant of floats along one axis, else None."""
        constant = self.constant(tensor)
        if constant is None or len(constant.shape) != 1 or not constant.root.dtype.is_floating:
            return None
        return [float(value) for value in constant.root.numpy().ravel()]

    def is_read(self, tensor: str) -> bool:
        """Whether a constant stands behind what was the read of a variable, before freezing."""
        while (node := self.graph[parse_input(tensor).node]).op in _RESHAPING:
            tensor = node.inputs[0]
        return node.op in _PASS

    def attr(self, node: Node, name: str) -> AttrValue:
        """An attr of a node, or TensorFlow's default where the file leaves it out."""
        if name in node.attrs:
            return node.attrs[name]
        row = opdefs.get(node.op)
        for attr in row.attrs if row else ():
            if attr.name == name:
                return None if isinstance(attr.default, opdefs.Required) else attr.default
        return None

    @cached_property
    def live(self) -> dict[str, Node]:
        """The canonical nodes that the outputs depend on, through data edges."""
        found: dict[str, Node] = {}
        todo = list(self.outputs)
        while todo:
            tensor = self.resolve(todo.pop())
            name = parse_input(tensor).node
            if name in found or name not in self._nodes:
                continue
            found[name] = self._nodes[name]
            if tensor not in self._cut:
                todo.extend(self._nodes[name].inputs)
        return found

    @cached_property
    def consumers(self) -> Mapping[str, set[str]]:
        """For each node, the live nodes that read its values (not merely its shape)."""
        readers: dict[str, set[str]] = {}
        for node in self.live.values():
            if node.op not in SHAPE_ONLY:
                for i in node.inputs:
                    readers.setdefault(parse_input(i).node, set()).add(node.name)
        return readers

    def _is_computed(self, tensor: str) -> bool:
        """Whether a sink is more than a leftover: no dead branch, no known value."""
        resolved = self.resolve(tensor)
        leftover = parse_input(resolved).node in self._dead or resolved in self._dead
        known = resolved in self._constant or self.static(resolved).value is not None
        return not leftover and not known

    # -- how the view is made -----------------------------------------------------------------

    def _order(self, roots: Iterable[str]) -> Iterator[str]:
        """Node names, inputs first; a back edge (NextIteration to Merge) is passed over."""
        done: set[str] = set()
        for root in roots:
            stack = [(root, iter(self._sources(root)))]
            entered = {root}
            while stack:
                name, pending = stack[-1]
                source = next(pending, None)
                if source is None:
                    stack.pop()
                    if name not in done:
                        done.add(name)
                        yield name
                elif source not in done and source not in entered:
                    entered.add(source)
                    stack.append((source, iter(self._sources(source))))

    def _sources(self, name: str) -> list[str]:
        node = self.graph[name]
        if node.op == "NextIteration":
            return []
        return [parse_input(i).node for i in node.data_inputs]

    def _visit(self, name: str) -> None:
        raw = _modern(self.graph[name])
        node = dataclasses.replace(raw, inputs=[self.resolve(i) for i in raw.data_inputs])
        self._nodes[name] = node
        statics = [self.static(i) for i in node.inputs]
        with located(key=f'node "{name}"'):
            _check_inputs(self.graph[name])
            outputs = infer(node.op, node.attrs, statics, producer=self.graph.producer)
        for index, static in enumerate(outputs):
            self._static[tensor_name(name, index)] = static
        if node.op == "Reshape":
            self._static[name] = reshaped(self, node, self._static[name])
        if name in self._values and node.op in VARIABLES:
            self._visit_value(node, self._values[name])
        elif node.op == "ReadVariableOp" and node.inputs[0] in self._constant:
            self._alias[name] = node.inputs[0]
        elif node.op == "Const":
            self._visit_const(node)
        elif node.op == "Placeholder" and "learning_phase" in name:
            self._set_false(name)
        elif node.op == "PlaceholderWithDefault" and name in self._cut:
            pass
        elif self._is_dead(node):
            self._dead.add(name)
        elif node.op in ("Switch", "RefSwitch", "Merge", "RefMerge", "SelectV2"):
            self._visit_branch(node)
        elif node.op in _PASS:
            for index, source in enumerate(node.inputs):
                self._alias[tensor_name(name, index)] = source
        elif node.op in _RESHAPING:
            self._visit_reshaped(node)
        elif node.op == "Transpose":
            order = self.ints(node.inputs[1])
            if order is not None and order == list(range(len(order))):
                self._alias[name] = node.inputs[0]

    def _visit_const(self, node: Node) -> None:
        value = node.attrs.get("value")
        if isinstance(value, Tensor):
            self._visit_value(node, value.renamed(node.name))

    def _visit_value(self, node: Node, value: Tensor) -> None:
        self._constant[node.name] = Constant(value, value.shape)
        self._static[node.name] = constant(value)

    def _set_false(self, name: str) -> None:
        import numpy as np

        self._static[name] = Static((), np.asarray(False, object), dtypes.bool_)

    def _visit_reshaped(self, node: Node) -> None:
        constant = self._constant.get(node.inputs[0])
        shape = self._static[node.name].shape if node.name in self._static else None
        if constant is not None and shape is not None and None not in shape:
            known = tuple(d for d in shape if d is not None)
            self._constant[node.name] = Constant(constant.root, known)

    def _is_dead(self, node: Node) -> bool:
        gone = [
            parse_input(i).node in self._dead or i in self._dead for i in node.inputs
        ]
        return all(gone) and bool(gone) if node.op in ("Merge", "RefMerge") else any(gone)

    def _visit_branch(self, node: Node) -> None:
        """Resolve Switch, Merge and Select whose predicate is known."""
        if node.op in ("Merge", "RefMerge"):
            alive = [i for i in node.inputs if not self._is_dead(Node("", "", [i]))]
            if len(alive) == 1 and len(node.inputs) > 1:
                self._fold(node.name, alive[0])
            return
        selects = node.op == "SelectV2"
        known = self.static(node.inputs[0 if selects else 1]).value
        if known is None or known.size != 1 or known.ravel()[0] is None:
            return
        truth = bool(known.ravel()[0])
        if selects:
            self._fold(node.name, node.inputs[1 if truth else 2])
            return
        self._fold(tensor_name(node.name, int(truth)), node.inputs[0])
        self._dead.add(tensor_name(node.name, int(not truth)))

    def _fold(self, tensor: str, source: str) -> None:
        self._alias[tensor] = self.folded[tensor] = source


def _plain(tensor: str) -> str:
    """``a:0`` and ``a`` are one tensor: the short spelling."""
    edge = parse_input(tensor)
    if edge.output:
        raise MissingError(f"no tensor {tensor!r}")
    return tensor_name(edge.node, max(edge.port, 0))


def _check_inputs(node: Node) -> None:
    """Raise MismatchError where a node has more or fewer data inputs than its op takes."""
    row = opdefs.get(node.op)
    if row is None or any(arg.number_attr or arg.type_list_attr for arg in row.inputs):
        return
    if len(row.inputs) != len(node.data_inputs):
        raise MismatchError(
            f"{node.op} takes another number of inputs",
            expected=len(row.inputs), found=len(node.data_inputs),
        )


def sinks(graph: Graph) -> list[str]:
    """The tensors that look like a graph's outputs: made by nodes that nothing consumes.

    Names that TensorFlow numbers (``Identity``, ``Identity_1``) come in the order of their
    numbers, the others in the order of the nodes.
    """
    consumed = {parse_input(i).node for node in graph.values() for i in node.data_inputs}
    found = [
        node
        for node in graph.values()
        if node.name not in consumed and node.op not in _NO_OUTPUT and _yields_tensor(node)
    ]
    if all(node.op == "Identity" and _numbered(node.name)[0] == "Identity" for node in found):
        found.sort(key=lambda node: _numbered(node.name)[1])
    return [node.name for node in found]


def _numbered(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdigit() and stem else (name, 0)


def _yields_tensor(node: Node) -> bool:
    row = opdefs.get(node.op)
    return row is None or bool(row.outputs)
