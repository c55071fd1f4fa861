"""The README can't lie: its blocks are run, its commands and layers are the real ones."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from modelfmt.surgery import coverage

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(console|python)\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ") for kind, text in BLOCKS if kind == "console"
    for line in text.splitlines()
]  # fmt: skip
FMT = f"{sys.executable} -m modelfmt"


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with the files that the README speaks of."""
    golden = ROOT / "golden"
    shutil.copy(golden / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5", tmp_path / "model.h5")
    shutil.copy(golden / "graphdef/keras3.15.1-tf2.21.0-cnn/model.pb", tmp_path / "frozen.pb")
    return tmp_path


def test_there_are_blocks() -> None:
    assert len(COMMANDS) >= 9
    assert sum(kind == "python" for kind, _ in BLOCKS) == 2


@pytest.mark.oracle
def test_the_commands_run_in_order(folder: pathlib.Path) -> None:
    for command in COMMANDS:
        if command.startswith("fmt convert"):
            command += " --force"  # the tour writes model.h5, which it has read before
        done = subprocess.run(
            command.replace("fmt ", f"{FMT} ", 1), shell=True, cwd=folder, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert "convert" not in command or (folder / command.split()[3]).stat().st_size


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "python"])
def test_the_python_blocks_run(text: str, folder: pathlib.Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_here_and_has_help() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelfmt", "--help"], capture_output=True, text=True, check=True
    )
    commands = re.findall(r"^  ([a-z]+)  +\S", done.stdout.split("Commands")[1], re.MULTILINE)
    assert {"dump", "convert", "verify"} <= set(commands)
    for command in commands:
        assert f"fmt {command} " in README


def test_the_table_of_layers_is_current() -> None:
    assert coverage.filled(README) == README, "make readme"
