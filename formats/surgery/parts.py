"""The folder of parts that ``extract`` makes: its manifest, and names that are safe in a folder.

    manifest.json   {"modelfmt": 1, "kind": KIND, "parts": [{"part": SORT, "output": PATH, ...}]}

``output`` is a path from the assembled file or folder on; "" is that file itself. What else a part
has depends on its sort: "message" (messages.py), "bundle" (bundles.py), "hdf5" (hdf5_parts.py),
"archive" and "json" (archive_parts.py), "text" and "file" (extract.py). Nothing in a manifest may
lead out of the folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from typing import Any, TypeVar

from modelfmt.errors import CorruptFileError, MissingError, UnsafeFileError, Where
from modelfmt.storage.files import FileSpan, SourceFile

MANIFEST = "manifest.json"
VERSION = 1
_STRANGE = re.compile(r"[^A-Za-z0-9_.+=@\[\]() -]")
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
_LONGEST, _LONGEST_PATH = 100, 200

T = TypeVar("T")
Record = dict[str, Any]


class Names:
    """File names for tensor names: slashes are folders, and no two differ in case only."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def allocate(self, folder: str, name: str, extension: str) -> str:
        """A path below ``folder``, with slashes, that no other name has been given."""
        parts = [_component(part) for part in name.split("/")]
        if sum(map(len, parts)) > _LONGEST_PATH:
            parts = [f"{parts[-1][:_LONGEST - 20]}~{_hash(name)}"]
        count = 0
        while True:
            last = parts[-1] + (f"~{count}" if count else "")
            path = "/".join([folder, *parts[:-1], last]) + extension
            key = path.casefold()
            above = [key[:at] for at, letter in enumerate(key) if letter == "/"]
            if key not in self._files | self._folders and not self._files & set(above):
                break
            count += 1
            if self._files & set(above):  # a file stands where a folder should
                parts = ["~".join(parts)]
        self._files.add(key)
        self._folders.update(above)
        return path


def _component(text: str) -> str:
    made = _STRANGE.sub("_", text)
    if not made or made[0] == "." or made[-1] in ". " or _RESERVED.match(made):
        made = f"_{made.rstrip('. ')}"
    return made if len(made) <= _LONGEST else f"{made[: _LONGEST - 20]}~{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def write_manifest(folder: str, kind: str, parts: list[Record], **more: Any) -> None:
    """Write manifest.json. Read by: ``Parts``."""
    manifest = {"modelfmt": VERSION, "kind": kind, **more, "parts": parts}
    text = json.dumps(manifest, indent=1, ensure_ascii=True)
    with open(os.path.join(folder, MANIFEST), "x", encoding="utf-8") as file:
        file.write(f"{text}\n")


class Parts:
    """A folder of parts, opened by its manifest.

    Raises:
        MissingError: no such folder, or it has no manifest.
        CorruptFileError: which is not one of ours.

    Written by: ``write_manifest``.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.near: str | None = None  # the folder that temporary files go to
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._temporaries = 0
        self._opened: dict[str, SourceFile] = {}
        self.where = Where(os.path.join(folder, MANIFEST))
        with SourceFile(os.path.join(folder, MANIFEST)) as file:
            try:
                manifest = json.loads(file.read(0, file.size))
            except (ValueError, RecursionError) as error:
                raise CorruptFileError(f"no JSON ({error})", where=self.where) from None
        if not isinstance(manifest, dict) or manifest.get("modelfmt") != VERSION:
            raise CorruptFileError(
                "no manifest of modelfmt's", where=self.where, expected=f'"modelfmt": {VERSION}'
            )
        self.manifest: Record = manifest
        self.kind = self.get(manifest, "kind", str)
        self.records: list[Record] = self.get(manifest, "parts", list)

    def close(self) -> None:
        """Close the files that were opened, and delete the temporary ones."""
        for file in self._opened.values():
            file.close()
        if self._scratch is not None:
            self._scratch.cleanup()

    def temporary(self) -> str:
        """A path for a file that is gone after ``close``, on the disk of the output."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix=".modelfmt-", dir=self.near)
        self._temporaries += 1
        return os.path.join(self._scratch.name, str(self._temporaries))

    def open_temporary(self, path: str) -> SourceFile:
        """A temporary file to read, closed with the others."""
        self._opened[path] = SourceFile(path)
        return self._opened[path]

    def get(self, record: Record, key: str, kind: type[T]) -> T:
        """A value of a record. Raises CorruptFileError where it lacks, or is of another type."""
        value = record.get(key) if isinstance(record, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise CorruptFileError(
                f'the manifest lacks "{key}", or it is no {kind.__name__}', where=self.where
            )
        return value

    def output(self, record: Record) -> str:
        """Where a part goes, from the output on. Raises UnsafeFileError."""
        return self._inside(self.get(record, "output", str))

    def path(self, name: str) -> str:
        """The path of a file among the parts.

        Raises:
            UnsafeFileError: it leads out of the folder.
        """
        path = os.path.join(self.folder, self._inside(name))
        if os.path.lexists(path):
            home = os.path.realpath(self.folder)
            if os.path.commonpath([home, os.path.realpath(path)]) != home:
                raise UnsafeFileError("a part that leads out of its folder", where=Where(path))
        return path

    def open(self, name: str) -> SourceFile:
        """A file among the parts. Raises MissingError naming it, and as ``path``."""
        if name not in self._opened:
            path = self.path(name)
            if not os.path.exists(path):
                raise MissingError("a part is missing", where=Where(path))
            self._opened[name] = SourceFile(path)
        return self._opened[name]

    def span(self, name: str) -> FileSpan:
        """All of a file among the parts."""
        return self.open(name).span()

    def text(self, name: str) -> str:
        """A text among the parts. Raises CorruptFileError."""
        file = self.open(name)
        try:
            return file.read(0, file.size).decode()
        except UnicodeDecodeError as error:
            raise CorruptFileError(
                "not UTF-8 text", where=Where(file.path, offset=error.start)
            ) from None

    def _inside(self, name: str) -> str:
        parts = name.replace("\\", "/").split("/")
        if name and (name[0] in "/\\~" or ".." in parts or ":" in parts[0] or "\0" in name):
            raise UnsafeFileError(
                "the manifest leads out of its folder", where=self.where, found=repr(name)
            )
        return name


def digest(data: bytes) -> str:
    """How a text is recognised as unchanged."""
    return hashlib.sha256(data).hexdigest()
