"""Plain text from reports: columns that line up, no colours, stable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SHOWN = 20  # changes that an edit tells of


def size(count: float) -> str:
    """A number of bytes for people: 1.5 MiB."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def counted(count: int, noun: str) -> str:
    """A number with what it counts: 1 node, 2,000 nodes."""
    return f"{count:,} {noun}" + "s" * (count != 1)


def shape(dims: Sequence[int | None] | None) -> str:
    """A shape as [?, 28, 28, 1]; ? for an unknown size, [...] for an unknown rank."""
    if dims is None:
        return "[...]"
    return "[" + ", ".join("?" if d is None else str(d) for d in dims) + "]"


def one_line(text: str) -> str:
    """``text`` with what would break a line made visible."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def table(rows: Iterable[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    """Rows as aligned columns."""
    kept = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*kept, strict=True)]
    for row in kept:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield (indent + "  ".join(cells)).rstrip()


def render_conversion(done: Any, seconds: float) -> str:
    """The line that ``fmt convert`` says when it is done."""
    what = f"{done.source} ({done.source_kind}) -> {done.destination} ({done.kind})"
    counts = f"{counted(done.layers, 'layer')}, " if done.layers else ""
    if done.weights:
        counts += f"{counted(done.weights, 'weight')}, {size(done.weight_bytes)}, "
    return f"{what}: {counts}{seconds:.2f} s"


def render_extraction(done: Any) -> str:
    """What ``fmt extract`` says when it is done."""
    parts = f"{counted(done.parts, 'part')}, " if done.parts else ""
    tensors = counted(done.tensors, "tensor")
    what = f"{done.source} ({done.kind}) -> {done.destination}: {parts}{tensors}"
    return "\n".join([what, *(f"  {remark}" for remark in done.remarks)])


def render_assembly(done: Any) -> str:
    """What ``fmt assemble`` says when it is done."""
    what = f"{done.source} -> {done.destination} ({done.kind})"
    lines = [f"{what}: {len(done.edited)} edited" if done.edited else f"{what}: nothing edited"]
    return "\n".join([*lines, *(f"  {name}" for name in (*done.edited, *done.remarks))])


def render_edit(done: Any) -> str:
    """What ``fmt edit`` says when it is done; of many changes the first ones."""
    count = len(done.changes)
    what = f"{done.source} -> {done.destination} ({done.kind})"
    lines = [f"{what}: {counted(count, 'change')}" if count else f"{what}: nothing changed"]
    lines += [f"  {change}" for change in done.changes[:_SHOWN]]
    return "\n".join([*lines, *([f"  and {count - _SHOWN} more"] if count > _SHOWN else [])])


def render_transplant(done: Any) -> str:
    """What ``fmt transplant`` says when it is done."""
    what = f"{done.donor} -> {done.host} -> {done.destination} ({done.kind})"
    lines = [f"{what}: {len(done.grafts)} weights, {size(done.nbytes)}"]
    for side, left in (("donor", done.left_in_donor), ("host", done.left_in_host)):
        if left:
            more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
            lines.append(f"  left in the {side}: {', '.join(left[:_SHOWN])}{more}")
    return "\n".join(lines)


def render_mapping(done: Any) -> str:
    """The table of ``fmt transplant --dry-run``: what becomes what, and what is left."""
    rows = [["host", "donor", "dtype", "shape", "by"]]
    rows += [
        [g.host, " + ".join(g.donors) + "".join(f" {step(s)}" for s in g.steps), g.dtype,
         shape(g.shape), g.how]
        for g in done.grafts
    ]  # fmt: skip
    lines = list(table(rows, indent=""))
    for side, left in (("donor", done.left_in_donor), ("host", done.left_in_host)):
        lines += [f"left in the {side}: {len(left)}", *(f"  {name}" for name in left)]
    return "\n".join(lines)


def step(told: Any) -> str:
    """A step of a transplant's map: transpose [1, 0]."""
    return ", ".join(f"{name} {value}" for name, value in told.items())


def render_verification(outcome: Any) -> str:
    """The table of ``fmt verify``."""
    rows = [["output", "in the other", "max |a - b|", "max |a|", ""]]
    rows += [
        [o.name_a, o.name_b, f"{o.max_difference:.3g}", f"{o.max_value:.3g}",
         "agrees" if o.agrees else "DIFFERS"]
        for o in outcome.outputs
    ]
    lines = list(table(rows, indent=""))
    if (first := outcome.first_divergence) is not None:
        lines.append(
            f"first layer that differs: {first.name_a}, max |a - b| {first.max_difference:.3g}"
        )
    return "\n".join(lines)
