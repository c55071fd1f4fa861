"""A checkpoint of version 1 with edits, written: one table a file, as checkpoint_v1.py tells.

Fields that we do not know stay. Where values keep their lengths, only they and the checksums of
their blocks change; a block is held in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from modelfmt.errors import MismatchError, UnsupportedError, Where, located
from modelfmt.storage import wire
from modelfmt.storage.files import Piece, piece_bytes
from modelfmt.storage.splice import splice
from modelfmt.storage.sstable import Table, write_table
from modelfmt.storage.table_edits import edited_table
from modelfmt.tensor import Tensor
from modelfmt.tf import slices
from modelfmt.tf.bundle import entry_key
from modelfmt.tf.checkpoint_save import write_files
from modelfmt.tf.checkpoint_v1 import SliceTables
from modelfmt.tf.spelling import field_bytes, spell
from modelfmt.tf.tensorproto import STRINGS, typed_field

_META, _DATA = 1, 2
_TENSOR = 1  # of meta
_NAME, _SHAPE, _TYPE, _SLICE = 1, 2, 3, 4  # of SavedSliceMeta
_SAVED_NAME, _SAVED_SLICE, _SAVED_DATA = 1, 2, 3  # of SavedSlice


def save_tables(
    reader: SliceTables, edits: Mapping[str, Tensor | None], source: str, prefix: str, *,
    keys: Callable[[str], str] | None = None, force: bool = False,
) -> None:
    """Write a checkpoint of version 1 with edits under another prefix.

    Args:
        reader: as it stands.
        edits: by name; None deletes. An added tensor is refused.
        source: what the names of its files have in common.
        prefix: what those of the new ones shall have.
        keys: the new name of each old one.
        force: replace existing files.

    Raises:
        UnsupportedError: an added tensor, or one of another shape; a dtype without typed values.
    """
    for name, tensor in edits.items():
        held = reader.tensor(name)
        if held is None or (tensor is not None and held.shape != tensor.shape):
            raise UnsupportedError(
                "a tensor added to a checkpoint of version 1, or one of another shape there",
                where=Where(source, entry_key(name)), hint="Write its tensors into a new one.",
            )
    renamed = keys or (lambda name: name)
    files: list[tuple[str, list[Piece]]] = []
    for table in reader.tables:
        suffix = table.file.path.removeprefix(source)
        files.append((f"{prefix}{suffix}", _table(table, edits, renamed)))
    write_files(files, force=force)


def _table(
    table: Table, edits: Mapping[str, Tensor | None], renamed: Callable[[str], str]
) -> list[Piece]:
    rows: dict[bytes, bytes] = {}
    changed: dict[bytes, bytes] = {}
    moved = False
    for row in table:
        value = bytes(row.value)
        new_key = row.key
        if not row.key:
            new = _meta(value, edits, renamed)
        else:
            sliced = slices.read_slice_key(row.key)
            if sliced is None:
                raise MismatchError("a key that is no slice", found=repr(row.key))
            name = sliced[0].decode("utf-8", "surrogatepass")
            if name in edits and edits[name] is None:
                moved = True
                continue
            target = renamed(name)
            new_key = slices.write_slice_key(_bytes(target), sliced[1])
            with located(key=entry_key(name)):
                new = _row(value, target, sliced[1], edits.get(name))
        moved = moved or new_key != row.key
        if new_key in rows:
            raise MismatchError("two tensors of one name", found=repr(new_key))
        rows[new_key] = new
        if new != value:
            changed[row.key] = new
    return list(write_table(sorted(rows.items()))) if moved else edited_table(table, changed)


def _meta(
    value: bytes, edits: Mapping[str, Tensor | None], renamed: Callable[[str], str]
) -> bytes:
    """The meta entry with other names and dtypes, and without the tensors that are gone."""
    changes = []
    for meta in wire.scan(value):
        if meta.field != _META:
            continue
        inner = value[meta.offset : meta.end]
        rows = []
        for span in wire.scan(inner):
            if span.field != _TENSOR:
                continue
            saved = inner[span.offset : span.end]
            new = _saved_meta(saved, edits, renamed)
            if new != saved:
                rows.append((span, [wire.length_delimited(_TENSOR, new)] if new else []))
        if rows:
            changes.append((meta, [wire.length_delimited(_META, _joined(splice(inner, rows)))]))
    return _joined(splice(value, changes))


def _saved_meta(
    saved: bytes, edits: Mapping[str, Tensor | None], renamed: Callable[[str], str]
) -> bytes:
    """A SavedSliceMeta; nothing for a tensor that is gone."""
    spans = {span.field: span for span in wire.scan(saved)}
    name = saved[spans[_NAME].offset : spans[_NAME].end].decode() if _NAME in spans else ""
    tensor = edits.get(name)
    if name in edits and tensor is None:
        return b""
    changes: list[tuple[wire.Span, list[Piece]]] = []
    if renamed(name) != name and _NAME in spans:
        changes.append((spans[_NAME], [wire.length_delimited(_NAME, _bytes(renamed(name)))]))
    if tensor is not None and _TYPE in spans:
        old = wire.read_varint(saved, spans[_TYPE].offset)[0]
        if old != tensor.dtype.enum:
            changes.append((spans[_TYPE], [wire.varint_field(_TYPE, tensor.dtype.enum)]))
    return _joined(splice(saved, sorted(changes, key=lambda change: change[0].start)))


def _row(value: bytes, name: str, extents: slices.Slice, tensor: Tensor | None) -> bytes:
    """An entry with another name, or other elements."""
    changes = []
    for data in wire.scan(value):
        if data.field != _DATA:
            continue
        inner = value[data.offset : data.end]
        rows: list[tuple[wire.Span, list[Piece]]] = []
        for span in wire.scan(inner):
            if span.field == _SAVED_NAME and inner[span.offset : span.end] != _bytes(name):
                rows.append((span, [wire.length_delimited(_SAVED_NAME, _bytes(name))]))
            elif span.field == _SAVED_DATA and tensor is not None:
                proto = _elements(tensor, extents)
                rows.append((span, [wire.length_delimited(_SAVED_DATA, proto)]))
        if rows:
            changes.append((data, [wire.length_delimited(_DATA, _joined(splice(inner, rows)))]))
    return _joined(splice(value, changes))


def _elements(tensor: Tensor, extents: slices.Slice) -> bytes:
    """A TensorProto with the typed values of a slice, and nothing else."""
    starts, shape = slices.resolve(extents, tensor.shape, Where())
    box = tuple(slice(s, s + n) for s, n in zip(starts, shape, strict=True))
    part = tensor
    if shape != tensor.shape:
        part = Tensor.from_numpy(tensor.name, tensor.numpy()[box])
    if part.strings is not None:
        return field_bytes("strings", STRINGS, spell("strings", STRINGS, part.dtype,
                                                     part.strings()) or b"")
    field = typed_field(part.dtype)
    how = "raw" if field in (5, 6, 9, 12, 18) else "packed"
    body = spell(how, field, part.dtype, part.payload)
    if body is None:
        raise UnsupportedError(f"{part.dtype} in a checkpoint of version 1")
    return field_bytes(how, field, body)


def _joined(pieces: list[Piece]) -> bytes:
    return b"".join(map(piece_bytes, pieces))


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
