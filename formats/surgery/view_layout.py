"""Where the boxes of a picture stand: rows by longest path, orders by barycentres.

    plan     of one scope: its items in rows, and every edge as a chain of items, one a row. It
             doesn't depend on what is unfolded, so that it is made once
    place    x and y of the items of a scope, from the sizes of its boxes. The page does the same
             when a scope is unfolded: the script in view_html.py is the twin

An item is a box, a bend of an edge that passes a row, or one of the two ports through which edges
enter and leave a scope. All is linear in boxes and edges, but for the rows that edges pass:
one that passes too many is drawn straight.

Source: Sugiyama, Tagawa, Toda: Methods for Visual Understanding of Hierarchical System Structures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise

from modelfmt.surgery.view_boxes import Picture

#: Items that are no boxes.
BEND, ENTRY, EXIT = -1, -2, -3
#: Distances, in pixels.
GAP, ROW_GAP, PAD, HEAD = 18, 34, 14, 24
#: How often rows are ordered, and items moved towards their neighbours.
_ORDERED, PLACED = 8, 8
#: An edge passes at most so many rows with bends; those of a scope have so many, or so many a box.
_LONG, _ENOUGH, _BENDS = 60, 2000, 4


@dataclasses.dataclass
class Chain:
    """An edge by the items that it touches, from top to bottom.

    ``back``: its target is above, as in a loop. ``kind``: 1 where it carries no tensor.
    """

    items: list[int]
    back: bool = False
    control: bool = False


@dataclasses.dataclass
class Plan:
    """The inside of a scope: ``items`` (a box's id, or BEND, ENTRY, EXIT), rows of indices."""

    items: list[int]
    rows: list[list[int]]
    chains: list[Chain]

    @cached_property
    def row_of(self) -> dict[int, int]:
        """The row of each item."""
        return {item: at for at, row in enumerate(self.rows) for item in row}


def plans(picture: Picture) -> dict[int, Plan]:
    """The plan of every scope, and under -1 of the picture."""
    inside: dict[int, dict[tuple[int, int], bool]] = {-1: {}}
    for box in picture.boxes:
        if box.children:
            inside[box.id] = {}
    for edge in picture.edges:
        ups = list(picture.around(edge.source))
        downs = list(picture.around(edge.target))
        while ups[-2] == downs[-2]:  # both within one more scope
            del ups[-1], downs[-1]
        steps = [(ups[-1], ups[-2], downs[-2])]
        steps += [(scope, inner, EXIT) for inner, scope in pairwise(ups[:-1])]
        steps += [(scope, ENTRY, inner) for inner, scope in pairwise(downs[:-1])]
        for scope, source, target in steps:
            found = inside[scope]
            if source != target:
                found[source, target] = found.get((source, target), True) and edge.control
    top = [box.id for box in picture.top]
    children = {box.id: [child.id for child in box.children] for box in picture.boxes}
    return {
        scope: plan(top, edges, wide=True) if scope < 0 else plan(children[scope], edges)
        for scope, edges in inside.items()
    }


def plan(
    boxes: Sequence[int], edges: Mapping[tuple[int, int], bool], *, wide: bool = False
) -> Plan:
    """Order one scope.

    Args:
        boxes: ids, in the order of the file.
        edges: (id or ENTRY, id or EXIT) -> whether it is a control edge.
        wide: set boxes without edges side by side; else more below each other.
    """
    ends = {end for edge in edges for end in edge}
    items = [box for box in boxes if box in ends]
    items = [ENTRY] * (ENTRY in ends) + items + [EXIT] * (EXIT in ends)
    index = {item: at for at, item in enumerate(items)}
    arrows = [(index[s], index[t], control) for (s, t), control in edges.items()]
    count = len(items)
    after: list[list[int]] = [[] for _ in range(count)]
    for source, target, _ in arrows:
        after[source].append(target)
    back = _back_edges(after)
    down = [(t, s, c, True) if (s, t) in back else (s, t, c, False) for s, t, c in arrows]
    rank = _ranks(count, [(s, t) for s, t, _, _ in down])
    chains = []
    left = max(_ENOUGH, _BENDS * count)
    for source, target, control, turned in sorted(down, key=lambda d: rank[d[1]] - rank[d[0]]):
        chain, passed = [source], rank[target] - rank[source] - 1
        if passed <= min(_LONG, left):
            left -= passed
            for row in range(rank[source] + 1, rank[target]):
                chain.append(len(items))
                items.append(BEND)
                rank.append(row)
        chains.append(Chain([*chain, target], turned, control))
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    for item, row in enumerate(rank):
        rows[row].append(item)
    _order(rows, len(items), chains)
    alone = [box for box in boxes if box not in ends]
    columns = max(1, min(6, round(len(alone) ** 0.5 * (1 if wide else 0.5))))
    for at in range(0, len(alone), columns):
        some = alone[at : at + columns]
        rows.append(list(range(len(items), len(items) + len(some))))
        items += some
    return Plan(items, rows, chains)


def _back_edges(after: list[list[int]]) -> set[tuple[int, int]]:
    """Edges that close a cycle in a walk from the first item on."""
    state = [0] * len(after)
    back: set[tuple[int, int]] = set()
    for root in range(len(after)):
        if state[root]:
            continue
        state[root] = 1
        stack = [(root, iter(after[root]))]
        while stack:
            item, pending = stack[-1]
            following = next(pending, None)
            if following is None:
                state[item] = 2
                stack.pop()
            elif state[following] == 1:
                back.add((item, following))
            elif not state[following]:
                state[following] = 1
                stack.append((following, iter(after[following])))
    return back


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The longest path to each item; what nothing leads to stands just above its first reader."""
    after: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for source, target in edges:
        after[source].append(target)
        waiting[target] += 1
    sources = [item for item in range(count) if not waiting[item]]
    rank, ready = [0] * count, list(sources)
    while ready:
        item = ready.pop()
        for following in after[item]:
            rank[following] = max(rank[following], rank[item] + 1)
            waiting[following] -= 1
            if not waiting[following]:
                ready.append(following)
    for item in sources:
        if after[item]:
            rank[item] = max(0, min(rank[following] for following in after[item]) - 1)
    return rank


def _order(rows: list[list[int]], count: int, chains: Sequence[Chain]) -> None:
    """Sort each row by where its neighbours stand, down and up in turns."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for chain in chains:
        for upper, lower in pairwise(chain.items):
            above[lower].append(upper)
            below[upper].append(lower)
    place = [0.0] * count
    for row in rows:
        for at, item in enumerate(row):
            place[item] = (at + 0.5) / len(row)
    for turn in range(_ORDERED):
        near = below if turn % 2 else above
        for row in reversed(rows) if turn % 2 else rows:
            weight = {
                i: sum(place[n] for n in near[i]) / len(near[i]) if near[i] else place[i]
                for i in row
            }
            row.sort(key=weight.__getitem__)
            for at, item in enumerate(row):
                place[item] = (at + 0.5) / len(row)


@dataclasses.dataclass
class Placed:
    """Where the items of a scope stand: centres and tops from its corner, and its size."""

    x: list[float]
    y: list[float]
    sizes: list[tuple[float, float]]
    width: float
    height: float


def place(planned: Plan, sizes: Sequence[tuple[float, float]]) -> Placed:
    """Give the items of a plan their places; ``sizes`` has (width, height) of each."""
    count = len(planned.items)
    near: list[list[list[int]]] = [[[] for _ in range(count)] for _ in range(2)]
    for chain in planned.chains:
        for upper, lower in pairwise(chain.items):
            near[0][lower].append(upper)
            near[1][upper].append(lower)
    x, y, top = [0.0] * count, [0.0] * count, 0.0
    for row in planned.rows:
        _spread(row, [0.0] * len(row), x, sizes, planned.items)
        for item in row:
            y[item] = top
        top += max(sizes[item][1] for item in row) + ROW_GAP
    for turn in range(PLACED):
        beside = near[turn % 2]
        for row in reversed(planned.rows) if turn % 2 else planned.rows:
            wanted = [
                sum(x[n] for n in beside[i]) / len(beside[i]) if beside[i] else x[i] for i in row
            ]
            _spread(row, wanted, x, sizes, planned.items)
    left = min((x[i] - sizes[i][0] / 2 for i in range(count)), default=0.0)
    right = max((x[i] + sizes[i][0] / 2 for i in range(count)), default=0.0)
    return Placed(
        [value - left for value in x], y, list(sizes), right - left, max(0.0, top - ROW_GAP)
    )


def _spread(
    row: list[int], wanted: list[float], x: list[float], sizes: Sequence[tuple[float, float]],
    items: list[int],
) -> None:  # fmt: skip
    """Put a row's items as near to ``wanted`` as they fit side by side: least squares, by pools.

    Bends weigh more than boxes, so that long edges are straight.
    """
    offsets, at = [], 0.0
    for place_in_row, item in enumerate(row):
        if place_in_row:
            at += (sizes[row[place_in_row - 1]][0] + sizes[item][0]) / 2 + GAP
        offsets.append(at)
    pools: list[list[float]] = []  # weighted sum, weight, length
    for item, want, offset in zip(row, wanted, offsets, strict=True):
        weight = 4.0 if items[item] == BEND else 1.0
        pools.append([weight * (want - offset), weight, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]
    at_item = 0
    for total, weight, length in pools:
        for _ in range(int(length)):
            x[row[at_item]] = total / weight + offsets[at_item]
            at_item += 1
