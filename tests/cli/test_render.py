"""Rendering: plain text, columns that line up."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.cli.render import (
    render_conversion,
    render_dump,
    render_verification,
    shape,
    size,
    table,
)
from modelfmt.surgery.convert import Conversion
from modelfmt.surgery.verify import Comparison, Verification


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
     (1 << 20, "1.0 MiB"), (5 << 30, "5.0 GiB"), (1 << 42, "4096.0 GiB")],
)  # fmt: skip
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("dims", "text"),
    [(None, "[...]"), ([], "[]"), ([None, 28, 1], "[?, 28, 1]"), ((2,), "[2]"), ([0], "[0]")],
)
def test_shapes(dims: Any, text: str) -> None:
    assert shape(dims) == text


def test_columns_line_up_and_no_line_ends_in_blanks() -> None:
    assert list(table([["a", "bb", ""], ["ccc", "d", "e"]])) == ["  a    bb", "  ccc  d   e"]
    assert list(table([], indent="")) == []


REPORT: dict[str, Any] = {
    "path": "m.h5", "kind": "keras-h5", "versions": {"keras_version": "2.1.2"},
    "inputs": [{"name": "x", "dtype": "float32", "shape": [None, 4]}],
    "outputs": [{"name": "d", "dtype": None, "shape": None}],
    "layers": [
        {"name": "x", "class_name": "InputLayer", "weights": 0, "parameters": 0},
        {"name": "d", "class_name": "Dense", "weights": 2, "parameters": 12345},
    ],
    "tensors": [
        {"name": "d/kernel", "path": "d/kernel", "dtype": "float32", "shape": [4, 3], "nbytes": 48},
        {"name": "d/b", "path": "d/b", "dtype": "float32", "shape": [3], "nbytes": 12},
    ],
    "oddities": ["something is strange"],
}  # fmt: skip
TEXT = """\
m.h5: keras-h5 (keras_version 2.1.2)
inputs:
  x  float32  [?, 4]
outputs:
  d  ?  [...]
layers: 2
  x  InputLayer
  d  Dense       12,345
tensors: 2, 60 B
  d/kernel  float32  [4, 3]  48 B
  d/b       float32  [3]     12 B
odd:
  something is strange"""


def test_a_dump() -> None:
    assert render_dump(REPORT) == TEXT


def test_a_dump_of_a_graph() -> None:
    report = {**REPORT, "layers": [], "versions": {}, "kind": "graphdef", "oddities": [],
              "ops": {"Add": 1, "Const": 12}, "functions": {"f": 3}}  # fmt: skip
    lines = render_dump(report).splitlines()
    assert lines[0] == "m.h5: graphdef"
    assert "nodes: 13" in lines and "  Const  12" in lines
    assert "functions: 1" in lines and "  f  3 nodes" in lines
    assert "odd:" not in lines


def test_a_dump_of_nothing() -> None:
    report = {key: [] for key in ("inputs", "outputs", "tensors", "oddities")}
    assert render_dump({"path": "p", "kind": "keras", "versions": {}, **report}) == "p: keras"


def test_digests_have_a_column() -> None:
    rows = [{**row, "sha256": digest} for row, digest in zip(REPORT["tensors"], ("ab", None),
                                                             strict=True)]  # fmt: skip
    lines = render_dump({**REPORT, "tensors": rows}).splitlines()
    assert "  d/kernel  float32  [4, 3]  48 B  ab" in lines
    assert "  d/b       float32  [3]     12 B  -" in lines


def test_nothing_but_plain_text() -> None:
    assert "\x1b" not in TEXT and render_dump(REPORT).isascii()


def test_a_conversion() -> None:
    done = Conversion("a.h5", "keras-h5", "b.pb", "graphdef", 6, 10, 2048)
    wanted = "a.h5 (keras-h5) -> b.pb (graphdef): 6 layers, 10 weights, 2.0 KiB, 0.25 s"
    assert render_conversion(done, 0.251) == wanted
    rewritten = Conversion("a.pb", "graphdef", "b.pbtxt", "graphdef")
    assert render_conversion(rewritten, 1) == "a.pb (graphdef) -> b.pbtxt (graphdef): 1.00 s"


def test_a_verification() -> None:
    outcome = Verification([Comparison("y", "z", 1.25e-7, 2.0, True),
                            Comparison("long_name", "q", 0.5, 1.0, False)])  # fmt: skip
    assert render_verification(outcome).splitlines() == [
        "output     in the other  max |a - b|  max |a|",
        "y          z             1.25e-07     2        agrees",
        "long_name  q             0.5          1        DIFFERS",
    ]


def collection(*names: str, kind: str = "node_list", of: str | None = None) -> dict[str, Any]:
    rows = [{"name": name} for name in names]
    return {"kind": kind, "type": of, "count": len(names), "rows": rows}


def test_collections_saver_and_assets() -> None:
    report = {
        **REPORT,
        "collections": {
            "savers": {
                "kind": "bytes_list", "type": "SaverDef", "count": 1,
                "rows": [{"restore_op": "save/restore_all"}],
            },
            "steps": {"kind": "int64_list", "type": None, "count": 1, "rows": [{"value": 0}]},
            "train_op": collection("Adam"),
            "variables": collection("w:0", "b:0", kind="bytes_list", of="VariableDef"),
            "words": {
                "kind": "bytes_list", "type": None, "count": 2,
                "rows": [{"nbytes": 2, "text": "hi"}, {"nbytes": 3, "text": None}],
            },
        },
        "saver": {
            "filename_tensor": "save/Const:0", "save_tensor": "save/done:0", "version": "V2",
            "restore_op": "save/restore_all", "max_to_keep": 5, "sharded": False,
            "keep_checkpoint_every_n_hours": 10000.0,
        },
        "assets": [{"tensor": "Const:0", "filename": "vocab.txt"}],
    }  # fmt: skip
    text = """\
collections:
  savers     SaverDef     1  save/restore_all
  steps      int64_list   1  0
  train_op   node_list    1  Adam
  variables  VariableDef  2  w:0, b:0
  words      bytes_list   2  hi, 3 B
saver:
  version          V2
  filename tensor  save/Const:0
  save tensor      save/done:0
  restore op       save/restore_all
assets:
  vocab.txt  Const:0
"""
    assert text in render_dump(report)


def test_a_collection_of_thousands_is_one_line() -> None:
    many = {
        "many": collection(*(f"v{k}" for k in range(5000))),
        "long": collection("n" * 5000, "m" * 70),
        "none": collection(),
        "two\nlines": collection("a\nb"),
    }
    lines = render_dump({**REPORT, "collections": many, "saver": None}).splitlines()
    at = lines.index("collections:")
    assert lines[at + 1].split(maxsplit=3)[2:] == [
        "5000", "v0, v1, v2, v3, v4, v5, v6, v7, and 4992 more",
    ]  # fmt: skip
    assert lines[at + 2].endswith("n..., and 1 more") and len(lines[at + 2]) < 130
    assert lines[at + 3].split() == ["none", "node_list", "0"]
    assert lines[at + 4].endswith("a\\nb") and lines[at + 5].startswith("tensors:")
