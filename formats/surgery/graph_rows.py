"""What dump says of a graph, as plain data: its nodes by op, its functions, and its two ends.

    ops           {op: count} of the file's own nodes; those of functions stand apart
    functions     {name: count of nodes}
    function_ops  {op: count} in all functions together
    gradients     {function: the function that is its gradient}
    inputs        [{"name", "dtype", "shape"}], what is fed: placeholders, but for files' names
    outputs       likewise, what nothing else reads: graphs/sinks.py

A signature says better what goes in and out; these are for graphs without one.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

from modelfmt.container import Container
from modelfmt.errors import ModelFormatError
from modelfmt.graph import Graph, parse_input
from modelfmt.graphs.sinks import file_names, sinks

Row = dict[str, Any]

#: Shapes are inferred in graphs of up to so many nodes; in larger ones that would take longer
#: than all the rest.
_INFERRED_NODES = 10_000
_PLACEHOLDERS = ("Placeholder", "PlaceholderWithDefault", "PlaceholderV2")


def own_graph(container: Container) -> Graph:
    """The graph as the file has it, its calls not expanded."""
    metagraph = getattr(container, "metagraph", None)
    graph: Graph = container.graph if metagraph is None else metagraph.graph
    return graph


def graph_rows(graph: Graph, faults: list[str]) -> Row:
    """The nodes and functions of a graph; see the module's text.

    Args:
        graph: as the file has it.
        faults: a sentence is added for each node that cannot be read.
    """
    found: Row = {"ops": _ops(graph, faults), "functions": {}}
    inside: collections.Counter[str] = collections.Counter()
    for name, body in graph.functions.items():
        found["functions"][name] = len(body)
        inside.update(_ops(body, faults))
    if inside:
        found["function_ops"] = dict(sorted(inside.items()))
    return found


def _ops(graph: Graph, faults: list[str]) -> dict[str, int]:
    counts: collections.Counter[str] = collections.Counter()
    for name in graph:
        try:
            counts[graph[name].op] += 1
        except ModelFormatError as error:
            faults.append(str(error))
    return dict(sorted(counts.items()))


def fed_rows(graph: Graph) -> list[Row]:
    """The placeholders, with dtype and shape; without those that only set variables, if any."""
    from modelfmt.ops.shapes import infer

    files = file_names(graph)
    fed = [n for n in graph.values() if n.op in _PLACEHOLDERS and n.name not in files]
    setting = _setting(graph, {node.name for node in fed})
    rows = []
    for node in fed:
        static = infer("Placeholder", node.attrs, [], producer=graph.producer)[0]
        shape = None if static.shape is None else [*static.shape]
        dtype = str(node.attrs.get("dtype"))
        rows.append({"name": node.name, "dtype": dtype, "shape": shape})
    return [row for row in rows if row["name"] not in setting] or rows


def _setting(graph: Graph, fed: set[str]) -> set[str]:
    """Those that nothing but assignments reads: Keras sets weights by such placeholders."""
    readers: dict[str, set[str]] = {}
    for node in graph.values():
        for text in node.data_inputs:
            if (source := parse_input(text).node) in fed:
                readers.setdefault(source, set()).add(node.op)
    return {name for name, ops in readers.items() if all(o.startswith("Assign") for o in ops)}


def made_rows(graph: Graph) -> Iterator[Row]:
    """A graph's sinks, with dtype and shape as far as they follow from the inputs'."""
    from modelfmt.graphs.view import View

    if len(graph) > _INFERRED_NODES:
        yield from ({"name": name, "dtype": None, "shape": None} for name in sinks(graph))
        return
    seen = View(graph)
    for name in seen.output_names:
        dtype, shape = seen.dtype(name), seen.shape(name)
        yield {
            "name": name,
            "dtype": None if dtype is None else dtype.name,
            "shape": None if shape is None else [*shape],
        }
