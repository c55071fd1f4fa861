"""edit on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import modelfmt
from modelfmt.cli.main import app

GOLDEN = Path(__file__).parents[2] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"


def fmt(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def names() -> list[str]:
    with modelfmt.open(GRAPH) as source:
        return list(source.graph)


def test_edit(tmp_path: Path) -> None:
    first, last = names()[0], names()[-1]
    done = fmt("edit", GRAPH, "-o", tmp_path / "x.pb", "--rename", f"{first}=x",
               "--rename", f"{last}=y")
    assert (done.exit_code, done.stdout) == (0, "")
    assert f'  renamed node "{first}" to "x"' in done.stderr.split("\n")
    with modelfmt.open(tmp_path / "x.pb") as made:
        assert (next(iter(made.graph)), list(made.graph)[-1]) == ("x", "y")
    assert fmt("edit", GRAPH, "-o", tmp_path / "y.pb", "--cast", "float16", "-q").output == ""


def test_json(tmp_path: Path) -> None:
    done = fmt("edit", GRAPH, "-o", tmp_path / "x.pb", "--delete", names()[-1], "--json")
    report = json.loads(done.stdout)
    assert done.stderr == "" and report["changes"] == [f'deleted node "{names()[-1]}"']


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--rename", "a"], 2), (["--rename", "a=b", "--rename", "a=c"], 2), (["--set", "x"], 2),
        (["--set", "x=1"], 2), (["--rename", "nothing=b"], 3), (["--strip", "all"], 3),
        (["--delete", "nothing*"], 3), (["--cast", "int8"], 3),
    ],
)  # fmt: skip
def test_exit_status(arguments: list[str], status: int, tmp_path: Path) -> None:
    done = fmt("edit", GRAPH, "-o", tmp_path / "x.pb", *arguments)
    assert done.exit_code == status, done.output
    assert list(tmp_path.iterdir()) == []
    assert "Traceback" not in done.output


def test_help() -> None:
    done = fmt("edit", "--help")
    for option in ("--rename", "--delete", "--set", "--cast", "--strip", "--force", "--json"):
        assert option in done.output
