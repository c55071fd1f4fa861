"""Scopes by slashes, groups by words, and what is unfolded at first."""

from __future__ import annotations

from itertools import pairwise

from modelfmt.surgery.view import ENDINGS, drawn
from modelfmt.surgery.view_boxes import (
    Box,
    Picture,
    gathered,
    grouped,
    printable,
    scoped,
    shortened,
)  # fmt: skip


def tree(boxes: list[Box]) -> list[object]:
    return [(box.title, tree(box.children)) if box.children else box.title for box in boxes]


def chain(*names: str, kinds: str = "ab") -> tuple[list[Box], list[tuple[Box, Box, bool]]]:
    boxes = [Box(name, name, kinds[at % len(kinds)]) for at, name in enumerate(names)]
    return boxes, [(a, b, False) for a, b in pairwise(boxes)]


def test_slashes_make_scopes() -> None:
    names = ["x", "a/b/one", "a/b/two", "c/d/alone", "a/three", "e", "e/f", "e/g"]
    found = scoped({name: Box(name.rpartition("/")[2], name, "op") for name in names})
    assert tree(found) == [
        "x", ("a", [("b", ["one", "two"]), "three"]), "c/d/alone", ("e", ["e", "f", "g"])
    ]  # fmt: skip


def test_names_of_slashes_only_are_names() -> None:
    found = scoped({name: Box("t", name, "op") for name in ["/", "//", "a//b", ""]})
    picture = Picture.of("t", "k", found, [])
    assert sorted(box.name for box in picture.boxes if box.kind) == ["", "/", "//", "a//b"]


def test_words_of_layers_make_groups() -> None:
    boxes, edges = chain("in", "c1_1_conv", "c1_1_bn", "c1_1_relu", "c1_out", "c1_add", "dense")
    assert tree(grouped(boxes, edges)) == [
        "in", ("c1", [("c1_1", ["c1_1_conv", "c1_1_bn", "c1_1_relu"]), "c1_out", "c1_add"]),
        "dense",
    ]  # fmt: skip


def test_made_up_names_and_one_class_make_none() -> None:
    boxes, edges = chain("dense", "dense_1", "dense_2", "dense_3")
    assert grouped(boxes, edges) == boxes
    boxes, edges = chain("max_a", "max_b", "max_c", kinds="a")
    assert grouped(boxes, edges) == boxes


def test_a_group_that_is_left_and_reentered_is_none() -> None:
    boxes, edges = chain("g_a", "g_b", "other", "g_c", "g_d")
    assert grouped(boxes, edges) == boxes


def test_a_group_of_all_is_none() -> None:
    boxes, edges = chain("g_a", "g_b", "g_c", "g_d")
    assert grouped(boxes, edges) == boxes


def test_names_and_scopes_without_end() -> None:
    boxes, edges = chain(*(f"{'_' * 5000}{end}" for end in ("a_x", "b_y", "c_z", "d")))
    assert len(grouped(boxes, edges)) <= 4
    names = ["/".join(["s"] * depth) + f"/n{depth}" for depth in range(1, 1500)]
    scopes = scoped({name: Box("n", name, "op") for name in names})
    picture = Picture.of("t", "k", scopes, [])
    assert 90 <= len(picture.opened(10**6)) <= 100
    for ending in ENDINGS:
        assert drawn(picture, ending, 10**6)


def test_many_parts_that_are_alike_are_gathered() -> None:
    boxes, edges = chain("a", "b")
    pairs = [chain(f"x{i}", f"y{i}") for i in range(8)]
    every = [*boxes, *(box for some, _ in pairs for box in some)]
    found = gathered(every, [*edges, *(edge for _, some in pairs for edge in some)])
    assert [box.title for box in found] == ["9 \u00d7 a, b"]
    boxes, edges = chain("a", "b", "c")
    found = gathered([*boxes, *every[2:]], [*edges, *(e for _, some in pairs for e in some)])
    assert found[:3] == boxes and found[3].children == every[2:]
    picture = Picture.of("t", "k", found, [])
    assert picture.opened() == set() and picture.opened(1) == {3}


def test_many_boxes_that_no_edge_reaches_are_gathered() -> None:
    boxes, edges = chain("a", "b")
    few = [Box(f"f{i}", f"f{i}", "Const") for i in range(3)]
    many = [Box(f"m{i}", f"m{i}", "Placeholder") for i in range(9)]
    found = gathered([many[0], *boxes, *few, *many[1:]], edges)
    assert found[:2] == boxes and all(box in found for box in few)
    scope = next(box for box in found if box.children)
    assert scope.children == many and "9" in scope.title and len(found) == 6


def test_what_is_unfolded_at_first_stays_readable() -> None:
    few = Box("few", "few", children=[Box(str(i), str(i), "k") for i in range(5)])
    many = Box("many", "many", children=[Box(f"m{i}", f"m{i}", "k") for i in range(500)])
    picture = Picture.of("t", "k", [few, many], [])
    assert picture.opened() == {few.id}
    assert picture.opened(1) == {few.id, many.id}
    assert picture.opened(0) == set()


def test_an_edge_is_a_control_edge_only_if_all_are() -> None:
    a, b, c = (Box(n, n, "k") for n in "abc")
    picture = Picture.of(
        "t", "k", [a, b, c], [(a, b, True), (a, b, False), (b, c, True), (c, c, False)]
    )
    assert [(e.source, e.target, e.control) for e in picture.edges] == [
        (0, 1, False), (1, 2, True)
    ]  # fmt: skip


def test_text_that_xml_cannot_hold() -> None:
    assert printable("a\x00b\ud800c\n\u00e9") == "a\ufffdb\ufffdc\n\u00e9"
    assert shortened("a" * 50 + "b" * 50, 11) == "aaaaa\u2026bbbbb"
    assert shortened("short") == "short"
