"""A risk: what a framework would run or open when it loads or calls a model, and where."""

from __future__ import annotations

import dataclasses
import re

from modelfmt.errors import NOWHERE, Where

CRITICAL, HIGH, MEDIUM, LOW = SEVERITIES = ("critical", "high", "medium", "low")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclasses.dataclass(frozen=True)
class Risk:
    """One finding of ``audit``.

    Attributes:
        severity: critical (runs code that is in the file, or calls what it names), high (reads or
            writes files or the network, or exhausts memory), medium (needs code or files that
            do not come with it), low (odd).
        rule: what kind of thing: code, import, function, custom, op, file, archive, hdf5, bomb.
        place: within the file: a path of JSON keys, a node, an HDF5 object, a member of a zip.
        what: what stands there.
        why: what a framework would do with it.
        where: the file; ``audit`` fills it in.
    """

    severity: str
    rule: str
    place: str
    what: str
    why: str
    where: Where = NOWHERE

    def at(self, place: str) -> Risk:
        """The same, found at ``place``."""
        return dataclasses.replace(self, place=place)

    def __str__(self) -> str:
        path = self.where.path
        head = f"{path}, {self.place}" if path and self.place else path or self.place
        return f"{head}: {self.what}; {self.why}"


def leads_out(path: str) -> bool:
    """Whether a path leads out of the folder that it is relative to, or to another machine."""
    outside = path[:1] in ("/", "\\", "~") or ".." in re.split(r"[\\/]", path)
    return outside or bool(_URL.match(path) or _DRIVE.match(path))
