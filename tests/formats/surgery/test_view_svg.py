"""The SVG: well formed, every seen box and edge in it, names escaped."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

from modelfmt.surgery.view_boxes import Box, Picture
from modelfmt.surgery.view_svg import family, size, svg, texts

HOSTILE = "</title><script>alert(1)</script>&\"'\x00\ud800"
NS = "{http://www.w3.org/2000/svg}"


def picture() -> Picture:
    inner = [Box("one", "s/one", "Conv2D", ["kernel float32 [3, 3, 1, 2]"]), Box("two", "s/two")]
    scope, last = Box("s", "s", children=inner), Box(HOSTILE, HOSTILE, HOSTILE, [HOSTILE])
    return Picture.of(
        HOSTILE, "test", [scope, last],
        [(inner[0], inner[1], False), (inner[1], last, True), (last, inner[0], False)],
    )  # fmt: skip


def by_class(root: Any, name: str) -> list[Any]:
    return [e for e in root.iter() if name in (e.get("class") or "").split()]


def test_folded_and_unfolded() -> None:
    drawn = picture()
    folded = ElementTree.fromstring(svg(drawn, set()).encode())
    assert [g.get("data-id") for g in by_class(folded, "box")] == ["0", "3"]
    assert len(by_class(folded, "edge")) == 2 and not by_class(folded, "port")
    root = ElementTree.fromstring(svg(drawn, {0}).encode())
    assert [g.get("data-id") for g in by_class(root, "box")] == ["0", "1", "2", "3"]
    assert len(by_class(root, "port")) == 2
    assert "kernel float32 [3, 3, 1, 2]" in [t.text for t in root.iter(f"{NS}text")]


def test_names_are_text_and_nothing_else() -> None:
    text = svg(picture(), {0})
    root = ElementTree.fromstring(text.encode())
    assert not list(root.iter(f"{NS}script")) and "<script" not in text
    assert root.find(f"{NS}title").text.startswith("</title><script>")  # type: ignore[union-attr]
    assert "\x00" not in text


def test_boxes_stand_within_their_scope() -> None:
    root = ElementTree.fromstring(svg(picture(), {0}).encode())

    def rect(id_: str) -> list[float]:
        group = next(g for g in by_class(root, "box") if g.get("data-id") == id_)
        found = group.find(f"{NS}rect")
        return [float(found.get(k)) for k in ("x", "y", "width", "height")]

    x, y, wide, high = rect("0")
    for inner in ("1", "2"):
        ix, iy, iw, ih = rect(inner)
        assert x < ix and y < iy and ix + iw < x + wide and iy + ih < y + high
    assert wide + x <= float(root.get("width") or 0)


def test_long_texts_are_shortened() -> None:
    box = Box("n" * 500, "n" * 500, "k" * 500, [f"w{i} " + "9" * 500 for i in range(9)])
    title, kind, lines = texts(box)
    assert len(title) == 40 and len(kind) == 48
    assert lines[4:] == ["and 5 more"] and max(map(len, lines)) == 48
    assert size(box)[0] < 400


def test_families() -> None:
    kinds = {"Conv2D": "conv", "MatMul": "dense", "LSTM": "rnn", "FusedBatchNormV3": "norm"}
    assert {kind: family(kind) for kind in kinds} == kinds
    assert family("Mystery") == ""
