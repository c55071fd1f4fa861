"""The report of a conversion, in both directions and both forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.dtypes import float32, string
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.storage.output import OutputExistsError
from modelfmt.tf.graphdef import write_graphdef


def frozen(path: Path, *, hashed: bool = False) -> str:
    graph = GraphBuilder()
    if hashed:
        graph.placeholder("s", string, (None,))
        graph.op("StringToHashBucketFast", "s", num_buckets=7, name="hashed")
    else:
        graph.placeholder("x", float32, (None, 4))
        with graph.scope("dense"):
            graph.op("BiasAdd", graph.op("MatMul", "x", np.ones((4, 3), "f4")), np.ones(3, "f4"))
    write_graphdef(graph, str(path))
    return str(path)


def test_a_graph_node_by_node(tmp_path: Path) -> None:
    source = frozen(tmp_path / "a.pb")
    modelfmt.convert(source, tmp_path / "a.h5", report=tmp_path / "a.json")
    told = json.loads((tmp_path / "a.json").read_text())
    assert (told["kind"], told["error"]) == ("keras-h5", None)
    fates = {row["node"]: (row["fate"], row["layer"]) for row in told["nodes"]}
    assert fates["dense/MatMul"] == ("layer", "dense") and fates["x"] == ("input", "")
    assert {"layer": "dense", "class_name": "Dense", "fate": "written"} in told["layers"]
    assert [note.split(":")[0] for note in told["notes"]] == ["inputs guessed", "outputs guessed"]


def test_layers_that_leave_no_node(tmp_path: Path) -> None:
    modelfmt.convert(frozen(tmp_path / "a.pb"), tmp_path / "a.keras")
    modelfmt.convert(tmp_path / "a.keras", tmp_path / "b.pb", report=tmp_path / "b.txt")
    text = (tmp_path / "b.txt").read_text()
    assert "layers: 2 written" in text and "dense  Dense" in text and "guessed" not in text


def test_where_nothing_is_converted_the_report_says_why(tmp_path: Path) -> None:
    source = frozen(tmp_path / "a.pb", hashed=True)
    with pytest.raises(UnrecognisedGraphError):
        modelfmt.convert(source, tmp_path / "a.h5", report=tmp_path / "a.md")
    text = (tmp_path / "a.md").read_text()
    assert "not converted: " in text and "hashed  StringToHashBucketFast  unclaimed" in text
    assert not (tmp_path / "a.h5").exists()
    with pytest.raises(OutputExistsError):
        modelfmt.convert(source, tmp_path / "a.h5", report=tmp_path / "a.md")
