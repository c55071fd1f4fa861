"""What nodes do with the handles of variables, done with the values instead.

    r = ReadVariableOp(v)      ->    r = Identity(v)
    g = ResourceGather(v, i)   ->    g = GatherV2(v, i, axis)
    e = Enter(v), T=resource   ->    e = Enter(v), T=float

Source: tensorflow/core/ops/resource_variable_ops.cc, functional_ops.cc, control_flow_ops.cc.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, located
from modelfmt.graph import AttrValue, Dims, Func, Function, Graph, Node, Shape, parse_input
from modelfmt.graphs.inline import port
from modelfmt.graphs.readers import READERS

#: Ops that yield what they take, of one attr T.
_SAME = {"Identity", "Enter", "Exit", "NextIteration", "Switch", "Merge"}
_LOOPS = {"While": ("cond", "body"), "StatelessWhile": ("cond", "body")}
#: Ops that call functions with their last inputs; the results are their outputs.
_BRANCHES = {
    "If": ("then_branch", "else_branch"), "StatelessIf": ("then_branch", "else_branch"),
    "Case": ("branches",), "StatelessCase": ("branches",),
    "PartitionedCall": ("f",), "StatefulPartitionedCall": ("f",),
}  # fmt: skip
#: Attrs of a caller that speak of the handles among its inputs.
_OF_HANDLES = ("_output_shapes", "_read_only_resource_inputs", "_handle_dtypes", "_handle_shapes")
#: Ops that change what a handle stands for.
ASSIGNING = ("Assign", "ResourceScatter", "ResourceApply", "ResourceSparse", "ResourceStrided")


class Value(NamedTuple):
    """What a handle stands for."""

    dtype: DType
    shape: Dims


class Copy(Protocol):
    """A function made for values: its name, what it was made of, and which results are values."""

    name: str
    origin: Function
    yielded: Sequence[Value | None]


class Functions(Protocol):
    """Who makes such copies."""

    graph: Graph

    def function(self, name: str, given: Sequence[Value | None]) -> Copy:
        """The copy of a function for arguments that are values where ``given`` says so."""
        ...


class Body:
    """The nodes of a graph or a function, and what becomes of those that meet a handle.

    Args:
        nodes: the whole graph, or a Function.
        handles: where they come from: variables, or arguments.
        specialiser: for the functions that they are passed to.
    """

    def __init__(
        self, nodes: Graph, handles: Mapping[str, Value], specialiser: Functions
    ) -> None:
        self.nodes, self._handles, self._specialiser = nodes, handles, specialiser
        self._known: dict[tuple[str, int], Value | None] = {}

    def handle(self, text: str) -> Value | None:
        """What the tensor behind an input stands for; None where it is no variable's handle."""
        edge = parse_input(text)
        if edge.node in self._handles:
            return self._handles[edge.node]
        node = self.nodes.find(edge.node)
        if node is None or not _may_pass(node):
            return None
        key = edge.node, port(node, text, self._specialiser.graph)
        if key not in self._known:
            self._known[key] = None  # what comes back around a loop tells nothing new
            self._known[key] = self._passed(node, key[1])
        return self._known[key]

    def _passed(self, node: Node, index: int) -> Value | None:
        data = node.data_inputs
        if node.op in _SAME:
            return next(filter(None, map(self.handle, data)), None)
        if node.op == "IdentityN" or node.op in _LOOPS:
            return self.handle(data[index]) if index < len(data) else None
        yielded = self._yielded(node)
        return yielded[index] if index < len(yielded) else None

    def _yielded(self, node: Node) -> list[Value | None]:
        """What the functions of an If, a Case or a call yield."""
        given = [self.handle(i) for i in _arguments(node)]
        found: list[Value | None] = []
        for name in self._called(node) if any(given) else ():
            yielded = self._specialiser.function(name, given).yielded
            found = [_either(a, b) for a, b in zip(found or yielded, yielded, strict=True)]
        return found

    def _called(self, node: Node) -> list[str]:
        if node.op in self._specialiser.graph.functions:
            return [node.op]
        values = [node.attrs.get(key) for key in _BRANCHES[node.op]]
        listed = [f for v in values for f in (v if isinstance(v, list) else [v])]
        return [f.name for f in listed if isinstance(f, Func)]

    def rewritten(self, node: Node) -> list[Node]:
        """Copies of a node (and of what it needs beside it) for values instead of handles.

        The inputs are spelled as before. Raises ConversionError.
        """
        new = node.copy()
        given = [self.handle(i) for i in node.data_inputs]
        if new.op.startswith("Ref") and new.op[3:] in _SAME:
            new.op = new.op[3:]  # a constant is nothing one can refer to
        if not any(given):
            return [new]
        with located(key=f'node "{node.name}"'):
            self._check_unassigned(node)
            if node.op in READERS:
                value = next(v for v in given if v)
                return READERS[node.op](new, value.dtype, self._tensor)
            if node.op in _SAME:
                _retype(new, "T", given[:1] if given[0] else [next(filter(None, given))])
            elif node.op == "IdentityN":
                _retype(new, "T", given)
            elif node.op in _LOOPS:
                self._rewrite_loop(new, given)
            elif node.op in _BRANCHES or node.op in self._specialiser.graph.functions:
                self._rewrite_call(new, given)
            else:
                raise ConversionError(
                    f"{node.op} does with a variable what cannot be done with its value",
                    hint="Freezing is for graphs that only read their variables.",
                )
            for key in _OF_HANDLES:
                if key in new.attrs:
                    del new.attrs[key]
        return [new]

    def _rewrite_loop(self, new: Node, given: Sequence[Value | None]) -> None:
        for key in _LOOPS[new.op]:
            called = new.attrs[key]
            assert isinstance(called, Func), key
            copy = self._specialiser.function(called.name, given)
            new.attrs[key] = Func(copy.name, called.attrs)
            if key == "body":
                changed = self._assigned(copy.origin, given)
                kinds = [v and v.dtype for v in copy.yielded]
                if changed or kinds != [v and v.dtype for v in given]:
                    raise ConversionError(
                        "a loop that assigns its variables, or exchanges them", found=changed
                    )
        _retype(new, "T", given)
        _reshape(new, given)

    def _rewrite_call(self, new: Node, given: Sequence[Value | None]) -> None:
        arguments = given[len(given) - len(_arguments(new)) :]
        yielded = self._yielded(new)
        if new.op in self._specialiser.graph.functions:
            new.op = self._specialiser.function(new.op, arguments).name
            return
        for key in _BRANCHES[new.op]:
            value = new.attrs[key]
            copies = [
                Func(self._specialiser.function(f.name, arguments).name, f.attrs)
                for f in (value if isinstance(value, list) else [value])
                if isinstance(f, Func)
            ]
            new.attrs[key] = list[AttrValue](copies) if isinstance(value, list) else copies[0]
        _retype(new, "Tin", arguments)
        _retype(new, "Tout", yielded)
        _reshape(new, yielded)

    def spelled(self, text: str) -> str:
        """An input of a function's body, with the output that it reads named as it now is."""
        edge = parse_input(text)
        node = self.nodes.find(edge.node) if edge.output else None
        if node is None or node.op not in READERS or not any(map(self.handle, node.data_inputs)):
            return text
        return f"{edge.node}:output:{edge.port}"

    def _tensor(self, name: str) -> str:
        """How output 0 of a Const is spelled as an input."""
        return f"{name}:output:0" if isinstance(self.nodes, Function) else name

    def _check_unassigned(self, node: Node) -> None:
        """Refuse to read what was assigned before: that isn't the checkpoint's value."""
        for name in node.controls:
            before = self.nodes.find(name)
            if before is None or not before.op.startswith(ASSIGNING) or not before.data_inputs:
                continue
            if self._origin(before.data_inputs[0]) in map(self._origin, node.data_inputs):
                raise ConversionError(f'reads a variable that node "{name}" has assigned')

    def _origin(self, text: str) -> str | None:
        """The variable or argument behind a handle, through what passes it on in one place."""
        name = parse_input(text).node
        for _ in range(len(self.nodes)):
            if name in self._handles:
                return name
            node = self.nodes.find(name)
            if node is None or node.op not in _SAME or not node.data_inputs:
                return None
            name = parse_input(node.data_inputs[0]).node
        return None

    @staticmethod
    def _assigned(function: Function, given: Sequence[Value | None]) -> list[str]:
        """The arguments that a body assigns."""
        handles = {a for a, v in zip(function.arguments, given, strict=True) if v}
        return [
            node.data_inputs[0]
            for node in function.values()
            if node.op.startswith(ASSIGNING) and node.data_inputs[0] in handles
        ]


def _may_pass(node: Node) -> bool:
    """Whether a node may yield a handle that it was given."""
    if node.op in _SAME:
        return node.attrs.get("T") is _RESOURCE
    if node.op == "IdentityN" or node.op in _LOOPS:
        types = node.attrs.get("T")
        return isinstance(types, list) and _RESOURCE in types
    if node.op in _BRANCHES:
        types = node.attrs.get("Tout")
        return isinstance(types, list) and _RESOURCE in types
    return False


def _arguments(node: Node) -> list[str]:
    """The inputs of a caller that its functions take."""
    conditional = node.op in _BRANCHES and not node.op.endswith("PartitionedCall")
    return node.data_inputs[1:] if conditional else node.data_inputs


def _either(a: Value | None, b: Value | None) -> Value | None:
    if a == b:
        return a
    if a is None or b is None or a.dtype != b.dtype:
        raise ConversionError("branches that yield different kinds of variables")
    return Value(a.dtype, None)


def _retype(node: Node, key: str, given: Sequence[Value | None]) -> None:
    """Put the values' dtypes where an attr says resource."""
    types = node.attrs.get(key)
    if isinstance(types, list):
        padded = [*given, *[None] * len(types)]
        node.attrs[key] = [v.dtype if v else t for t, v in zip(types, padded, strict=False)]
    elif given[0]:
        node.attrs[key] = given[0].dtype


def _reshape(node: Node, given: Sequence[Value | None]) -> None:
    shapes = node.attrs.get("output_shapes")
    if isinstance(shapes, list) and shapes:
        padded = [*given, *[None] * len(shapes)]
        node.attrs["output_shapes"] = [
            Shape(v.shape) if v else s for s, v in zip(shapes, padded, strict=False)
        ]


_RESOURCE = dtypes.from_name("resource")
