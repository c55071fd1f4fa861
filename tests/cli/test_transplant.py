"""transplant on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

import modelfmt
from modelfmt.cli.main import app

GOLDEN = Path(__file__).parents[2] / "golden"
HOST = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"


def fmt(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def head(path: Path) -> Path:
    np.savez(path, kernel=np.ones((80, 9), np.float32), bias=np.ones(9, np.float32))
    return path


def test_transplant(tmp_path: Path) -> None:
    done = fmt(
        "transplant", head(tmp_path / "d.npz"), HOST, "-o", tmp_path / "x.h5",
        "--rename", r"(\w+)=fc/\1", "--select", "fc/*",
    )
    assert (done.exit_code, done.stdout) == (0, "")
    assert "2 weights, 2.8 KiB" in done.stderr
    changes = modelfmt.diff(HOST, tmp_path / "x.h5")
    assert {change.where for change in changes} == {"fc/kernel", "fc/bias"}
    again = fmt("transplant", tmp_path / "d.npz", HOST, "-o", tmp_path / "x.h5")
    assert again.exit_code == 2 and "--force" in again.stderr


def test_dry_run(tmp_path: Path) -> None:
    out = tmp_path / "x.h5"
    arguments = ("transplant", head(tmp_path / "d.npz"), HOST, "-o", out)
    done = fmt(*arguments, "--rename", "kernel=fc/kernel", "--dry-run")
    assert done.exit_code == 0 and not out.exists()
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["host", "donor", "dtype", "shape", "by"]
    assert rows[1] == ["fc/kernel", "kernel", "float32", "[80,", "9]", "name"]
    assert "left in the donor: 1" in done.stdout and "  bias" in done.stdout
    made = fmt(*arguments, "--map", f"{out}.toml", "--partial", "--json")
    report = json.loads(made.stdout)
    assert report["grafts"][0]["host"] == "fc/kernel" and not report["dry_run"]


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", **{"fc/bias": np.ones(8, np.float32)})
    done = fmt("transplant", tmp_path / "d.npz", HOST, "-o", tmp_path / "x.h5", "--partial",
               "--map", tmp_path / "none.toml")
    assert done.exit_code == 3 and "none.toml: no such file" in done.stderr
    (tmp_path / "m.toml").write_text("[[weights]]\nhost = 'fc/bias'\ndonor = 'fc/bias'\n")
    done = fmt("transplant", tmp_path / "d.npz", HOST, "-o", tmp_path / "x.h5", "--partial",
               "--map", tmp_path / "m.toml")
    assert done.exit_code == 4 and "fc/bias is float32[9], fc/bias float32[8]" in done.stderr
    assert not (tmp_path / "x.h5").exists()
