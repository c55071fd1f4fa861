"""The command view."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from modelfmt.cli.main import app

MODEL = str(Path(__file__).parents[2] / "golden/keras-h5/tfkeras-tf2.3.4-cnn/model.h5")


def test_view(tmp_path: Path) -> None:
    out = str(tmp_path / "m.html")
    done = CliRunner().invoke(app, ["view", MODEL, "-o", out])
    assert done.exit_code == 0 and done.stdout == "" and " boxes, " in done.stderr
    assert "conv_same" in Path(out).read_text()
    assert CliRunner().invoke(app, ["view", MODEL, "-o", out]).exit_code != 0
    assert CliRunner().invoke(app, ["view", MODEL, "-o", out, "--force", "-q"]).output == ""
    assert CliRunner().invoke(app, ["view", MODEL, "-o", f"{out}.gif"]).exit_code == 3
