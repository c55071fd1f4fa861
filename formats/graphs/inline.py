"""Function calls replaced by the bodies of their functions, for those who want to see one graph.

    y = PartitionedCall(x), f=square          y/mul = Mul(x, x)
    square(a) { mul = Mul(a, a)       ->      y     = IdentityN(y/mul)
                return mul:z:0 }

Only calls are expanded; While, If and Case keep their functions, but for those conditionals of
which the caller says what branch is taken (conditionals.py). The graph itself is left alone.
Source: tensorflow/core/framework/function.proto.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Set

from modelfmt.errors import CorruptFileError, UnsafeFileError, UnsupportedError, located
from modelfmt.graph import (
    AttrValue,
    Func,
    Function,
    Graph,
    Node,
    Placeholder,
    parse_input,
    tensor_name,
)
from modelfmt.ops import opdefs

_CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
#: Calls within calls, of which TensorFlow itself makes a dozen at most.
_MAX_DEPTH = 100
#: Nodes after expansion, and so many more for each that is stored; functions that call others
#: twice each would fill any memory.
_MAX_NODES, _MAX_RATIO = 50_000, 50
#: Ops that begin a loop or a branch of TensorFlow 1.
_FRAMES = {"Enter", "RefEnter", "Switch", "RefSwitch"}


class InlinedGraph(Graph):
    """A graph without calls; ``functions`` are those of the original, for its control flow.

    ``calls`` names the IdentityN nodes that stand where calls were; ``own`` are the nodes before
    anything was expanded.
    """

    def __init__(self, graph: Graph, nodes: Mapping[str, Node], calls: Set[str]) -> None:
        super().__init__(nodes)
        self._whole = graph
        self.own: Graph = graph.own if isinstance(graph, InlinedGraph) else graph
        self.calls = calls
        self.producer, self.is_stored = graph.producer, graph.is_stored

    @property
    def functions(self) -> Mapping[str, Function]:
        return self._whole.functions


def inline(graph: Graph, taken: Mapping[str, Func] | None = None) -> Graph:
    """``graph`` with every call expanded; the same object where it has none.

    Args:
        graph: with its function library.
        taken: what an If or Case calls, by the name of its node, where that is known; it is
            expanded as a call would be.

    The nodes of a body are named ``<call>/<node>`` (``<call>_1/<node>`` where the graph has such
    names already), and the call becomes an IdentityN that yields the results under its name.

    Raises:
        CorruptFileError: a call of a function that the library lacks, or of itself.
        UnsafeFileError: more nodes than any model has.
    """
    if not taken and not (
        graph.functions and any(_called(node, graph) for node in graph.values())
    ):
        return graph
    return _Inliner(graph, taken or {}).run()


class _Inliner:
    """The expansion of one graph's calls."""

    def __init__(self, graph: Graph, taken: Mapping[str, Func]) -> None:
        self.graph, self.taken = graph, taken
        self.calls = set(graph.calls) if isinstance(graph, InlinedGraph) else set[str]()
        #: Whether nodes without inputs need a control edge to stand in their loop or branch.
        self.has_frames = any(node.op in _FRAMES for node in graph.values())

    def run(self) -> Graph:
        limit = len(self.graph) + sum(map(len, self.graph.functions.values()))
        limit = _MAX_NODES + _MAX_RATIO * limit
        sizes: dict[str, int] = {}
        count = sum(self.size(node, 0, sizes) for node in self.graph.values())
        if count > limit:
            raise UnsafeFileError(
                "its functions expand to more nodes than any model has",
                expected=f"{limit} at most", found=count,
            )
        nodes: dict[str, Node] = {}
        scopes = _scopes(self.graph)
        for node in self.graph.values():
            for expanded in self.expand(node, 0, "", scopes):
                nodes[expanded.name] = expanded
        return InlinedGraph(self.graph, nodes, self.calls)

    def size(self, node: Node, depth: int, sizes: dict[str, int]) -> int:
        """How many nodes stand for a node; ``sizes`` has those of bodies that were counted."""
        branch = None if depth else self.taken.get(node.name)
        name = branch.name if branch else _called(node, self.graph)
        function = self.graph.functions.get(name or "")
        if name is None or function is None:
            return 1
        if name not in sizes:
            if depth > _MAX_DEPTH:
                with located(key=f'node "{node.name}"'):
                    raise CorruptFileError(f'function "{name}" calls itself')
            inner = function.values()
            sizes[name] = 1 + sum(self.size(body, depth + 1, sizes) for body in inner)
        return sizes[name]

    def expand(self, node: Node, depth: int, within: str, scopes: Set[str]) -> Iterator[Node]:
        """A node, or what it calls; ``scopes`` are those in use below ``within``."""
        branch = None if depth else self.taken.get(node.name)
        name = branch.name if branch else _called(node, self.graph)
        if name is None:
            yield node
            return
        with located(key=f'node "{node.name}"'):
            function = self.graph.functions.get(name)
            if function is None:
                raise CorruptFileError(f'calls function "{name}", which the library lacks')
            if depth > _MAX_DEPTH:
                raise CorruptFileError(f'function "{name}" calls itself')
            local = node.name.removeprefix(within)
            scope = next(s for s in _numbered(local) if s not in scopes)
            yield from self.body(node, function, within + scope, depth)

    def body(self, call: Node, function: Function, scope: str, depth: int) -> Iterator[Node]:
        """The nodes of a body below ``scope``, and the IdentityN in the place of the call."""
        given_inputs = call.data_inputs
        called = call.attrs.get("f")
        if call.name in self.taken:  # the first input says which branch
            given_inputs, called = given_inputs[1:], self.taken[call.name]
        arguments = dict(zip(function.arguments, given_inputs, strict=False))
        given: Mapping[str, AttrValue] = called.attrs if isinstance(called, Func) else call.attrs

        def outer(text: str) -> str:
            """An edge of the body as an edge of the graph."""
            if text.startswith("^"):
                name = text[1:]
                if name in function:
                    return f"^{scope}/{name}"
                if name in arguments:
                    return f"^{parse_input(arguments[name]).node}"
            name = text.split(":")[0]
            if name in arguments:
                return arguments[name]
            if name not in function:
                raise CorruptFileError(f'reads "{text}", which function "{function.name}" lacks')
            return tensor_name(f"{scope}/{name}", port(function[name], text, self.graph))

        frame = [i for i in call.inputs if i.startswith("^")]
        frame += [f"^{parse_input(i).node}" for i in call.data_inputs[:1]]
        scopes = _scopes(function)
        for node in function.values():
            inputs = [outer(i) for i in node.inputs]
            inner = Node(
                f"{scope}/{node.name}", node.op,
                inputs or (frame if self.has_frames else []),
                {key: _filled(value, given) for key, value in node.attrs.items()}, node.device,
            )  # fmt: skip
            yield from self.expand(inner, depth + 1, f"{scope}/", scopes)
        self.calls.add(call.name)
        results = [outer(tensor) for tensor in function.results.values()]
        yield Node(call.name, "IdentityN", results, _types(call))


def _called(node: Node, graph: Graph) -> str | None:
    """The name of the function that a node calls; TensorFlow 1 uses it as the op."""
    if node.op in _CALLS:
        function = node.attrs.get("f")
        return function.name if isinstance(function, Func) else None
    return node.op if node.op in graph.functions else None


def _scopes(nodes: Graph) -> set[str]:
    """Every ``a`` and ``a/b`` below which nodes are named."""
    found: set[str] = set()
    for name in nodes:
        scope = name.rpartition("/")[0]
        while scope and scope not in found:
            found.add(scope)
            scope = scope.rpartition("/")[0]
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{count}" for count in itertools.count(1))


def _types(call: Node) -> dict[str, AttrValue]:
    types = call.attrs.get("Tout")
    return {"T": types} if isinstance(types, list) else {}


def _filled(value: AttrValue, given: Mapping[str, AttrValue]) -> AttrValue:
    """An attr of the body, as the call instantiates it."""
    return given.get(value.name) if isinstance(value, Placeholder) else value


def port(node: Node, text: str, graph: Graph) -> int:
    """The output number that ``node:output_arg:index`` means in the body of a function."""
    edge = parse_input(text)
    if node.op in graph.functions:
        results = list(graph.functions[node.op].results)
        return results.index(edge.output) if edge.output in results else edge.port
    if not edge.output or _called(node, graph):
        return edge.port
    row = opdefs.get(node.op)
    if row is None:
        if edge.port == 0:
            return 0
        raise UnsupportedError(f"an edge to output {edge.output!r} of unknown op {node.op}")
    first = 0
    for arg in row.outputs:
        if arg.name == edge.output:
            return first + edge.port
        first += _count(node, arg)
    raise CorruptFileError(f'op {node.op} has no output "{edge.output}"')


def _count(node: Node, arg: opdefs.Arg) -> int:
    if arg.type_list_attr:
        types = node.attrs.get(arg.type_list_attr)
        return len(types) if isinstance(types, list) else 1
    number = node.attrs.get(arg.number_attr) if arg.number_attr else 1
    return number if isinstance(number, int) else 1


