"""check: is a file what its own format says? Every finding is one of our errors, located.

What is asked of which part stands in check_parts.py and check_graph.py. Ops that we don't know are
no finding, but noted: nothing about them was checked. What holds HDF5 is read in a child process
with a time limit, since libhdf5 may hang or die on damaged files; dump, extract, convert and diff
read it in this process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from modelfmt.container import Container
from modelfmt.errors import ModelFormatError, Where, located
from modelfmt.storage.files import SourceFile
from modelfmt.storage.isolated import read_isolated
from modelfmt.storage.superblock import is_hdf5
from modelfmt.surgery.check_graph import unknown_ops
from modelfmt.surgery.check_parts import EXAMINERS, Examiner
from modelfmt.surgery.graph_rows import own_graph
from modelfmt.surgery.opening import open as open_container

_ZIP = b"PK\x03\x04"  # a .keras; storage/archive.py would load zipfile for this


class Findings(list[ModelFormatError]):
    """What does not hold; ``notes`` are sentences about what could not be checked."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []


def check(path: str | os.PathLike[str], *, kind: str | None = None) -> Findings:
    """Look for everything in a file that does not hold; reads all of it, in bounded memory.

    Args:
        path: a model file of any kind.
        kind: overrides what the content says.

    Returns:
        The findings, each located; empty means that none was found.

    Raises:
        ModelFormatError: the file cannot be opened at all.
        CorruptFileError: also, of an HDF5 file, that reading it hangs or crashes; see
            storage/isolated.py for the limits.
    """
    path = os.fspath(path)
    if holds_hdf5(path, kind):
        findings = Findings()
        found, findings.notes = read_isolated(_examined, path, kind)
        findings += found
        return findings
    return examine(path, kind)


def holds_hdf5(path: str, kind: str | None) -> bool:
    """Whether libhdf5 would have to do with it, by kind or first bytes; it is not asked.

    HDF5 itself, a zip, or the JSON that names shards.
    """
    if kind is not None:
        return kind in ("keras-h5", "keras-weights", "keras")
    if not os.path.isfile(path):
        return False
    with SourceFile(path) as file:
        head = file.read(0, min(file.size, 8))
    return is_hdf5(head) or head.startswith(_ZIP) or head.lstrip().startswith(b"{")


def _examined(path: str, kind: str | None) -> tuple[list[ModelFormatError], list[str]]:
    """For the child, which answers in plain lists."""
    findings = examine(path, kind)
    return [*findings], findings.notes


def examine(path: str, kind: str | None = None) -> Findings:
    """What ``check`` does, in this process: a damaged HDF5 file may hang or end it."""
    findings = Findings()
    known: set[str] = set()
    with open_container(path, kind=kind) as container:
        for examiner in EXAMINERS:
            for error in _guarded(examiner, container):
                if error.where.path is None:
                    error.where = Where(container.path, error.where.key, error.where.offset)
                if str(error) not in known:  # one fault may be met on several ways
                    known.add(str(error))
                    findings.append(error)
        if container.has_graph:
            with suppress(ModelFormatError):
                findings.notes += unknown_ops(own_graph(container))
    return findings


def _guarded(examiner: Examiner, container: Container) -> Iterator[ModelFormatError]:
    """The findings of one examination; one that cannot go on ends with its error."""
    try:
        with located(path=container.path):
            yield from examiner(container)
    except ModelFormatError as error:
        yield error
