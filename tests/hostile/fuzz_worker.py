"""The child that opens spoiled files: libhdf5 may hang or kill it, and test_fuzz starts another.

    python fuzz_worker.py KIND SEED FIRST LAST FOLDER

spoils examples FIRST to LAST (exclusive) of a kind within FOLDER, gives them to the verbs, and
prints a line of JSON for each thing that happens:

    {"begin": example, "verb": verb}    so that the last line tells what a death was of
    {"done": example, "case", "damage", "errors": {verb: class or null}, "faults": [text]}
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import json
import random
import resource
import runpy
import shutil
import signal
import struct
import sys
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_mutations

import modelfmt
from modelfmt import ModelFormatError
from modelfmt.storage.files import SourceFile
from modelfmt.storage.sstable import read_footer
from modelfmt.surgery.check import examine
from modelfmt.tf.bundle import Bundle

SECONDS, CLOCK = 10, 60  # of computing; by the clock, of which a busy machine takes more
ROOM = 64 << 20
GOLDEN = Path(__file__).parents[2] / "golden"
_NO_PARTS = ("io.npz", "dump.txt", "provenance.toml")


@functools.cache
def models(kind: str) -> list[Path]:
    """The golden models of a kind."""
    found = runpy.run_path(str(GOLDEN / "make_dumps.py"))["models"]()
    return [model for model in found if model.parents[1].name == kind]


class Example:
    """One spoiled golden: which, how, and what must come of it."""

    def __init__(self, kind: str, seed: int, number: int) -> None:
        self.kind = kind
        self.rng = random.Random(f"{kind} {seed} {number}")
        self.model = self.rng.choice(models(kind))
        files = [p for p in sorted(self.model.parent.rglob("*")) if p.is_file()]
        self.file = self.rng.choice([p for p in files if p.name not in _NO_PARTS])
        self.before = self.file.read_bytes()
        self.damage, self.after = fuzz_mutations.mutated(self.before, self.rng)
        self.case = f"{kind}/{self.model.parent.name}/{self.file.name}"

    def write(self, folder: Path) -> Path:
        """Make the case, spoiled, in an empty folder; the path of its model."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.model.parent, folder, ignore=shutil.ignore_patterns(*_NO_PARTS))
        (folder / self.file.relative_to(self.model.parent)).write_bytes(self.after)
        return folder / self.model.relative_to(self.model.parent)

    @property
    def breaks_a_checksum(self) -> bool:
        """Whether a byte differs that a checksum stands for, and nothing else has moved."""
        if self.before == self.after or len(self.before) != len(self.after):
            return False
        spans = protected(self.file)
        return all(any(a <= at < b for a, b in spans) for at in self._changed())

    @property
    def is_metaindex(self) -> bool:
        """Whether all that differs is a table's metaindex block, which only `check` looks at."""
        if ".data-" in self.file.name:
            return False
        with SourceFile(self.file) as file:
            block = read_footer(file).metaindex
        return all(block.offset <= at < block.end for at in self._changed())

    def _changed(self) -> list[int]:
        pairs = enumerate(zip(self.before, self.after, strict=True))
        return [at for at, (a, b) in pairs if a != b]


def protected(file: Path) -> list[tuple[int, int]]:
    """The ranges of a whole file that a checksum stands for."""
    size = file.stat().st_size
    if file.suffix == ".keras":
        with zipfile.ZipFile(file) as archive:
            return [_member(file.read_bytes(), info) for info in archive.infolist()]
    if ".data-" in file.name:
        prefix = f"{file.parent}/{file.name.split('.data-')[0]}"
        bundle = Bundle(prefix)
        spans = [bundle.span(name, entry) for name, entry in bundle.stored()]
        return [(s.offset, s.offset + s.length) for s in spans if s.file.path == str(file)]
    with file.open("rb") as opened:
        opened.seek(max(0, size - 8))
        magic = opened.read()
    # Blocks, each with its crc32c, up to the footer.
    return [(0, size - 48)] if magic == bytes.fromhex("57fb808b247547db") else []


def _member(data: bytes, info: zipfile.ZipInfo) -> tuple[int, int]:
    name, extra = struct.unpack_from("<HH", data, info.header_offset + 26)
    start = info.header_offset + 30 + name + extra
    return start, start + info.compress_size


def walk(path: Path) -> None:
    """Everything that can be asked of an open container."""
    with modelfmt.open(path) as container:
        if container.has_graph:
            graph = container.graph
            for body in (graph, *graph.functions.values()):
                for name in body:
                    node = body[name]
                    _ = node.inputs, node.device, dict(node.attrs)
        for name in container.tensors:
            container.tensors[name].numpy()
        if container.has_network:
            for layer in container.network.walk():
                _ = layer.config, layer.calls, [t.sha256() for t in layer.weights.values()]


def verbs(path: Path, out: Path, golden: Path) -> dict[str, Callable[[], Any]]:
    return {
        "walk": lambda: walk(path),
        "dump": lambda: modelfmt.dump(path, digest=True),
        "check": lambda: examine(str(path)),  # in this process, which is a child already
        "extract": lambda: modelfmt.extract(path, out / "parts"),
        "to graphdef": lambda: modelfmt.convert(path, out / "out.pb"),
        "to keras-h5": lambda: modelfmt.convert(path, out / "out.h5"),
        "diff": lambda: modelfmt.diff(path, golden),
    }


class Memory:
    """How much a run takes at its height, beyond what stood before."""

    def __init__(self) -> None:
        with contextlib.suppress(OSError):  # Linux: the high-water mark is set back
            Path("/proc/self/clear_refs").write_text("5")
        self.before = self._of("VmRSS")

    @staticmethod
    def _of(key: str) -> int:
        try:
            text = Path("/proc/self/status").read_text()
        except OSError:
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        return int(text.split(f"{key}:")[1].split()[0]) << 10

    def taken(self) -> int:
        return self._of("VmHWM") - self.before


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def run(number: int, example: Example, folder: Path, chosen: list[str]) -> dict[str, Any]:
    """Give an example to some verbs. What is no error of ours, or too large, is a fault."""
    path = example.write(folder / "case")
    size = sum(p.stat().st_size for p in (folder / "case").rglob("*") if p.is_file())
    errors: dict[str, str | None] = {}
    faults: list[str] = []
    results: dict[str, Any] = {}
    for verb in chosen:
        out = folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        say(begin=number, verb=verb)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        faulthandler.dump_traceback_later(CLOCK, exit=True)
        memory = Memory()
        errors[verb] = None
        try:
            results[verb] = verbs(path, out, example.model)[verb]()
        except ModelFormatError as error:
            errors[verb] = type(error).__name__
            if "\n" in str(error) or error.exit_status not in (3, 4):
                faults.append(f"{verb}: not one line, or status {error.exit_status}: {error!r}")
            if list(out.iterdir()):
                faults.append(f"{verb}: left something behind")
        except Exception:  # the fault that is looked for
            errors[verb] = "fault"
            faults.append(f"{verb}: {traceback.format_exc()}")
        taken = memory.taken()
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_PROF, 0)
        if taken > 2 * size + ROOM:
            faults.append(f"{verb}: took {taken >> 20} MiB for a file of {size} bytes")
    if example.breaks_a_checksum:
        if errors["check"] is None and not results["check"]:
            faults.append("check: a broken checksum was not seen")
        if example.file.suffix == ".keras":
            for verb in ("extract", "to graphdef", "to keras-h5", "diff"):
                if verb in errors and errors[verb] is None:
                    faults.append(f"{verb}: a broken checksum was not seen")
        elif example.kind == "checkpoint" and not example.is_metaindex and errors["walk"] is None:
            faults.append("walk: a broken checksum was not seen")
    return {"errors": errors, "faults": faults}


def main(kind: str, seed: str, first: str, last: str, folder: str) -> None:
    for model in models(kind)[:1]:  # imports, which no example is charged for
        for verb in verbs(model, Path(folder), model).values():
            try:
                verb()
            except ModelFormatError:
                pass
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                Path(folder).mkdir()
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + (2 << 30), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.register(signal.SIGPROF, chain=True)  # tells where, then dies
    for number in range(int(first), int(last)):
        example = Example(kind, int(seed), number)
        rest = ["check", "extract", "to graphdef", "to keras-h5", "diff"]
        chosen = ["walk", "dump", *example.rng.sample(rest, 2)]
        if example.breaks_a_checksum and "check" not in chosen:
            chosen.append("check")
        made = run(number, example, Path(folder), chosen)
        say(done=number, case=example.case, damage=example.damage, **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
