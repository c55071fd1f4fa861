"""The command line: exit statuses, one-line errors, JSON, nothing in place."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner, Result

import modelfmt
from modelfmt.cli import main
from modelfmt.cli.main import app
from modelfmt.surgery.verify import Comparison, Verification

GOLDEN = Path(__file__).parents[2] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"
H5 = GOLDEN / "keras-h5/keras2.1.2-tf1.4.1-nested/model.h5"
STRINGS = GOLDEN / "graphdef/rawtf1.15.5-raw_strings/model.pb"
COMMANDS = ("dump", "check", "convert", "verify", "extract", "assemble")


def fmt(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def refused(status: int, *arguments: object) -> str:
    """Run; the one line on stderr that must be all there is."""
    done = fmt(*arguments)
    assert (done.exit_code, done.stdout) == (status, ""), done.output
    assert done.stderr.startswith("fmt: ") and done.stderr.count("\n") == 1
    return done.stderr


# -- help -----------------------------------------------------------------------------------------


def test_help_lists_every_command() -> None:
    done = fmt("--help")
    assert done.exit_code == 0
    lines = done.stdout.partition("Commands:")[2].splitlines()
    listed = {line.split()[0] for line in lines if line}
    registered = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert listed >= registered >= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_has_help(command: str) -> None:
    done = fmt(command, "--help")
    assert done.exit_code == 0 and "--json" in done.stdout and "--debug" in done.stdout
    for param in typer.main.get_command(app).commands[command].params:  # type: ignore[attr-defined]
        assert getattr(param, "help", None), f"{command} {param.name}"


def test_only_the_module_of_the_command_is_imported() -> None:
    script = (
        "import sys\nfrom modelfmt.cli.main import main\nsys.argv = ['fmt', *sys.argv[1:]]\n"
        "try: main()\nfinally: print(*sys.modules, file=sys.stderr)"
    )
    loaded = {}
    for arguments in ("--help", "dump --help", "convert --help", "extract --help"):
        command = [sys.executable, "-c", script, *arguments.split()]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        modules = {m.removeprefix("modelfmt.cli.") for m in done.stderr.split() if ".cli." in m}
        loaded[arguments] = modules & {entry.module for entry in main.COMMANDS.values()}
    assert loaded == {
        "--help": set(), "dump --help": {"inspect"}, "convert --help": {"conversion"},
        "extract --help": {"parts"},
    }  # fmt: skip


def test_the_table_of_commands_is_that_of_the_modules() -> None:
    found = {}
    for name, entry in main.COMMANDS.items():
        module = importlib.import_module(f"modelfmt.cli.{entry.module}")
        assert name in typer.main.get_group(module.commands).commands
        found.setdefault(entry.module, set()).update(
            typer.main.get_group(module.commands).commands
        )
        assert entry.help.endswith(".") and len(entry.help) < 68
    assert set().union(*found.values()) == set(main.COMMANDS)


def test_a_command_that_there_is_not() -> None:
    assert "Did you mean 'convert'?" in fmt("convrt").stderr


def test_no_command_shows_the_help() -> None:
    done = fmt()
    assert "Commands:" in done.output and done.exit_code in (0, 2)


def test_version() -> None:
    assert fmt("--version").stdout == f"modelfmt {modelfmt.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["no-such-command"], ["dump"], ["dump", "--no-such-option", "x"], ["convert", "one"],
     ["convert", "a", "b", "--keras", "two"], ["verify", "a"]],
)  # fmt: skip
def test_usage_errors_are_2(arguments: list[str]) -> None:
    done = fmt(*arguments)
    assert done.exit_code == 2 and done.stdout == "" and done.stderr


# -- dump -----------------------------------------------------------------------------------------


def test_dump_prints_text() -> None:
    done = fmt("dump", H5)
    assert done.exit_code == 0 and done.stderr == ""
    assert done.stdout.startswith(f"{H5}: keras-h5 (keras_version 2.1.2, backend tensorflow)\n")


def test_dump_prints_json() -> None:
    done = fmt("dump", GRAPH, "--json", "--digest", "--select", "*/kernel", "--select", "out/*")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report == modelfmt.dump(GRAPH, digest=True, select=["*/kernel", "out/*"])
    assert report["tensors"] and all(len(row["sha256"]) == 64 for row in report["tensors"])


def test_dump_of_a_kind_that_is_said(tmp_path: Path) -> None:
    assert fmt("dump", H5, "--from", "keras-weights").stdout.startswith(f"{H5}: keras-weights")
    assert "no kind onnx" in refused(3, "dump", H5, "--from", "onnx")


# -- convert --------------------------------------------------------------------------------------


def test_convert_talks_on_stderr(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    done = fmt("convert", H5, out)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith(f"{H5} (keras-h5) -> {out} (graphdef): 6 layers, 10 weights,")
    assert done.stderr.count("\n") == 1 and out.exists()


def test_convert_says_nothing_when_quiet(tmp_path: Path) -> None:
    done = fmt("convert", H5, tmp_path / "out.pb", "-q")
    assert (done.exit_code, done.output) == (0, "")


def test_convert_prints_json(tmp_path: Path) -> None:
    out = tmp_path / "out.keras"
    done = fmt("convert", GRAPH, out, "--json")
    assert done.exit_code == 0 and done.stderr == ""
    report = json.loads(done.stdout)
    assert (report["source_kind"], report["kind"], report["destination"]) == (
        "graphdef", "keras", str(out),
    )  # fmt: skip
    assert report["layers"] > 5 and report["weights"] > 5


def test_options_of_convert_arrive(tmp_path: Path) -> None:
    out = tmp_path / "out.bin"
    done = fmt("convert", GRAPH, out, "--to", "keras-h5", "--keras", "2", "--from", "graphdef",
               "--inputs", "conv_same/Relu", "--outputs", "out/Softmax")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    report = modelfmt.dump(out)
    assert report["kind"] == "keras-h5" and report["versions"]["keras_version"].startswith("2.")
    assert [row["name"] for row in report["inputs"]] == ["conv_same_Relu"]


def test_several_outputs_in_one_option_or_in_two(tmp_path: Path) -> None:
    tensors = ["conv_same/Relu", "out/Softmax"]
    for k, options in enumerate((["--outputs", ",".join(tensors)],
                                 ["--outputs", tensors[0], "--outputs", tensors[1]])):  # fmt: skip
        out = tmp_path / f"{k}.keras"
        assert fmt("convert", GRAPH, out, *options).exit_code == 0
        assert len(modelfmt.dump(out)["outputs"]) == 2


def test_an_existing_output_needs_force(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    out.write_text("old")
    assert "--force" in refused(2, "convert", H5, out)
    assert out.read_text() == "old"
    assert fmt("convert", H5, out, "--force").exit_code == 0
    assert modelfmt.dump(out)["kind"] == "graphdef"


@pytest.mark.parametrize(
    ("status", "source", "name", "words"),
    [
        (2, H5, "out.onnx", "Pass --to KIND"),
        (2, H5, "nowhere/out.pb", "does not exist"),
        (3, Path("nowhere.h5"), "out.pb", "no such file"),
        (3, Path(__file__), "out.pb", "no model file"),
        (4, STRINGS, "out.keras", "StringToHashBucketFast"),
    ],
)
def test_exit_statuses(
    tmp_path: Path, status: int, source: Path, name: str, words: str
) -> None:
    assert words in refused(status, "convert", source, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_major_that_there_is_not(tmp_path: Path) -> None:
    assert "--keras 2" in refused(2, "convert", H5, tmp_path / "out.h5", "--keras", "4")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = fmt("dump", tmp_path / "nowhere", "--debug")
    assert isinstance(done.exception, modelfmt.ModelFormatError)
    command = [sys.executable, "-m", "modelfmt", "dump", "nowhere", "--debug"]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert shown.returncode != 0 and "Traceback" in shown.stderr
    assert "MissingError" in shown.stderr


# -- verify ---------------------------------------------------------------------------------------


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What ``modelfmt.verify`` was asked; it answers that b is not a."""
    asked: list[Any] = []

    def answer(a: str, b: str, **options: Any) -> Verification:
        asked.append((a, b, options))
        same = str(a) == str(b)
        return Verification([Comparison("y", "z", 0.0 if same else 0.5, 2.0, same)])

    monkeypatch.setattr(modelfmt, "verify", answer)
    yield asked


def test_verify_is_0_or_1(verified: list[Any]) -> None:
    assert fmt("verify", "a", "a").exit_code == 0
    done = fmt("verify", "a", "b")
    assert done.exit_code == 1 and "DIFFERS" in done.stdout
    done = fmt("verify", "a", "b", "-q")
    assert (done.exit_code, done.stdout) == (1, "")


def test_verify_prints_json(verified: list[Any]) -> None:
    done = fmt("verify", "a", "b", "--json")
    assert done.exit_code == 1
    report = json.loads(done.stdout)
    assert report["agrees"] is False and report["outputs"][0]["max_difference"] == 0.5


def test_options_of_verify_arrive(verified: list[Any]) -> None:
    fmt("verify", "a", "b", "--samples", "7", "--seed", "3", "--rtol", "0.5", "--atol", "0.25",
        "--inputs", "in.npz")  # fmt: skip
    assert verified == [("a", "b", {"inputs": "in.npz", "samples": 7, "seed": 3, "rtol": 0.5,
                                    "atol": 0.25, "custom": ()})]  # fmt: skip


def test_convert_and_verify(verified: list[Any], tmp_path: Path) -> None:
    done = fmt("convert", H5, tmp_path / "out.pb", "--verify")
    assert done.exit_code == 1 and "DIFFERS" in done.stdout
    assert verified[0][:2] == (str(H5), str(tmp_path / "out.pb"))
    assert (tmp_path / "out.pb").exists()


# -- the process ----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["fmt"], ["modelfmt"], [sys.executable, "-m", "modelfmt"]])
def test_the_ways_to_start_it(command: list[str]) -> None:
    if len(command) == 1:
        command = [str(Path(sys.executable).parent / command[0])]
        if not os.path.exists(command[0]):
            pytest.skip("not installed as a script")
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"modelfmt {modelfmt.__version__}\n")


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        for k in range(800):
            file[f"layer_{k:05}/a_rather_long_name_so_that_the_pipe_is_full/kernel"] = 0.0
    command = [sys.executable, "-m", "modelfmt", "dump", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
        running.wait()
