"""Golden files are what their provenance says, and dump.txt is what ``fmt dump`` prints."""

from __future__ import annotations

import hashlib
import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import modelfmt
from modelfmt.cli.main import app
from modelfmt.surgery.opening import KINDS

tomllib = pytest.importorskip("tomllib")  # new in 3.11
UNRECORDED = {"provenance.toml", "dump.txt"}
LIMIT = 128 << 10


def provenance(model: Path) -> dict[str, Any]:
    stated: dict[str, Any] = tomllib.loads((model.parent / "provenance.toml").read_text())
    return stated


def test_every_kind_has_goldens(golden_folder: Path) -> None:
    kinds = {path.parents[1].name for path in golden_folder.glob("*/*/provenance.toml")}
    assert kinds == set(KINDS)


def test_every_case_has_a_provenance(golden_folder: Path) -> None:
    cases = [path for path in golden_folder.glob("*/*") if path.is_dir()]
    assert [c.name for c in cases if not (c / "provenance.toml").exists()] == []


def test_the_producer_is_recorded(golden: Path) -> None:
    stated = provenance(golden)
    assert golden.parent.name.startswith(stated["producer"])
    assert stated["source"]


def test_every_file_has_its_sha256(golden: Path) -> None:
    folder = golden.parent
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in UNRECORDED
    }
    assert found == provenance(golden)["sha256"]


def test_files_are_small(golden: Path) -> None:
    assert all(path.stat().st_size <= LIMIT for path in golden.parent.rglob("*"))


def test_the_dump_is_what_fmt_dump_prints(golden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(golden.parent)
    printed = CliRunner().invoke(app, ["dump", golden.name])
    assert printed.exit_code == 0, printed.stderr
    assert printed.stdout == (golden.parent / "dump.txt").read_text()


def test_make_golden_rewrites_a_stale_dump(golden_folder: Path, tmp_path: Path) -> None:
    source = golden_folder / "graphdef" / "keras2.1.2-tf1.4.1-linear_regression"
    case = tmp_path / "graphdef" / source.name
    shutil.copytree(source, case)
    (case / "dump.txt").write_text("stale\n")
    script = shutil.copy(golden_folder / "make_dumps.py", tmp_path)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(script, run_name="__main__")
    assert ended.value.code == 0
    assert (case / "dump.txt").read_bytes() == (source / "dump.txt").read_bytes()


def test_outputs_of_a_graph_are_tensors_of_it(graphdef: Path) -> None:
    with modelfmt.open(str(graphdef)) as container:
        for tensor in provenance(graphdef).get("outputs", {}).values():
            assert tensor.split(":")[0] in container.graph


def test_ends_of_a_metagraph_are_tensors_of_it(metagraph: Path) -> None:
    stated = provenance(metagraph)
    with modelfmt.open(str(metagraph)) as container:
        for table in ("inputs", "outputs"):
            for tensor in stated.get(table, {}).values():
                assert tensor.split(":")[0] in container.graph


def test_ends_of_a_savedmodel_are_those_of_its_signature(savedmodel: Path) -> None:
    stated, report = provenance(savedmodel), modelfmt.dump(savedmodel)
    for table in ("inputs", "outputs"):
        keys = [row["name"] for row in report[table]]
        assert keys and set(stated.get(table, {}).values()) <= set(keys)


def test_a_producer_wrote_what_its_versions_say(golden: Path) -> None:
    stated = provenance(golden).get("versions", {})
    found = modelfmt.dump(golden)["versions"]
    if "tensorflow" in found:
        assert found["tensorflow"] == stated["tensorflow"]
