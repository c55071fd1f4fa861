"""Links of an HDF5 file renamed, moved or cut, in a copy that nobody else reads.

A group that remembers the order of its links keeps it: those behind a renamed one are made anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import h5py

from modelfmt.errors import MismatchError, MissingError, ModelFormatError, Where
from modelfmt.storage.hdf5.door import key_of, translated


@dataclasses.dataclass
class Links:
    """What is to happen: first ``cut`` (groups or datasets), then ``moved``.

    ``moved``: a group's path, and within it paths by the paths they are to get; deeper groups
    come first.
    """

    cut: list[str] = dataclasses.field(default_factory=list)
    moved: list[tuple[str, dict[str, str]]] = dataclasses.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.cut or self.moved)


def move_links(path: str, links: Links) -> None:
    """Cut and move links in the HDF5 file at ``path``.

    Raises:
        MissingError: there is no such link.
        MismatchError: something stands already where one is to go.
        ModelFormatError: what libhdf5 refuses.
    """
    with translated(path, None, ModelFormatError), h5py.File(path, "r+") as file:
        for name in links.cut:
            if name not in file:
                raise MissingError("no such HDF5 object", where=Where(path, key_of(name)))
            del file[name]
        for base, names in links.moved:
            split = {tuple(a.split("/")): tuple(b.split("/")) for a, b in names.items()}
            _move(file[base or "/"], {a: b for a, b in split.items() if a != b})


def _move(group: h5py.Group, names: Mapping[tuple[str, ...], tuple[str, ...]]) -> None:
    """Move what stands below a group; whole groups where all within them go along."""
    by_first: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {}
    for old, new in names.items():
        by_first.setdefault(old[0], {})[old] = new
    renamed: dict[str, str] = {}
    apart: dict[tuple[str, ...], tuple[str, ...]] = {}
    for first, below in by_first.items():
        targets = {new[0] for new in below.values()}
        alone = all(len(old) == len(new) for old, new in below.items()) and len(targets) == 1
        # What is not named here must not come along.
        whole = alone and (
            targets == {first} or any(len(old) == 1 for old in below)
            or _leaves(group, first) == {old[1:] for old in below}
        )
        if not whole:
            apart |= below
            continue
        renamed[first] = targets.pop()
        tails = {old[1:]: new[1:] for old, new in below.items() if old[1:] != new[1:]}
        if tails:
            _move(group[first], tails)
    _rename(group, {a: b for a, b in renamed.items() if a != b})
    for old, new in apart.items():
        if "/".join(new) in group:
            raise MismatchError("there is such an HDF5 object already", found="/".join(new))
        group.move("/".join(old), "/".join(new))
        for depth in range(len(old) - 1, 0, -1):
            emptied = "/".join(old[:depth])
            if len(group[emptied]) or len(group[emptied].attrs):
                break
            del group[emptied]


def _leaves(group: h5py.Group, name: str) -> set[tuple[str, ...]]:
    """The datasets below a member, as paths from it."""
    found: set[tuple[str, ...]] = set()
    member = group[name]
    if isinstance(member, h5py.Group):
        for below in member:
            inner = _leaves(member, below)
            found |= {(below, *rest) for rest in inner} or {(below,)}
    return found


def _rename(group: h5py.Group, names: Mapping[str, str]) -> None:
    """Rename members of a group, all at once: two may swap their names."""
    if not names:
        return
    order: Any = group.id.get_create_plist().get_link_creation_order()
    listed: Sequence[str] = list(group)
    for new in names.values():
        if new in listed and new not in names:
            raise MismatchError("there is such an HDF5 object already", found=new)
    if order & h5py.h5p.CRT_ORDER_TRACKED:
        first = min(listed.index(old) for old in names)
        moving = listed[first:]
    else:
        moving = [old for old in listed if old in names]
    for number, name in enumerate(moving):
        group.move(name, f"\x01{number}")
    for number, name in enumerate(moving):
        group.move(f"\x01{number}", names.get(name, name))
