"""A checkpoint of version 1 as parts: its tables as they stand, and its tensors as files.

    {"part": "tables", "output": "", "prefix": "tables/checkpoint",
     "tables": [SUFFIX, ...]                     "" of a single file, else -0000i-of-0000n
     "tensors": [{"key": "w", "file": "tensors/w.npy", "dtype": "float32", "shape": [2]}, ...]}

A table holds values among names and slices, and its keys are sorted bytes: it is kept whole, beside
the elements. Those that differ from what it holds take their place (tf/checkpoint_v1_edits.py),
a partitioned tensor's in each of its slices; with none of them the files are the same bytes.
"""

from __future__ import annotations

import os

from modelfmt.errors import CorruptFileError, UnsupportedError
from modelfmt.storage.files import FileSpan, Piece, SourceFile, write_pieces
from modelfmt.storage.output import check_output
from modelfmt.surgery.messages import read_elements, write_elements
from modelfmt.surgery.parts import Names, Parts, Record
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import copy_files
from modelfmt.tf.checkpoint_v1 import SliceTables
from modelfmt.tf.checkpoint_v1_edits import save_tables

_PREFIX = "tables/checkpoint"


def explode_tables(reader: SliceTables, prefix: str, folder: str, names: Names) -> Record:
    """Write the parts of a checkpoint of version 1, and return their record.

    Args:
        reader: the checkpoint.
        prefix: what the names of its files have in common.
        folder: where the parts go.
        names: those that are taken.

    Raises:
        ModelFormatError: a tensor cannot be read; every checksum is verified.

    Read by: ``implode_tables``.
    """
    suffixes = [path.removeprefix(prefix) for path in reader.files]
    for path, suffix in zip(reader.files, suffixes, strict=True):
        with SourceFile(path) as source:
            _copy(os.path.join(folder, *f"{_PREFIX}{suffix}".split("/")), source.span())
    tensors: list[Record] = []
    for name in reader.names():
        tensor = reader.tensor(name)
        if tensor is None:
            continue
        file = names.allocate("tensors", name, ".json" if tensor.strings else ".npy")
        write_elements(os.path.join(folder, *file.split("/")), tensor)
        row = {"key": name, "file": file, "dtype": tensor.dtype.name, "shape": [*tensor.shape]}
        tensors.append(row)
    return {
        "part": "tables", "output": "", "prefix": _PREFIX, "tables": suffixes, "tensors": tensors,
    }  # fmt: skip


def _copy(path: str, span: FileSpan) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        write_pieces(file, [span])


def implode_tables(parts: Parts, record: Record, out: str, *, force: bool) -> list[str]:
    """Write the checkpoint that a record's parts make; returns the files that were edited.

    Raises:
        MissingError: a part is not there.
        MismatchError: an array of another dtype or shape.
        CorruptFileError: tables and manifest do not fit.

    Written by: ``explode_tables``.
    """
    prefix = parts.get(record, "prefix", str)
    suffixes = [s for s in parts.get(record, "tables", list) if isinstance(s, str)]
    check_output(f"{out}{suffixes[0]}" if suffixes else out, force=force)
    files = [parts.open(f"{prefix}{suffix}").path for suffix in suffixes]
    reader = SliceTables(files)
    try:
        edits: dict[str, Tensor | None] = {}
        edited: list[str] = []
        for row in parts.get(record, "tensors", list):
            key = parts.get(row, "key", str)
            held = reader.tensor(key)
            if held is None:
                raise CorruptFileError(f'the tables hold no "{key}"', where=parts.where)
            new = _tensor(held, read_elements(parts, row))
            if not _is_same(held, new):
                edits[key] = new
                edited.append(parts.get(row, "file", str))
        if edits:
            save_tables(reader, edits, parts.path(prefix), out, force=force)
        else:
            spans = [parts.span(f"{prefix}{suffix}") for suffix in suffixes]
            copy_files(
                [(span, f"{out}{s}") for span, s in zip(spans, suffixes, strict=True)],
                force=force,
            )
    finally:
        reader.close()
    return edited


def _tensor(held: Tensor, elements: Piece | list[bytes]) -> Tensor:
    if isinstance(elements, list):
        return Tensor(held.name, held.dtype, held.shape, strings=lambda: elements)
    return Tensor(held.name, held.dtype, held.shape, elements)


def _is_same(a: Tensor, b: Tensor) -> bool:
    if a.strings is not None and b.strings is not None:
        return a.strings() == b.strings()
    if a.strings is not None or b.strings is not None:
        raise UnsupportedError("strings and numbers cannot take each other's place")
    return a.sha256() == b.sha256()
