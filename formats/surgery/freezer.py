"""The work of freezing a graph: see freeze.py.

Inputs become Placeholders, outputs Identities where they are renamed; between them the walk from
the outputs says what stays, and each node that stays is rewritten on its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError
from modelfmt.graph import AttrValue, Dims, Function, Graph, Node, Shape, parse_input, tensor_name
from modelfmt.graphs.branches import is_phase
from modelfmt.graphs.builder import fit_name
from modelfmt.graphs.handles import ASSIGNING, Body, Value
from modelfmt.graphs.inline import InlinedGraph
from modelfmt.graphs.reach import Reach, kept_controls
from modelfmt.graphs.specialise import Specialiser
from modelfmt.graphs.variables import VARIABLES
from modelfmt.graphs.view import View
from modelfmt.surgery.lookup import FINDS, SIZES, TABLES, Table, find_nodes, size_node, tables
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    pass

#: Beginnings of ops that need something outside of the graph: tables, queues, files, datasets.
_OUTSIDE = (
    "HashTable", "MutableHashTable", "MutableDenseHashTable", "LookupTable", "InitializeTable",
    "AnonymousHashTable", "AnonymousMutable", "Queue", "FIFOQueue", "PaddingFIFOQueue",
    "RandomShuffleQueue", "PriorityQueue", "Reader", "TFRecordReader", "TextLineReader",
    "IdentityReader", "WholeFileReader", "FixedLengthRecordReader", "Iterator", "OneShotIterator",
    "Barrier", "StagingArea", "Unstage", *ASSIGNING,
)  # fmt: skip
#: Ops that wait for a value from outside.
_FED = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")


class End(NamedTuple):
    """An input or output: a tensor of the graph, and the name it shall have ("": its own).

    ``dtype`` and ``shape`` are those of an input's Placeholder, where the graph doesn't tell.
    """

    tensor: str
    name: str = ""
    dtype: DType | None = None
    shape: Dims = None


class FrozenGraph(Graph):
    """A graph without variables, with the functions that its control flow needs."""

    def __init__(
        self, nodes: Mapping[str, Node], functions: Mapping[str, Function], source: Graph
    ) -> None:
        super().__init__(nodes)
        self._functions = functions
        self.producer, self.is_stored = source.producer, source.is_stored

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._functions


class Freezer:
    """The freezing of one graph: what is needed, then the nodes rewritten one by one."""

    def __init__(
        self, graph: Graph, inputs: Sequence[End], outputs: Sequence[End],
        values: Mapping[str, Tensor], assets: Mapping[str, str],
    ) -> None:
        self.graph, self.values, self.assets = graph, values, assets
        self.calls = graph.calls if isinstance(graph, InlinedGraph) else frozenset[str]()
        self.view = View(
            graph, [e.tensor for e in inputs], [e.tensor for e in outputs] or None, values
        )
        self.inputs = {_plain(e.tensor): e for e in inputs}
        self.outputs = outputs or [End(name) for name in self._sinks()]
        if not self.outputs:
            raise ConversionError("no output depends on an input", hint="Pass --outputs.")
        self.cut: dict[str, str] = {}  # input tensor -> Placeholder
        self.reach = Reach(graph, self.source)
        self.nodes: dict[str, Node] = {}

    def source(self, text: str) -> str:
        """The tensor that an input of the graph reads in the frozen one."""
        tensor = _plain(text)
        while tensor not in self.inputs:
            edge = parse_input(tensor)
            if tensor in self.view.folded:
                tensor = self.view.folded[tensor]
            elif edge.node in self.calls:
                results = self.graph[edge.node].inputs
                if edge.port >= len(results):
                    break
                tensor = _plain(results[edge.port])
            else:
                break
        return self.cut.get(tensor, tensor)

    def frozen(self) -> FrozenGraph:
        for tensor in self.inputs:  # before they have names, so that the walk ends at them
            self.cut[tensor] = "^"
        ends = [_plain(e.tensor) for e in self.outputs]
        roots = [
            t if not e.name and parse_input(t).port and t not in self.inputs else self.source(t)
            for e, t in zip(self.outputs, ends, strict=True)
        ]
        kept = self.reach.needed(parse_input(t).node for t in roots)
        self._place_inputs(kept)
        found = self._tables(kept)
        self._check(kept, found)
        handles = {
            name: Value(self.values[name].dtype, self.values[name].shape)
            for name in kept
            if self.graph[name].op == "VarHandleOp"
        }
        specialiser = Specialiser(self.graph)
        body = Body(self.graph, handles, specialiser)
        for name in self.graph:
            if name in kept and name not in self.nodes:
                for node in self._rewritten(self.graph[name], body, kept, found):
                    self.nodes[node.name] = node
        self._place_outputs(ends)
        self._finish()
        functions = dict(specialiser.library(self.nodes))
        return FrozenGraph(self.nodes, functions, self.graph)

    # -- the ends -----------------------------------------------------------------------------

    def _sinks(self) -> Iterator[str]:
        """The sinks that are computed from an input, and change nothing."""
        for tensor in self.view.output_names:
            needed = [self.graph[n] for n in Reach(self.graph).needed([parse_input(tensor).node])]
            fed = any(n.op in _FED and not is_phase(n) for n in needed)
            fed = fed or bool(self.inputs)
            if fed and not any(n.op.startswith(ASSIGNING) for n in needed):
                yield tensor

    def _place_inputs(self, kept: set[str]) -> None:
        for tensor, end in self.inputs.items():
            name, index = parse_input(tensor)[:2]
            node = self.graph[name]
            own = index == 0 and name not in kept
            wanted = fit_name(end.name) if end.name else name
            if node.op == "Placeholder" and wanted == name and index == 0:
                placeholder = self._stripped(node.copy(), kept)
            else:
                dtype = self.view.dtype(tensor) or end.dtype
                if dtype is None:
                    raise ConversionError(f'the dtype of input "{tensor}" is not known')
                known = self.view.shape(tensor)
                shape = end.shape if end.shape is not None else known
                if not (own and wanted == name):
                    wanted = self._unique(wanted, kept)
                attrs: dict[str, AttrValue] = {"dtype": dtype, "shape": Shape(shape)}
                placeholder = Node(wanted, "Placeholder", [], attrs)
            self.cut[tensor] = placeholder.name
            self.nodes[placeholder.name] = placeholder

    def _place_outputs(self, ends: Sequence[str]) -> None:
        """An Identity for each output that has no node of its name."""
        read = {parse_input(i).node for node in self.nodes.values() for i in node.data_inputs}
        for end, tensor in zip(self.outputs, ends, strict=True):
            source = self.source(tensor)
            name, index = parse_input(tensor)[:2]
            wanted = fit_name(end.name) if end.name else name
            if source == wanted and (not end.name or source not in read):
                continue
            if not end.name and (index or wanted in self.nodes):
                continue  # its node stays
            dtype = self.view.dtype(tensor) or self.view.dtype(source) or end.dtype
            if dtype is None:
                raise ConversionError(f'the dtype of output "{tensor}" is not known')
            made = Node(self._unique(wanted), "Identity", [source], {"T": dtype})
            self.nodes[made.name] = made

    def _unique(self, name: str, taken: Sequence[str] | set[str] = ()) -> str:
        full, count = name, 0
        while full in self.nodes or full in taken:
            count += 1
            full = f"{name}_{count}"
        return full

    # -- the nodes between them ----------------------------------------------------------------

    def _tables(self, kept: set[str]) -> dict[str, Table]:
        """The tables that are looked up, by the nodes that do so; these need them no more."""
        finds = {n: self.graph[n] for n in kept if self.graph[n].op in FINDS | SIZES}
        known = [n for n in kept if self.graph[n].op in TABLES] if finds else []
        found = tables(self.graph, known, self.assets)
        sources = {n: self.source(node.data_inputs[0]) for n, node in finds.items()}
        read = {n for n in kept - finds.keys() for i in self.graph[n].data_inputs
                if self.source(i) in found}  # fmt: skip
        if not read:  # passed on to nobody else
            kept.difference_update(found)
        return {n: found[source] for n, source in sources.items() if source in found}

    def _check(self, kept: set[str], found: Mapping[str, Table]) -> None:
        """Raise ConversionError for what cannot be frozen, naming all such nodes."""
        variables = [n for n in kept if self.graph[n].op in VARIABLES and n not in self.values]
        if variables:
            raise ConversionError(
                f"no value for variable {_few(variables)}",
                hint="A checkpoint of this very model must stand beside the graph, by its prefix.",
            )
        outside = [n for n in kept - found.keys() if self.graph[n].op.startswith(_OUTSIDE)]
        if outside:
            listed = [f"{n} ({self.graph[n].op})" for n in sorted(outside)]
            raise ConversionError(
                f"a frozen graph cannot hold {_few(listed)}",
                hint="Name --inputs behind it, or keep it in a .meta or SavedModel.",
            )
        if self.inputs:
            fed = [n for n in kept if self.graph[n].op in _FED[:2]]
            more = [n for n in fed if n not in self.cut and not is_phase(self.graph[n])]
            if more:
                raise ConversionError(
                    f"the outputs depend on {_few(more)} too",
                    hint="Name it among the inputs.",
                )

    def _rewritten(
        self, node: Node, body: Body, kept: set[str], found: Mapping[str, Table]
    ) -> list[Node]:
        if node.op in VARIABLES:
            return [_const(node.name, self.values[node.name])]
        if is_phase(node):
            return [_false(node)]
        if node.name in found and node.op in SIZES:
            return [size_node(node, found[node.name])]
        made = (
            find_nodes(node, found[node.name]) if node.name in found else body.rewritten(node)
        )
        for new in made:
            controls = kept_controls(new, kept)
            if new.name != node.name and not all(map(self.reach.is_inside, new.controls)):
                controls = []
            new.inputs = [*map(self._respelled, new.data_inputs), *controls]
            self._stripped(new, kept)
        return made

    def _respelled(self, text: str) -> str:
        """An input as it reads in the frozen graph, spelled as it was where it is the same."""
        if parse_input(text).node not in self.graph:
            return text
        source = self.source(text)
        return text if _plain(text) == source else source

    def _stripped(self, node: Node, kept: set[str]) -> Node:
        node.device = ""
        places = node.attrs.get("_class")
        if isinstance(places, list):
            left = [p for p in places if isinstance(p, str) and p.removeprefix("loc:@") in kept]
            if not left:
                del node.attrs["_class"]
            elif left != places:
                node.attrs["_class"] = left
        return node

    def _finish(self) -> None:
        for node in self.nodes.values():
            for text in node.inputs:
                if parse_input(text.removeprefix("^")).node not in self.nodes:
                    raise ConversionError(f'node "{node.name}" reads "{text}", which is gone')


def _plain(tensor: str) -> str:
    edge = parse_input(tensor)
    return tensor_name(edge.node, max(edge.port, 0))


def _few(names: Sequence[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more


def _const(name: str, value: Tensor) -> Node:
    return Node(name, "Const", [], {"dtype": value.dtype, "value": value})


def _false(node: Node) -> Node:
    """The learning phase of inference."""
    import numpy as np

    dtype = node.attrs.get("dtype")
    kind = dtype if isinstance(dtype, DType) else dtypes.bool_
    return _const(node.name, Tensor.from_numpy(node.name, np.zeros((), kind.numpy)))
