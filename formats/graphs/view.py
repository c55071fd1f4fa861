"""View: one canonical, read-only way to look at any graph, for recognition.

TensorFlow's versions spell the same computation in many ways. A View shows a graph as if one
version had written all of it, in inference mode: pass-through nodes are resolved, old op names
are the new ones, the learning phase is false and its Switch and Merge are gone, shape arithmetic
is folded. The graph itself never changes. What codecs ask a View stands in facts.py; conditionals
that are functions are resolved before, in conditionals.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, located
from modelfmt.graph import Dims, Graph, Node, parse_input, tensor_name
from modelfmt.graphs.arrangement import steps
from modelfmt.graphs.branches import CHOOSING, SWITCHES, Branches, is_phase
from modelfmt.graphs.facts import PASSING, RESHAPING, Constant, Facts, plain
from modelfmt.graphs.order import NEXT, ordered, sources, sources_or_controls
from modelfmt.graphs.sinks import sinks
from modelfmt.graphs.sizes import reshaped
from modelfmt.graphs.variables import VARIABLES
from modelfmt.ops import opdefs
from modelfmt.ops.shapes import Static, constant, infer
from modelfmt.tensor import Tensor

__all__ = ["Constant", "View", "sinks"]

#: Ops that read nothing of a tensor but its shape; they are no consumers of its values.
_SHAPE_ONLY = {"Shape", "ShapeN", "Size", "Rank"}

#: The dtypes of half precision.
HALF = (dtypes.from_name("float16"), dtypes.from_name("bfloat16"))
_RENAMED = {
    "Add": "AddV2", "BiasAddV1": "BiasAdd", "BatchMatMul": "BatchMatMulV2",
    "BatchMatMulV3": "BatchMatMulV2", "Select": "SelectV2", "Div": "RealDiv",
    "FusedBatchNorm": "FusedBatchNormV3", "FusedBatchNormV2": "FusedBatchNormV3",
    "PlaceholderV2": "Placeholder", "MaxPoolV2": "MaxPool",
}  # fmt: skip


class View(Facts):
    """A canonical look at ``graph`` between ``inputs`` and ``outputs``.

    Args:
        graph: nodes; never changed.
        inputs: tensors to cut at; every Placeholder counts as well. In the model's order.
        outputs: tensors of interest; where left out, the graph's sinks.
        values: what the variables hold, by node name; such a variable reads as a constant.
        shapes: those of Placeholders whose own the file does not tell.

    Tensors are named as in ``graph``; a name that was resolved away stands for what it
    resolves to. Raises MissingError for a named input or output that does not exist.
    """

    def __init__(
        self,
        graph: Graph,
        inputs: Sequence[str] | None = None,
        outputs: Sequence[str] | None = None,
        values: Mapping[str, Tensor] | None = None,
        shapes: Mapping[str, Dims] | None = None,
    ) -> None:
        super().__init__(graph)
        self._values = values or {}
        self._told = shapes or {}
        self._branches = Branches()
        #: What others found out about the graph, and may be asked again: loops, endings.
        self.memo: dict[object, object] = {}
        self._cut = {plain(i) for i in inputs or ()}
        wanted = [plain(o) for o in outputs] if outputs else sinks(graph)
        for tensor in (*self._cut, *wanted):
            graph[parse_input(tensor).node]
        self._visit_all([parse_input(o).node for o in wanted])
        if not outputs:
            wanted = [o for o in wanted if self._is_computed(o)]
        #: The outputs as they were named, and the tensors that they stand for.
        self.output_names = wanted
        self.outputs = [self._shown(o) for o in wanted]
        fed = [plain(i) for i in inputs or ()] or [
            name for name in graph if name in self.live and self.live[name].op == "Placeholder"
        ]
        self.inputs = [i for i in fed if not is_phase(graph[parse_input(i).node])]

    @property
    def folded(self) -> Mapping[str, str]:
        """What Switch, Merge and Select stand for where their predicate is known."""
        return self._branches.folded

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

    @property
    def visited(self) -> Mapping[str, Node]:
        """The canonical nodes that the outputs depend on before anything is folded away."""
        return self._nodes

    @cached_property
    def fixed(self) -> frozenset[str]:
        """The nodes whose values hang on constants alone, as long as no chance is in them."""
        found: set[str] = set()
        for name, node in self._nodes.items():
            if name not in self._cut and (
                name in self._constant
                or (node.inputs and all(parse_input(i).node in found for i in node.inputs))
            ):
                found.add(name)
        return frozenset(found)

    @cached_property
    def output_nodes(self) -> frozenset[str]:
        """The nodes that make the outputs."""
        return frozenset(parse_input(output).node for output in self.outputs)

    @cached_property
    def consumers(self) -> Mapping[str, set[str]]:
        """For each node, the live nodes that read its values (not merely its shape)."""
        readers: dict[str, set[str]] = {}
        for node in self.live.values():
            if node.op not in _SHAPE_ONLY and not self.is_known(node.name):
                for i in node.inputs:
                    readers.setdefault(parse_input(i).node, set()).add(node.name)
        return readers

    @cached_property
    def live_casts(self) -> list[Node]:
        """The Casts of floating-point numbers that are seen through, as the file has them."""
        found = (self.graph[name] for name in self._alias if self.graph.find(name) is not None)
        return [node for node in found if node.op == "Cast"]

    def _is_computed(self, tensor: str) -> bool:
        """Whether a sink is more than a leftover: no dead branch, no known value."""
        resolved = self.resolve(tensor)
        known = resolved in self._constant or self.static(resolved).value is not None
        return not self._branches.is_dead(resolved) and not known

    # -- how the view is made -----------------------------------------------------------------

    def _visit_all(self, roots: Sequence[str]) -> None:
        """Visit what ``roots`` depend on, inputs first; what a loop brings back comes last."""
        graph = self.graph
        branching = any(node.op in SWITCHES for node in graph.values())
        read = sources_or_controls if branching else sources
        while roots:
            returning = []
            for name in ordered(roots, lambda name: read(graph, name)):
                if name not in self._nodes:
                    self._visit(name)
                    if self._nodes[name].op in NEXT:
                        returning.append(name)
            roots = [parse_input(i).node for name in returning for i in graph[name].data_inputs]
        for node in self._nodes.values():
            if node.op in NEXT:
                node.inputs[:] = [self.resolve(i) for i in node.inputs]

    def _visit(self, name: str) -> None:
        raw = self._modern(self.graph[name])
        node = dataclasses.replace(raw, inputs=[self.resolve(i) for i in raw.data_inputs])
        self._nodes[name] = node
        statics = [self.static(i) for i in node.inputs]
        with located(key=f'node "{name}"'):
            _check_inputs(self.graph[name])
            outputs = infer(node.op, node.attrs, statics, producer=self.graph.producer)
        for index, static in enumerate(outputs):
            self._static[tensor_name(name, index)] = static
        if name in self._told:
            self._static[name] = dataclasses.replace(self._static[name], shape=self._told[name])
        if node.op == "Reshape":
            self._static[name] = reshaped(self, node, self._static[name])
        if is_phase(node):
            self._set_false(node)
        elif self._branches.kill(node if node.inputs else raw):
            pass
        elif name in self._values and node.op in VARIABLES:
            self._visit_value(node, self._values[name])
        elif node.op == "ReadVariableOp" and node.inputs[0] in self._constant:
            self._alias[name] = node.inputs[0]
        elif node.op == "Const":
            self._visit_const(node)
        elif node.op == "PlaceholderWithDefault" and name in self._cut:
            pass
        elif node.op in ("Enter", "RefEnter") and self._is_invariant(node):
            self._alias[name] = node.inputs[0]
        elif node.op in CHOOSING:
            self._alias.update(self._branches.choose(node, self))
        elif node.op in PASSING:
            for index, source in enumerate(node.inputs):
                self._alias[tensor_name(name, index)] = source
        elif node.op in RESHAPING:
            self._visit_reshaped(node)
        elif node.op == "StridedSlice" and set(steps(node, self) or ()) == {1}:
            self._alias[name] = node.inputs[0]
        elif node.op == "Cast":
            self._visit_cast(node)
        elif node.op == "Transpose":
            order = self.ints(node.inputs[1])
            if order is not None and order == list(range(len(order))):
                self._alias[name] = node.inputs[0]

    def _modern(self, raw: Node) -> Node:
        """The node as the newest TensorFlow spells it, a variable's value in its handle's place."""
        table = raw.data_inputs[0] if raw.op == "ResourceGather" and raw.data_inputs else None
        known = table is not None and self.resolve(table) in self._constant
        if known and not self.attr(raw, "batch_dims"):
            return dataclasses.replace(raw, op="Gather")
        return _modern(raw)

    def _visit_cast(self, node: Node) -> None:
        """A floating-point tensor in another precision stands for itself: layers cast what they
        are applied to. Not so a weight, unless it is kept in a higher precision than is computed
        in; nor a cast to less precision that another one follows, as if it were a layer.
        """
        kinds = node.attrs.get("SrcT"), node.attrs.get("DstT")
        if not all(isinstance(kind, DType) and kind.is_floating for kind in kinds):
            return
        source = node.inputs[0]
        if source in self._constant:
            if kinds[0] is dtypes.float32 and kinds[1] in HALF:
                self._constant[node.name] = self._constant[source]
            return
        before = self._cast_before(self.graph[node.name].data_inputs[0])
        if before is None:
            self._alias[node.name] = source
        else:
            self._alias.pop(before, None)
            self._alias[node.name] = before

    def _cast_before(self, tensor: str) -> str | None:
        """The Cast to less precision that a tensor is, past what hands it on."""
        for _ in range(len(self.graph)):
            edge = parse_input(tensor)
            node = self.graph[edge.node]
            if node.op == "Cast" and edge.node not in self._constant:
                return edge.node if _narrows(node) else None
            if node.op not in PASSING or edge.port >= len(node.data_inputs):
                return None
            tensor = node.data_inputs[max(edge.port, 0)]
        return None

    def _shown(self, output: str) -> str:
        """The tensor that an output stands for, in the precision that it has."""
        shown, wanted = self.resolve(output), self.dtype_of(output)
        if wanted is None or wanted is self.dtype(shown) or not wanted.is_floating:
            return shown
        for _ in range(len(self.graph)):
            edge = parse_input(output)
            node = self.graph[edge.node]
            if node.op == "Cast":
                self._alias.pop(edge.node, None)
                return edge.node
            if node.op not in PASSING or edge.port >= len(node.data_inputs):
                return shown
            output = node.data_inputs[max(edge.port, 0)]
        return shown

    def dtype_of(self, tensor: str) -> DType | None:
        """The dtype that the file has a tensor in, whatever it stands for."""
        edge = parse_input(tensor)
        node = self.graph[edge.node]
        if opdefs.get(node.op) is None:
            return None
        kinds = opdefs.output_dtypes(node.op, node.attrs)
        return kinds[max(edge.port, 0)] if max(edge.port, 0) < len(kinds) else None

    def _visit_const(self, node: Node) -> None:
        value = node.attrs.get("value")
        if isinstance(value, Tensor):
            self._visit_value(node, value.renamed(node.name))

    def _visit_value(self, node: Node, value: Tensor) -> None:
        self._constant[node.name] = Constant(value, value.shape)
        self._static[node.name] = constant(value)

    def _is_invariant(self, node: Node) -> bool:
        """Whether an Enter shows a loop the same constant in all its rounds."""
        return bool(self.attr(node, "is_constant")) and node.inputs[0] in self._constant

    def _set_false(self, node: Node) -> None:
        """The learning phase of inference, in its own dtype: Keras 1.0 has it as a number."""
        import numpy as np

        stated = node.attrs.get("dtype")
        kind = stated if isinstance(stated, DType) else dtypes.bool_
        false = False if kind is dtypes.bool_ else 0
        self._static[node.name] = Static((), np.asarray(false, object), kind)

    def _visit_reshaped(self, node: Node) -> None:
        constant = self._constant.get(node.inputs[0])
        shape = self._static[node.name].shape if node.name in self._static else None
        if constant is not None and shape is not None and None not in shape:
            known = tuple(d for d in shape if d is not None)
            self._constant[node.name] = Constant(constant.root, known)


def _narrows(node: Node) -> bool:
    """Whether a Cast takes away precision."""
    before, after = node.attrs.get("SrcT"), node.attrs.get("DstT")
    if not isinstance(before, DType) or not isinstance(after, DType):
        return False
    if not before.is_floating or not after.is_floating or before is after:
        return False
    return after in HALF or before.itemsize > after.itemsize


def _modern(node: Node) -> Node:
    """The node as the newest TensorFlow spells it."""
    if node.op == "Concat":
        inputs = [*node.inputs[1:], *node.inputs[:1]]
        return dataclasses.replace(node, op="ConcatV2", inputs=inputs)
    new = _RENAMED.get(node.op)
    return dataclasses.replace(node, op=new) if new else node


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
