"""The lists of names in a Keras HDF5 file, and whether they still lead to something."""

from __future__ import annotations

import difflib

from modelfmt.errors import MissingError, Where
from modelfmt.keras.stored import read_names
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.storage.hdf5.places import hard_paths

_LISTS = ("layer_names", "weight_names")


def named_weights(reader: Hdf5Reader) -> dict[str, bool]:
    """What ``layer_names`` and ``weight_names`` list: path -> whether something stands there."""
    found: dict[str, bool] = {}
    for group in hard_paths(reader):
        if reader.kind(group or "/") != "group":
            continue
        for name in _LISTS:
            for listed in read_names(reader, group or "/", name) or []:
                path = f"{group}/{listed}".lstrip("/")
                found[path] = reader.exists(path)
    return found


def check_names(reader: Hdf5Reader, before: dict[str, bool]) -> None:
    """Raise MissingError for a listed name that leads nowhere, and did not so before.

    Args:
        reader: the edited file.
        before: ``named_weights`` of the file as it was.
    """
    for path, there in named_weights(reader).items():
        if there or before.get(path) is False:
            continue
        group = path.rpartition("/")[0]
        members = reader.members(group) if reader.exists(group or "/") else []
        close = difflib.get_close_matches(path.rpartition("/")[2], members, n=3)
        raise MissingError(
            f"layer_names or weight_names lists {path!r}, and there is no such object",
            close_matches=close, where=Where(reader.path),
        )
