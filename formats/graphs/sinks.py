"""Sinks: the tensors that look like a graph's outputs.

A frozen graph does not say what its outputs are; they are what nothing reads. Not all of that is
meant to be read: lowering a loop or a branch leaves tensors that only control edges lead away
from, and results that nobody asked for. Source: tensorflow/core/common_runtime/lower_while_op.cc
and lower_if_op.cc.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelfmt.errors import MismatchError, MissingError, UnsupportedError
from modelfmt.graph import Graph, Node, parse_input
from modelfmt.graphs.branches import MERGES, SWITCHES
from modelfmt.graphs.inline import InlinedGraph
from modelfmt.graphs.order import NEXT, ordered, sources_or_controls
from modelfmt.ops import opdefs

#: Nodes that may stand unconsumed in a frozen graph without being an output of the model.
_NO_OUTPUT = {"Const", "NoOp", "Assert", "Placeholder", "PlaceholderV2"}
#: Dtypes of handles, which nobody can read.
_HANDLES = {"resource", "variant"}
_ENTERS = {"Enter", "RefEnter"}
_EXITS = {"Exit", "RefExit"}


def sinks(graph: Graph) -> list[str]:
    """The tensors that look like a graph's outputs: made by nodes that nothing consumes.

    Left out is what no model yields: handles, what stands inside of a call, of a loop or of a
    branch (it cannot be fetched), and results of a loop beside those that are read. Where nothing
    else is left, these are the outputs after all.

    Names that TensorFlow numbers (``Identity``, ``Identity_1``) come in the order of their
    numbers, the others in the order of the nodes.
    """
    own = graph.own if isinstance(graph, InlinedGraph) else graph
    # What only a call or a conditional reads is read, even if the function makes nothing of it.
    consumed = {parse_input(i).node for node in own.values() for i in node.data_inputs}
    unread = (graph[name] for name in own if name not in consumed)
    found = [node for node in unread if node.op not in _NO_OUTPUT and _yields_tensor(node)]
    found = _meant(found, graph) or found
    if all(node.op == "Identity" and _numbered(node.name)[0] == "Identity" for node in found):
        found.sort(key=lambda node: _numbered(node.name)[1])
    return [node.name for node in found]


def _numbered(name: str) -> tuple[str, int]:
    stem, _, number = name.rpartition("_")
    return (stem, int(number)) if number.isdigit() and stem else (name, 0)


def _yields_tensor(node: Node) -> bool:
    row = opdefs.get(node.op)
    if row is None:
        return True
    try:
        kinds = opdefs.output_dtypes(node.op, node.attrs)
    except (MismatchError, MissingError, UnsupportedError):
        return bool(row.outputs)
    return any(kind.name not in _HANDLES for kind in kinds)


def _meant(found: Sequence[Node], graph: Graph) -> list[Node]:
    """Those of the sinks that are no remnants of loops and branches."""
    if not any(node.op in _ENTERS | SWITCHES for node in graph.values()):
        return list(found)
    depths = _depths(found, graph)
    spare = _spare_results(graph)
    return [node for node in found if not depths[node.name] and node.name not in spare]


def _depths(found: Sequence[Node], graph: Graph) -> dict[str, int]:
    """In how many loops and branches a node stands, for the sinks and what is behind them."""
    depths: dict[str, int] = {}
    for name in ordered((n.name for n in found), lambda n: sources_or_controls(graph, n)):
        node = graph[name]
        depth = max((depths.get(s, 0) for s in sources_or_controls(graph, name)), default=0)
        if node.op in _ENTERS or (node.op in SWITCHES and _loop_of(node, graph) is None):
            depth += 1
        elif node.op in _EXITS or (node.op in MERGES and not _begins_loop(node, graph)):
            depth -= 1
        depths[name] = max(depth, 0)
    return depths


def _loop_of(switch: Node, graph: Graph) -> str | None:
    """The LoopCond by which a Switch leaves a loop; None for one that begins a branch."""
    inputs = switch.data_inputs
    source = graph.find(parse_input(inputs[1]).node) if len(inputs) > 1 else None
    return source.name if source is not None and source.op == "LoopCond" else None


def _begins_loop(merge: Node, graph: Graph) -> bool:
    before = [graph.find(parse_input(i).node) for i in merge.data_inputs]
    return any(node is not None and node.op in NEXT for node in before)


def _spare_results(graph: Graph) -> set[str]:
    """Exits that nothing reads, of loops of which another is read and none was pruned.

    Freezing keeps the Exits that were asked for and what these need; where each variable of a
    loop still has its Exit, they stand there because the loop was lowered or traced as a whole.
    """
    consumed = {parse_input(i).node for node in graph.values() for i in node.data_inputs}
    exits = {
        parse_input(node.data_inputs[0]).node: node.name
        for node in graph.values()
        if node.op in _EXITS and node.data_inputs
    }
    loops: dict[str, list[str | None]] = {}
    for node in graph.values():
        loop = _loop_of(node, graph) if node.op in SWITCHES else None
        if loop is not None:
            loops.setdefault(loop, []).append(exits.get(node.name))
    return {
        name
        for results in loops.values()
        if None not in results and not consumed.isdisjoint(n for n in results if n)
        for name in results
        if name is not None and name not in consumed
    }
