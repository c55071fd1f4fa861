"""Loops of every kind in one form, for those who look for layers in them.

    y = StatelessWhile(v, w; cond, body)       m = Merge(Enter(v), n)       p = LoopCond(cond(m))
                                         ->    s:0, s:1 = Switch(m, p)      y = Exit(s:0)
                                               n = NextIteration(body(s:1))

That is what TensorFlow itself makes of a functional loop before it runs one. What a loop hands on
unchanged from turn to turn, and what enters it as a constant, is then replaced by the tensor
outside that it is: the nodes of a body read it directly. The graph itself is left alone.
Source: tensorflow/core/common_runtime/lower_while_op.cc; ops/control_flow_ops.cc.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Set

from modelfmt import dtypes
from modelfmt.errors import CorruptFileError, located
from modelfmt.graph import AttrValue, Edge, Func, Graph, Node, parse_input, tensor_name
from modelfmt.graphs.inline import InlinedGraph, inline
from modelfmt.graphs.order import NEXT

_WHILES = {"While", "StatelessWhile", "_While"}
_ENTERS = {"Enter", "RefEnter"}
_MERGES = {"Merge", "RefMerge"}
_SWITCHES = {"Switch", "RefSwitch"}
_EXITS = {"Exit", "RefExit"}
_SAME = {"Identity", "RefIdentity", "IdentityN"}
#: Loops within loops, of which no model has more than a few.
_MAX_DEPTH = 100


def framed(graph: Graph, kept: Iterable[str] = ()) -> Graph:
    """``graph`` with its functional loops as nodes, and no invariants; itself if it has no loops.

    Args:
        graph: calls in it are expanded already.
        kept: tensors that stay, even if nothing reads them.

    Raises:
        CorruptFileError: a loop whose functions the library lacks, or that contains itself.
    """
    for _ in range(_MAX_DEPTH):
        loops = [node for node in graph.values() if node.op in _WHILES]
        if not loops:
            break
        graph = inline(_with_frames(graph, loops))
    else:
        raise CorruptFileError(f'loop "{loops[0].name}" contains itself')
    return _without_invariants(graph, {parse_input(tensor).node for tensor in kept})


# -- functional loops as frames ---------------------------------------------------------------


def _with_frames(graph: Graph, loops: list[Node]) -> Graph:
    named = {node.name for node in loops}
    nodes: dict[str, Node] = {}
    for name, node in graph.items():
        if name not in named:
            nodes[name] = node
            continue
        with located(key=f'node "{name}"'):
            nodes.update((each.name, each) for each in _frame(node, graph))
    calls = graph.calls if isinstance(graph, InlinedGraph) else frozenset[str]()
    return InlinedGraph(graph, nodes, calls)


def _frame(loop: Node, graph: Graph) -> Iterator[Node]:
    """The nodes of a loop, in which its functions are called; the last one bears its name."""
    types = loop.attrs.get("T")
    count = len(loop.data_inputs)
    if not isinstance(types, list) or len(types) != count:
        raise CorruptFileError("a loop over other tensors than its types say", found=count)
    scope = _unused(loop.name, graph)
    condition, body = (_function(loop, key, graph) for key in ("cond", "body"))
    yield Node(
        f"{scope}/cond", "PartitionedCall",
        [f"{scope}/merge_{k}" for k in range(count)],
        {"f": condition, "Tin": types, "Tout": [dtypes.bool_]},
    )  # fmt: skip
    yield Node(f"{scope}/test", "LoopCond", [f"{scope}/cond"], {})
    yield Node(
        f"{scope}/body", "PartitionedCall",
        [f"{scope}/switch_{k}:1" for k in range(count)],
        {"f": body, "Tin": types, "Tout": types},
    )  # fmt: skip
    for k, (source, kind) in enumerate(zip(loop.data_inputs, types, strict=True)):
        enter = {"T": kind, "frame_name": scope, "is_constant": False}
        yield Node(f"{scope}/enter_{k}", "Enter", [source], enter)
        around = [f"{scope}/enter_{k}", f"{scope}/next_{k}"]
        yield Node(f"{scope}/merge_{k}", "Merge", around, {"T": kind, "N": 2})
        tested = [f"{scope}/merge_{k}", f"{scope}/test"]
        yield Node(f"{scope}/switch_{k}", "Switch", tested, {"T": kind})
        following = tensor_name(f"{scope}/body", k)
        yield Node(f"{scope}/next_{k}", "NextIteration", [following], {"T": kind})
        yield Node(f"{scope}/exit_{k}", "Exit", [f"{scope}/switch_{k}"], {"T": kind})
    leaving = [f"{scope}/exit_{k}" for k in range(count)]
    yield Node(loop.name, "IdentityN", leaving, {"T": types})


def _function(loop: Node, key: str, graph: Graph) -> Func:
    """The function that a loop has as ``key``; its body takes and yields what the loop does."""
    stated = loop.attrs.get(key)
    function = graph.functions.get(stated.name) if isinstance(stated, Func) else None
    if function is None or not isinstance(stated, Func):
        raise CorruptFileError(f"a loop whose {key} the library lacks")
    wanted = len(loop.data_inputs)
    results = wanted if key == "body" else 1
    if len(function.arguments) != wanted or len(function.results) != results:
        raise CorruptFileError(f"a loop whose {key} takes or yields other tensors than it")
    return stated


def _unused(name: str, graph: Graph) -> str:
    """A scope for the nodes of a loop, below its own name."""
    scope, count = name, 0
    while f"{scope}/cond" in graph or f"{scope}/body" in graph:
        count += 1
        scope = f"{name}_{count}"
    return scope


# -- what does not change ---------------------------------------------------------------------


def _without_invariants(graph: Graph, kept: Set[str]) -> Graph:
    """``graph`` in which what a loop never changes is read from outside of it.

    Where such a thing leaves the loop and nothing reads it there, no output is left behind.
    """
    if not any(node.op in _ENTERS for node in graph.values()):
        return graph
    changed: dict[str, Node] = {}
    entering: set[str] = set()
    read = kept | {parse_input(i).node for node in graph.values() for i in node.data_inputs}
    for node in graph.values():
        if node.op in _MERGES and _is_handed_on(node, graph):
            first = [i for i in node.data_inputs if not _turns_back(i, graph)]
            if len(first) == 1:
                changed[node.name] = _same(node, first)
                entering.add(parse_input(first[0]).node)
    for node in graph.values():
        given = node.data_inputs
        if node.op in _SWITCHES and len(given) == 2 and _origin(given[0], graph).node in changed:
            changed[node.name] = _same(node, given[:1] * 2)
        is_fixed = node.attrs.get("is_constant") or node.name in entering
        if node.op in _ENTERS and len(given) == 1 and is_fixed:
            changed[node.name] = _same(node, given)
    unread: set[str] = set()
    for node in graph.values():
        given = node.data_inputs
        if node.op in _EXITS and len(given) == 1 and _origin(given[0], graph).node in changed:
            changed[node.name] = _same(node, given)
            if node.name not in read:
                unread.add(node.name)
    if not changed:
        return graph
    calls = graph.calls if isinstance(graph, InlinedGraph) else frozenset[str]()
    gone = {f"^{name}" for name in unread}
    nodes: Mapping[str, Node] = {
        name: _without(gone, changed.get(name, node))
        for name, node in graph.items() if name not in unread
    }  # fmt: skip
    return InlinedGraph(graph, nodes, calls)


def _is_handed_on(merge: Node, graph: Graph) -> bool:
    """Whether each turn hands on what it got: next is switch:1, which is the merge itself."""
    for i in merge.data_inputs:
        if not _turns_back(i, graph):
            continue
        back = graph[parse_input(i).node]
        if not back.data_inputs:
            return False
        edge = _origin(back.data_inputs[0], graph)
        switch = graph.find(edge.node)
        if switch is None or switch.op not in _SWITCHES or edge.port != 1:
            return False
        if _origin(switch.data_inputs[0], graph).node != merge.name:
            return False
    return any(_turns_back(i, graph) for i in merge.data_inputs)


def _turns_back(tensor: str, graph: Graph) -> bool:
    node = graph.find(parse_input(tensor).node)
    return node is not None and node.op in NEXT


def _origin(tensor: str, graph: Graph) -> Edge:
    """The edge that a tensor stands for, through nodes that pass it on."""
    edge = parse_input(tensor)
    for _ in range(len(graph)):
        node = graph.find(edge.node)
        if node is None or node.op not in _SAME or edge.port >= len(node.data_inputs):
            break
        edge = parse_input(node.data_inputs[edge.port])
    return edge


def _without(gone: Set[str], node: Node) -> Node:
    """A node without its control edges from nodes that are gone."""
    if gone.isdisjoint(node.inputs):
        return node
    return dataclasses.replace(node, inputs=[i for i in node.inputs if i not in gone])


def _same(node: Node, sources: list[str]) -> Node:
    """A node that passes on ``sources``, under the name of ``node``."""
    controls = [i for i in node.inputs if i.startswith("^")]
    kind = node.attrs.get("T")
    attrs: dict[str, AttrValue] = {"T": [kind] * len(sources)}
    return dataclasses.replace(node, op="IdentityN", inputs=[*sources, *controls], attrs=attrs)
