"""extract and assemble on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from modelfmt.cli.main import app

GOLDEN = Path(__file__).parents[2] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"


def fmt(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_apart_and_together(tmp_path: Path) -> None:
    parts, out = tmp_path / "parts", tmp_path / "x.pb"
    done = fmt("extract", GRAPH, "-o", parts)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith(f"{GRAPH} (graphdef) -> {parts}: 1 part, ")
    done = fmt("assemble", parts, "-o", out)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"{parts} -> {out} (graphdef): nothing edited\n"
    assert out.read_bytes() == GRAPH.read_bytes()


def test_json_and_quiet(tmp_path: Path) -> None:
    done = fmt("extract", GRAPH, "-o", tmp_path / "p", "--json")
    report = json.loads(done.stdout)
    assert done.stderr == "" and (report["kind"], report["parts"]) == ("graphdef", 1)
    done = fmt("assemble", tmp_path / "p", "-o", tmp_path / "x.pb", "--json")
    assert json.loads(done.stdout)["edited"] == []
    assert fmt("extract", GRAPH, "-o", tmp_path / "q", "-q").output == ""
    assert fmt("assemble", tmp_path / "q", "-o", tmp_path / "y.pb", "-q").output == ""


def test_edited_parts_are_named(tmp_path: Path) -> None:
    fmt("extract", GRAPH, "-o", tmp_path / "p")
    text = tmp_path / "p" / "graph.pbtxt"
    text.write_text(text.read_text().replace('op: "Relu"', 'op: "Tanh"'))
    done = fmt("assemble", tmp_path / "p", "-o", tmp_path / "x.pb")
    assert done.exit_code == 0 and done.stderr.endswith(": 1 edited\n  graph.pbtxt\n")


def test_options_of_extract_arrive(tmp_path: Path) -> None:
    done = fmt("extract", GRAPH, "-o", tmp_path / "x.npz", "--select", "*kernel", "--select", "no")
    assert done.exit_code == 0
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays.files and all(name.endswith("kernel") for name in arrays.files)
    done = fmt("extract", GRAPH, "-o", tmp_path / "x.pb", "--outputs", "conv_same/Relu")
    assert done.exit_code == 0, done.stderr
    assert fmt("dump", tmp_path / "x.pb").exit_code == 0


@pytest.mark.parametrize(
    ("status", "arguments", "words"),
    [
        (2, ["extract", GRAPH], "-o"),
        (2, ["assemble", "parts"], "-o"),
        (2, ["extract", GRAPH, "-o", "nowhere/x"], "does not exist"),
        (3, ["extract", "nowhere.pb", "-o", "x"], "no such file"),
        (3, ["assemble", "nowhere", "-o", "x"], "no such file"),
        (3, ["extract", GRAPH, "-o", "x.npz", "--select", "nobody"], "nobody"),
        (2, ["extract", GRAPH, "-o", "x", "--select", "*", "--outputs", "y"], "not both"),
    ],
)
def test_exit_statuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, arguments: list[object],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = fmt(*arguments)
    assert (done.exit_code, done.stdout) == (status, "") and words in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_needs_force(tmp_path: Path) -> None:
    fmt("extract", GRAPH, "-o", tmp_path / "p")
    for arguments in (["extract", GRAPH], ["assemble", tmp_path / "p"]):
        out = tmp_path / ("p" if arguments[0] == "extract" else "x.pb")
        if not out.exists():
            out.touch()
        done = fmt(*arguments, "-o", out)
        assert done.exit_code == 2 and "--force" in done.stderr
        assert fmt(*arguments, "-o", out, "--force").exit_code == 0
