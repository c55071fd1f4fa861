"""freeze: a graph with variables as one that holds their values and does nothing but inference.

    x, v = Placeholder, VarHandleOp             x, v = Placeholder, Const(v's value)
    r = ReadVariableOp(v)                 ->    r = Identity(v)
    y = MatMul(x, r)                            y = MatMul(x, r)
    save/..., init, train: all the rest         (nothing)

The walk begins at the outputs, so that training, saving and input pipelines are never met. Nodes
that stay keep their bytes, but for devices and colocations: those speak of the machine and of
nodes that are gone. Source: tensorflow/python/framework/graph_util_impl.py, convert_to_constants.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from modelfmt import dtypes
from modelfmt.builder import fit_name
from modelfmt.container import Container
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, MissingError, located
from modelfmt.graph import Dims, Function, Graph, Node, Shape, parse_input, tensor_name
from modelfmt.handles import ASSIGNING, Body, Value
from modelfmt.inline import InlinedGraph
from modelfmt.reach import Reach, kept_controls
from modelfmt.specialise import Specialiser, referenced
from modelfmt.tensor import Tensor
from modelfmt.variables import VARIABLES
from modelfmt.view import View

if TYPE_CHECKING:
    from modelfmt.tf.metagraph import TensorInfo

#: Beginnings of ops that need something outside of the graph: tables, queues, files, datasets.
_OUTSIDE = (
    "HashTable", "MutableHashTable", "MutableDenseHashTable", "LookupTable", "InitializeTable",
    "AnonymousHashTable", "AnonymousMutable", "Queue", "FIFOQueue", "PaddingFIFOQueue",
    "RandomShuffleQueue", "PriorityQueue", "Reader", "TFRecordReader", "TextLineReader",
    "IdentityReader", "WholeFileReader", "FixedLengthRecordReader", "Iterator", "OneShotIterator",
    "Barrier", "StagingArea", "Unstage", *ASSIGNING,
)  # fmt: skip


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
        self, nodes: Mapping[str, Node], functions: Mapping[str, Function], producer: int
    ) -> None:
        super().__init__(nodes)
        self._functions = functions
        self.producer = producer

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._functions


def freeze(
    graph: Graph,
    inputs: Sequence[End] = (),
    outputs: Sequence[End] = (),
    values: Mapping[str, Tensor] | None = None,
) -> FrozenGraph:
    """The part of ``graph`` between inputs and outputs, in inference mode, its variables Consts.

    Args:
        graph: with calls inlined where variables go into them; it is not changed.
        inputs: where to cut; where left out, the Placeholders that the outputs need.
        outputs: the only sinks; where left out, those of the graph that depend on an input.
        values: what each variable holds, by node name.

    Raises:
        ConversionError: the outputs need a variable without a value, a Placeholder that is no
            input, or what no GraphDef can hold (a lookup table, an assignment).
        MissingError: an input or output that the graph lacks.
    """
    return _Freezer(graph, inputs, outputs, values or {}).frozen()


def freeze_container(
    container: Container,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    signature: str | None = None,
) -> FrozenGraph:
    """The graph of a GraphDef file, a .meta file or a SavedModel, frozen.

    Args:
        container: open.
        inputs, outputs: tensors, which keep their names.
        signature: its inputs and outputs are taken, under the names of their keys, where no
            tensors are named; ``serving_default`` where left out, else the only one.

    Raises: as ``freeze``.
        MissingError: no such signature, or no checkpoint where variables are needed.
    """
    from modelfmt.tf.metagraph import GraphWithVariables

    if not isinstance(container, GraphWithVariables):
        return freeze(container.graph, [*map(End, inputs or ())], [*map(End, outputs or ())])
    graph = container.graph
    if container.checkpoint is None and any(n.op in VARIABLES for n in graph.values()):
        raise MissingError("the checkpoint with the variables' values is missing")
    if not inputs and not outputs:
        found = container.metagraph.signature(signature)
        if found is not None:
            ends = [
                [End(_tensor(i, key), key, i.dtype, i.shape) for key, i in infos.items()]
                for infos in (found.inputs, found.outputs)
            ]
            return freeze(graph, ends[0], ends[1], container.values)
    return freeze(
        graph, [*map(End, inputs or ())], [*map(End, outputs or ())], container.values
    )


def _tensor(info: TensorInfo, key: str) -> str:
    if not info.tensor or info.dtype is None:
        raise ConversionError(f'the signature has no plain tensor for "{key}"')
    return info.tensor


class _Freezer:
    def __init__(
        self, graph: Graph, inputs: Sequence[End], outputs: Sequence[End],
        values: Mapping[str, Tensor],
    ) -> None:
        self.graph, self.values = graph, values
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
        self._check(kept)
        handles = {
            name: Value(self.values[name].dtype, self.values[name].shape)
            for name in kept
            if self.graph[name].op == "VarHandleOp"
        }
        specialiser = Specialiser(self.graph)
        body = Body(self.graph, handles, specialiser)
        for name in self.graph:
            if name in kept and name not in self.nodes:
                for node in self._rewritten(self.graph[name], body, kept):
                    self.nodes[node.name] = node
        self._place_outputs(ends)
        self._finish()
        functions = dict(_library(self.nodes, self.graph.functions, specialiser.made))
        return FrozenGraph(self.nodes, functions, self.graph.producer)

    # -- the ends -----------------------------------------------------------------------------

    def _sinks(self) -> Iterator[str]:
        """The sinks that are computed from an input, and change nothing."""
        for tensor in self.view.output_names:
            needed = [self.graph[n] for n in Reach(self.graph).needed([parse_input(tensor).node])]
            fed = any(n.op.startswith("Placeholder") and not _is_phase(n) for n in needed)
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
                attrs = {"dtype": dtype, "shape": Shape(shape)}
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

    def _check(self, kept: set[str]) -> None:
        """Raise ConversionError for what cannot be frozen, naming all such nodes."""
        variables = [n for n in kept if self.graph[n].op in VARIABLES and n not in self.values]
        if variables:
            raise ConversionError(
                f"no value for variable {_few(variables)}",
                hint="Its checkpoint must stand beside the graph.",
            )
        outside = [n for n in kept if self.graph[n].op.startswith(_OUTSIDE)]
        if outside:
            listed = [f"{n} ({self.graph[n].op})" for n in sorted(outside)]
            raise ConversionError(
                f"a frozen graph cannot hold {_few(listed)}",
                hint="Name --inputs behind it, or keep it in a .meta or SavedModel.",
            )
        if self.inputs:
            fed = [n for n in kept if self.graph[n].op in ("Placeholder", "PlaceholderV2")]
            more = [n for n in fed if n not in self.cut and not _is_phase(self.graph[n])]
            if more:
                raise ConversionError(
                    f"the outputs depend on {_few(more)} too",
                    hint="Name it among the inputs.",
                )

    def _rewritten(self, node: Node, body: Body, kept: set[str]) -> list[Node]:
        if node.op in VARIABLES:
            return [_const(node.name, self.values[node.name])]
        if node.op in ("Placeholder", "PlaceholderV2") and _is_phase(node):
            return [_false(node)]
        made = body.rewritten(node)
        for new in made:
            controls = kept_controls(new, kept)
            if new.name != node.name and not all(map(self.reach.is_inside, new.controls)):
                controls = []
            data = [i if parse_input(i).node not in self.graph else self.source(i)
                    for i in new.data_inputs]  # fmt: skip
            inputs = [i if _plain(i) == s else s for i, s in zip(new.data_inputs, data, strict=True)]
            new.inputs = [*inputs, *controls]
            self._stripped(new, kept)
        return made

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


def _library(
    nodes: Mapping[str, Node], functions: Mapping[str, Function], made: Mapping[str, Function]
) -> Iterator[tuple[str, Function]]:
    """The functions that nodes need, directly or not, in file order, then the copies."""
    everything = {**functions, **made}
    needed: set[str] = set()
    todo = [nodes]
    while todo and everything:
        for name in referenced(todo.pop(), everything):
            if name not in needed and name in everything:
                needed.add(name)
                with located(key=f'function "{name}"'):
                    todo.append(everything[name])
    yield from ((name, f) for name, f in everything.items() if name in needed)


def _plain(tensor: str) -> str:
    edge = parse_input(tensor)
    return tensor_name(edge.node, max(edge.port, 0))


def _few(names: Sequence[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more


def _is_phase(node: Node) -> bool:
    return "learning_phase" in node.name


def _const(name: str, value: Tensor) -> Node:
    return Node(name, "Const", [], {"dtype": value.dtype, "value": value})


def _false(node: Node) -> Node:
    """The learning phase of inference."""
    import numpy as np

    dtype = node.attrs.get("dtype")
    kind = dtype if isinstance(dtype, DType) else dtypes.bool_
    return _const(node.name, Tensor.from_numpy(node.name, np.zeros((), kind.numpy)))
