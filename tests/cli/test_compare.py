"""diff on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import modelfmt
from modelfmt.cli.main import app

GOLDEN = Path(__file__).parents[2] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"
H5 = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"


def fmt(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    with modelfmt.open(GRAPH) as container:
        kernel = container.tensors["conv_same/kernel"].numpy().copy()
        kernel[0, 0, 0, 3] += 1
        container.tensors["conv_same/kernel"] = kernel  # type: ignore[index]
        node = container.graph["conv_same/convolution"]
        node.attrs["padding"] = "VALID"
        node.attrs["_note\n"] = "x" * 100
        node.inputs.append("^conv_same_input")
        container.save(str(tmp_path / "edited.pb"))
    return tmp_path / "edited.pb"


def test_no_difference() -> None:
    done = fmt("diff", GRAPH, GRAPH)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "graphdef: nodes and functions: no difference\n"


def test_text(edited: Path) -> None:
    done = fmt("diff", GRAPH, edited)
    assert done.exit_code == 1
    kernel, inputs, note, padding = done.stdout.splitlines()[1:]
    assert done.stdout.startswith("nodes:\n")
    assert kernel == (
        "  ~ conv_same/kernel  attr value:  1 of 216 differ, max |a - b| 1 (relative 0.989) "
        "at [0, 0, 0, 3]"
    )
    assert inputs.startswith("  ~ conv_same/convolution  inputs: ")
    assert '"^conv_same_input"' in inputs
    assert padding == '  ~ conv_same/convolution  attr padding: "SAME" -> "VALID"'
    assert note.startswith('  + conv_same/convolution  attr _note\\n: "xxx')
    assert note.endswith("xxx...") and len(note) < 120
    assert done.stderr == "graphdef: nodes and functions: 4 differences\n"


def test_json_and_quiet(edited: Path) -> None:
    done = fmt("diff", GRAPH, edited, "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (1, "")
    assert (report["a"], report["b"]) == (str(GRAPH), str(edited))
    assert report["way"] == "graphdef: nodes and functions"
    first = report["changes"][0]
    assert first["numbers"]["differing"] == 1 and first["numbers"]["at"] == [0, 0, 0, 3]
    assert set(first) == {"part", "where", "item", "what", "a", "b", "numbers"}
    assert json.loads(fmt("diff", GRAPH, GRAPH, "--json").stdout)["changes"] == []
    done = fmt("diff", GRAPH, edited, "-q")
    assert (done.exit_code, done.output) == (1, "")


def test_options_arrive(edited: Path, tmp_path: Path) -> None:
    assert "differ, max" in fmt("diff", GRAPH, edited, "--atol", "0.5").stdout
    assert "differ, max" not in fmt("diff", GRAPH, edited, "--atol", "1.5").stdout
    assert "differ, max" not in fmt("diff", GRAPH, edited, "--rtol", "0.995").stdout
    done = fmt("diff", GRAPH, edited, "--bytes")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "bytes:"
    assert any('node "conv_same/kernel", attr "value"' in line for line in lines)
    modelfmt.convert(H5, tmp_path / "x.pb")
    done = fmt("diff", H5, tmp_path / "x.pb", "--inference-form")
    assert (done.exit_code, done.stdout) == (0, "") and "inference form" in done.stderr


def test_every_sign(tmp_path: Path) -> None:
    def saved(name: str, arrays: dict[str, object]) -> Path:
        import h5py

        with h5py.File(tmp_path / name, "w") as file:
            for key, value in arrays.items():
                file[f"layers/{key}/vars/0"] = value
        return tmp_path / name

    a = saved("a.weights.h5", {"x": np.zeros(2), "y": np.zeros(2)})
    b = saved("b.weights.h5", {"y": np.zeros(3), "z": np.zeros(2)})
    assert fmt("diff", a, b).stdout.splitlines() == [
        "weights:",
        "  - layers/x/vars/0  (float64[2])",
        "  ~ layers/y/vars/0  shape: [2] -> [3]",
        "  + layers/z/vars/0  (float64[2])",
    ]


def test_long_values_show_where_they_differ() -> None:
    from modelfmt.cli.compare import render
    from modelfmt.surgery.changes import Change

    a = "x" * 500 + "here" + "y" * 500
    (_, line) = render([Change("nodes", "n", "changed", "attr s", a, a.replace("here", "there"))])
    assert "here" in line and "there" in line and len(line) < 200


@pytest.mark.parametrize(
    ("status", "arguments", "words"),
    [
        (2, ["diff", GRAPH], "Missing argument"),
        (2, ["diff", GRAPH, GRAPH, "--rtol", "-1"], "negative"),
        (2, ["diff", GRAPH, GRAPH, "--bytes", "--inference-form"], "bytes"),
        (3, ["diff", GRAPH, "nowhere.pb"], "no such file"),
        (3, ["diff", __file__, GRAPH], "no model file"),
    ],
)
def test_exit_statuses(status: int, arguments: list[object], words: str) -> None:
    done = fmt(*arguments)
    assert (done.exit_code, done.stdout) == (status, "") and words in done.stderr
