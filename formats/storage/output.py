"""Atomic output: a temporary sibling, fsynced, that takes the place of the old one at the end.

A killed run leaves the old file or the new one, never a half; at worst a hidden temporary.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO

from modelfmt.errors import ModelFormatError, Where

_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100


class OutputError(ModelFormatError):
    """The output cannot be put where it was asked for."""

    exit_status = 2


class OutputExistsError(OutputError):
    """Something stands at the output's place, and nobody said to replace it."""

    def __init__(self, path: str) -> None:
        super().__init__(
            "exists already", where=Where(path), hint="Pass --force to replace it."
        )


@dataclasses.dataclass(frozen=True)
class Output:
    """A file under way: write to ``file``, or let others write to the path ``temporary``."""

    file: BinaryIO
    temporary: str


@contextmanager
def atomic_output(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Output]:
    """Write a file that appears under its name only when it is whole, and on disk.

    Args:
        path: the destination; a symbolic link is followed.
        force: replace an existing file.

    Raises:
        OutputExistsError: before any work, if something exists there and not ``force``.
        OutputError: no such folder, or not a place for a file.
    """
    target = check_output(path, force=force)
    if os.path.lexists(target) and not stat.S_ISREG(os.lstat(target).st_mode):
        # As root, replacing /dev/null by a file would succeed.
        raise OutputError("not a regular file, and not replaced", where=Where(os.fspath(path)))
    temporary, file = _create(target)
    try:
        with file:
            yield Output(file, temporary)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync(os.path.dirname(target))


@contextmanager
def atomic_folder(
    path: str | os.PathLike[str], *, force: bool = False, markers: Sequence[str] = ()
) -> Iterator[str]:
    """Fill a folder that appears under its name only when it is whole, and on disk.

    Args:
        path: the destination; a symbolic link is followed.
        force: replace an existing folder.
        markers: an existing folder that isn't empty is replaced only if it holds a file of one
            of these names; ``--force`` on a home folder must not delete it.

    Yields:
        The path of the temporary folder to fill.

    Raises:
        OutputExistsError: before any work, if something exists there and not ``force``.
        OutputError: no such folder around it, or a folder that is not ours to replace.
    """
    target = check_output(path, force=force)
    if os.path.lexists(target):
        _check_replaceable(os.fspath(path), target, markers)
    temporary = _create_folder(target)
    try:
        yield temporary
        for folder, _, names in os.walk(temporary):
            for name in names:
                _sync(os.path.join(folder, name))
            _sync(folder)
        if os.path.lexists(target):
            _swap(temporary, target)
        else:
            os.rename(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _sync(os.path.dirname(target))
    if os.path.lexists(temporary):  # after a swap it is the old folder
        shutil.rmtree(temporary, ignore_errors=True)


def check_output(path: str | os.PathLike[str], *, force: bool) -> str:
    """The real path that an output goes to, checked before any work is done for it.

    Raises:
        OutputExistsError: something exists there, and not ``force``.
        OutputError: there is no such folder.
    """
    name = os.fspath(path)
    target = os.path.realpath(name)
    if os.path.lexists(target):
        if not force:
            raise OutputExistsError(name)
    elif not os.path.isdir(os.path.dirname(target)):
        raise OutputError(
            "the folder to write to does not exist",
            where=Where(name), expected=f"a folder {os.path.dirname(target)}",
        )
    return target


def _check_replaceable(name: str, target: str, markers: Sequence[str]) -> None:
    if not os.path.isdir(target):
        raise OutputError("not a folder, and not replaced by one", where=Where(name))
    entries = set(os.listdir(target))
    if entries and not entries & set(markers):
        raise OutputError(
            "the folder holds something else, and is not replaced",
            where=Where(name),
            expected=" or ".join(markers) or "an empty folder",
            found=", ".join(sorted(entries)[:3]),
        )


def _siblings(target: str) -> Iterator[str]:
    """Names nobody uses: a rival of the same pid, or the leftover of a killed run, is skipped."""
    folder, name = os.path.split(target)
    for count in itertools.count():
        yield os.path.join(folder, f".{name[:40]}.{os.getpid()}.{count}.tmp")


def _create(target: str) -> tuple[str, BinaryIO]:
    for temporary in _siblings(target):
        try:
            # open(), not mkstemp: the mode must follow the umask. "w+": HDF5 payloads are filled.
            return temporary, open(temporary, "x+b")
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(
                f"cannot be written ({error.strerror})", where=Where(target)
            ) from error
    raise AssertionError("unreachable")


def _create_folder(target: str) -> str:
    for temporary in _siblings(target):
        try:
            os.mkdir(temporary)
            return temporary
        except FileExistsError:
            continue
        except OSError as error:
            raise OutputError(
                f"cannot be written ({error.strerror})", where=Where(target)
            ) from error
    raise AssertionError("unreachable")


def _swap(temporary: str, target: str) -> None:
    """Exchange two folders, in one step where the system can, else in two renames."""
    if sys.platform == "linux":
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        if hasattr(libc, "renameat2") and not libc.renameat2(
            _AT_FDCWD, os.fsencode(temporary), _AT_FDCWD, os.fsencode(target), _RENAME_EXCHANGE
        ):
            return
    aside = next(name for name in _siblings(target) if not os.path.lexists(name))
    os.rename(target, aside)
    try:
        os.rename(temporary, target)
    except BaseException:
        os.rename(aside, target)
        raise
    os.rename(aside, temporary)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
