"""Print one table of ratios: ours beside TensorFlow and Keras, beside h5py, and beside cp.

    .venv/bin/python benchmarks/run.py [--runs 5] [--heavy-runs 2] [--work FOLDER] [--only WORD]

Everything is measured as whole processes, side by side in one run, since only ratios mean
something on a machine that others use too. No timing makes this fail; a wrong result does.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from measure import Command, Usage, interleave, median, ratio, run
from rows import Group, convert, fmt, groups, reference

#: What Keras builds, once and for all.
MODELS = ("vgg16.h5", "vgg16.keras", "mobilenetv2.h5")
#: Graphs of Dense layers: how many, and of how many units.
CHAINS = {"large.pb": (400, 512), "many.pb": (20_000, 50)}
HEAD = ("what", "command", "wall s", "CPU s", "peak MB", "ours: wall", "ours: CPU", "ours: peak")


def main() -> None:
    """Build what is missing, check the results once, measure, and print."""
    options = _options()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    print("\n".join(_facts(work)), flush=True)
    _prepare(work)
    if not options.no_check:
        _check(work)
    rows: list[Sequence[str]] = []
    verdicts: list[str] = []
    for group in groups(work):
        if options.only and options.only not in group.title:
            continue
        print(f"measuring: {group.title}", file=sys.stderr, flush=True)
        short = group.commands[0].output is None  # no conversion: cheap to repeat
        found = interleave(group.commands, options.runs * (2 if short else 1), options.heavy_runs)
        rows += _rows(group, found)
        verdicts += _verdicts(group, found)
    print("\n" + "\n".join(_markdown(rows)) + "\n")
    print("\n".join(verdicts))
    print(f"\nload when done: {os.getloadavg()[0]:.1f}")
    for command in (command for group in groups(work) for command in group.commands):
        if command.output is not None:
            command.output.unlink(missing_ok=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Print one table of ratios.")
    parser.add_argument("--runs", type=int, default=5, help="rounds of each conversion; else twice")
    parser.add_argument("--heavy-runs", type=int, default=2, help="rounds of the frameworks")
    parser.add_argument("--only", metavar="WORD", help="groups whose title has this word")
    parser.add_argument("--no-check", action="store_true", help="measure without checking results")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "modelfmt-bench",
        help="where the models are kept between runs (2 GB, and 2 GB more meanwhile)",
    )  # fmt: skip
    return parser.parse_args()


def _facts(work: Path) -> Iterator[str]:
    """The machine, and the versions of all that is measured."""
    names = ("modelfmt", "h5py", "numpy", "typer", "protobuf", "tensorflow", "keras")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield f"{datetime.date.today()}: Python {platform.python_version()}, {versions}"
    yield (
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GB, "
        f"{platform.system()} {platform.release()}; load {os.getloadavg()[0]:.1f}; files in {work}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((s.split(": ")[1] for s in lines if s.startswith("model name")), "unknown")


def _prepare(work: Path) -> None:
    """The models by Keras, once; VGG16's .pb by us, anew, as the input of the way back."""
    if not all((work / name).exists() for name in MODELS):
        run(reference("build", "build", work))
    for name, sizes in CHAINS.items():
        if not (work / name).exists():
            run(reference("chain", "chain", work / name, *sizes))
    run(convert(work / "vgg16.h5", work / "vgg16.pb"))


def _check(work: Path) -> None:
    """Every conversion gives the same bits, and TensorFlow computes the same with them."""
    h5, keras, pb = work / "vgg16.h5", work / "vgg16.keras", work / "vgg16.pb"
    for source, made in ((keras, work / "out.keras.pb"), (pb, work / "out.h5")):
        run(convert(source, made))
        run(reference("same", "same", source, made))
    run(reference("same", "same", h5, pb))
    small, made = work / "mobilenetv2.h5", work / "out.mobilenetv2.pb"
    run(convert(small, made))
    for a, b in ((h5, pb), (pb, work / "out.h5"), (small, made)):
        run(Command("verify", fmt("verify", a, b, "--samples", 1)))
    print("checked: all weights bit for bit, outputs of .h5, .pb and .h5 again by TensorFlow")


def _rows(group: Group, found: list[list[Usage]]) -> Iterator[Sequence[str]]:
    for at, (command, usages) in enumerate(zip(group.commands, found, strict=True)):
        row = ["" if at else group.title, command.label]
        row += [f"{median(usages, 'wall'):.2f}", f"{median(usages, 'cpu'):.2f}"]
        row += [f"{median(usages, 'peak'):.0f}"]
        for field in ("wall", "cpu", "peak") if at else ():
            row.append(_times(ratio(usages, found[0], field), "less" if field == "peak" else ""))
        yield [*row, *[""] * (len(HEAD) - len(row))]


def _times(factor: float, better: str) -> str:
    """Ours against the other: ``12x faster``, or ``1.4x`` of what the other takes."""
    return f"{factor:.3g}x {better or 'faster'}" if factor >= 1 else f"{1 / factor:.2f}x"


def _verdicts(group: Group, found: list[list[Usage]]) -> Iterator[str]:
    def verdict(met: bool, text: str) -> str:
        return f"target {'met   ' if met else 'MISSED'}  {group.title}: {text}"

    if group.at_most is not None:
        at, limit = group.at_most
        took = 1 / ratio(found[at], found[0], "wall")
        other = group.commands[at].label
        yield verdict(took <= limit, f"{took:.2f} times {other!r}, at most {limit}")
    if group.faster is not None:
        at, limit = group.faster
        took = ratio(found[at], found[0], "wall")
        other = group.commands[at].label
        yield verdict(took >= limit, f"{took:.1f} times faster than {other}, at least {limit}")
    if group.wall is not None:
        wall = median(found[0], "wall")
        yield verdict(wall < group.wall, f"{wall:.2f} s, below {group.wall}")
    if group.peak is not None:
        peak = max(usage.peak for usage in found[0])
        yield verdict(peak < group.peak, f"peak {peak:.0f} MB, below {group.peak}")


def _markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    table = [HEAD, *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(HEAD))]
    for number, row in enumerate(table):
        cells = (
            cell.ljust(width) if at < 2 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "| " + " | ".join(cells) + " |"
        if not number:
            rules = ("-" * w if at < 2 else "-" * (w - 1) + ":" for at, w in enumerate(widths))
            yield "| " + " | ".join(rules) + " |"


if __name__ == "__main__":
    main()
