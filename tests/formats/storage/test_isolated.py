"""A child that hangs, dies, grows or fails, and what this process hears of it."""

from __future__ import annotations

import json
import os
import posixpath
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from modelfmt.errors import (
    ChecksumError,
    CorruptFileError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnrecognisedGraphError,
    UnsafeFileError,
    Where,
)
from modelfmt.storage import isolated
from modelfmt.storage.archive import ArchiveReader
from modelfmt.storage.isolated import ChildError, read_isolated


class Named:
    """Stands for a function of another module: tests cannot be imported by a child."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__, self.__qualname__ = module, name

    def __call__(self, *arguments: Any) -> Any:
        raise AssertionError("it runs in the child")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules a child can import, since it has our sys.path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_result_comes_back() -> None:
    assert read_isolated(posixpath.join, "a", "b") == "a/b"
    assert read_isolated(posixpath.split, "a/b\ud800") == ["a", "b\ud800"]


def test_an_error_of_ours_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "cut.keras"
    path.write_bytes(b"PK\x03\x04" + bytes(30))
    found = []
    for read in (ArchiveReader, lambda p: read_isolated(ArchiveReader, p)):
        with pytest.raises(TruncatedError) as caught:
            read(str(path))
        found.append((str(caught.value), caught.value.where, vars(caught.value)))
    assert found[0] == found[1]
    assert found[0][1].path == str(path)


ERRORS: list[ModelFormatError] = [
    CorruptFileError("what", where=Where("p", "k", 7), expected=(1, 2), found=None, hint="Do."),
    ChecksumError("what", stored=1, computed=2, where=Where("p")),
    TruncatedError("what", wanted=5, available=3),
    MissingError("what", close_matches=["a", "b"]),
    UnrecognisedGraphError("what", nodes=["n", "m"], hint="So."),
    ModelFormatError("two\nlines", found=b"\xff"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_every_error_goes_through_json(error: ModelFormatError) -> None:
    text = json.dumps({"inner": [error]}, default=isolated._encoded)
    (back,) = json.loads(text, object_hook=isolated._decoded)["inner"]
    assert type(back) is type(error)
    assert (str(back), back.where, back.hint) == (str(error), error.where, error.hint)
    assert back.exit_status == error.exit_status
    for name in ("stored", "wanted", "close_matches", "nodes"):
        assert getattr(back, name, None) == getattr(error, name, None)


def test_what_a_child_says_makes_no_object_but_an_error() -> None:
    for module, name in (("subprocess", "Popen"), ("modelfmt.tensor", "Tensor"), ("x", "y")):
        row = {
            "modelfmt error": [module, name], "what": "w", "where": [None] * 3,
            "more": {"expected": None, "found": None, "hint": None},
        }  # fmt: skip
        assert type(isolated._decoded(row)) is CorruptFileError


def test_a_child_without_end_is_stopped(kept: Path) -> None:
    (kept / "endless.py").write_text("def read(path):\n    while True: pass\n")
    started = time.monotonic()
    with pytest.raises(CorruptFileError) as caught:
        read_isolated(Named("endless", "read"), "loop.h5", seconds=1.5)  # type: ignore[arg-type]
    assert time.monotonic() - started < 20
    assert "came to no end within 1.5 s" in str(caught.value)


def test_a_larger_file_has_more_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    seen: dict[str, Any] = {}

    def run(*_: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        seen.update(options)
        return subprocess.CompletedProcess([], 0, '{"value": null}', "")

    monkeypatch.setattr(subprocess, "run", run)
    read_isolated(posixpath.join, str(path))
    assert json.loads(seen["input"])["seconds"] == 30 <= seen["timeout"]
    assert json.loads(seen["input"])["memory"] == (1 << 30) + 300_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_child_that_is_killed_by_a_signal(kept: Path) -> None:
    (kept / "abortive.py").write_text("import os\ndef read(path): os.kill(os.getpid(), 11)\n")
    with pytest.raises(CorruptFileError, match="SIGSEGV") as caught:
        read_isolated(Named("abortive", "read"), "damaged.h5")  # type: ignore[arg-type]
    assert caught.value.where.path == "damaged.h5"
    assert signal.SIGSEGV == 11


def test_a_child_that_ends_without_an_answer(kept: Path) -> None:
    (kept / "quitter.py").write_text("import os\ndef read(path): os._exit(7)\n")
    with pytest.raises(CorruptFileError, match="status 7"):
        read_isolated(Named("quitter", "read"), "damaged.h5")  # type: ignore[arg-type]


def test_what_a_library_prints_is_no_answer(kept: Path) -> None:
    text = 'import os\ndef read(path):\n    print("{}"); os.write(1, b"HDF5-DIAG"); return 3\n'
    (kept / "talker.py").write_text(text)
    assert read_isolated(Named("talker", "read"), "x") == 3  # type: ignore[arg-type]


def test_a_bug_is_no_damage(kept: Path) -> None:
    (kept / "buggy.py").write_text("def read(path): return {}['key']\n")
    with pytest.raises(ChildError, match="KeyError: 'key'"):
        read_isolated(Named("buggy", "read"), "whole.h5")  # type: ignore[arg-type]


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no limit of memory")
def test_a_child_that_grows(kept: Path) -> None:
    (kept / "greedy.py").write_text("def read(path): return len(bytearray(4 << 30))\n")
    with pytest.raises(UnsafeFileError, match="too much memory"):
        read_isolated(Named("greedy", "read"), "bomb.h5")  # type: ignore[arg-type]
