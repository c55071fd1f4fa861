"""The picture as SVG: sizes of boxes, colours by family, and the paths of edges.

The page's script draws the same when a scope is unfolded; both take sizes and colours from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from itertools import pairwise

from modelfmt.surgery.view_boxes import Box, Picture, printable, shortened
from modelfmt.surgery.view_layout import (
    BEND,
    ENTRY,
    EXIT,
    HEAD,
    PAD,
    Chain,
    Placed,
    Plan,
    place,
    plans,
)  # fmt: skip

#: Width of a character of 12 pixels, and of small ones; height of a line.
LETTER, SMALL, LINE = 7.3, 6.1, 14
#: What stands before the title of a scope.
OPEN, FOLDED = "\u25be", "\u25b8"
#: So many weights are told in a box.
SHOWN = 4
#: Families by what stands in a class or op; the first that fits gives the colour.
FAMILIES = (
    ("io", ("InputLayer", "Placeholder", "argument", "result"), "#d8dee9"),
    ("conv", ("Conv", "Einsum"), "#bcd7f5"),
    ("dense", ("Dense", "MatMul", "Embedding", "Gather"), "#c9c6f2"),
    ("rnn", ("LSTM", "GRU", "RNN", "Bidirectional", "While", "Loop"), "#f2c6dc"),
    ("norm", ("Norm",), "#c8e8cf"),
    ("attention", ("Attention", "Softmax"), "#f6d5c2"),
    ("act", ("Activation", "elu", "eLU", "ReLU", "Sigmoid", "Tanh"), "#f8e3b0"),
    ("pool", ("Pool", "Sampling", "Padding", "Cropping", "Pad"), "#d2e6e4"),
    ("merge", ("Add", "Concat", "Mul", "Sub", "Average", "Maximum", "Dot"), "#e6d6ea"),
)
STYLE = """
.box rect{fill:#f1f1ee;stroke:#8a8f98;rx:5}
.scope>rect{fill:#fff;stroke:#5b6472;stroke-width:1.4}
.folded>rect{fill:#e9edf3;stroke:#5b6472;stroke-width:1.4}
text{font:12px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1d2430}
.kind,.line{font-size:10px;fill:#4a5361}
.edge{fill:none;stroke:#8a93a3;stroke-width:1.2}
.control{stroke-dasharray:3 3}
.back{stroke:#c9772b}
.port{fill:#8a93a3}
""" + "".join(f".f-{name}>rect{{fill:{colour}}}\n" for name, _, colour in FAMILIES)
ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6"'
    ' orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#8a93a3"/></marker></defs>'
)


def family(kind: str) -> str:
    """The name of the family of a class or op; "" for none."""
    return next((n for n, words, _ in FAMILIES if any(w in kind for w in words)), "")


def texts(box: Box) -> tuple[str, str, list[str]]:
    """What is written in a box: title, kind, weights."""
    title = shortened(printable(box.title) or "(no name)")
    if box.children:
        inside = f"{len(box.children)} inside"
        return title, f"{printable(box.kind)} \u00b7 {inside}" if box.kind else inside, []
    lines = [shortened(printable(line), 48) for line in box.lines[:SHOWN]]
    if len(box.lines) > SHOWN:
        lines.append(f"and {len(box.lines) - SHOWN} more")
    return title, shortened(printable(box.kind), 48), lines


def size(box: Box) -> tuple[float, float]:
    """Width and height of a folded box."""
    title, kind, lines = texts(box)
    title = f"{FOLDED} {title}" if box.children else title
    widest = max(len(title) * LETTER, *(len(line) * SMALL for line in [kind, *lines]), 50)
    return round(widest + 20, 1), 24.0 + LINE * (bool(kind) + len(lines))


def svg(picture: Picture, opened: Iterable[int], *, standalone: bool = True) -> str:
    """The picture with these scopes unfolded; with its own style if it is to stand alone."""
    drawing = _Drawing(picture, set(opened))
    body, width, height = drawing.scope(-1, 0.0, 0.0)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" id="picture" width="{_n(width)}"'
    head += f' height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}">'
    title = f"<title>{escape(printable(picture.title))}</title>" if standalone else ""
    style = f"<style>{STYLE}</style>" if standalone else ""
    return "\n".join([head, title + style + ARROW, *body, "</svg>", ""])


class _Drawing:
    def __init__(self, picture: Picture, opened: set[int]) -> None:
        self.picture, self.opened = picture, opened
        self.plans: dict[int, Plan] = plans(picture)
        self.placed: dict[int, Placed] = {}
        self.folded = [size(box) for box in picture.boxes]
        order = [b.id for b in picture.boxes if b.id in opened and self._is_seen(b)]
        for scope in [*reversed(order), -1]:
            self.placed[scope] = place(self.plans[scope], [
                self._size(item) for item in self.plans[scope].items
            ])  # fmt: skip

    def _is_seen(self, box: Box) -> bool:
        return all(up in self.opened for up in self.picture.around(box.parent) if up >= 0)

    def _size(self, item: int) -> tuple[float, float]:
        if item < 0:
            return (2.0, 0.0) if item == BEND else (6.0, 6.0)
        inner = self.placed.get(item)
        if inner is None:
            return self.folded[item]
        wide = max(inner.width, self.folded[item][0] - 2 * PAD)
        return wide + 2 * PAD, inner.height + 2 * PAD + HEAD

    def scope(self, scope: int, left: float, top: float) -> tuple[list[str], float, float]:
        """The lines of a scope's inside, its corner at (left, top); width and height with rims."""
        planned, placed = self.plans[scope], self.placed[scope]
        wide, high = placed.width + 2 * PAD, placed.height + 2 * PAD
        if scope >= 0:
            wide, high = self._size(scope)
            top += HEAD
        dx, dy = left + (wide - placed.width) / 2, top + PAD
        lines = [self._edge(planned, placed, chain, dx, dy) for chain in planned.chains]
        for at, item in enumerate(planned.items):
            x, y = placed.x[at] + dx, placed.y[at] + dy
            if item >= 0:
                lines += self._box(self.picture.boxes[item], x - placed.sizes[at][0] / 2, y)
            elif item != BEND:
                lines.append(f'<circle class="port" cx="{_n(x)}" cy="{_n(y + 3)}" r="3"/>')
        return lines, wide, high

    def _box(self, box: Box, x: float, y: float) -> list[str]:
        wide, high = self._size(box.id)
        title, kind, lines = texts(box)
        is_open = box.id in self.placed
        style = ("scope" if is_open else "folded") if box.children else f"f-{family(box.kind)}"
        if box.children:
            title = f"{OPEN if is_open else FOLDED} {title}"
        drawn = [
            f'<g class="box {style}" data-id="{box.id}">'
            f"<title>{escape(printable(box.name))}</title>"
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(wide)}" height="{_n(high)}"/>'
            f'<text x="{_n(x + 10)}" y="{_n(y + 16)}">{escape(title)}</text>'
        ]
        if is_open:
            return [*drawn, *self.scope(box.id, x, y)[0], "</g>"]
        for at, line in enumerate([kind, *lines] if kind else lines):
            style = "line" if at else "kind"
            drawn.append(
                f'<text class="{style}" x="{_n(x + 10)}" y="{_n(y + 30 + LINE * at)}">'
                f"{escape(line)}</text>"
            )
        return [*drawn, "</g>"]

    def _edge(self, planned: Plan, placed: Placed, chain: Chain, dx: float, dy: float) -> str:
        points = []
        for at, item in enumerate(chain.items):
            x, y = placed.x[item] + dx, placed.y[item] + dy
            first, last = at == 0, at == len(chain.items) - 1
            if planned.items[item] in self.placed and (first or last):
                x += self._port(planned.items[item], EXIT if first else ENTRY)
            points.append((x, y + (placed.sizes[item][1] if first else 0.0)))
            if not last:  # down to the end of the row, past taller boxes
                points.append((x, y + self._row_height(planned, placed, item)))
        path = f"M{_n(points[0][0])} {_n(points[0][1])}"
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = _n((y0 + y1) / 2)
            path += (
                f"V{_n(y1)}" if abs(x0 - x1) < 0.05
                else f"C{_n(x0)} {middle} {_n(x1)} {middle} {_n(x1)} {_n(y1)}"
            )  # fmt: skip
        style = "edge" + " control" * chain.control + " back" * chain.back
        end = "start" if chain.back else "end"
        return f'<path class="{style}" d="{path}" marker-{end}="url(#arrow)"/>'

    def _port(self, scope: int, port: int) -> float:
        """How far from its middle an edge enters or leaves an unfolded scope."""
        planned, placed = self.plans[scope], self.placed[scope]
        if port not in planned.items:
            return 0.0
        return placed.x[planned.items.index(port)] - placed.width / 2

    @staticmethod
    def _row_height(planned: Plan, placed: Placed, at: int) -> float:
        row = planned.row_of[at]
        return max(placed.sizes[item][1] for item in planned.rows[row])


def _n(value: float) -> str:
    """A number in a tenth of a pixel, without needless digits."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
