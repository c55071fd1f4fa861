"""Plain text from reports: columns that line up, no colours, stable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_UNITS = ("B", "KiB", "MiB", "GiB")
_SAVER = ("version", "filename_tensor", "save_tensor", "restore_op")
#: Of a collection so many names are listed, while they fit into so many characters.
_NAMES, _NAMES_WIDTH = 8, 80


def size(count: float) -> str:
    """A number of bytes for people: 1.5 MiB."""
    for unit in _UNITS:
        if count < 1024 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def shape(dims: Sequence[int | None] | None) -> str:
    """A shape as [?, 28, 28, 1]; ? for an unknown size, [...] for an unknown rank."""
    if dims is None:
        return "[...]"
    return "[" + ", ".join("?" if d is None else str(d) for d in dims) + "]"


def table(rows: Iterable[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    """Rows as aligned columns."""
    kept = [list(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*kept, strict=True)]
    for row in kept:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield (indent + "  ".join(cells)).rstrip()


def render_dump(report: dict[str, Any]) -> str:
    """The text of ``fmt dump``."""
    versions = ", ".join(f"{key} {value}" for key, value in report["versions"].items())
    lines = [f"{report['path']}: {report['kind']}" + (f" ({versions})" if versions else "")]
    for title in ("inputs", "outputs"):
        if report[title]:
            lines += [f"{title}:", *table(map(_end, report[title]))]
    if report.get("layers"):
        lines += [f"layers: {len(report['layers'])}", *table(map(_layer, report["layers"]))]
    if report.get("ops"):
        total = sum(report["ops"].values())
        rows = [[op, str(count)] for op, count in report["ops"].items()]
        lines += [f"nodes: {total}", *table(rows)]
    if report.get("functions"):
        rows = [[name, f"{count} nodes"] for name, count in report["functions"].items()]
        lines += [f"functions: {len(report['functions'])}", *table(rows)]
    for key, ends in report.get("signatures", {}).items():
        rows = [
            [title, row["name"], row["tensor"], row["dtype"] or "?", shape(row["shape"])]
            for title in ("inputs", "outputs")
            for row in ends[title]
        ]
        lines += [f"signature {key}:", *table([r[0].rstrip("s"), *r[1:]] for r in rows)]
    if report.get("collections"):
        rows = [_collection(key, found) for key, found in report["collections"].items()]
        lines += ["collections:", *table(rows)]
    if report.get("saver"):
        rows = [[key.replace("_", " "), _one_line(report["saver"][key])] for key in _SAVER]
        lines += ["saver:", *table(rows)]
    if report.get("assets"):
        lines += ["assets:", *table(map(_asset, report["assets"]))]
    tensors = report["tensors"]
    if tensors:
        total = sum(row["nbytes"] for row in tensors)
        lines += [f"tensors: {len(tensors)}, {size(total)}", *table(map(_tensor, tensors))]
    if report["oddities"]:
        lines += ["odd:", *(f"  {sentence}" for sentence in report["oddities"])]
    return "\n".join(lines)


def _end(row: dict[str, Any]) -> list[str]:
    return [row["name"], row["dtype"] or "?", shape(row["shape"])]


def _layer(row: dict[str, Any]) -> list[str]:
    return [row["name"], row["class_name"], f"{row['parameters']:,}" if row["weights"] else ""]


def _collection(key: str, found: dict[str, Any]) -> list[str]:
    """A line of few names: a model may have thousands of variables."""
    names: list[str] = []
    for row in found["rows"]:
        left = _NAMES_WIDTH - sum(len(name) + 2 for name in names)
        name = _entry(row)
        if names and (len(names) == _NAMES or len(name) > left):
            break
        names.append(name if len(name) <= left else f"{name[: left - 3]}...")
    more = found["count"] - len(names)
    listed = ", ".join(names) + (f", and {more} more" if more else "")
    return [_one_line(key), found["type"] or found["kind"] or "?", str(found["count"]), listed]


def _entry(row: dict[str, Any]) -> str:
    """What one calls an entry of a collection."""
    for key in ("name", "filename", "restore_op", "value", "text", "type_url"):
        if row.get(key) is not None:
            return _one_line(str(row[key]))
    return size(row["nbytes"])


def _asset(row: dict[str, Any]) -> list[str]:
    return [_one_line(row["filename"]), _one_line(row["tensor"])]


def _one_line(text: str) -> str:
    """``text`` with what would break a line made visible."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _tensor(row: dict[str, Any]) -> list[str]:
    cells = [row["name"], row["dtype"], shape(row["shape"]), size(row["nbytes"])]
    return [*cells, row["sha256"] or "-"] if "sha256" in row else cells


def render_conversion(done: Any, seconds: float) -> str:
    """The line that ``fmt convert`` says when it is done."""
    what = f"{done.source} ({done.source_kind}) -> {done.destination} ({done.kind})"
    counts = f"{done.layers} layers, " if done.layers else ""
    if done.weights:
        counts += f"{done.weights} weights, {size(done.weight_bytes)}, "
    return f"{what}: {counts}{seconds:.2f} s"


def render_extraction(done: Any) -> str:
    """What ``fmt extract`` says when it is done."""
    parts = f"{done.parts} part{'s' * (done.parts != 1)}, " if done.parts else ""
    what = f"{done.source} ({done.kind}) -> {done.destination}: {parts}{done.tensors} tensors"
    return "\n".join([what, *(f"  {remark}" for remark in done.remarks)])


def render_assembly(done: Any) -> str:
    """What ``fmt assemble`` says when it is done."""
    what = f"{done.source} -> {done.destination} ({done.kind})"
    lines = [f"{what}: {len(done.edited)} edited" if done.edited else f"{what}: nothing edited"]
    return "\n".join([*lines, *(f"  {name}" for name in done.edited)])


def render_verification(outcome: Any) -> str:
    """The table of ``fmt verify``."""
    rows = [["output", "in the other", "max |a - b|", "max |a|", ""]]
    rows += [
        [o.name_a, o.name_b, f"{o.max_difference:.3g}", f"{o.max_value:.3g}",
         "agrees" if o.agrees else "DIFFERS"]
        for o in outcome.outputs
    ]
    return "\n".join(table(rows, indent=""))
