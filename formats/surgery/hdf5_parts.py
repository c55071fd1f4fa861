"""An HDF5 file as parts: its datasets as files, its attributes as JSON, and what lies between.

    {"part": "hdf5", "output": "",
     "skeleton": "model.bin",                    the file without the elements of its datasets
     "tensors": [{"path": "dense/kernel:0", "file": "tensors/dense/kernel_0.npy",
                  "dtype": "float32", "shape": [3, 2]}, ...],        for hands
     "folder": "tensors",                        where no other file may stand
     "layout": [{"path": ..., "how": "span", "at": [[2048, 24]], ...}, ...],   as hdf5/places.py
     "kept": [{"path": ..., "why": ...}],        datasets whose elements stay in the skeleton
     "texts": see hdf5_texts.py}

Elements of the old shape go into the holes they came from, and every other byte is as it was. What
changes the structure (another shape in "tensors", rows added or deleted, attributes) and what is
packed (compressed chunks) goes through libhdf5, which guarantees the same tree.
"""

from __future__ import annotations

import os

from modelfmt import dtypes
from modelfmt.errors import (
    CorruptFileError,
    MismatchError,
    ModelFormatError,
    UnsupportedError,
    Where,
)
from modelfmt.storage.crc32c import crc32c, crc32c_of_piece
from modelfmt.storage.files import FileSpan, Piece, SourceFile, write_pieces
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.storage.hdf5.amend import Amendments, Elements, amend
from modelfmt.storage.hdf5.places import Place, places
from modelfmt.storage.hdf5.repack import repack
from modelfmt.surgery.hdf5_holes import (
    Region,
    filled,
    fixed_strings,
    outside,
    padded_strings,
    regions,
    write_array,
)
from modelfmt.surgery.hdf5_layout import layout_row, read_layout_row
from modelfmt.surgery.hdf5_names import check_names, named_weights
from modelfmt.surgery.hdf5_texts import allocate, amended_texts, explode_texts
from modelfmt.surgery.messages import shape_of
from modelfmt.surgery.parts import Names, Parts, Record
from modelfmt.surgery.payloads import (
    header,
    read_npy_as,
    read_strings_json,
    stored_code,
    write_npy_to,
    write_strings_json,
)


def explode_hdf5(
    span: FileSpan, folder: str, names: Names, *, output: str = "", stem: str = "model",
    tensors: str = "tensors",
) -> Record:
    """Write the parts of an HDF5 file, and return their record for the manifest.

    Args:
        span: the file, or a stored member of an archive.
        folder: where the parts go.
        names: of files that are there already.
        output: where the file goes, for the record.
        stem: of the skeleton.
        tensors: the folder for tensors within ``folder``.

    Raises:
        UnsafeFileError: it would lead out of itself, or is a bomb.
        CorruptFileError: damaged.
        UnsupportedError: datasets that share bytes.

    Read by: ``implode_hdf5``.
    """
    with Hdf5Reader(span) as reader:
        found = list(places(reader))
        rows: list[Record] = []
        layout: list[Record] = []
        for place in found:
            if place.how == "kept":
                continue
            row = _explode_dataset(reader, span, place, folder, names, tensors)
            rows.append(row)
            npy = row.pop("npy")
            with SourceFile(os.path.join(folder, *row["file"].split("/"))) as written:
                checksum = _checksum(_read(written, npy, place.shape))
            stated = {"dtype": row["dtype"], "crc32c": checksum}
            layout.append({**layout_row(place, npy), **stated})
        texts = explode_texts(reader, folder, names)
    skeleton = allocate(names, stem, ".bin")
    path = os.path.join(folder, *skeleton.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        write_pieces(file, outside(span, regions(found, span.where)))
    return {
        "part": "hdf5", "output": output, "skeleton": skeleton, "tensors": rows,
        "folder": tensors, "layout": layout,
        "kept": [{"path": p.path, "why": p.why} for p in found if p.how == "kept"],
        "texts": texts,
    }


def _explode_dataset(
    reader: Hdf5Reader, span: FileSpan, place: Place, folder: str, names: Names, tensors: str
) -> Record:
    """Write a dataset's elements; its row, and within it the code they have in a .npy."""
    strings = place.how == "heap" or place.code.startswith("|S")
    dtype, code = ("string", "") if strings else _dtype(reader, place)
    file = names.allocate(tensors, place.path, ".json" if strings else ".npy")
    path = os.path.join(folder, *file.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if place.how == "heap":
        values = [span.span(offset, length).read() for offset, length in place.at]
        write_strings_json(path, values, place.shape)
    elif strings:
        write_strings_json(path, list(fixed_strings(span, place)), place.shape)
    elif place.how == "chunks":
        write_array(path, header(code, place.shape), span, place)
    else:
        piece: Piece = span.span(*place.at[0]) if place.how == "span" else place.elements
        with open(path, "xb") as out:
            write_npy_to(out, piece, code, place.shape)
    shape = list(place.shape)
    return {"path": place.path, "file": file, "dtype": dtype, "shape": shape, "npy": code}


def _read(file: SourceFile, npy: str, shape: tuple[int, ...]) -> Piece | list[bytes]:
    """A dataset's elements from their file: an array's, or strings."""
    return read_npy_as(file, npy, shape) if npy else read_strings_json(file, shape)


def _checksum(elements: Piece | list[bytes]) -> int:
    """By which edited elements are told from others."""
    if isinstance(elements, list):
        lengths = ",".join(str(len(value)) for value in elements).encode()
        return crc32c(b"".join([lengths, *elements]))
    return crc32c_of_piece(elements)


def _dtype(reader: Hdf5Reader, place: Place) -> tuple[str, str]:
    """The dtype's name, and the code of its elements in a .npy."""
    import numpy as np

    stored = np.dtype(place.code)
    stated = reader.attribute(place.path, "dtype") if stored.kind == "V" else None
    if isinstance(stated, str):
        try:
            dtype = dtypes.from_name(stated)
        except ModelFormatError:
            return stored.name, place.code
        if dtype.itemsize == stored.itemsize:
            return dtype.name, stored_code(dtype)
    return stored.name, place.code


# -- and back ---------------------------------------------------------------------------------


def implode_hdf5(parts: Parts, record: Record) -> tuple[list[Piece], list[str]]:
    """The HDF5 file that a record's parts make, as pieces, and what of its structure was edited.

    Raises:
        MissingError: a part is not there.
        MismatchError: an array of another dtype or shape, or one that the manifest does not list.
        CorruptFileError: the manifest or a text is not what it was.
        UnsupportedError: an edit that HDF5 cannot express.

    Written by: ``explode_hdf5``.
    """
    stored = parts.get(record, "layout", list)
    layout = [read_layout_row(parts, row) for row in stored]
    rows = {parts.get(row, "path", str): row for row in parts.get(record, "tensors", list)}
    _check_folder(parts, record, rows)
    amendments = Amendments()
    edited: list[str] = []
    bodies: dict[str, Piece | list[bytes] | None] = {}
    for (place, npy), known in zip(layout, stored, strict=True):
        row = rows.pop(place.path, None)
        if row is None:
            amendments.removed.append(place.path)
            edited.append(place.path)
            bodies[place.path] = None
            continue
        file = parts.get(row, "file", str)
        shape = shape_of(parts, row)
        name, was = parts.get(row, "dtype", str), known.get("dtype")
        if isinstance(was, str) and name != was:
            amendments.elements.append(_retyped(parts, row, was))
            opaque = amendments.elements[-1].code.startswith("|V")
            if opaque or place.code.startswith("|V"):  # as Keras stores what HDF5 lacks
                amendments.attributes.append((place.path, "dtype", name if opaque else None))
            edited.append(file)
            bodies[place.path] = None
            continue
        values = _read(parts.open(file), npy, shape)
        if shape != place.shape or _checksum(values) != known.get("crc32c"):
            edited.append(file)
        bodies[place.path], elements = _elements(place, shape, values, file)
        if elements is not None:
            amendments.elements.append(elements)
    for row in rows.values():
        amendments.elements.append(_added(parts, row))
        edited.append(parts.get(row, "file", str))
    skeleton = parts.span(parts.get(record, "skeleton", str))
    holes = regions([place for place, _ in layout], parts.where)

    def body_of(region: Region) -> Piece | None:
        held = bodies[region.place.path]
        return held[region.run] if isinstance(held, list) else held

    pieces = list(filled(skeleton, holes, body_of))
    texts = parts.get(record, "texts", dict)
    base: str | None = None

    def written() -> str:
        nonlocal base
        if base is None:
            base = parts.temporary()
            with open(base, "xb") as file:
                write_pieces(file, pieces)
        return base

    fresh = {elements.path for elements in amendments.elements if elements.fresh}
    changes, names = amended_texts(parts, texts, written, fresh)
    amendments.attributes += changes
    edited += names
    if not amendments:
        return pieces, edited
    return [_rewritten(parts, written(), amendments)], edited


def _rewritten(parts: Parts, base: str, amendments: Amendments) -> FileSpan:
    with Hdf5Reader(base) as reader:
        for _ in places(reader):
            pass  # parts of a stranger's: libhdf5 must not be led out of the file
        version = reader.bytes_at(8, 1)[0]
        listed = named_weights(reader)
    amend(base, amendments)
    target = parts.temporary()
    made = target if repack(base, target, version) else base
    with Hdf5Reader(made) as reader:
        check_names(reader, listed)
    return parts.open_temporary(made).span()


def _check_folder(parts: Parts, record: Record, rows: dict[str, Record]) -> None:
    """Raise MismatchError for a file among the tensors that no row stands for."""
    folder = parts.path(parts.get(record, "folder", str))
    listed = {os.path.normpath(parts.path(parts.get(r, "file", str))) for r in rows.values()}
    for root, _, files in os.walk(folder):
        for name in sorted(files):
            path = os.path.normpath(os.path.join(root, name))
            if path not in listed and not name.startswith("."):
                raise MismatchError(
                    "the manifest lists no dataset for this file", where=Where(path),
                    hint='Add a row with path, file, dtype and shape to "tensors", or delete it.',
                )


def _elements(
    place: Place, shape: tuple[int, ...], values: Piece | list[bytes], file: str
) -> tuple[Piece | list[bytes] | None, Elements | None]:
    """What goes into a dataset's holes, and what libhdf5 is to write."""
    same = shape == place.shape
    if isinstance(values, list) and place.how == "heap":
        if same and all(len(v) == n for v, (_, n) in zip(values, place.at, strict=False)):
            return values, None
        return None, Elements(place.path, shape, strings=values)
    body = padded_strings(place, values, file) if isinstance(values, list) else values
    if same and place.how != "library":
        return body, None
    return None, Elements(place.path, shape, place.code, body)


def _retyped(parts: Parts, row: Record, was: str) -> Elements:
    """A dataset that the manifest gives another dtype. Raises MismatchError, CorruptFileError."""
    name, path = parts.get(row, "dtype", str), parts.get(row, "path", str)
    shape = shape_of(parts, row)
    try:
        dtype = dtypes.from_name(name)
    except UnsupportedError:
        raise CorruptFileError(f"no dtype {name!r}", where=parts.where) from None
    if "string" in (name, was) or not dtype.itemsize:
        raise MismatchError(
            f'"{path}" cannot become {name}', where=parts.where, expected=was, found=name,
            hint="Delete its row, and add one under another path.",
        )
    code = stored_code(dtype)
    body = read_npy_as(parts.open(parts.get(row, "file", str)), code, shape)
    stored = f"|V{dtype.itemsize}" if dtype.code.startswith("ml:") else code
    return Elements(path, shape, stored, body, stored=stored)


def _added(parts: Parts, row: Record) -> Elements:
    """A dataset that was added to the manifest by hand."""
    path, shape = parts.get(row, "path", str), shape_of(parts, row)
    file = parts.open(parts.get(row, "file", str))
    name = parts.get(row, "dtype", str)
    if name == "string":
        values = read_strings_json(file, shape)
        return Elements(path, shape, strings=values, fresh=True)
    try:
        dtype = dtypes.from_name(name)
    except UnsupportedError:
        raise CorruptFileError(f"no dtype {name!r}", where=parts.where) from None
    code = stored_code(dtype)
    body = read_npy_as(file, code, shape)
    if dtype.code.startswith("ml:"):  # as Keras stores what HDF5 lacks
        stated = {"dtype": dtype.name}
        return Elements(path, shape, f"|V{dtype.itemsize}", body, fresh=True, attributes=stated)
    return Elements(path, shape, code, body, fresh=True)

