"""The flags of dump and check."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from modelfmt.cli.main import app

GOLDEN = Path(__file__).parents[2] / "golden"
GRAPH = str(GOLDEN / "graphdef/keras2.1.2-tf1.4.1-linear_regression/model.pb")
MODEL = str(GOLDEN / "savedmodel/rawtf2.3.4-module_mlp/saved_model")


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.stdout


def test_text_of_a_message() -> None:
    status, text = run("dump", GRAPH, "--pbtxt")
    assert status == 0 and text.startswith("node {")
    assert run("dump", GRAPH, "--pbtxt", "--json")[0] == 2
    h5 = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"
    assert run("dump", str(h5), "--pbtxt")[0] == 3


def test_values_and_depth() -> None:
    status, text = run("dump", MODEL, "--values", "--depth", "2", "--json")
    report = json.loads(text)
    assert status == 0 and report["objects"]["rows"]
    assert any("values" in row for row in report["tensors"])
    status, text = run("dump", MODEL, "--depth", "2")
    assert "object paths:" in text and "\x1b" not in text
    assert run("dump", MODEL, "--depth", "0")[0] == 2


def test_check_says_where_and_what(tmp_path: Path) -> None:
    broken = tmp_path / "m.pbtxt"
    broken.write_text('node { name: "y" op: "Identity" input: "ghost" }')
    status, text = run("check", str(broken))
    assert status == 1 and text.startswith(f'{broken}, node "y": reads')
    status, text = run("check", str(broken), "--json")
    found = json.loads(text)
    assert status == 1 and len(found["findings"]) == 2 and found["notes"] == []


def test_audit(tmp_path: Path) -> None:
    graph = tmp_path / "g.pbtxt"
    graph.write_text('node { name: "x" op: "PyFunc" }\n')
    status, text = run("audit", str(graph))
    assert status == 1 and text.startswith(f'high  op  {graph}, node "x": PyFunc; calls')
    report = json.loads(run("audit", str(graph), "--json")[1])
    assert report["findings"][0]["severity"] == "high"
    graph.write_text('node { name: "x" op: "NoOp" }\n')
    assert run("audit", str(graph)) == (0, "")
