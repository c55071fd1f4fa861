"""Sinks: the tensors that look like a graph's outputs.

A frozen graph does not say what its outputs are; they are what nothing reads. Not all of that is
meant to be read: lowering a loop or a branch leaves tensors that only control edges lead away
from, and results that nobody asked for. In a graph that is trained there are, besides, the nodes
that initialise, update, save and restore its variables, and gradients. Source:
tensorflow/core/common_runtime/lower_while_op.cc and lower_if_op.cc, python/training/saver.py,
python/ops/gradients_util.py.
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
#: Ops that only ask whether a variable has a value yet.
_ASKING = {"IsVariableInitialized", "VarIsInitializedOp"}
#: Ops that write or read checkpoints, by the name of the file that is their first input.
_SAVING = {"Save", "SaveSlices", "SaveV2", "Restore", "RestoreSlice", "RestoreV2"}
#: Ops that names of files pass, or are made by.
_NAMING = {
    "Identity", "PlaceholderWithDefault", "StringJoin", "ShardedFilename", "ShardedFilespec",
    "Pack", "MergeV2Checkpoints", "Select", "SelectV2", "StaticRegexFullMatch", "Const",
    "Placeholder", "PlaceholderV2",
}
#: The scope of what tf.gradients makes.
_GRADIENTS = "gradients"
#: Ops that hold a value between runs: where there are any, the graph has not been frozen.
_VARIABLES = {"Variable", "VariableV2", "VarHandleOp"}
_STILL = _VARIABLES | {"Const", "NoOp", "Assert"}
#: Ops that read nothing of a tensor but its extent.
_EXTENTS = {"Shape", "ShapeN", "Size", "Rank", "TensorArraySizeV2", "TensorArraySizeV3"}


def sinks(graph: Graph) -> list[str]:
    """The tensors that look like a graph's outputs: made by nodes that nothing consumes.

    Left out is what no model yields: handles, what stands inside of a call, of a loop or of a
    branch (it cannot be fetched), results of a loop beside those that are read, assignments and
    other references, names of checkpoints, and gradients. Where nothing else is left, these are
    the outputs after all.

    Names that TensorFlow numbers (``Identity``, ``Identity_1``) come in the order of their
    numbers, the others in the order of the nodes.
    """
    own = graph.own if isinstance(graph, InlinedGraph) else graph
    # What only a call or a conditional reads is read, even if the function makes nothing of it.
    consumed = {parse_input(i).node for node in own.values() for i in node.data_inputs}
    unread = (graph[name] for name in own if name in graph and name not in consumed)
    found = [node for node in unread if node.op not in _NO_OUTPUT and _yields_tensor(node)]
    found = _meant(found, graph) or found
    found = _of_model(found, own) or found
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


def _of_model(found: Sequence[Node], graph: Graph) -> list[Node]:
    """Those of the sinks that training, saving and restoring did not bring along.

    Nobody has pruned a graph with variables: what was computed of them and of sizes, and was not
    needed, stands in it.
    """
    files = file_names(graph)
    is_whole = any(node.op in _VARIABLES for node in graph.values())
    return [
        node
        for node in found
        if node.op not in _ASKING
        and node.name not in files
        and _GRADIENTS not in node.name.split("/")[:-1]
        and not _is_reference(node)
        and not (is_whole and _is_still(node, graph))
    ]


def _is_still(sink: Node, graph: Graph) -> bool:
    """Whether a tensor follows from constants, variables and sizes alone, whatever is fed."""
    seen, todo = {sink.name}, [sink]
    while todo:
        node = todo.pop()
        if node.op in _EXTENTS:
            continue
        sources = {parse_input(text).node for text in node.data_inputs}
        if node.op.startswith("Placeholder") or (not sources and node.op not in _STILL):
            return False
        for name in sources - seen:
            seen.add(name)
            source = graph.find(name)
            if source is None:
                return False
            todo.append(source)
    return True


def _is_reference(node: Node) -> bool:
    """Whether a node yields nothing but references to variables, as Assign does."""
    row = opdefs.get(node.op)
    return row is not None and bool(row.outputs) and all(arg.is_ref for arg in row.outputs)


def file_names(graph: Graph) -> set[str]:
    """The nodes that only hold or make names of checkpoints' files, among them what is fed."""
    found = {
        parse_input(node.data_inputs[0]).node
        for node in graph.values()
        if node.op in _SAVING and node.data_inputs
    }
    todo = list(found)
    while todo:  # back to where the name comes from
        node = graph.find(todo.pop())
        for source in (parse_input(i).node for i in (node.data_inputs if node else ())):
            if source not in found:
                found.add(source)
                todo.append(source)
    found = {name for name in found if (node := graph.find(name)) and node.op in _NAMING}
    readers: dict[str, list[Node]] = {}
    for node in graph.values() if found else ():
        for text in node.data_inputs:
            readers.setdefault(parse_input(text).node, []).append(node)
    # A string that the model reads as well is no name of a file.
    spoiled = [n for n in found if any(not _about_files(r, found) for r in readers.get(n, ()))]
    for name in spoiled:
        if graph[name].op.startswith("Placeholder"):
            found.discard(name)
    todo = list(found)
    while todo:  # and on to what merely passes it on
        for node in readers.get(todo.pop(), ()):
            if node.op in _NAMING and node.name not in found:
                found.add(node.name)
                todo.append(node.name)
    return found


def _about_files(node: Node, found: set[str]) -> bool:
    return node.name in found or node.op in _SAVING or node.op in _NAMING


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
