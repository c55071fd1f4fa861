"""Stability: what is written depends on the content of the source, and on nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import modelfmt

CONVERTIBLE = (
    "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb",
    "graphdef/keras2.1.2-tf1.4.1-linear_regression_text/model.pbtxt",
    "keras-h5/keras2.1.2-tf1.4.1-nested/model.h5",
    "keras/keras3.0.5-tf2.16.2-multi_output/model.keras",
)
DUMPED = (
    *CONVERTIBLE,
    "metagraph/rawtf1.2.1-raw_dynamic_rnn/model.ckpt.meta",
    "savedmodel/tfkeras-tf2.8.4-subclassed/saved_model",
    "checkpoint/tfkeras-tf2.8.4-nested_train/ckpt-1",
    "keras-weights/tfkeras-tf2.12.1-nested/model.weights.h5",
)
CHILD = """
import os, sys, time
import modelfmt

if sys.argv[1] == "later":
    real = time.time
    time.time = lambda: real() + 1e8
    localtime = time.localtime
    time.localtime = lambda *a: localtime(*(a or [time.time()]))
for path in sys.argv[3:]:
    name = path.replace("/", "_")
    for end in (".pb", ".pbtxt", ".h5", ".keras"):
        modelfmt.convert(os.path.join(sys.argv[2], path), name + end)
    modelfmt.convert(os.path.join(sys.argv[2], path), name + ".2.h5", keras=2)
"""


def outputs(folder: Path, when: str, hash_seed: str, golden: Path) -> dict[str, bytes]:
    folder.mkdir(parents=True)
    zone = {"now": "UTC", "later": "Asia/Tokyo"}[when]
    subprocess.run(
        [sys.executable, "-c", CHILD, when, golden, *CONVERTIBLE],
        cwd=folder, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": zone},
    )  # fmt: skip
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_convert_gives_the_same_bytes_anywhere_and_any_time(
    tmp_path: Path, golden_folder: Path
) -> None:
    first = outputs(tmp_path / "a", "now", "0", golden_folder)
    again = outputs(tmp_path / "elsewhere" / "deeper" / "b", "later", "4711", golden_folder)
    assert len(first) == 5 * len(CONVERTIBLE)
    assert sorted(first) == sorted(again)
    assert [name for name in first if first[name] != again[name]] == []


def test_no_path_and_no_host_is_written(tmp_path: Path, golden_folder: Path) -> None:
    for path in CONVERTIBLE:
        for end in (".pb", ".h5", ".keras"):
            out = tmp_path / f"out{end}"
            modelfmt.convert(golden_folder / path, out, force=True)
            data = out.read_bytes()
            for trace in (str(tmp_path), str(golden_folder), os.uname().nodename):
                assert trace.encode() not in data


def test_dump_is_a_function_of_the_content(
    golden: Path, relocated: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = modelfmt.dump(golden, digest=True)
    copy = relocated(golden)
    monkeypatch.chdir(copy.parent)
    second = modelfmt.dump(copy.name, digest=True)
    assert (first.pop("path"), second.pop("path")) == (str(golden), copy.name)
    assert second == first
    assert str(golden.parent) not in str(first) and "another" not in str(second)


def test_parts_are_a_function_of_the_content(
    whole: Path, relocated: Callable[[Path], Path], tmp_path: Path
) -> None:
    modelfmt.extract(whole, tmp_path / "first")
    modelfmt.extract(relocated(whole), tmp_path / "second")
    first, second = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in files(tmp_path / name)}
        for name in ("first", "second")
    )
    assert first == second


def files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def test_dump_does_not_depend_on_the_hash_seed(golden_folder: Path) -> None:
    def printed(seed: str) -> bytes:
        script = "import sys, modelfmt; [print(modelfmt.dump(p)) for p in sys.argv[1:]]"
        return subprocess.run(
            [sys.executable, "-c", script, *(str(golden_folder / p) for p in DUMPED)],
            capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout  # fmt: skip

    first = printed("1")
    assert first and first == printed("99")
