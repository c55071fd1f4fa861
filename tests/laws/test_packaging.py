"""What pyproject.toml declares is what there is, and what a wheel holds."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

tomllib = pytest.importorskip("tomllib")  # new in 3.11
ROOT = Path(__file__).parents[2]
FOLDERS = {"formats": "modelfmt", "proto": "modelfmt.proto", "cli": "modelfmt.cli"}


@pytest.fixture(scope="module")
def declared() -> dict[str, Any]:
    stated: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return stated


def package(path: Path) -> str:
    top, *below = path.relative_to(ROOT).parts
    return ".".join([FOLDERS[top], *below])


def test_every_folder_with_an_init_is_a_package(declared: dict[str, Any]) -> None:
    found = [package(p.parent) for top in FOLDERS for p in (ROOT / top).rglob("__init__.py")]
    listed = declared["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(found)


def test_every_folder_with_modules_has_an_init() -> None:
    folders = {path.parent for top in FOLDERS for path in (ROOT / top).rglob("*.py")}
    assert [f for f in folders if not (f / "__init__.py").exists()] == []


def test_the_package_dirs_are_the_folders(declared: dict[str, Any]) -> None:
    stated = declared["tool"]["setuptools"]["package-dir"]
    assert stated == {name: folder for folder, name in FOLDERS.items()}


def test_everything_that_is_no_module_is_declared_as_data(declared: dict[str, Any]) -> None:
    stated = declared["tool"]["setuptools"]["package-data"]
    listed = {
        path
        for name, globs in stated.items()
        for glob in globs
        for path in (ROOT / declared["tool"]["setuptools"]["package-dir"][name]).glob(glob)
    }
    found = {
        path
        for top in FOLDERS
        for path in (ROOT / top).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert listed == found


def test_the_version_is_said_once_more_only(declared: dict[str, Any]) -> None:
    import modelfmt

    assert modelfmt.__version__ == declared["project"]["version"]


def test_both_console_scripts_are_the_same_command(declared: dict[str, Any]) -> None:
    scripts = declared["project"]["scripts"]
    assert set(scripts) == {"fmt", "modelfmt"}
    assert len(set(scripts.values())) == 1
    installed = {e.name: e.value for e in entry_points(group="console_scripts")}
    assert scripts.items() <= installed.items()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel, built from a copy so that no build folder stays."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in (*FOLDERS, "pyproject.toml", "README.md"):
        origin = ROOT / name
        if origin.is_dir():
            shutil.copytree(origin, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif origin.exists():
            shutil.copy(origin, source)
        else:
            (source / name).write_text("# modelfmt\n")
    command = [
        sys.executable, "-c",
        "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])",
        str(folder),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        return set(archive.namelist())


def test_a_wheel_holds_every_module(wheel: set[str]) -> None:
    wanted = {
        "/".join([*FOLDERS[top].split("."), *path.relative_to(ROOT / top).parts])
        for top in FOLDERS
        for path in (ROOT / top).rglob("*.py")
    }
    assert wanted <= wheel


def test_a_wheel_holds_the_schema_the_stubs_and_the_typing_marker(wheel: set[str]) -> None:
    assert {
        "modelfmt/py.typed", "modelfmt/proto/schema.binpb", "modelfmt/proto/_messages.pyi",
        "modelfmt/proto/tf/graph.proto",
    } <= wheel  # fmt: skip


def test_a_wheel_holds_nothing_else(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert {t for t in tops if not t.endswith(".dist-info")} == {"modelfmt"}
    assert not any("/test_" in name or "tests/" in name or "golden/" in name for name in wheel)
