"""The order in which nodes are computed: those that a node reads before the node itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from modelfmt.graph import Graph, parse_input

#: Where a loop turns back; what it reads is computed after what reads it.
NEXT = {"NextIteration", "RefNextIteration"}


def sources(graph: Graph, name: str) -> list[str]:
    """The names of the nodes that a node reads; none where a loop turns back."""
    node = graph[name]
    return [] if node.op in NEXT else [parse_input(i).node for i in node.data_inputs]


def sources_or_controls(graph: Graph, name: str) -> list[str]:
    """The same, and for a node that reads nothing those that say when it runs.

    A Const has only its control edges to stand in a branch or in a loop by.
    """
    node = graph[name]
    found = sources(graph, name)
    return found or [c for c in node.controls if c in graph and node.op not in NEXT]


def ordered(roots: Iterable[str], read: Callable[[str], Sequence[str]]) -> Iterator[str]:
    """The names of ``roots`` and of all that they depend on, each once, what is read first.

    Args:
        read: the names that a node depends on.
    """
    done: set[str] = set()
    for root in roots:
        if root in done:
            continue
        stack = [(root, iter(read(root)))]
        entered = {root}
        while stack:
            name, pending = stack[-1]
            source = next(pending, None)
            if source is None:
                stack.pop()
                done.add(name)
                yield name
            elif source not in done and source not in entered:
                entered.add(source)
                stack.append((source, iter(read(source))))
