"""Whole processes, measured by the operating system: wall and CPU seconds, and peak memory.

This side imports nothing but the standard library, on purpose: Linux counts the memory that the
parent has at the fork (20 MB here) into the ``ru_maxrss`` of the child, so less cannot be seen.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Usage:
    """What one process took.

    Attributes:
        wall: seconds from before the fork until it was reaped.
        cpu: user and system seconds, all threads and reaped children together.
        peak: MB (10**6 bytes) resident at most, mapped pages of files included.
    """

    wall: float
    cpu: float
    peak: float


@dataclasses.dataclass(frozen=True)
class Command:
    """A process to measure.

    Attributes:
        label: how the table calls it.
        argv: the program and its arguments.
        output: a file that it writes; removed, and the disk left in peace, before each run.
        heavy: a framework that takes many seconds, hence is run less often.
    """

    label: str
    argv: Sequence[str]
    output: Path | None = None
    heavy: bool = False


def environment() -> dict[str, str]:
    """For all children alike: byte code is kept as in any installation, TensorFlow is quiet."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    return kept | quiet | {"KERAS_BACKEND": "tensorflow"}


def run(command: Command) -> Usage:
    """Run a command once.

    Raises:
        RuntimeError: it failed; the message ends with what it said on stderr.
    """
    if command.output is not None:
        command.output.unlink(missing_ok=True)
        os.sync()  # the dirty pages of the run before are not this one's business
    with tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        child = subprocess.Popen(
            command.argv, stdout=subprocess.DEVNULL, stderr=stderr, env=environment()
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            stderr.seek(0)
            said = stderr.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command.argv)}: status {child.returncode}\n{said}")
    return Usage(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


def interleave(commands: Sequence[Command], runs: int, heavy_runs: int) -> list[list[Usage]]:
    """Run all commands in rounds, the order reversed in every other round, after one warm-up.

    A machine that slows down for a while slows all of them: what is compared stands side by
    side in time. Heavy ones take part in the first ``heavy_runs`` rounds, without warm-up.

    Returns:
        For each command its usages, round by round.
    """
    found: list[list[Usage]] = [[] for _ in commands]
    for command in commands:
        if not command.heavy:
            run(command)
    for number in range(runs):
        numbered = list(enumerate(commands))
        for at, command in numbered[::-1] if number % 2 else numbered:
            if not command.heavy or number < heavy_runs:
                found[at].append(run(command))
    return found


def median(usages: Sequence[Usage], field: str) -> float:
    """The median of one field over all rounds."""
    return statistics.median(float(getattr(usage, field)) for usage in usages)


def ratio(a: Sequence[Usage], b: Sequence[Usage], field: str) -> float:
    """How often b goes into a: the median of the quotients of each round."""
    return statistics.median(
        float(getattr(x, field) / getattr(y, field)) for x, y in zip(a, b, strict=False)
    )
