"""What an HDF5 file would make its reader do: follow links, read other files, fill memory.

Links are told from what the group says of them, and never followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import h5py

from modelfmt.errors import UnsafeFileError, Where
from modelfmt.storage.hdf5.door import key_of, translated
from modelfmt.storage.hdf5.guards import check_storage
from modelfmt.storage.hdf5.reader import Hdf5Reader

#: Filters that every libhdf5 has: deflate, shuffle, fletcher32, szip, nbit, scaleoffset.
_BUILT_IN = range(1, 7)


class Hazard(NamedTuple):
    """One of them: the object, what kind of hazard, and what the file says."""

    path: str
    kind: str
    said: str


def hazards(reader: Hdf5Reader) -> Iterator[Hazard]:
    """All hazards of a file: external links, circles, external and virtual data, bombs, filters.

    Raises:
        CorruptFileError: libhdf5 cannot read on.
    """
    pending = [("", reader.root)]
    entered = set()
    while pending:
        path, group = pending.pop()
        with translated(reader.path, key_of(path)):
            if (address := h5py.h5g.get_objinfo(group.id).objno) in entered:
                continue
            entered.add(address)
            names = sorted(group)
        for name in names:
            place = f"{path}/{name}".strip("/")
            with translated(reader.path, key_of(place)):
                raw = name.encode("utf-8", "surrogateescape")
                link = group.id.links.get_info(raw).type
                if link == h5py.h5l.TYPE_EXTERNAL:
                    file, target = group.id.links.get_val(raw)
                    yield Hazard(place, "external link", f"{_text(file)}:{_text(target)}")
                    continue
                if link == h5py.h5l.TYPE_SOFT:
                    yield from _soft(reader, place)
                    continue
                if link != h5py.h5l.TYPE_HARD:
                    yield Hazard(place, "external link", "a link of a user's own kind")
                    continue
                found = group[name]
                if isinstance(found, h5py.Group):
                    pending.append((place, found))
                elif isinstance(found, h5py.Dataset) and found.shape is not None:
                    yield from _dataset(reader, place, found)


def _soft(reader: Hdf5Reader, place: str) -> Iterator[Hazard]:
    try:
        reader.exists(place)
    except UnsafeFileError as error:
        yield Hazard(place, "soft link", error.what)


def _dataset(reader: Hdf5Reader, place: str, held: h5py.Dataset) -> Iterator[Hazard]:
    plist = held.id.get_create_plist()
    for number in range(plist.get_external_count()):
        file = plist.get_external(number)[0]
        yield Hazard(place, "external data", _text(file))
    if plist.get_layout() == h5py.h5d.VIRTUAL:
        parts = range(plist.get_virtual_count())
        files = sorted({_text(plist.get_virtual_filename(part)) for part in parts})
        yield Hazard(place, "virtual data", ", ".join(files))
    elif not plist.get_external_count():
        try:
            check_storage(held, reader.size, Where())
        except UnsafeFileError as error:
            yield Hazard(place, "bomb", f"{error.found} declared in a file of {reader.size} bytes")
    for number in range(plist.get_nfilters()):
        code, _, _, name = plist.get_filter(number)
        if code not in _BUILT_IN:
            yield Hazard(place, "filter", f"{_text(name)} ({code})")


def _text(raw: bytes | str) -> str:
    return raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
