"""A checkpoint with edits, written: tensors replaced, added, deleted or under other keys.

Tensors replaced by others of their dtype and shape stay where they were: their bytes differ, and
the checksums in the index. Everything else makes one shard, whose data stands in the old order,
replaced tensors in the place of the old ones, added ones at the end.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

from modelfmt.errors import MismatchError, UnsupportedError, Where
from modelfmt.storage.crc32c import crc32c_of_piece, mask
from modelfmt.storage.files import (
    Piece,
    SourceFile,
    atomic_output,
    piece_bytes,
    piece_length,
    write_pieces,
)
from modelfmt.storage.patching import patched
from modelfmt.storage.table_edits import edited_table
from modelfmt.tensor import Tensor
from modelfmt.tf import slices
from modelfmt.tf.bundle import Bundle, data_path
from modelfmt.tf.bundle_proto import BundleEntry, write_entry
from modelfmt.tf.bundle_strings import write_strings
from modelfmt.tf.bundle_writer import BundleWriter, fill_bundle

#: Tensors by key; None for one that is deleted.
Edits = Mapping[str, Tensor | None]
#: The key that a key becomes.
Keys = Callable[[str], str]


def save_bundle(
    bundle: Bundle, edits: Edits, prefix: str, *, keys: Keys | None = None, force: bool = False
) -> None:
    """Write a bundle with edits under another prefix.

    Args:
        bundle: as it stands.
        edits: by the keys of ``bundle``.
        prefix: where to.
        keys: the new key of each old one.
        force: replace an existing checkpoint.

    Raises:
        MismatchError: two tensors of one key.
        OutputExistsError: a file of it exists, and not ``force``.
    """
    files = None if keys is not None else _refilled(bundle, edits)
    if files is not None:
        write_files([(f"{prefix}{suffix}", pieces) for suffix, pieces in files], force=force)
        return
    renamed = keys or (lambda key: key)
    fill_bundle(prefix, lambda writer: _rewrite(bundle, edits, renamed, writer), force=force)


def write_files(files: Iterable[tuple[str, Sequence[Piece]]], *, force: bool) -> None:
    """Write files, each appearing when all are whole; the first one given at last."""
    with ExitStack() as stack:
        for target, pieces in files:
            out = stack.enter_context(atomic_output(target, force=force))
            write_pieces(out.file, pieces)
            out.file.flush()
            os.fsync(out.file.fileno())


# -- in place ---------------------------------------------------------------------------------


def _refilled(bundle: Bundle, edits: Edits) -> list[tuple[str, list[Piece]]] | None:
    """The files, by suffix and the index first, where no byte has to move; else None."""
    entries: dict[bytes, bytes] = {}
    patches: dict[int, list[tuple[int, Piece]]] = {}
    for name, tensor in edits.items():
        key = name.encode("utf-8", "surrogatepass")
        entry = bundle.entry(key, name)
        if tensor is None or entry is None or bundle.is_slice(key):
            return None
        if (entry.dtype, entry.shape) != (tensor.dtype.enum, tensor.shape):
            return None
        for slot, held, part in _parts(bundle, key, name, entry, tensor):
            made = _body(part, bundle.header.big_endian)
            if made is None or piece_length(made[0]) != held.size:
                return None
            body, crc = made
            entries[slot] = write_entry(dataclasses.replace(held, crc=crc))
            patches.setdefault(held.shard, []).append((bundle.span(name, held).offset, body))
    files: list[tuple[str, list[Piece]]] = [(".index", edited_table(bundle.table, entries))]
    for shard in range(bundle.header.shards):
        path = data_path(bundle.prefix, shard, bundle.header.shards)
        if os.path.exists(path):
            suffix = path.removeprefix(bundle.prefix)
            files.append((suffix, patched(SourceFile(path).span(), patches.get(shard, []))))
    return files


def _parts(
    bundle: Bundle, key: bytes, name: str, entry: BundleEntry, tensor: Tensor
) -> list[tuple[bytes, BundleEntry, Tensor]]:
    """The entries that hold a tensor's bytes, each with its part of the tensor."""
    if not entry.slices:
        return [(key, entry, tensor)]
    found = []
    for extents in entry.slices:
        starts, shape = slices.resolve(extents, entry.shape, Where(key=name))
        if slices.is_full(extents):
            found.append((key, entry, tensor))
            continue
        slot = slices.write_slice_key(key, extents)
        held = bundle.entry(slot, name)
        if held is None:
            raise MismatchError(f"slice {slices.describe(extents)} has no entry")
        box = tuple(slice(s, s + n) for s, n in zip(starts, shape, strict=True))
        found.append((slot, held, Tensor.from_numpy(name, tensor.numpy()[box])))
    return found


def _body(tensor: Tensor, big_endian: bool) -> tuple[Piece, int] | None:
    """A tensor's bytes in a bundle, and their checksum; None for big-endian strings."""
    if tensor.strings is not None:
        if big_endian:
            return None
        head, body, crc = write_strings(tensor.strings())
        return head + body, crc
    piece = swapped(tensor) if big_endian else tensor.payload
    return piece, mask(crc32c_of_piece(piece))


def swapped(tensor: Tensor) -> Piece:
    """A tensor's elements with their bytes in big-endian order."""
    import numpy as np

    halves = 2 if tensor.dtype.name.startswith("complex") else 1
    unit = tensor.dtype.itemsize // halves
    return np.frombuffer(piece_bytes(tensor.payload), f"<u{unit}").astype(f">u{unit}").tobytes()


# -- anew -------------------------------------------------------------------------------------


def _rewrite(bundle: Bundle, edits: Edits, keys: Keys, writer: BundleWriter) -> None:
    """A bundle's entries in the order of their data, with edits; slices stay slices."""
    rows = []
    left = dict(edits)
    for row in bundle.table:
        if not row.key:
            continue
        sliced = slices.read_slice_key(row.key) if bundle.is_slice(row.key) else None
        name = (row.key if sliced is None else sliced[0]).decode()
        entry = bundle.entry(row.key, name)
        if entry is not None:
            rows.append((entry.shard, entry.offset, row.key, name, sliced, entry))
    for _, _, _, name, sliced, entry in sorted(rows, key=lambda row: row[:3]):
        if name not in edits:
            new = keys(name).encode("utf-8", "surrogatepass")
            slot = new if sliced is None else slices.write_slice_key(new, sliced[1])
            has_data = not entry.slices or any(map(slices.is_full, entry.slices))
            if bundle.header.big_endian:
                raise UnsupportedError(
                    "rewriting a checkpoint in big-endian order", where=Where(bundle.index.path),
                    hint="Tensors may be replaced by others of their dtype and shape.",
                )
            writer.carry(slot, entry, bundle.span(name, entry) if has_data else None)
        elif sliced is None and (tensor := left.pop(name)) is not None:
            writer.add(tensor.renamed(keys(name)))
    for name, tensor in left.items():
        if tensor is not None:
            writer.add(tensor.renamed(keys(name)))
