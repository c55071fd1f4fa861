"""The text of dump: the first questions answered at once, columns that line up."""

from __future__ import annotations

from typing import Any

from modelfmt.cli.render_dump import render_dump, styled_dump

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
layers: 2, 12,345 parameters
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
    assert "functions: 1, 3 nodes in them" in lines and "  f  3 nodes" in lines
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


def test_a_savedmodel() -> None:
    ends = {"inputs": [{"name": "x", "tensor": "x", "dtype": "float32", "shape": [None]}],
            "outputs": [{"name": "init", "tensor": "NoOp", "dtype": None, "shape": None}]}
    rows = [{"tags": tags, "nodes": 3, "functions": 0, "signatures": [*keys]}
            for tags, keys in ((["serve"], ["a", "__saved_model_init_op"]), (["train"], []))]
    report = {
        **REPORT, "kind": "savedmodel", "tags": ["serve"], "metagraphs": rows, "layers": [],
        "signatures": {"a": {"method": "tensorflow/serving/predict", **ends}},
        "objects": {"count": 3, "kinds": {"user_object": 2, "variable": 1}, "users": {"_m": 2},
                    "rows": [{"path": "d", "kind": "user_object", "identifier": "_m"}]},
        "files": [{"name": "saved_model.pb", "nbytes": 9}],
    }  # fmt: skip
    text = """\
tags: serve
metagraphs: 2, of which the tags above tell one
  serve  3 nodes    signatures a
  train  3 nodes    no signature
"""
    assert text in render_dump(report)
    text = """\
signature a (tensorflow/serving/predict):
  input   x     x     float32  [?]
  output  init  NoOp  (an op)
objects: 3
  user object  2
  variable     1
user objects:
  _m  2
object paths:
  d  _m
files:
  saved_model.pb  9 B
"""
    assert text in render_dump(report)


def test_a_checkpoint() -> None:
    rows = [{"name": "t", "path": "t", "dtype": "string", "shape": [2], "nbytes": None,
             "slices": ["0,1", "1,1"], "values": ["a", "b\n", {"base64": "/w=="}]}]  # fmt: skip
    found = {
        "version": 2, "files": [{"name": "c.index", "nbytes": 5}],
        "state": {"latest": "c-2", "all": ["c-1", "c-2"]},
        "objects": {"count": 4, "variables": 2, "slots": 0, "configs": 1, "rows": []},
    }  # fmt: skip
    report = {"path": "c", "kind": "checkpoint", "versions": {}, "inputs": [], "outputs": [],
              "checkpoint": found, "tensors": rows, "oddities": []}  # fmt: skip
    assert render_dump(report) == """\
c: checkpoint
files of the checkpoint, version 2:
  c.index  5 B
state file: the latest is c-2, before it c-1
saved objects: 4, 2 variables, 1 config
tensors: 1, 0 B
  t  string  [2]  ?  "a", "b\\n", b'\\xff'
slices (start,length of each axis):
  t  0,1  1,1"""


def test_training_notes_and_whose_tensors() -> None:
    report = {
        **REPORT, "training": {"optimizer": "Adam", "loss": ["mse"], "metrics": []},
        "remarks": ["kernels are turned"], "holds": {"model": 1, "optimizer": 1, "other": 0},
    }  # fmt: skip
    lines = render_dump(report).splitlines()
    assert lines[1:3] == ["compiled: optimizer Adam; loss mse", "note: kernels are turned"]
    assert "tensors: 2, 60 B (1 model, 1 optimizer)" in lines


def test_styles_are_beside_the_text() -> None:
    styled = list(styled_dump(REPORT))
    assert "\n".join(line for line, _ in styled) == TEXT
    assert dict(styled)["inputs:"] == "title" and styled[-1] == ("  something is strange", "odd")


def test_layers_stand_beside_paths_that_do_not_tell_them() -> None:
    rows = [{"name": f"layers/dense/vars/{n}", "path": "", "dtype": "float32", "shape": [],
             "nbytes": 4, "layer": layer}
            for n, layer in enumerate(("first", "dense"))]  # fmt: skip
    report = {"path": "w", "kind": "keras-weights", "versions": {}, "inputs": [], "outputs": [],
              "tensors": rows, "oddities": []}  # fmt: skip
    assert render_dump(report).splitlines()[-2:] == [
        "  layers/dense/vars/0  float32  []  4 B  first",
        "  layers/dense/vars/1  float32  []  4 B  dense",
    ]
    assert render_dump(report | {"tensors": rows[1:]}).endswith("[]  4 B")
