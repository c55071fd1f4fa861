"""Handles replaced by the values they name, wherever they go: through loops, branches and calls.

    v   = VarHandleOp                       v   = Const(the value)
    out = While(i, v; body=b)         ->    out = While(i, v; body=b_frozen)
    b(i, v) { r = ReadVariableOp(v) }       b_frozen(i, v) { r = Identity(v) }

A variable that nothing assigns is its value, so a handle may become the value everywhere at once;
what a node does with a handle is then done with the value, and the functions that it is passed to
get copies which take values. Source: tensorflow/core/ops/resource_variable_ops.cc,
functional_ops.cc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelfmt.errors import CorruptFileError, located
from modelfmt.graph import AttrValue, Func, Function, Graph, Node, parse_input
from modelfmt.graphs.handles import Body, Value
from modelfmt.graphs.reach import Reach, kept_controls


class Specialised(Function):
    """A copy of the function ``origin`` that takes and yields values where that took handles.

    Attributes:
        taken: the argument of that number is now a value of this dtype.
        yielded: and so is the result.
    """

    def __init__(
        self, name: str, nodes: Mapping[str, Node], origin: Function, results: Mapping[str, str],
        taken: Sequence[Value | None], yielded: Sequence[Value | None],
    ) -> None:
        super().__init__(name, nodes, origin.arguments, results)
        self.origin, self.taken, self.yielded = origin, taken, yielded


class Specialiser:
    """Makes the copies of a graph's functions; ``made`` has them by name."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.made: dict[str, Specialised] = {}
        self._known: dict[tuple[str, tuple[Value | None, ...]], Specialised | None] = {}

    def function(self, name: str, given: Sequence[Value | None]) -> Specialised:
        """The copy of a function for arguments that are values where ``given`` says so.

        Raises:
            ConversionError: the function does with a handle what can't be done with a value.
            CorruptFileError: the library lacks it, or it calls itself.
        """
        key = name, tuple(given)
        if key not in self._known:
            self._known[key] = None
            self._known[key] = self._make(name, key[1])
        found = self._known[key]
        if found is None:
            raise CorruptFileError(f'function "{name}" calls itself')
        return found

    def library(self, nodes: Mapping[str, Node]) -> Iterator[tuple[str, Function]]:
        """The functions that nodes need, directly or not: the file's in its order, then copies."""
        everything: dict[str, Function] = {**self.graph.functions, **self.made}
        needed: set[str] = set()
        todo = [nodes]
        while todo and everything:
            for name in referenced(todo.pop(), everything):
                if name not in needed and name in everything:
                    needed.add(name)
                    todo.append(everything[name])
        yield from ((name, f) for name, f in everything.items() if name in needed)

    def _make(self, name: str, given: tuple[Value | None, ...]) -> Specialised:
        function = self.graph.functions.get(name)
        if function is None:
            raise CorruptFileError(f'calls function "{name}", which the library lacks')
        if len(given) != len(function.arguments):
            raise CorruptFileError(
                f'calls function "{name}" with another number of arguments',
                expected=len(function.arguments), found=len(given),
            )
        with located(key=f'function "{name}"'):
            handles = {a: v for a, v in zip(function.arguments, given, strict=True) if v}
            body = Body(function, handles, self)
            kept = Reach(function).needed(
                parse_input(tensor).node for tensor in function.results.values()
            )
            nodes: dict[str, Node] = {}
            for node in function.values():
                if node.name in kept:
                    for new in body.rewritten(node):
                        new.inputs = [body.spelled(i) for i in new.data_inputs]
                        new.inputs += kept_controls(node, kept)
                        nodes[new.name] = new
            results = {key: body.spelled(text) for key, text in function.results.items()}
            yielded = [body.handle(text) for text in function.results.values()]
        copy = Specialised(self._unique(name), nodes, function, results, given, yielded)
        self.made[copy.name] = copy
        return copy

    def _unique(self, name: str) -> str:
        wanted, count = f"{name}_frozen", 0
        while wanted in self.graph.functions or wanted in self.made:
            count += 1
            wanted = f"{name}_frozen_{count}"
        return wanted


def referenced(nodes: Mapping[str, Node], names: Mapping[str, Function]) -> Iterator[str]:
    """The functions that nodes name in their attrs or as their op."""
    for node in nodes.values():
        if node.op in names:
            yield node.op
        for value in node.attrs.values() if _has_functions(node) else ():
            yield from _named(value)


def _has_functions(node: Node) -> bool:
    from modelfmt.ops import opdefs

    row = opdefs.get(node.op)
    return row is None or any("func" in attr.type for attr in row.attrs)


def _named(value: AttrValue) -> Iterator[str]:
    if isinstance(value, Func):
        yield value.name
        for inner in value.attrs.values():
            yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
