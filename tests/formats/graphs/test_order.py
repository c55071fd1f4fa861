"""Nodes in the order in which they are computed."""

from __future__ import annotations

from modelfmt.graph import Graph, Node
from modelfmt.graphs.order import ordered, sources, sources_or_controls


def graph(**inputs: str) -> Graph:
    return Graph({
        name: Node(name, "NextIteration" if name == "next" else "AddV2", listed.split())
        for name, listed in inputs.items()
    })  # fmt: skip


def test_what_is_read_comes_first_and_once() -> None:
    edges = {"y": ["b", "a"], "b": ["a"], "a": [], "z": ["a"]}
    assert list(ordered(["y", "z", "y"], edges.__getitem__)) == ["a", "b", "y", "z"]


def test_a_circle_ends() -> None:
    edges = {"a": ["b"], "b": ["a"]}
    assert list(ordered(["a"], edges.__getitem__)) == ["b", "a"]


def test_a_chain_as_long_as_a_graph() -> None:
    edges = {str(k): [str(k - 1)] if k else [] for k in range(50_000)}
    assert list(ordered(["49999"], edges.__getitem__)) == list(edges)


def test_sources() -> None:
    nodes = graph(a="", b="a:1 ^c", c="^a ^gone", next="b")
    assert sources(nodes, "b") == sources_or_controls(nodes, "b") == ["a"]
    assert sources(nodes, "c") == [] and sources_or_controls(nodes, "c") == ["a"]
    assert sources_or_controls(nodes, "next") == []
