"""What does not hold in a graph, or in the body of a function: every finding located at its node.

    names       as TensorFlow allows them: letters, digits and ``. _ - / \\ >``
    inputs      lead to nodes, to outputs that these have, in no circle but through NextIteration
    attrs       those that the op requires are there, and of the right type
    dtypes      an input has the dtype that the op's attrs promise
    shapes      agree with each other, as far as inference knows

The last two are for ops of our table, outside of functions: in a body the attrs may be filled in by
the caller. Source: tensorflow/core/framework/node_def_util.cc, core/graph/graph_constructor.cc.
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping
from typing import Any

from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, MissingError, ModelFormatError, UnsupportedError, Where
from modelfmt.graph import Edge, Function, Graph, Node, Placeholder, parse_input, tensor_name
from modelfmt.graphs.order import NEXT
from modelfmt.ops import opdefs
from modelfmt.ops.shapes import Static, infer

_NAME = re.compile(r"[A-Za-z0-9._][A-Za-z0-9_.\\/>-]*")


def graph_findings(
    graph: Graph, library: Mapping[str, Function] | None = None
) -> Iterator[ModelFormatError]:
    """Everything that does not hold.

    Args:
        graph: as the file has it; a Function for a body.
        library: the functions that ops may be called as; of a Graph its own.
    """
    functions = graph.functions if library is None else library
    arguments = graph.arguments if isinstance(graph, Function) else []
    nodes: dict[str, Node] = {}
    for name in graph:
        try:
            node = graph[name]
            dict(node.attrs)  # each is decoded, those of unknown ops too
            nodes[name] = node
        except ModelFormatError as error:
            yield error
    known = {*graph, *arguments}
    whole = True
    for node in nodes.values():
        for fault in (*_name(node), *_edges(node, known)):
            whole = False
            yield fault
    if isinstance(graph, Function):
        for node in nodes.values():
            yield from _attrs(node, None, functions)
        return
    order = _ordered(nodes)
    if len(order) < len(nodes):
        left = [name for name in nodes if name not in set(order)]
        yield MismatchError(
            "nodes that depend on each other in a circle", where=_at(left[0]),
            found=", ".join(left[:5]) + (", ..." if len(left) > 5 else ""),
        )
    yield from _ports(nodes, functions)
    for name in order:
        kinds = _inputs(nodes[name], nodes)
        yield from _attrs(nodes[name], kinds, functions)
    if whole:
        yield from _shapes(order, nodes, functions, graph.producer)


def unknown_ops(graph: Graph) -> list[str]:
    """A sentence about the ops that our table lacks; none where it has all."""
    counts: collections.Counter[str] = collections.Counter()
    for body in (graph, *graph.functions.values()):
        for name in body:
            try:
                op = body[name].op
            except ModelFormatError:
                continue
            if opdefs.get(op) is None and op not in graph.functions:
                counts[op] += 1
    if not counts:
        return []
    listed = ", ".join(f"{op} ({count})" for op, count in sorted(counts.items()))
    return [f"ops that are not known here, whose attrs and shapes were not checked: {listed}"]


def produced(node: Node, edge: Edge) -> DType | None:
    """The dtype of the output that an edge comes from; None where it is not known."""
    if opdefs.get(node.op) is None or _is_open(node):
        return None
    try:
        kinds = opdefs.output_dtypes(node.op, node.attrs)
    except (MismatchError, MissingError, UnsupportedError):
        return None
    return kinds[edge.port] if 0 <= edge.port < len(kinds) else None


def _at(name: str) -> Where:
    return Where(key=f'node "{name}"')


def _is_open(node: Node) -> bool:
    """Whether a caller fills in some of a node's attrs."""
    return any(isinstance(value, Placeholder) for value in node.attrs.values())


def _name(node: Node) -> Iterator[ModelFormatError]:
    if not _NAME.fullmatch(node.name):
        yield MismatchError("no name for a node", where=_at(node.name))


def _edges(node: Node, known: set[str]) -> Iterator[ModelFormatError]:
    for text in node.inputs:
        if parse_input(text).node not in known:
            yield MissingError(f"reads {text!r}, which does not exist", where=_at(node.name))


def _ports(
    nodes: Mapping[str, Node], functions: Mapping[str, Function]
) -> Iterator[ModelFormatError]:
    """Edges from outputs that their nodes do not have."""
    counts: dict[str, int | None] = {}
    for node in nodes.values():
        for text in node.data_inputs:
            edge = parse_input(text)
            if edge.node not in nodes:
                continue
            if edge.node not in counts:
                counts[edge.node] = _outputs(nodes[edge.node], functions)
            count = counts[edge.node]
            if count is not None and edge.port >= count:
                yield MissingError(
                    f"reads {text!r}, and {edge.node!r} has {count} outputs", where=_at(node.name)
                )


def _outputs(node: Node, functions: Mapping[str, Function]) -> int | None:
    if node.op in functions:
        return len(functions[node.op].results)
    if opdefs.get(node.op) is None or _is_open(node):
        return None
    try:
        return len(opdefs.output_dtypes(node.op, node.attrs))
    except (MismatchError, MissingError, UnsupportedError):
        return None  # its attrs are wrong, which is told of them


def _inputs(node: Node, nodes: Mapping[str, Node]) -> list[DType] | None:
    """The dtypes of all data inputs; None where one is not known."""
    found: list[DType] = []
    for text in node.data_inputs:
        edge = parse_input(text)
        kind = produced(nodes[edge.node], edge) if edge.node in nodes else None
        if kind is None:
            return None
        found.append(kind)
    return found


def _attrs(
    node: Node, kinds: list[DType] | None, functions: Mapping[str, Function]
) -> Iterator[ModelFormatError]:
    """Attrs that lack, and inputs of other dtypes than the attrs say."""
    row = opdefs.get(node.op)
    if row is None or node.op in functions or _is_open(node):
        return
    inferred = {
        name
        for arg in row.inputs
        for name in (arg.type_attr, arg.type_list_attr, arg.number_attr)
    }
    for attr in row.attrs:
        if attr.default is opdefs.REQUIRED and attr.name not in node.attrs:
            yield MissingError(f"{node.op} needs attr {attr.name!r}", where=_at(node.name))
            return
    if kinds is None or (not inferred - {""} and not row.inputs):
        return
    named = {attr.name for attr in row.attrs}
    try:
        stated = {n: v for n, v in node.attrs.items() if n in named}
        opdefs.complete(node.op, kinds, stated)
    except MismatchError as error:
        error.where = _at(node.name)
        yield error
    except (MissingError, UnsupportedError):
        return


def _ordered(nodes: Mapping[str, Node]) -> list[str]:
    """The nodes, each behind what it reads; those of circles are left out."""
    readers: dict[str, list[str]] = {name: [] for name in nodes}
    waits: dict[str, int] = dict.fromkeys(nodes, 0)
    for name, node in nodes.items():
        for source in {parse_input(text).node for text in node.inputs}:
            if source in nodes and nodes[source].op not in NEXT:
                readers[source].append(name)
                waits[name] += 1
    ready = [name for name, count in waits.items() if not count]
    for name in ready:  # grows
        for reader in readers[name]:
            waits[reader] -= 1
            if not waits[reader]:
                ready.append(reader)
    return ready


def _shapes(
    order: list[str], nodes: Mapping[str, Node], functions: Mapping[str, Function], producer: int
) -> Iterator[ModelFormatError]:
    """Shapes that contradict each other; behind a contradiction nothing is known."""
    known: dict[str, Static] = {}
    for name in order:
        node = nodes[name]
        if node.op in functions or opdefs.get(node.op) is None:
            continue
        statics = [known.get(_plain(text), Static(None)) for text in node.data_inputs]
        try:
            outputs: list[Any] = infer(node.op, node.attrs, statics, producer=producer)
        except MismatchError as error:
            error.where = _at(name)
            yield error
            continue
        except (MissingError, UnsupportedError):
            continue
        for port, static in enumerate(outputs):
            known[tensor_name(name, port)] = static


def _plain(text: str) -> str:
    edge = parse_input(text)
    return tensor_name(edge.node, edge.port)
