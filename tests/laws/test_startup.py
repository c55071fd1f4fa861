"""Startup: what a command does not need, it does not import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

FRAMEWORKS = {"tensorflow", "keras", "tf_keras", "jax", "torch"}
HEAVY = {"google.protobuf", "ml_dtypes", "h5py", "numpy", "rich", "zipfile"}
COMMAND = """
import sys
from modelfmt.cli.main import main
sys.argv = ["fmt", *sys.argv[1:]]
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def modules_after(script: str, *arguments: object) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stderr.split())


def test_importing_modelfmt_imports_nothing_heavy() -> None:
    loaded = modules_after("import modelfmt, sys; print(*sys.modules, file=sys.stderr)")
    assert "modelfmt" in loaded
    assert not loaded & {*FRAMEWORKS, *HEAVY, "typer"}
    assert [m for m in loaded if m.startswith("modelfmt.")] == []


def test_a_public_name_brings_no_framework() -> None:
    loaded = modules_after(
        "import modelfmt, sys\n"
        "for name in modelfmt.__all__: getattr(modelfmt, name)\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    assert "modelfmt.surgery.convert" in loaded
    assert not loaded & {*FRAMEWORKS, "google.protobuf", "h5py", "zipfile", "typer"}


def test_help_imports_nothing_heavy() -> None:
    loaded = modules_after(COMMAND, "--help")
    assert "typer" in loaded
    assert not loaded & {*FRAMEWORKS, *HEAVY}


def test_dump_of_h5_imports_no_protobuf(golden_folder: Path) -> None:
    path = golden_folder / "keras-h5" / "keras2.1.2-tf1.4.1-nested" / "model.h5"
    loaded = modules_after(COMMAND, "dump", path)
    assert "h5py" in loaded
    assert not loaded & {*FRAMEWORKS, "google.protobuf", "ml_dtypes", "rich", "modelfmt.layers"}


def test_dump_of_a_binary_graph_imports_no_protobuf_and_no_hdf5(golden_folder: Path) -> None:
    path = golden_folder / "graphdef" / "keras2.1.2-tf1.4.1-cnn" / "model.pb"
    loaded = modules_after(COMMAND, "dump", path)
    assert "modelfmt.tf.graphdef" in loaded
    assert not loaded & {*FRAMEWORKS, "google.protobuf", "ml_dtypes", "rich", "h5py"}


@pytest.mark.parametrize("end", [".pb", ".h5", ".keras"])
def test_no_conversion_imports_a_framework(golden_folder: Path, tmp_path: Path, end: str) -> None:
    source = golden_folder / "graphdef" / "tfkeras-tf2.3.4-mlp_activations" / "model.pb"
    loaded = modules_after(COMMAND, "convert", source, tmp_path / f"out{end}", "--json")
    assert (tmp_path / f"out{end}").exists()
    assert not loaded & {*FRAMEWORKS, "google.protobuf", "rich"}


def test_importing_modelfmt_prints_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import modelfmt.cli.main"], capture_output=True, check=True
    )
    assert json.dumps([done.stdout.decode(), done.stderr.decode()]) == '["", ""]'
