"""Where a dataset's elements go in an HDF5 file, as a row of the manifest, both directions.

    {"path": "w", "how": "span", "code": "<f4", "npy": "<f4", "shape": [3, 2], "at": [[2048, 24]]}
    {"how": "chunks", ..., "at": [[offset, length], ...], "chunk": [2, 2], "origins": [[0, 0], ...]}

``how``, ``at``, ``chunk`` and ``origins`` are as storage/hdf5/places.py has them; ``code`` is
numpy's for the elements as stored, ``npy`` the one in the .npy, "" for strings as JSON.
"""

from __future__ import annotations

import math
from typing import Any

from modelfmt.errors import CorruptFileError
from modelfmt.storage.hdf5.places import Place
from modelfmt.surgery.parts import Parts, Record

_WAYS = ("span", "chunks", "heap", "library")


def layout_row(place: Place, npy: str) -> Record:
    """A place for the manifest. Read by: ``read_layout_row``."""
    row: Record = {
        "path": place.path, "how": place.how, "code": place.code, "npy": npy,
        "shape": list(place.shape), "at": [list(run) for run in place.at],
    }
    if place.chunk:
        row |= {"chunk": list(place.chunk), "origins": [list(o) for o in place.origins]}
    return row


def read_layout_row(parts: Parts, row: Record) -> tuple[Place, str]:
    """The place that a row states, and numpy's code in its .npy.

    Raises:
        CorruptFileError: what cannot be.

    Written by: ``layout_row``.
    """

    def sizes(value: Any) -> tuple[int, ...]:
        if not isinstance(value, list) or not all(type(n) is int and n >= 0 for n in value):
            raise CorruptFileError("the manifest states no sizes", where=parts.where, found=value)
        return tuple(value)

    how, code = parts.get(row, "how", str), parts.get(row, "code", str)
    at = [sizes(run) for run in parts.get(row, "at", list)]
    shape, chunk = sizes(row.get("shape")), sizes(row.get("chunk", []))
    origins = tuple(sizes(origin) for origin in row.get("origins", []))
    size = _itemsize(parts, code)
    fits = how in _WAYS and all(len(run) == 2 for run in at)
    if how == "span":
        fits = fits and len(at) == 1 and at[0][1] == math.prod(shape) * size
    elif how == "heap":
        fits = fits and len(at) in (0, math.prod(shape))
    elif how == "chunks":
        fits = fits and 0 < len(shape) == len(chunk) and all(chunk) and len(at) == len(origins)
        fits = fits and all(length == math.prod(chunk) * size for _, length in at)
        fits = fits and all(
            len(o) == len(shape) and all(k < s for k, s in zip(o, shape, strict=True))
            for o in origins
        )
    if not fits:
        raise CorruptFileError(
            "the manifest's layout of a dataset is not what it was", where=parts.where,
            found=repr(row.get("path")),
        )
    place = Place(
        parts.get(row, "path", str), how, code, shape, tuple((run[0], run[1]) for run in at),
        chunk, origins,
    )
    return place, parts.get(row, "npy", str)


def _itemsize(parts: Parts, code: str) -> int:
    import numpy as np

    try:
        return np.dtype(code).itemsize if code else 0
    except (TypeError, ValueError, SyntaxError):
        raise CorruptFileError("no dtype", where=parts.where, found=repr(code)) from None
