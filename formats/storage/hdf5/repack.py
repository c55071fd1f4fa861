"""An HDF5 file copied object by object, so that no dead bytes come along.

libhdf5 copies each member of the root with all that is below, properties, order and packed chunks
as they are. It would part objects of several names, and lead references astray: a file that has
them is left as it is.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Any

import h5py

from modelfmt.errors import ModelFormatError
from modelfmt.storage.hdf5.attributes import copy_attributes
from modelfmt.storage.hdf5.door import translated

#: Version of the superblock -> the oldest library whose format a file of it may use.
_LIBRARIES = {
    0: h5py.h5f.LIBVER_EARLIEST, 1: h5py.h5f.LIBVER_EARLIEST, 2: h5py.h5f.LIBVER_V18,
    3: h5py.h5f.LIBVER_V110,
}


def repack(source: str, target: str, superblock: int) -> bool:
    """Copy an HDF5 file to ``target``, which does not exist yet.

    Args:
        source: the file.
        target: where to.
        superblock: its version in ``source``.

    Returns:
        Whether it could be copied; else there is no ``target``.

    Raises:
        ModelFormatError: what libhdf5 refuses.
    """
    with translated(source, None, ModelFormatError), ExitStack() as stack:
        old = stack.enter_context(h5py.File(source, "r"))
        if not _can_be_copied(old["/"]):
            return False
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        library = _LIBRARIES.get(superblock, h5py.h5f.LIBVER_V110)
        access.set_libver_bounds(library, h5py.h5f.LIBVER_LATEST)
        made = h5py.h5f.create(
            os.fsencode(target), h5py.h5f.ACC_EXCL, _properties(old), access
        )
        new = stack.enter_context(h5py.File(made))
        copy_attributes(old["/"], new["/"])
        root = h5py.h5g.open(old.id, b"/")
        for name in (n.encode("utf-8", "surrogateescape") for n in old["/"]):
            if root.links.get_info(name).type == h5py.h5l.TYPE_SOFT:
                new.id.links.create_soft(name, root.links.get_val(name))
            else:
                h5py.h5o.copy(old.id, name, new.id, name)
    return True


def _properties(file: h5py.File) -> Any:
    """How to create a file like this one; the root's order is the group's to tell."""
    properties = file.id.get_create_plist()
    root = h5py.h5g.open(file.id, b"/").get_create_plist()
    properties.set_link_creation_order(root.get_link_creation_order())
    properties.set_attr_creation_order(root.get_attr_creation_order())
    properties.set_obj_track_times(False)
    return properties


def _can_be_copied(root: h5py.Group) -> bool:
    pending: list[h5py.Group] = [root]
    while pending:
        group = pending.pop()
        for name in group.id:
            if group.id.links.get_info(name).type == h5py.h5l.TYPE_SOFT:
                continue
            held = group[name]
            if h5py.h5o.get_info(held.id).rc > 1 or not _is_plain(held):
                return False
            if isinstance(held, h5py.Group):
                pending.append(held)
    return _attributes_are_plain(root)


def _is_plain(held: Any) -> bool:
    """Whether an object holds no references and no type of its own."""
    if isinstance(held, h5py.Datatype):
        return False
    if isinstance(held, h5py.Dataset):
        kind = held.id.get_type()
        if kind.committed() or kind.detect_class(h5py.h5t.REFERENCE):
            return False
    return _attributes_are_plain(held)


def _attributes_are_plain(held: Any) -> bool:
    for index in range(h5py.h5a.get_num_attrs(held.id)):
        kind = h5py.h5a.open(held.id, index=index).get_type()
        vlen = kind.get_class() == h5py.h5t.VLEN
        if vlen or kind.committed() or kind.detect_class(h5py.h5t.REFERENCE):
            return False
    return True
