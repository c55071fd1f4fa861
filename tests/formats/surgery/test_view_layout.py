"""Rows, orders and places."""

from __future__ import annotations

import random
from itertools import pairwise

from modelfmt.surgery.view_boxes import Box, Picture
from modelfmt.surgery.view_layout import BEND, ENTRY, EXIT, GAP, Plan, place, plan, plans


def row_of_box(planned: Plan, box: int) -> int:
    return planned.row_of[planned.items.index(box)]


def overlaps(planned: Plan, sizes: list[tuple[float, float]]) -> list[tuple[int, int]]:
    placed = place(planned, sizes)
    found = []
    for row in planned.rows:
        for left, right in pairwise(row):
            apart = placed.x[right] - placed.x[left]
            if apart < (sizes[left][0] + sizes[right][0]) / 2 + GAP - 1e-6:
                found.append((left, right))
    return found


def test_rows_are_longest_paths_and_bends_fill_them() -> None:
    planned = plan([0, 1, 2, 3], {(0, 1): False, (1, 2): False, (2, 3): False, (0, 3): True})
    assert [row_of_box(planned, box) for box in range(4)] == [0, 1, 2, 3]
    assert planned.items.count(BEND) == 2
    (skip,) = [chain for chain in planned.chains if chain.control]
    assert [planned.row_of[item] for item in skip.items] == [0, 1, 2, 3]


def test_a_source_stands_above_its_reader() -> None:
    planned = plan([0, 1, 2, 9], {(0, 1): False, (1, 2): False, (9, 2): False})
    assert row_of_box(planned, 9) == 1


def test_loops_are_turned() -> None:
    planned = plan([0, 1, 2], {(0, 1): False, (1, 2): False, (2, 1): False})
    assert [chain.back for chain in planned.chains] == [False, False, True]
    assert row_of_box(planned, 2) == 2


def test_crossings_are_undone() -> None:
    """Two ladders whose lower ends stand the wrong way around in the file."""
    planned = plan([0, 1, 3, 2], {(0, 2): False, (1, 3): False})
    at = [[planned.items[item] for item in row] for row in planned.rows]
    assert at in ([[0, 1], [2, 3]], [[1, 0], [3, 2]])


def test_boxes_never_overlap() -> None:
    rng = random.Random(7)
    for _ in range(30):
        count = rng.randint(2, 40)
        edges = {
            (a, b): False
            for a in range(count) for b in rng.sample(range(count), min(count, 2)) if a != b
        }  # fmt: skip
        planned = plan(range(count), edges)
        assert sorted(i for row in planned.rows for i in row) == list(range(len(planned.items)))
        sizes = [(rng.uniform(2, 300), rng.uniform(0, 80)) for _ in planned.items]
        assert overlaps(planned, sizes) == []
        placed = place(planned, sizes)
        for at, (wide, high) in enumerate(sizes):
            assert placed.x[at] - wide / 2 > -1e-6
            assert placed.x[at] + wide / 2 < placed.width + 1e-6
            assert placed.y[at] >= 0 and placed.y[at] + high <= placed.height + 1e-6


def test_a_chain_is_straight() -> None:
    planned = plan([0, 1, 2], {(0, 1): False, (1, 2): False})
    placed = place(planned, [(50, 20), (200, 20), (90, 20)])
    assert placed.x == [100.0] * 3


def test_edges_between_scopes_pass_their_ports() -> None:
    inner = [Box(n, f"s/{n}", "k") for n in "bc"]
    scope, a, d = Box("s", "s", children=inner), Box("a", "a", "k"), Box("d", "d", "k")
    edges = [(a, inner[0], False), (inner[0], inner[1], False), (inner[1], d, False)]
    picture = Picture.of("t", "k", [a, scope, d], edges)
    found = plans(picture)
    assert set(found) == {-1, scope.id}
    assert [found[-1].items[i] for row in found[-1].rows for i in row] == [a.id, scope.id, d.id]
    inside = found[scope.id]
    ids = [inner[0].id, inner[1].id]
    assert [inside.items[i] for row in inside.rows for i in row] == [ENTRY, *ids, EXIT]


def test_boxes_alone_stand_in_rows() -> None:
    assert [len(row) for row in plan(range(14), {}, wide=True).rows] == [4, 4, 4, 2]
    assert [len(row) for row in plan(range(4), {}).rows] == [1, 1, 1, 1]
    assert max(len(row) for row in plan(range(1000), {}).rows) == 6


def test_a_star_of_long_edges_stays_small() -> None:
    """One source that all 3,000 steps of a chain read: bends are made for the near ones only."""
    edges = {(i, i + 1): False for i in range(1, 3000)}
    edges |= {(0, i): False for i in range(1, 3001)}
    assert len(plan(range(3001), edges).items) < 6000
    ladder = {(i, i + step): False for i in range(3000) for step in (1, 50) if i + step < 3000}
    assert len(plan(range(3000), ladder).items) < 6 * 3000
