"""The picture as text that others draw: .dot of Graphviz, .mmd of Mermaid.

Unfolded scopes are clusters or subgraphs; an edge into a folded one ends at it.
Source: graphviz.org/doc/info/lang.html; mermaid.js.org/syntax/flowchart.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

from modelfmt.surgery.view_boxes import Box, Line, Picture, printable


def dot(picture: Picture, opened: Set[int]) -> str:
    """A digraph; boxes are ``b<id>``."""
    lines = [f"digraph {_quoted(picture.title)} {{", "  node [shape=box, fontname=monospace]"]
    lines += ["  compound=true"]
    ends = _anchors(picture, opened)
    lines += _nested(
        picture.top, opened, 1,
        lambda box: f"subgraph cluster_{box.id} {{ label={_quoted(box.title)}", "}",
        lambda box: f"b{box.id} [label={_quoted(_label(box))}]",
    )  # fmt: skip
    for line in seen_edges(picture, opened):
        extra = [f"ltail=cluster_{line.source}"] if line.source in ends else []
        extra += [f"lhead=cluster_{line.target}"] if line.target in ends else []
        extra += ["style=dashed"] if line.control else []
        source, target = (ends.get(end, end) for end in (line.source, line.target))
        lines.append(f"  b{source} -> b{target}" + (f" [{', '.join(extra)}]" if extra else ""))
    return "\n".join([*lines, "}", ""])


def mermaid(picture: Picture, opened: Set[int]) -> str:
    """A flowchart; boxes are ``b<id>``, scopes ``s<id>``."""
    lines = ["flowchart TD"]
    lines += _nested(
        picture.top, opened, 1,
        lambda box: f"subgraph s{box.id}[{_entities(box.title)}]", "end",
        lambda box: f"b{box.id}[{_entities(_label(box))}]",
    )  # fmt: skip
    ends = _anchors(picture, opened)
    for line in seen_edges(picture, opened):
        both = (line.source, line.target)
        source, target = (f"{'s' if end in ends else 'b'}{end}" for end in both)
        lines.append(f"  {source} {'-.->' if line.control else '-->'} {target}")
    return "\n".join([*lines, ""])


def seen_edges(picture: Picture, opened: Set[int]) -> list[Line]:
    """The edges between what is seen, each once."""
    seen: list[int] = []
    for box in picture.boxes:
        up = seen[box.parent] if box.parent >= 0 else box.id
        is_hidden = box.parent >= 0 and (up != box.parent or box.parent not in opened)
        seen.append(up if is_hidden else box.id)
    found: dict[tuple[int, int], bool] = {}
    for line in picture.edges:
        ends = seen[line.source], seen[line.target]
        if ends[0] != ends[1]:
            found[ends] = found.get(ends, True) and line.control
    return [Line(*ends, control) for ends, control in found.items()]


def _anchors(picture: Picture, opened: Set[int]) -> dict[int, int]:
    """For each unfolded scope a box in it that is none: Graphviz' edges end at such."""
    found: dict[int, int] = {}
    for box in reversed(picture.boxes):
        if box.children and box.id in opened:
            first = box.children[0].id
            found[box.id] = found.get(first, first)
    return found


def _nested(
    boxes: list[Box], opened: Set[int], level: int,
    begin: Callable[[Box], str], end: str, leaf: Callable[[Box], str],
) -> Iterator[str]:  # fmt: skip
    """The lines of boxes, indented by what they stand in."""
    stack: list[tuple[Box | None, int]] = [(box, level) for box in reversed(boxes)]
    while stack:
        box, at = stack.pop()
        indent = "  " * at
        if box is None:
            yield indent + end
        elif box.children and box.id in opened:
            yield indent + begin(box)
            stack.append((None, at))
            stack.extend((child, at + 1) for child in reversed(box.children))
        else:
            yield indent + leaf(box)


def _label(box: Box) -> str:
    kind = box.kind or f"{len(box.children)} inside"
    return "\n".join([box.title, kind, *box.lines])


def _quoted(text: str) -> str:
    """A string of DOT: quotes and backslashes escaped, lines as ``\\n``."""
    text = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", "\\n") + '"'


def _entities(text: str) -> str:
    """A string of Mermaid: what means something to it or to HTML as ``#code;``, lines as <br/>."""
    plain = (
        c if c.isalnum() or c in " _-./,[]" else "<br/>" if c == "\n" else f"#{ord(c)};"
        for c in printable(text)
    )  # fmt: skip
    return '"' + "".join(plain) + '"'
