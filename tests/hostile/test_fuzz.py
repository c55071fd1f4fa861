"""Random damage to every golden: a named error, or what the changed bytes say; nothing else.

Spoiled files are opened by children (fuzz_worker.py), since libhdf5 may hang or die of them; that
is tolerated of HDF5 only, and where `check` finds the damage and lives. Everything else that comes
of an example is a fault: an exception of another sort, more than 10 s, more than 2 times the file
plus 64 MB beyond the imports, an output left behind, or a broken checksum that nobody saw.
"""

from __future__ import annotations

import collections
import concurrent.futures
import json
import re
import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import modelfmt
from modelfmt import ModelFormatError
from modelfmt.errors import CorruptFileError

HERE = Path(__file__).parent
#: Kind -> examples of the wide run; those of the default run are 1 in 40.
EXAMPLES = {
    "graphdef": 3000, "metagraph": 800, "savedmodel": 1200, "checkpoint": 3000,
    "keras-h5": 700, "keras-weights": 900, "keras": 600,
}  # fmt: skip
OF_HDF5 = {"keras-h5", "keras-weights", "keras"}
_SEED, _BATCH = 2026, 200
_LIMIT = 60  # s an example, on average; the child itself gives up after 10 s of computing
#: Whose code was running in a process that hung: the innermost line of Python.
_INNERMOST = re.compile(r'most recent call first\):\n  File "[^"]*/(h5py|storage/hdf5)/')


def test_the_wide_run_is_wide() -> None:
    assert sum(EXAMPLES.values()) >= 10_000


@pytest.mark.parametrize("kind", EXAMPLES)
def test_some_damage(kind: str, tmp_path: Path) -> None:
    assert fuzz(kind, EXAMPLES[kind] // 40, 1, tmp_path)["examples"] == EXAMPLES[kind] // 40


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXAMPLES)
def test_much_damage(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = fuzz(kind, EXAMPLES[kind], _SEED, tmp_path)
    with capsys.disabled():
        told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        print(f"\nfuzz {kind}: {told}")
    assert counts["examples"] == EXAMPLES[kind]


@pytest.fixture(scope="module")
def worker() -> dict[str, Any]:
    sys.path.insert(0, str(HERE))  # as it has it when it runs as a script
    try:
        return runpy.run_path(str(HERE / "fuzz_worker.py"))
    finally:
        sys.path.remove(str(HERE))


def test_damage_is_the_same_every_time(worker: dict[str, Any]) -> None:
    example: Callable[..., Any] = worker["Example"]
    for kind in EXAMPLES:
        one, two = example(kind, 3, 4), example(kind, 3, 4)
        assert (one.case, one.after) == (two.case, two.after)
        assert one.after != one.before != example(kind, 3, 5).after


def test_every_golden_is_spoiled_in_every_way(worker: dict[str, Any]) -> None:
    for kind, count in EXAMPLES.items():
        made = [worker["Example"](kind, _SEED, number) for number in range(count)]
        assert {e.model for e in made} == set(worker["models"](kind))
        assert len({e.damage for e in made}) == 10


def test_a_checksum_stands_for_these_ranges(worker: dict[str, Any]) -> None:
    golden: Path = worker["GOLDEN"]
    bundle = golden / "checkpoint/keras3.15.1-tf2.21.0-nested_train"
    for file in (bundle / "ckpt-1.data-00000-of-00001", bundle / "ckpt-1.index"):
        ranges = worker["protected"](file)
        assert sum(b - a for a, b in ranges) > 0.9 * file.stat().st_size
    archive = golden / "keras/tfkeras-tf2.12.1-nested/model.keras"
    assert len(worker["protected"](archive)) == 3
    assert worker["protected"](golden / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5") == []


def test_the_worker_sees_faults(tmp_path: Path, worker: dict[str, Any]) -> None:
    """Else nothing above would mean anything."""
    run = worker["run"]

    def answer(act: Callable[[], Any]) -> list[str]:
        run.__globals__["verbs"] = lambda path, out, golden: {"walk": act}
        example = worker["Example"]("graphdef", 0, 0)
        example.after = example.before  # a broken checksum is none of this
        faults: list[str] = run(0, example, tmp_path, ["walk"])["faults"]
        return faults

    def grow() -> None:
        bytearray(b"x" * (200 << 20))

    def lie() -> None:
        raise ModelFormatError("two\nlines")

    assert "ZeroDivisionError" in answer(lambda: 1 / 0)[0]
    assert "MiB" in answer(grow)[0]
    assert answer(lambda: None) == []
    assert answer(lie) == []  # made visible by the error itself


def fuzz(kind: str, count: int, seed: int, folder: Path) -> collections.Counter[str]:
    """Run examples of a kind in two children at a time; fail with the faults, if there are any.

    Returns:
        How many ran, how many verbs ended well, in an error, or in the death of libhdf5.
    """
    batches = [(at, min(at + _BATCH, count)) for at in range(0, count, _BATCH)]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = pool.map(lambda batch: _batch(kind, seed, *batch, folder), batches)
        rows = [row for batch in made for row in batch]
    counts: collections.Counter[str] = collections.Counter()
    faults: list[str] = []
    for row in rows:
        counts["examples"] += 1
        what = f"{row['case']} (example {row['done']}, seed {seed}, {row['damage']})"
        faults += [f"{what}: {fault}" for fault in row["faults"]]
        for error in row["errors"].values():
            counts["results" if error is None else "errors"] += 1
        counts["deaths of libhdf5"] += row.get("died", False)
    if faults:
        pytest.fail(f"{len(faults)} faults, among them\n" + "\n".join(faults[:5]), pytrace=False)
    return counts


def _batch(kind: str, seed: int, first: int, last: int, folder: Path) -> list[dict[str, Any]]:
    """The rows of some examples; a child that dies is followed by another."""
    rows: list[dict[str, Any]] = []
    place = folder / f"{first}"
    while first < last:
        arguments = [kind, seed, first, last, place]
        command = [sys.executable, str(HERE / "fuzz_worker.py"), *map(str, arguments)]
        place.mkdir(exist_ok=True)
        log = folder / f"{first}.stderr"
        with log.open("w") as stderr:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False,
                timeout=_LIMIT * (last - first),
            )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        rows += (line for line in lines if "done" in line)
        if not lines or (done.returncode and "begin" not in lines[-1]):
            pytest.fail(f"the worker does not run: {log.read_text()}", pytrace=False)
        if done.returncode == 0:
            break
        died = lines[-1]["begin"]
        verb, told = lines[-1]["verb"], log.read_text()
        crashed = done.returncode < 0 and done.returncode != -signal.SIGPROF
        theirs = crashed or _INNERMOST.search(told) is not None
        rows.append(_death(kind, seed, died, verb, told, folder, theirs))
        first = died + 1
    return rows


def _death(
    kind: str, seed: int, number: int, verb: str, stderr: str, folder: Path, theirs: bool
) -> dict[str, Any]:
    """The row of an example that its worker did not survive: of HDF5, `check` must say so."""
    sys.path.insert(0, str(HERE))
    try:
        example = runpy.run_path(str(HERE / "fuzz_worker.py"))["Example"](kind, seed, number)
    finally:
        sys.path.remove(str(HERE))
    faults = []
    if kind not in OF_HDF5 or not theirs:
        faults.append(f"{verb}: the process hung or died: {stderr[-3000:]}")
    else:
        try:
            found = modelfmt.check(example.write(folder / f"again {number}"))
        except CorruptFileError as error:
            found = [error]
        if not found:
            faults.append(f"{verb}: it hung or died, and modelfmt.check finds nothing")
    return {
        "done": number, "case": example.case, "damage": example.damage, "faults": faults,
        "errors": {verb: "death"}, "died": True,
    }
