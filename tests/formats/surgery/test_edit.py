"""edit: the verb over kinds, its refusals, and TensorFlow's word on what it made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import modelfmt
from modelfmt.errors import MismatchError, UnsupportedError
from modelfmt.storage.files import OutputExistsError
from modelfmt.storage.output import OutputError

GOLDEN = Path(__file__).parents[3] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"
TEXT = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-linear_regression_text/model.pbtxt"
META = GOLDEN / "metagraph/keras2.1.2-tf1.4.1-linear_regression/model.ckpt.meta"


def test_nothing_asked_for_is_a_copy(tmp_path: Path) -> None:
    done = modelfmt.edit(GRAPH, tmp_path / "x.pb")
    assert (done.kind, done.changes) == ("graphdef", [])
    assert (tmp_path / "x.pb").read_bytes() == GRAPH.read_bytes()


def test_text_is_edited_as_text(tmp_path: Path) -> None:
    with modelfmt.open(TEXT) as source:
        last = list(source.graph)[-1]
    modelfmt.edit(TEXT, tmp_path / "x.pbtxt", rename={last: "the_end"})
    assert 'name: "the_end"' in (tmp_path / "x.pbtxt").read_text()
    with modelfmt.open(tmp_path / "x.pbtxt") as made:
        assert list(made.graph)[-1] == "the_end"


def test_rename_and_back_is_the_same_file(tmp_path: Path) -> None:
    with modelfmt.open(GRAPH) as source:
        scope = next(n for n in source.graph if "/" in n).split("/")[0]
    modelfmt.edit(GRAPH, tmp_path / "a.pb", rename={scope: "a_much_longer_scope"})
    assert (tmp_path / "a.pb").read_bytes() != GRAPH.read_bytes()
    modelfmt.edit(tmp_path / "a.pb", tmp_path / "b.pb", rename={"a_much_longer_scope": scope})
    assert modelfmt.diff(tmp_path / "b.pb", GRAPH) == []


def test_all_at_once_with_the_names_of_the_source(tmp_path: Path) -> None:
    with modelfmt.open(GRAPH) as source:
        name = next(n for n, d in source.graph.items() if d.op == "MatMul")
        last = list(source.graph)[-1]
    done = modelfmt.edit(
        GRAPH, tmp_path / "x.pb", rename={name: "product"}, delete=[last],
        set={f"{name}:transpose_a": True}, cast="bfloat16",
    )
    with modelfmt.open(tmp_path / "x.pb") as made:
        assert made.graph["product"].attrs["transpose_a"] is True
        assert last not in made.graph
    assert {change.split()[0] for change in done.changes} == {"renamed", "deleted", "set", "stored"}


def test_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="nothing to strip is called"):
        modelfmt.edit(GRAPH, tmp_path / "x", strip=["everything"])
    with pytest.raises(UnsupportedError, match="not cast to"):
        modelfmt.edit(GRAPH, tmp_path / "x", cast="int8")
    with pytest.raises(OutputError, match="NODE:ATTR"):
        modelfmt.edit(GRAPH, tmp_path / "x", set={"node": "1"})
    with pytest.raises(UnsupportedError, match="casting a metagraph"):
        modelfmt.edit(META, tmp_path / "x.meta", cast="float16")
    with pytest.raises(MismatchError, match="not the name of a node"):
        modelfmt.edit(GRAPH, tmp_path / "x", rename={_first(): "a b"})
    assert list(tmp_path.iterdir()) == []


def _first() -> str:
    with modelfmt.open(GRAPH) as source:
        return next(iter(source.graph))


def test_never_in_place_but_with_force(tmp_path: Path) -> None:
    path = tmp_path / "x.pb"
    path.write_bytes(GRAPH.read_bytes())
    with pytest.raises(OutputExistsError):
        modelfmt.edit(path, path, rename={_first(): "first"})
    assert path.read_bytes() == GRAPH.read_bytes()
    modelfmt.edit(path, path, rename={_first(): "first"}, force=True)
    with modelfmt.open(path) as made:
        assert "first" in made.graph
    assert os.listdir(tmp_path) == ["x.pb"]


@pytest.mark.oracle
def test_tensorflow_and_keras_compute_the_same(tmp_path: Path) -> None:
    script = Path(__file__).with_name("oracle_edits.py")
    done = subprocess.run(
        [sys.executable, str(script), str(GOLDEN), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split("\n")[:-1] == [
        "graphdef", "metagraph", "savedmodel", "checkpoint", "layers h5", "layers keras",
    ]  # fmt: skip
