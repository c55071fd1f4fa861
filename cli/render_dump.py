"""The text of ``fmt dump``: columns that line up, stable, with colours for a terminal only."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from modelfmt.cli.render import counted, one_line, shape, size, table

Report = dict[str, Any]

_SAVER = ("version", "filename_tensor", "save_tensor", "restore_op")
#: Of a collection so many names are listed, while they fit into so many characters.
_NAMES, _NAMES_WIDTH = 8, 80


def render_dump(report: Report) -> str:
    """The text of a report, as people read it."""
    return "\n".join(line for _, lines in _sections(report) for line in lines)


def styled_dump(report: Report) -> Iterator[tuple[str, str]]:
    """The lines with their style: "title", "odd" or ""."""
    for title, lines in _sections(report):
        style = "odd" if title == "odd" else ""
        yield from ((line, style or ("" if line.startswith(" ") else "title")) for line in lines)


def _sections(report: Report) -> Iterator[tuple[str, list[str]]]:
    yield "head", list(_head(report))
    for title in ("inputs", "outputs"):
        if report[title]:
            yield title, [f"{title}:", *table(map(_end, report[title]))]
    yield "layers", list(_layers(report))
    yield "graph", list(_graph(report))
    yield "signatures", list(_signatures(report))
    if report.get("collections"):
        rows = [_collection(key, found) for key, found in report["collections"].items()]
        yield "collections", ["collections:", *table(rows)]
    if report.get("saver"):
        rows = [[key.replace("_", " "), one_line(report["saver"][key])] for key in _SAVER]
        yield "saver", ["saver:", *table(rows)]
    if report.get("assets"):
        rows = [[one_line(row["filename"]), one_line(row["tensor"])] for row in report["assets"]]
        yield "assets", ["assets:", *table(rows)]
    yield "objects", list(_objects(report))
    if report.get("files"):
        rows = [[one_line(row["name"]), size(row["nbytes"])] for row in report["files"]]
        yield "files", ["files:", *table(rows)]
    yield "checkpoint", list(_checkpoint(report))
    yield "tensors", list(_tensors(report))
    if report["oddities"]:
        yield "odd", ["odd:", *(f"  {sentence}" for sentence in report["oddities"])]


def _head(report: Report) -> Iterator[str]:
    versions = ", ".join(f"{key} {value}" for key, value in report["versions"].items())
    yield f"{report['path']}: {report['kind']}" + (f" ({versions})" if versions else "")
    if report.get("tags") is not None and report["kind"] == "savedmodel":
        yield f"tags: {', '.join(map(one_line, report['tags'])) or 'none'}"
    if len(report.get("metagraphs", ())) > 1:
        yield f"metagraphs: {len(report['metagraphs'])}, of which the tags above tell one"
        yield from table(map(_metagraph, report["metagraphs"]))
    training = report.get("training")
    if training:
        known = {key: value for key, value in training.items() if value}
        texts = (f"{k} {v if isinstance(v, str) else ', '.join(v)}" for k, v in known.items())
        yield one_line("compiled: " + ("; ".join(texts) or "yes"))
    yield from (f"note: {sentence}" for sentence in report.get("remarks", ()))


def _metagraph(row: Report) -> list[str]:
    keys = [key for key in row["signatures"] if not key.startswith("__")]
    functions = counted(row["functions"], "function") if row["functions"] else ""
    listed = f"signatures {', '.join(keys)}" if keys else "no signature"
    return [",".join(row["tags"]) or "no tags", counted(row["nodes"], "node"), functions, listed]


def _end(row: Report) -> list[str]:
    return [one_line(row["name"]), row["dtype"] or "?", shape(row["shape"])]


def _layers(report: Report) -> Iterator[str]:
    layers = report.get("layers")
    if not layers:
        return
    total = sum(row["parameters"] for row in layers)
    model = " ".join(filter(None, [report.get("class"), report.get("name")]))
    yield f"layers: {len(layers)}, {counted(total, 'parameter')}" + (f" ({model})" if model else "")
    yield from table(map(_layer, layers))


def _layer(row: Report) -> list[str]:
    weights = f"{row['parameters']:,}" if row["weights"] else ""
    return [one_line(row["name"]), *filter(None, [row["class_name"]]), weights]


def _graph(report: Report) -> Iterator[str]:
    if report.get("ops"):
        yield f"nodes: {sum(report['ops'].values())}"
        yield from table([op, str(count)] for op, count in report["ops"].items())
    functions = report.get("functions")
    if functions:
        inside = counted(sum(functions.values()), "node")
        yield f"functions: {len(functions)}, {inside} in them"
        gradients = report.get("gradients", {})
        yield from table(
            [name, counted(n, "node"), f"gradient {gradients[name]}" if name in gradients else ""]
            for name, n in functions.items()
        )
    if report.get("function_ops"):
        yield "nodes in functions:"
        yield from table([op, str(count)] for op, count in report["function_ops"].items())


def _signatures(report: Report) -> Iterator[str]:
    for key, found in report.get("signatures", {}).items():
        method = f" ({found['method']})" if found.get("method") else ""
        yield f"signature {one_line(key)}{method}:"
        yield from table(
            [title.rstrip("s"), one_line(row["name"]), one_line(row["tensor"]),
             *([row["dtype"], shape(row["shape"])] if row["dtype"] else ["(an op)", ""])]
            for title in ("inputs", "outputs")
            for row in found[title]
        )  # fmt: skip


def _collection(key: str, found: Report) -> list[str]:
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
    return [one_line(key), found["type"] or found["kind"] or "?", str(found["count"]), listed]


def _entry(row: Report) -> str:
    """What one calls an entry of a collection."""
    for key in ("name", "filename", "restore_op", "value", "text", "type_url"):
        if row.get(key) is not None:
            return one_line(str(row[key]))
    return size(row["nbytes"])


def _objects(report: Report) -> Iterator[str]:
    found = report.get("objects")
    if not found:
        return
    yield f"objects: {found['count']}"
    yield from table([kind.replace("_", " "), str(n)] for kind, n in found["kinds"].items())
    if found["users"]:
        yield "user objects:"
        yield from table([one_line(name), str(n)] for name, n in found["users"].items())
    if found["rows"]:
        yield "object paths:"
        yield from table(
            [one_line(row["path"]), one_line(row["identifier"] or row["kind"])]
            for row in found["rows"]
        )


def _checkpoint(report: Report) -> Iterator[str]:
    found = report.get("checkpoint")
    if not found:
        return
    yield f"files of the checkpoint, version {found['version']}:"
    yield from table(
        [one_line(row["name"] or "the file itself"), size(row["nbytes"])] for row in found["files"]
    )
    state = found["state"]
    if state is not None:
        more = [name for name in state["all"] if name != state["latest"]]
        others = f", before it {', '.join(more)}" if more else ""
        yield one_line(f"state file: the latest is {state['latest'] or 'none'}{others}")
    objects = found.get("objects")
    if objects:
        counts = ((n, objects[f"{n}s"]) for n in ("variable", "slot", "config"))
        listed = ", ".join(counted(count, name) for name, count in counts if count)
        yield f"saved objects: {objects['count']}" + (f", {listed}" if listed else "")
        if objects["rows"]:
            yield from table([one_line(r["path"]), one_line(r["key"])] for r in objects["rows"])


def _tensors(report: Report) -> Iterator[str]:
    tensors = report["tensors"]
    if not tensors:
        return
    total = sum(row["nbytes"] or 0 for row in tensors)
    holds = report.get("holds", {})
    whose = ", ".join(f"{count} {name}" for name, count in holds.items() if count)
    shared = f" ({whose})" if sum(map(bool, holds.values())) > 1 else ""
    yield f"tensors: {len(tensors)}, {size(total)}{shared}"
    told = all(row.get("layer", "") in row["name"] for row in tensors)  # by the paths themselves
    yield from table(_tensor(row, not told) for row in tensors)
    sliced = [[one_line(row["name"]), *row["slices"]] for row in tensors if row.get("slices")]
    if sliced:
        yield "slices (start,length of each axis):"
        widest = max(map(len, sliced))
        yield from table([*row, *[""] * (widest - len(row))] for row in sliced)


def _tensor(row: Report, with_layer: bool) -> list[str]:
    nbytes = "?" if row["nbytes"] is None else size(row["nbytes"])
    cells = [one_line(row["name"]), row["dtype"], shape(row["shape"]), nbytes]
    if with_layer:
        cells.append(one_line(row.get("layer", "")))
    if "sha256" in row:
        cells.append(row["sha256"] or "-")
    is_text = row["dtype"] == "string"
    return [*cells, ", ".join(_value(value, is_text) for value in row.get("values", ()))]


def _value(value: Any, is_text: bool) -> str:
    """An element; text in quotes, bytes that are none as Python has them."""
    if isinstance(value, dict):
        return repr(base64.b64decode(value["base64"]))
    return json.dumps(value, ensure_ascii=not value.isprintable()) if is_text else str(value)
