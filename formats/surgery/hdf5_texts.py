"""The attributes of an HDF5 file as JSON, both directions.

    {"file": "attributes.json", "sha256": HEX,
     "configs": [{"object": "", "attribute": "model_config", "file": "model_config.json",
                  "sha256": HEX}]}

    attributes.json     {"/": {"keras_version": {"type": "vlen ascii", "value": "2.1.2"},
                               "model_config": {"type": "vlen utf-8", "file": "model_config.json"}},
                         "model_weights": {...}}

A text that holds a JSON object gets a file of its own, indented. The skeleton has all of it as it
was stored; only a value that says something else is written anew, in the type that it had. What
has no plain value is marked ``"kept": true``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from modelfmt.errors import CorruptFileError, MissingError, UnsupportedError, Where
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.storage.hdf5.attributes import Attribute, describe
from modelfmt.storage.hdf5.places import hard_paths
from modelfmt.surgery.parts import Names, Parts, Record, digest

Change = tuple[str, str, Any]


def explode_texts(reader: Hdf5Reader, folder: str, names: Names) -> Record:
    """Write all attributes of a file, and return their record. Read by: ``amended_texts``."""
    stated: dict[str, Any] = {}
    configs: list[Record] = []
    for path in hard_paths(reader):
        rows: dict[str, Any] = {}
        for attribute in describe(reader.path, reader.root[path or "/"], path):
            if not attribute.plain:
                rows[attribute.name] = {"type": attribute.type, "kept": True}
                continue
            parsed = parse_config(attribute.value)
            if parsed is None:
                rows[attribute.name] = {"type": attribute.type, "value": attribute.value}
                continue
            file = allocate(names, f"{path}/{attribute.name}".lstrip("/"), ".json")
            sha256 = write_json(folder, file, parsed)
            configs.append({
                "object": path, "attribute": attribute.name, "file": file, "sha256": sha256,
            })
            rows[attribute.name] = {"type": attribute.type, "file": file}
        if rows:
            stated[path or "/"] = rows
    file = names.allocate(".", "attributes", ".json")[2:]
    return {"file": file, "sha256": write_json(folder, file, stated), "configs": configs}


def allocate(names: Names, stem: str, extension: str) -> str:
    """A file at the top of the parts; one with folders in its name away from the tensors'."""
    if "/" in stem:
        return names.allocate("within", stem, extension)
    return names.allocate(".", stem, extension)[2:]


def parse_config(value: Any) -> Any:
    """The JSON object that a text holds; None where it is no text, or holds none."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return None
    try:
        parsed = json.loads(value)
        written = json.dumps(parsed)
    except (ValueError, RecursionError):
        return None
    # Two keys of one name, say, would be lost in an indented file.
    return parsed if _squeezed(written) == _squeezed(value) else None


def _squeezed(text: str) -> str:
    """A JSON text without its blanks, and with letters spelled in one way."""
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return text
    return json.dumps(pairs)


def write_json(folder: str, name: str, value: Any) -> str:
    """Write a value as indented JSON; the text's digest."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    data = f"{text}\n".encode("utf-8", "surrogatepass")
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        file.write(data)
    return digest(data)


def read_json(parts: Parts, name: str, sha256: str) -> Any | None:
    """A JSON object among the parts; None if it is as it was. Raises CorruptFileError."""
    file = parts.open(name)
    data = file.read(0, file.size)
    if digest(data) == sha256:
        return None
    try:
        value = json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"no JSON ({error})", where=Where(file.path)) from None
    if not isinstance(value, dict):
        raise CorruptFileError(
            "no JSON object", where=Where(file.path), found=type(value).__name__
        )
    return value


def restyled(old: str, value: Any) -> str:
    """A value as JSON in the style of the text that it replaces."""
    was = json.loads(old)
    for style in (
        {}, {"separators": (",", ":")}, {"ensure_ascii": False},
        {"separators": (",", ":"), "ensure_ascii": False}, {"indent": 2}, {"indent": 4},
    ):
        options: dict[str, Any] = dict(style)
        if json.dumps(was, **options) == old:
            return json.dumps(value, **options)
    return json.dumps(value)


def same_json(a: Any, b: Any) -> bool:
    """Whether two values are the same JSON, order and all; NaN is itself."""
    return json.dumps(a) == json.dumps(b)


# -- and back ---------------------------------------------------------------------------------


def amended_texts(
    parts: Parts, record: Record, written: Callable[[], str], fresh: set[str]
) -> tuple[list[Change], list[str]]:
    """The attributes that say something else than they did, and the texts that say so.

    Args:
        parts: where the texts are.
        record: as ``explode_texts`` made it.
        written: gives the path of the file as it was; called only if a text was edited.
        fresh: datasets that this file does not have yet.

    Returns:
        Changes as (object, attribute, value), None to delete it.

    Raises:
        MissingError: attributes of an object that there is not.
        CorruptFileError: not such a JSON.
    """
    file = parts.get(record, "file", str)
    stated = read_json(parts, file, parts.get(record, "sha256", str))
    changes: list[Change] = []
    edited: list[str] = []
    configs: dict[tuple[str, str], Any] = {}
    known = set()
    rows: list[Record] = parts.get(record, "configs", list)
    for row in rows:
        name = parts.get(row, "file", str)
        place = parts.get(row, "object", str), parts.get(row, "attribute", str)
        known.add(place)
        value = read_json(parts, name, parts.get(row, "sha256", str))
        if value is not None:
            configs[place] = value
            edited.append(name)
    if stated is None and not configs:
        return [], []
    with Hdf5Reader(written()) as reader:
        if stated is not None:
            edited.append(file)
            changes += _changed(parts, reader, stated, file, fresh, known)
        gone = {(at, name) for at, name, _ in changes}
        for (at, name), value in configs.items():
            old = reader.attribute(at or "/", name, "{}")
            if (at, name) not in gone and not same_json(json.loads(old), value):
                changes.append((at, name, restyled(old, value)))
    return changes, edited


def _changed(
    parts: Parts, reader: Hdf5Reader, stated: dict[str, Any], file: str, fresh: set[str],
    configs: set[tuple[str, str]],
) -> list[Change]:
    """What attributes.json says of objects, beside what the file says."""
    where = Where(parts.path(file))
    changes: list[Change] = []
    pending = dict(stated)
    for path in hard_paths(reader):
        rows = _rows(pending.pop(path or "/", {}), where, path)
        for old in describe(reader.path, reader.root[path or "/"], path):
            row = rows.pop(old.name, None)
            if row is None:
                changes.append((path, old.name, None))
                continue
            is_config = (path, old.name) in configs
            _check_row(row, old, is_config, where, path)
            if old.plain and "file" not in row and not same_json(row.get("value"), old.value):
                changes.append((path, old.name, _value(row, where, path, old.name)))
        changes += [(path, name, _value(row, where, path, name)) for name, row in rows.items()]
    for path, listed in pending.items():
        if path not in fresh:
            raise MissingError(f"attributes of an object that there is not, {path!r}", where=where)
        rows = _rows(listed, where, path)
        changes += [(path, name, _value(row, where, path, name)) for name, row in rows.items()]
    return changes


def _check_row(
    row: Record, old: Attribute, is_config: bool, where: Where, path: str
) -> None:
    """Raise UnsupportedError for an edit that would be passed over in silence."""
    place = f'attribute "{old.name}" of "{path or "/"}"'
    if row.get("type") != old.type:
        raise UnsupportedError(
            f"{place}: its type cannot be edited", where=where, expected=old.type,
            found=row.get("type"), hint="Delete the attribute, or give it another name.",
        )
    if ("file" in row and not is_config) or (not old.plain and "value" in row):
        raise UnsupportedError(f"{place} cannot be edited in this way", where=where)


def _rows(value: Any, where: Where, path: str) -> dict[str, Record]:
    if not isinstance(value, dict) or not all(isinstance(row, dict) for row in value.values()):
        raise CorruptFileError("no attributes by name", where=where, found=f"{path!r}")
    return dict(value)


def _value(row: Record, where: Where, path: str, name: str) -> Any:
    value = row.get("value")
    if value is None:
        raise CorruptFileError(
            f'attribute "{name}" of "{path or "/"}" has no value', where=where
        )
    return value
