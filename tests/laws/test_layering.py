"""Who may import whom: the floors of the house, one door per third-party library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"formats": "modelfmt", "proto": "modelfmt.proto", "cli": "modelfmt.cli"}


def module_name(path: Path) -> str:
    folder, *below = path.relative_to(ROOT).with_suffix("").parts
    name = ".".join([FOLDERS[folder], *below])
    return name.removesuffix(".__init__")


SOURCES = {
    module_name(path): path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")
}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or later; names of ours down to modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in SOURCES else str(node.module)


OURS = {
    name: {i for i in imports(path) if i.split(".")[0] == "modelfmt"}
    for name, path in SOURCES.items()
}
THEIRS = {
    name: {i for i in imports(path) if i.split(".")[0] != "modelfmt"}
    for name, path in SOURCES.items()
}

BOTTOM = {"errors", "dtypes"}
NOUNS = {*BOTTOM, "tensor", "graph", "network"}
#: The neutral model: nouns, what is known of ops, what one does with graphs.
NEUTRAL = {*NOUNS, "ops", "graphs"}

#: Floor -> the floors below it that it may import.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "dtypes": {"errors"},
    "storage": {"errors", "storage"},
    "tensor": {*BOTTOM, "storage"},  # a tensor's payload is a Piece
    "graph": {*BOTTOM, "tensor"},
    "network": {*BOTTOM, "tensor", "graph"},
    "ops": {*BOTTOM, "tensor", "graph", "ops"},
    "graphs": {*NEUTRAL, "storage"},
    "container": {*NEUTRAL, "container"},
    "arrays": {*NEUTRAL, "container", "storage"},
    "proto": {"proto"},
    "layers": {*NEUTRAL, "layers"},
    "tf": {*NEUTRAL, "container", "storage", "proto", "tf"},
    "keras": {*NEUTRAL, "container", "storage", "keras"},
    "surgery": {
        *NEUTRAL, "arrays", "container", "storage", "layers", "tf", "keras", "surgery", "proto",
    },
    "cli": {"", "cli"},
    "__main__": {"cli"},
}
#: Third-party library -> the only modules that may import it.
DOORS = {
    "h5py": {"modelfmt.storage.hdf5"},
    "zipfile": {"modelfmt.storage.archive"},
    "google_crc32c": {"modelfmt.storage.crc32c"},
    "yaml": {"modelfmt.storage.yaml_text"},
    "safetensors": {"modelfmt.storage.safetensors"},
    "ml_dtypes": {"modelfmt.dtypes"},
    "pytest": {"modelfmt.cli.pytest_plugin"},
    "pytest_regressions": {"modelfmt.cli.pytest_plugin"},
    "tomli": {"modelfmt.surgery.transplant_map"},  # tomllib of Python 3.10
    "typer": {"modelfmt.cli"},
    "rich": {"modelfmt.cli"},
    "tensorflow": {"modelfmt.surgery.verify_child"},
    "keras": {"modelfmt.surgery.verify_child"},
    "tf_keras": {"modelfmt.surgery.verify_child"},
    # verify's child parses text for TensorFlow's own GraphDef class, not for ours.
    "google": {"modelfmt.proto", "modelfmt.surgery.verify_child"},
}
STANDARD = {"numpy"}


def floor(name: str) -> str:
    """``storage`` of modelfmt.storage.wire; the facade is ""."""
    return name.split(".")[1] if "." in name else ""


@pytest.mark.parametrize("name", sorted(set(SOURCES) - {"modelfmt"}))
def test_a_module_imports_only_floors_below(name: str) -> None:
    allowed = ALLOWED[floor(name)]
    assert [i for i in sorted(OURS[name]) if floor(i) not in allowed] == []


def test_of_the_graphs_only_partition_deals_in_pieces() -> None:
    """A part of a variable is rows of its payload; nothing else there has to do with bytes."""
    found = {n for n in SOURCES if floor(n) == "graphs" if "storage" in map(floor, OURS[n])}
    assert found == {"modelfmt.graphs.partition"}


def test_there_is_a_rule_for_every_floor() -> None:
    assert {floor(name) for name in SOURCES} - {""} == set(ALLOWED)


def test_the_facade_imports_every_floor_but_the_command_line() -> None:
    assert {floor(i) for i in OURS["modelfmt"]} <= {
        "container", "errors", "graph", "layers", "network", "surgery", "tensor",
    }  # fmt: skip


def test_the_command_line_takes_nothing_but_public_names() -> None:
    import modelfmt

    for name, path in SOURCES.items():
        if floor(name) != "cli":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "modelfmt":
                assert {a.name for a in node.names} <= set(modelfmt.__all__)


def test_the_two_worlds_do_not_know_each_other() -> None:
    for name in SOURCES:
        others = {"tf": "keras", "keras": "tf"}.get(floor(name))
        assert others not in {floor(i) for i in OURS[name]}


@pytest.mark.parametrize("library", sorted(DOORS))
def test_a_library_has_one_door(library: str) -> None:
    users = {name for name in SOURCES if library in {i.split(".")[0] for i in THEIRS[name]}}
    doors = DOORS[library]
    assert [u for u in sorted(users) if not any(f"{u}.".startswith(f"{d}.") for d in doors)] == []


def test_no_other_library_is_used() -> None:
    import sys

    known = {*sys.stdlib_module_names, *DOORS, *STANDARD}
    developer = {"modelfmt.proto.compile"}  # runs protoc; no part of the library
    for name in SOURCES:
        if name not in developer:
            assert {i.split(".")[0] for i in THEIRS[name]} - known == set()


def test_tensorflow_is_never_imported_when_a_module_is() -> None:
    """verify has its imports within functions, which run in a child process."""
    for name, path in SOURCES.items():
        tops = {
            alias.name.split(".")[0]
            for node in ast.parse(path.read_text()).body
            for alias in (node.names if isinstance(node, ast.Import) else ())
        } | {
            str(node.module).split(".")[0]
            for node in ast.parse(path.read_text()).body
            if isinstance(node, ast.ImportFrom)
        }
        assert not tops & {"tensorflow", "keras", "tf_keras"}, name


def test_layers_open_no_file() -> None:
    for name, path in SOURCES.items():
        if floor(name) != "layers":
            continue
        assert not THEIRS[name] & {"os", "io", "pathlib", "shutil", "tempfile", "mmap"}, name
        called = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert "open" not in called, name


def test_the_walk_sees_imports_within_functions() -> None:
    """Else the rules above hold of nothing."""
    assert "tensorflow" in THEIRS["modelfmt.surgery.verify_child"]
    assert "modelfmt.tf.graphdef" in OURS["modelfmt.surgery.opening"]
    assert {"zipfile"} <= THEIRS["modelfmt.storage.archive"]
    assert len(SOURCES) > 50
