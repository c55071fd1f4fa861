"""Risks of what holds a model: HDF5, zip, folders, text, and where a state file leads."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from modelfmt.errors import ModelFormatError, UnsafeFileError, UnsupportedError
from modelfmt.storage.archive import ArchiveReader
from modelfmt.storage.files import FileSpan, SourceFile
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.storage.hdf5.hazards import hazards
from modelfmt.storage.npz import NpzReader
from modelfmt.surgery.audit_configs import code_in, config_risks
from modelfmt.surgery.risks import CRITICAL, HIGH, LOW, MEDIUM, Risk, leads_out

_HDF5_WHY = {
    "external link": (HIGH, "another file is opened, by that name"),
    "soft link": (LOW, "a reader that follows it does not come to an end"),
    "external data": (HIGH, "another file is read in its place"),
    "virtual data": (HIGH, "other files are read in its place"),
    "bomb": (HIGH, "reading it fills the memory"),
    "filter": (MEDIUM, "a library of machine code is loaded to read it"),
}
#: What a program or a pickle is called.
_PROGRAM = re.compile(
    r"\.(py[cod]?|so(\.\d+)*|dll|dylib|exe|sh|bat|cmd|ps1|pkl|pickle|joblib|pth?|jar)$", re.I
)
_ARCHIVED = re.compile(r"metadata\.json|config\.json|model(_\d{5})?\.weights\.\w+|assets/.*")
#: A JSON or YAML text that is a Keras config.
_JSON = re.compile(rb"\s*\{.*\"(class_name|config|layers)\"", re.S)
_YAML = re.compile(r"^(backend|class_name|config|keras_version)\s*:", re.M)
#: Tags that name objects; those of plain data (tuple, unicode, long) make none.
_TAG = re.compile(r"(!!python/|!<?tag:yaml\.org,2002:python/)(object|name|module)[\w/:.]*")
_LARGE_JSON = 256 << 20


def hdf5_risks(source: str | FileSpan | bytes, prefix: str = "") -> Iterator[Risk]:
    """The risks of an HDF5 file: its links and datasets, and the configs in its attributes."""
    with Hdf5Reader(source) as reader:
        for name, value in reader.attributes("/").items():
            if isinstance(value, str):
                yield from _text_risks(value, f"{prefix}{name}")
        for hazard in hazards(reader):
            severity, why = _HDF5_WHY[hazard.kind]
            rule = "bomb" if hazard.kind == "bomb" else "hdf5"
            yield Risk(severity, rule, prefix + hazard.path, f"{hazard.kind} {hazard.said}", why)


def _text_risks(text: str, place: str) -> Iterator[Risk]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if kind := code_in(text):
            yield Risk(CRITICAL, "code", place, f"a text with {kind}", "it is no config at all")
        return
    yield from config_risks(value, place)


def archive_risks(path: str) -> Iterator[Risk]:
    """The risks of a .keras: of the zip, and of each of its members."""
    with ArchiveReader(path) as archive:
        for name in archive.names():
            if name.endswith("/"):
                continue
            if archive.is_link(name):
                yield Risk(HIGH, "archive", name, "a link", "whoever unpacks it is led elsewhere")
                continue
            if _PROGRAM.search(name):
                yield Risk(
                    MEDIUM, "archive", name, "a program or pickle", "it has no business here"
                )
            elif not _ARCHIVED.fullmatch(name):
                yield Risk(LOW, "archive", name, "a member that Keras does not write", "it is idle")
            try:
                yield from _member_risks(archive, name)
            except UnsafeFileError as error:
                yield Risk(
                    HIGH, "bomb", name, f"{error.what} ({error.found})",
                    "unpacking it fills the memory",
                )  # fmt: skip


def _member_risks(archive: ArchiveReader, name: str) -> Iterator[Risk]:
    if name.endswith(".json"):
        archive.check_ratio(name, 1 << 20, 200)
        body = archive.member(name)
        text = body.read() if isinstance(body, FileSpan) else body
        yield from _text_risks(text.decode("utf-8", "replace"), name)
    elif name.endswith((".h5", ".hdf5")):
        yield from hdf5_risks(archive.spilled(name), f"{name}, ")
    elif name.endswith(".npz"):
        archive.check_ratio(name, 1 << 20, 1000)
    else:
        archive.check_ratio(name, 64 << 20, 1000)


def npz_risks(path: str) -> Iterator[Risk]:
    """The risks of a .npz: arrays of Python objects, which are pickles."""
    reader = NpzReader(path)
    try:
        for name in reader:
            try:
                reader.array(name)
            except UnsupportedError as error:
                if "objects" in error.what:
                    yield Risk(
                        CRITICAL, "code", name, "an array of Python objects",
                        "it is unpickled by whoever allows that",
                    )  # fmt: skip
            except UnsafeFileError as error:
                yield Risk(HIGH, "bomb", name, error.what, "unpacking it fills the memory")
    finally:
        reader.close()


def folder_risks(folder: str, assets: Iterable[str]) -> Iterator[Risk]:
    """The risks of a SavedModel's folder: links that lead out, programs, assets elsewhere."""
    for name in dict.fromkeys(assets):
        if leads_out(name):
            yield Risk(HIGH, "file", "asset_file_def", f"the asset {name!r}", "it is opened")
    home = os.path.realpath(folder)
    for root, folders, names in os.walk(folder):
        for name in sorted([*names, *folders]):
            path = os.path.join(root, name)
            place = os.path.relpath(path, folder)
            target = os.path.realpath(path)
            if os.path.commonpath([home, target]) != home:
                yield Risk(HIGH, "file", place, f"a link to {target}", "that is read in its place")
            elif name in names and _PROGRAM.search(name):
                yield Risk(MEDIUM, "file", place, "a program or pickle", "it has no business here")


def state_risks(path: str) -> Iterator[Risk]:
    """Where the file ``checkpoint`` of a folder leads."""
    from modelfmt.tf.checkpoint_state import NAME, read_checkpoint_state

    folder = path if os.path.isdir(path) else os.path.dirname(path)
    if not os.path.isfile(os.path.join(folder, NAME)):
        return
    try:
        latest = read_checkpoint_state(folder).latest
    except ModelFormatError:
        return  # another file of that name
    if leads_out(latest):
        yield Risk(
            LOW, "file", NAME, f"the latest checkpoint is {latest!r}", "it is looked for there"
        )


def text_config_risks(path: str) -> Iterator[Risk] | None:
    """The risks of a Keras config that stands in a text of its own; None: it is no such text."""
    if not os.path.isfile(path):
        return None
    with SourceFile(path) as file:
        if file.size > _LARGE_JSON:
            return None
        head = file.read(0, min(file.size, 1 << 16))
        if _JSON.match(head) and b'"weight_map"' not in head:
            return _text_risks(file.read(0, file.size).decode("utf-8", "replace"), "config")
        if path.endswith((".yaml", ".yml")):
            return _yaml_risks(file.read(0, file.size).decode("utf-8", "replace"))
    return None


def _yaml_risks(text: str) -> Iterator[Risk]:
    """A YAML is not parsed: what is dangerous in it stands in single lines."""
    for number, line in enumerate(text.splitlines(), 1):
        place = f"line {number}"
        if tag := _TAG.search(line):
            yield Risk(
                CRITICAL, "code", place, f"the tag {tag[0]}",
                "a YAML reader that is not a safe one makes and calls Python objects",
            )  # fmt: skip
        found: Any = re.search(r"class_name:\s*['\"]?(\w+)", line)
        if found and found[1] in ("Lambda", "TFSMLayer", "TorchModuleWrapper"):
            yield from config_risks({"class_name": found[1], "config": {"function": []}}, place)
        elif kind := code_in(line.partition(":")[2].strip().strip("'\"")):
            yield Risk(CRITICAL, "code", place, f"a text with {kind}", "it is unmarshalled and run")
