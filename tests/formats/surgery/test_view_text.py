"""Graphviz and Mermaid."""

from __future__ import annotations

import re

from modelfmt.surgery.view_boxes import Box, Picture
from modelfmt.surgery.view_text import dot, mermaid, seen_edges

HOSTILE = '"]; evil \\" <b>\n`'


def picture() -> Picture:
    inner = [Box("one", "s/one", "Conv2D", ["kernel float32 [3]"]), Box(HOSTILE, "s/two", "k")]
    scope, last = Box("s", "s", children=inner), Box("z", "z", "k")
    return Picture.of(
        HOSTILE, "test", [scope, last], [(inner[0], inner[1], False), (inner[1], last, True)]
    )


def test_dot_unfolded() -> None:
    assert dot(picture(), {0}) == (
        'digraph "\\"]; evil \\\\\\" <b>\\n`" {\n'
        "  node [shape=box, fontname=monospace]\n"
        "  compound=true\n"
        '  subgraph cluster_0 { label="s"\n'
        '    b1 [label="one\\nConv2D\\nkernel float32 [3]"]\n'
        '    b2 [label="\\"]; evil \\\\\\" <b>\\n`\\nk"]\n'
        "  }\n"
        '  b3 [label="z\\nk"]\n'
        "  b1 -> b2\n"
        "  b2 -> b3 [style=dashed]\n"
        "}\n"
    )


def test_folded_edges_end_at_the_scope() -> None:
    assert [(e.source, e.target, e.control) for e in seen_edges(picture(), set())] == [(0, 3, True)]
    assert "  b0 -> b3 [style=dashed]\n" in dot(picture(), set())
    assert "  b0 -.-> b3\n" in mermaid(picture(), set())


def test_mermaid() -> None:
    text = mermaid(picture(), {0})
    assert text.startswith('flowchart TD\n  subgraph s0["s"]\n    b1["one<br/>Conv2D')
    assert "  b1 --> b2\n  b2 -.-> b3\n" in text
    labels = re.findall(r'\["(.*)"\]', text)
    assert not any(re.search(r'["`\\;<>](?!br/>)', re.sub(r"<br/>|#\d+;", "", t)) for t in labels)
    assert "#34;" in labels[2]


def test_an_edge_of_a_box_that_holds_others() -> None:
    """A node that calls a function holds its body: edges end at the cluster."""
    inner = Box("body", "call/body", "k")
    call, after = Box("call", "call", "Call", children=[inner]), Box("z", "z", "k")
    drawn = Picture.of("t", "k", [call, after], [(call, after, False)])
    assert "  b1 -> b2 [ltail=cluster_0]\n" in dot(drawn, {0})
    assert "  s0 --> b2\n" in mermaid(drawn, {0})
