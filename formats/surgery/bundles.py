"""A checkpoint of version 2 as parts: the tensors as files, and what lies between them.

    {"part": "bundle", "output": "", "index": "checkpoint.index.bin",
     "shards": [{"segments": [SEGMENT, ...]}, ...]}       in the order of the data
    SEGMENT   {"key": "w", "file": "tensors/w.npy", "dtype": "float32", "shape": [2]}
              {"key": ..., "slice": "0,2:-", ...}         of a partitioned tensor, a slice
              {"key": ..., "message": RECORD}             the object graph, as messages.py has it
              {"file": ..., "raw": true}                  what is no tensor, or of no known dtype
              {"zeros": 56}                               padding

The index holds sizes and checksums, and no payload; it is kept as it was. Where elements were
edited, it is written anew with their checksums; strings may change their lengths, which moves what
stands behind them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import NamedTuple

from modelfmt import dtypes
from modelfmt.errors import CorruptFileError, UnsupportedError, Where, located
from modelfmt.storage.crc32c import check_masked, crc32c_of_piece, mask
from modelfmt.storage.files import (
    FileSpan,
    Piece,
    SourceFile,
    atomic_output,
    piece_bytes,
    piece_length,
    write_pieces,
)
from modelfmt.storage.sstable import Table, write_table
from modelfmt.surgery.messages import (
    explode_message,
    implode_message,
    read_elements,
    shape_of,
    write_elements,
)
from modelfmt.surgery.parts import Names, Parts, Record
from modelfmt.surgery.payloads import dtype_of
from modelfmt.tensor import Tensor
from modelfmt.tf import slices
from modelfmt.tf.bundle import Bundle, data_path, entry_key
from modelfmt.tf.bundle_proto import BundleEntry, read_entry, read_header, write_entry
from modelfmt.tf.bundle_strings import read_strings, write_strings
from modelfmt.tf.objects import KEY as OBJECT_GRAPH_KEY


class _Stored(NamedTuple):
    """An entry with bytes of its own."""

    key: bytes
    name: str
    slice: str
    entry: BundleEntry


def explode_bundle(
    bundle: Bundle, folder: str, names: Names, *, output: str = "", tensors: str = "tensors",
    stem: str = "checkpoint",
) -> Record:
    """Write the parts of a bundle, and return their record for the manifest.

    Every checksum is verified.

    Raises:
        ChecksumError, CorruptFileError: the bundle is damaged.
        UnsupportedError: entries that share bytes.

    Read by: ``implode_bundle``.
    """
    index = names.allocate(".", stem, ".index.bin")[2:]
    path = os.path.join(folder, *index.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        write_pieces(file, [bundle.index.span()])
    stored = sorted(_stored(bundle), key=lambda s: (s.entry.shard, s.entry.offset, s.entry.size))
    shards: list[Record] = []
    for shard in range(bundle.header.shards):
        shard_path = data_path(bundle.prefix, shard, bundle.header.shards)
        if not os.path.exists(shard_path):
            shards.append({"segments": [], "missing": True})
            continue
        mine = [s for s in stored if s.entry.shard == shard]
        with SourceFile(shard_path) as source:
            segments = _segments(bundle, source, mine, folder, names, tensors)
            shards.append({"segments": list(segments)})
    return {"part": "bundle", "output": output, "index": index, "shards": shards}


def _stored(bundle: Bundle) -> Iterator[_Stored]:
    for row in bundle.table:
        if not row.key:
            continue
        sliced = slices.read_slice_key(row.key) if bundle.is_slice(row.key) else None
        name = (row.key if sliced is None else sliced[0]).decode("utf-8", "backslashreplace")
        entry = bundle.entry(row.key, name)
        if entry is None or (entry.slices and not any(map(slices.is_full, entry.slices))):
            continue
        yield _Stored(row.key, name, "" if sliced is None else slices.describe(sliced[1]), entry)


def _segments(
    bundle: Bundle, source: SourceFile, stored: list[_Stored], folder: str, names: Names,
    tensors: str,
) -> Iterator[Record]:
    done = 0
    for item in stored:
        with located(path=source.path, key=entry_key(item.name)):
            if item.entry.offset < done:
                raise UnsupportedError("an entry that shares bytes with another one")
            span = bundle.span(item.name, item.entry)
        yield from _gap(source, done, item.entry.offset, folder, names, tensors)
        done = item.entry.offset + item.entry.size
        yield _tensor(bundle, item, span, folder, names, tensors)
    yield from _gap(source, done, source.size, folder, names, tensors)


def _gap(
    source: SourceFile, start: int, end: int, folder: str, names: Names, tensors: str
) -> Iterator[Record]:
    if start == end:
        return
    data = source.read(start, min(end - start, 1 << 20))
    if len(data) == end - start and not any(data):
        yield {"zeros": end - start}
        return
    file = names.allocate(tensors, "between", ".bin")
    _write_raw(os.path.join(folder, *file.split("/")), source.span(start, end - start))
    yield {"file": file, "raw": True}


def _write_raw(path: str, span: FileSpan) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        write_pieces(file, [span])


def _tensor(
    bundle: Bundle, item: _Stored, span: FileSpan, folder: str, names: Names, tensors: str
) -> Record:
    entry, big = item.entry, bundle.header.big_endian
    origin = Where(span.file.path, entry_key(item.name), span.offset)
    label = f"{item.name}.slice" if item.slice else item.name
    record: Record = {"key": _key_text(item.key)}
    if item.slice:
        record["slice"] = item.slice
    dtype = dtypes.from_enum(entry.dtype)
    tensor: Tensor | None = None
    if dtype is dtypes.string:
        count = Tensor("", dtype, entry.shape).size
        values = read_strings(span, count, entry.crc, origin, big)
        if not big and b"".join(write_strings(values)[:2]) == span.read():
            tensor = Tensor("", dtype, entry.shape, origin=origin, strings=lambda: values)
    else:
        check_masked(entry.crc, crc32c_of_piece(span), "the data", origin)
        if dtype.itemsize and Tensor("", dtype, entry.shape).nbytes == span.length:
            tensor = Tensor("", dtype, entry.shape, span, origin)
    if tensor is not None and tensor.strings is not None and item.name == OBJECT_GRAPH_KEY:
        with suppress(CorruptFileError):
            message = explode_message(
                tensor.strings()[0], "TrackableObjectGraph", folder, "object_graph", names
            )
            return {**record, "message": message}
    if tensor is None:
        file = names.allocate(tensors, label, ".bin")
        _write_raw(os.path.join(folder, *file.split("/")), span)
        raw: Record = {**record, "file": file, "raw": True}
        return {**raw, "strings": True} if dtype is dtypes.string else raw
    file = names.allocate(tensors, label, ".json" if tensor.strings else ".npy")
    write_elements(os.path.join(folder, *file.split("/")), tensor, big_endian=big)
    record |= {"file": file, "dtype": dtype.name, "shape": list(entry.shape)}
    return {**record, "big_endian": True} if big else record


def _key_text(key: bytes) -> str:
    """A key as JSON holds it, whatever bytes it has."""
    return key.decode("utf-8", "surrogateescape")


# -- and back ---------------------------------------------------------------------------------


class Imploded(NamedTuple):
    """A bundle to write: the index, the pieces of the shards, and the files that were edited."""

    head: list[Piece]
    shards: dict[int, list[Piece]]
    of: int
    edited: list[str]


def implode_bundle(parts: Parts, record: Record) -> Imploded:
    """The bundle that a record's parts make; no elements are read but for their checksums.

    Raises:
        MissingError: a part is not there.
        MismatchError: an array of another dtype or shape.
        CorruptFileError: index and manifest do not fit.

    Written by: ``explode_bundle``.
    """
    index = parts.open(parts.get(record, "index", str))
    table = Table(index)
    rows = {row.key: bytes(row.value) for row in table}
    if b"" not in rows:
        raise CorruptFileError("a table without the header of a bundle", where=Where(index.path))
    count = read_header(memoryview(rows[b""])).shards
    listed = parts.get(record, "shards", list)
    if len(listed) != count:
        raise CorruptFileError(
            "index and manifest differ in the number of shards", where=parts.where,
            expected=count, found=len(listed),
        )
    shards: dict[int, list[Piece]] = {}
    edited: list[str] = []
    for shard, stated in enumerate(listed):
        if stated.get("missing"):
            continue
        pieces: list[Piece] = []
        offset = 0
        for segment in parts.get(stated, "segments", list):
            body, crc = _segment(parts, segment)
            length = sum(map(piece_length, body))
            if "key" in segment:
                key = parts.get(segment, "key", str).encode("utf-8", "surrogateescape")
                if key not in rows:
                    raise CorruptFileError(
                        "the index lacks an entry", where=Where(index.path, repr(key))
                    )
                entry = read_entry(memoryview(rows[key]))
                new = dataclasses.replace(
                    _stated(parts, segment, entry), shard=shard, offset=offset, size=length,
                    crc=entry.crc if crc is None else crc,
                )
                if new != entry:
                    rows[key] = write_entry(new)
                    if dataclasses.replace(new, shard=entry.shard, offset=entry.offset) != entry:
                        message = segment.get("message", {})
                        edited.append(segment.get("file") or parts.get(message, "text", str))
            pieces += body
            offset += length
        shards[shard] = pieces
    anew: list[Piece] = [index.span()] if not edited else list(write_table(sorted(rows.items())))
    return Imploded(anew, shards, count, edited)


def _stated(parts: Parts, segment: Record, entry: BundleEntry) -> BundleEntry:
    """The entry with the dtype and the shape that the manifest states, which may be others."""
    if "dtype" not in segment or "shape" not in segment:
        return entry
    dtype = dtype_of(parts.get(segment, "dtype", str), parts.where)
    shape = shape_of(parts, segment)
    if (dtype.enum, shape) == (entry.dtype, entry.shape):
        return entry
    if "slice" in segment:
        raise UnsupportedError(
            f"a slice of \"{segment['key']}\" cannot have another dtype or shape",
            where=parts.where,
            expected=f"{dtypes.from_enum(entry.dtype)}{list(entry.shape)}",
            found=f"{dtype}{list(shape)}",
        )
    return dataclasses.replace(entry, dtype=dtype.enum, shape=shape)


def _segment(parts: Parts, segment: Record) -> tuple[list[Piece], int | None]:
    """The bytes of a segment, and their masked checksum where they are a tensor's."""
    if "zeros" in segment:
        count = parts.get(segment, "zeros", int)
        if not 0 <= count <= 1 << 20:
            raise CorruptFileError("padding of an absurd size", where=parts.where, found=count)
        return [bytes(count)], None
    if segment.get("raw"):
        span = parts.span(parts.get(segment, "file", str))
        known = "key" in segment and not segment.get("strings")
        return [span], mask(crc32c_of_piece(span)) if known else None
    if "message" in segment:
        pieces, _ = implode_message(parts, parts.get(segment, "message", dict))
        head, body, crc = write_strings([b"".join(map(piece_bytes, pieces))])
        return [head, body], crc
    values = read_elements(parts, segment)
    if isinstance(values, list):
        head, body, crc = write_strings(values)
        return [head, body], crc
    return [values], mask(crc32c_of_piece(values))


def write_imploded(made: Imploded, prefix: str, *, force: bool) -> None:
    """Write a bundle's files, each atomically; the index gets its name last."""
    targets: list[tuple[str, list[Piece]]] = [(f"{prefix}.index", made.head)]
    targets += [(data_path(prefix, s, made.of), pieces) for s, pieces in made.shards.items()]
    with ExitStack() as stack:
        for target, pieces in targets:
            out = stack.enter_context(atomic_output(target, force=force))
            write_pieces(out.file, pieces)
            out.file.flush()
            os.fsync(out.file.fileno())
