"""Other elements for the datasets of an HDF5 file, put where the old ones stand.

What has its place in the file (contiguous, or in unfiltered chunks; strings of the old lengths) is
patched, and every other byte stays. What is packed goes through libhdf5, in a copy of the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import h5py
import numpy as np

from modelfmt.errors import MismatchError, Where, located
from modelfmt.storage.chunks import runs
from modelfmt.storage.files import Piece, SourceFile, piece_bytes, piece_length, write_pieces
from modelfmt.storage.hdf5.amend import Amendments, Elements, amend
from modelfmt.storage.hdf5.door import key_of, translated
from modelfmt.storage.hdf5.moving import Links, move_links
from modelfmt.storage.hdf5.places import Place, places
from modelfmt.storage.hdf5.reader import Hdf5Reader
from modelfmt.storage.hdf5.repack import repack
from modelfmt.storage.patching import patched


class Refill(NamedTuple):
    """What to write over the file, and what libhdf5 has to write."""

    patches: list[tuple[int, Piece]]
    packed: list[Elements]


def refill(reader: Hdf5Reader, new: Mapping[str, Piece | list[bytes]]) -> Refill:
    """Find the places of other elements.

    Args:
        reader: of the file.
        new: by path, little-endian elements in C order, or for strings the elements; dtype and
            shape are those of the dataset.

    Raises:
        MissingError: no such dataset.
        MismatchError: a string is longer than the dataset has room for.
        UnsafeFileError: the file leads out of itself.
    """
    found = Refill([], [])
    with translated(reader.path, key_of("/")):
        wanted = {_address(reader, path): path for path in new}
    for place in places(reader):
        with translated(reader.path, key_of(place.path)):
            path = wanted.get(_address(reader, place.path))
        if path is not None:
            with located(path=reader.path, key=key_of(path)):
                _refill_one(place, new[path], found)
    return found


def refilled(
    reader: Hdf5Reader, new: Mapping[str, Piece | list[bytes]], near: str
) -> list[Piece]:
    """The whole file with other elements, as pieces.

    Args:
        reader, new: as in ``refill``.
        near: the output, beside which a temporary copy stands where libhdf5 is needed.
    """
    patches, packed = refill(reader, new)
    pieces = patched(reader.source, patches)
    return rewritten(reader, pieces, Amendments(elements=packed), near) if packed else pieces


def rewritten(
    reader: Hdf5Reader, pieces: list[Piece], amendments: Amendments, near: str,
    links: Links | None = None,
) -> list[Piece]:
    """A file amended by libhdf5 in a copy, as pieces, without dead room.

    Args:
        reader: of the file as it is.
        pieces: what is to be amended.
        amendments: paths as they are in the file.
        near: the output; the copy stands beside it, and has no name any more on return.
        links: to be moved after that.

    Raises:
        UnsafeFileError: the file leads out of itself.
    """
    for _ in places(reader):
        pass  # libhdf5 must not be led out of the file when it writes
    folder, name = os.path.split(os.path.realpath(near))
    made: list[str] = []

    def temporary() -> str:
        made.append(os.path.join(folder, f".{name[:40]}.{os.getpid()}.{len(made)}.h5.tmp"))
        return made[-1]

    try:
        draft, clean = temporary(), temporary()
        with open(draft, "xb") as file:
            write_pieces(file, pieces)
        amend(draft, amendments)
        if links is not None:
            move_links(draft, links)
        found = clean if repack(draft, clean, reader.bytes_at(8, 1)[0]) else draft
        return [SourceFile(found).span()]
    finally:
        for path in made:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _address(reader: Hdf5Reader, path: str) -> Any:
    reader.kind(path or "/")  # every link on the way is looked at
    return h5py.h5o.get_info(reader.root[path or "/"].id).addr


def _refill_one(place: Place, values: Piece | list[bytes], found: Refill) -> None:
    if isinstance(values, list) and place.how in ("heap", "kept"):
        if place.how == "heap" and all(
            len(v) == n for v, (_, n) in zip(values, place.at, strict=True)
        ):
            found.patches.extend((at, v) for v, (at, n) in zip(values, place.at, strict=True) if n)
        else:
            found.packed.append(Elements(place.path, place.shape, strings=values))
        return
    piece = _padded(place, values) if isinstance(values, list) else values
    code = np.dtype(place.code) if place.code else None
    if code is not None and code.byteorder == ">" and not isinstance(values, list):
        piece = np.frombuffer(piece_bytes(piece), code.newbyteorder("<")).astype(code).tobytes()
    if place.how == "span":
        if place.at[0][1] != piece_length(piece):
            raise MismatchError(
                "elements of another size", expected=place.at[0][1], found=piece_length(piece)
            )
        found.patches.append((place.at[0][0], piece))
    elif place.how == "chunks" and code is not None:
        raw = memoryview(piece_bytes(piece))
        found.patches.extend(_chunk_patches(place, raw, code.itemsize))
    elif place.how == "kept" and not place.code:
        raise MismatchError(f"elements that cannot be replaced, since {place.why}")
    else:
        found.packed.append(Elements(place.path, place.shape, place.code, piece))


def _chunk_patches(place: Place, raw: memoryview, size: int) -> Iterator[tuple[int, Piece]]:
    for (offset, _), origin in zip(place.at, place.origins, strict=True):
        for run in runs(place.shape, place.chunk, origin, size):
            yield offset + run.chunk, raw[run.array : run.array + run.length]


def _padded(place: Place, values: list[bytes]) -> bytes:
    """Strings of fixed length."""
    size = np.dtype(place.code).itemsize
    longest = max(map(len, values), default=0)
    if longest > size:
        raise MismatchError(
            "a string is longer than the dataset has room for", where=Where(),
            expected=f"at most {size} bytes", found=f"{longest} bytes",
        )
    return b"".join(value.ljust(size, b"\0") for value in values)
