"""What stands where in the files of a model, for a comparison of bytes.

    graphdef      nodes and their attrs, functions, the other fields; of text the outermost blocks
    metagraph     the same in graph_def; the other fields; its checkpoint
    savedmodel    the same for each MetaGraph; every file of the folder
    checkpoint    rows of the index; in the shards the tensors' bytes, by key
    HDF5          payloads of datasets that stand in one piece; what is between is structure
    keras         members and their headers; datasets within

A region has a label, and what no region covers is labelled by what stands before it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from modelfmt.container import Container
from modelfmt.errors import ModelFormatError
from modelfmt.keras.archive import KerasArchive
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, SourceFile
from modelfmt.storage.sstable import Table
from modelfmt.tensor import Tensor
from modelfmt.tf import slices
from modelfmt.tf.attrvalue import read_map_entry
from modelfmt.tf.bundle import Bundle
from modelfmt.tf.checkpoint import Checkpoint
from modelfmt.tf.metagraph import GraphWithVariables
from modelfmt.tf.savedmodel import SavedModel

_META_GRAPH = {
    1: "meta_info_def", 2: "graph_def", 3: "saver_def", 4: "collection", 5: "signature",
    6: "asset_file_def", 7: "object_graph_def",
}  # fmt: skip
_KEYED = (4, 5)
_BLOCK = re.compile(rb"^(\w+) \{", re.MULTILINE)
_NAME = re.compile(rb'^  name: "((?:[^"\\]|\\.)*)"', re.MULTILINE)


class Region(NamedTuple):
    """``length`` bytes from ``offset`` on, and what they are."""

    offset: int
    length: int
    label: str

    @property
    def end(self) -> int:
        return self.offset + self.length


def files_of(container: Container) -> dict[str, str]:
    """The paths of a model's files, by a name that does not depend on the model's own."""
    if isinstance(container, SavedModel):
        folder = container.folder
        found = (
            os.path.join(place, file) for place, _, files in os.walk(folder) for file in files
        )
        return {os.path.relpath(p, folder).replace(os.sep, "/"): p for p in sorted(found)}
    if isinstance(container, Checkpoint):
        prefix = container.prefix
        return {p.removeprefix(prefix) or "checkpoint": p for p in container.reader.files}
    files = {"": container.path}
    if isinstance(container, GraphWithVariables) and container.checkpoint is not None:
        files = {".meta": container.path, **files_of(container.checkpoint)}
    return files


def regions_of(container: Container, name: str, file: SourceFile) -> list[Region]:
    """The regions of one of a container's files, without gaps, in order.

    Args:
        name: as ``files_of`` says.
    """
    try:
        found = sorted(_labelled(container, name, file))
    except ModelFormatError:  # damaged: bytes are all that it has
        found = []
    return list(_filled(found, file.size))


def _filled(regions: Iterable[Region], size: int) -> Iterator[Region]:
    done, last = 0, ""
    for region in regions:
        if region.offset < done:  # shares bytes with the one before
            continue
        if region.offset > done:
            yield Region(done, region.offset - done, f"after {last}" if last else "the beginning")
        yield region
        done, last = region.end, region.label
    if done < size:
        yield Region(done, size - done, f"after {last}" if last else "")


def _labelled(container: Container, name: str, file: SourceFile) -> Iterator[Region]:
    if isinstance(container, KerasArchive):
        yield from _members(container)
    elif isinstance(container, Checkpoint):
        yield from _of_checkpoint(container, name, file)
    elif isinstance(container, GraphWithVariables):
        checkpoint = container.checkpoint
        if name == ".meta" or name == "":
            yield from _text(file) if _is_text(container) else _metagraph(file, 0, file.size)
        elif name == "saved_model.pb":
            yield from _saved_model(file)
        elif name == "saved_model.pbtxt":
            yield from _text(file)
        elif checkpoint is not None:
            short = name.removeprefix("variables/variables")
            yield from _of_checkpoint(checkpoint, short, file)
    elif container.has_graph:
        yield from _text(file) if _is_text(container) else _graph(file, 0, file.size)
    else:
        yield from _datasets(container.tensors)


def _is_text(container: Container) -> bool:
    return bool(getattr(container, "is_text", False))


# -- protobuf -----------------------------------------------------------------------------------


def _graph(file: SourceFile, start: int, end: int) -> Iterator[Region]:
    view = file.view()
    for span in wire.scan(view, start, end):
        if span.field == 1 and span.wire_type == wire.LEN:
            yield from _node(view, span)
        elif span.field == 2 and span.wire_type == wire.LEN:
            for inner in wire.scan(view, span.offset, span.end):
                label = f'function "{_function(view, inner)}"' if inner.field == 1 else "gradient"
                yield Region(inner.start, inner.end - inner.start, label)
        else:
            yield Region(span.start, span.end - span.start, "versions")


def _node(view: memoryview, span: wire.Span) -> Iterator[Region]:
    name, attrs = "", list[tuple[wire.Span, str]]()
    for inner in wire.scan(view, span.offset, span.end):
        if inner.field == 1:
            name = _text_at(view, inner)
        elif inner.field == 5:
            key, _ = read_map_entry(view[inner.offset : inner.end])
            attrs.append((inner, key))
    done = span.start
    for inner, key in attrs:
        if inner.start > done:
            yield Region(done, inner.start - done, f'node "{name}"')
        yield Region(inner.start, inner.end - inner.start, f'node "{name}", attr "{key}"')
        done = inner.end
    if done < span.end:
        yield Region(done, span.end - done, f'node "{name}"')


def _function(view: memoryview, span: wire.Span) -> str:
    for part in wire.scan(view, span.offset, span.end):
        if part.field == 1:
            return next(
                (_text_at(view, p) for p in wire.scan(view, part.offset, part.end) if p.field == 1),
                "",
            )
    return ""


def _metagraph(file: SourceFile, start: int, end: int) -> Iterator[Region]:
    view = file.view()
    for span in wire.scan(view, start, end):
        if span.field == 2:
            yield from _graph(file, span.offset, span.end)
            continue
        label = _META_GRAPH.get(span.field, f"field {span.field}")
        if span.field in _KEYED:
            label += f' "{read_map_entry(view[span.offset : span.end])[0]}"'
        yield Region(span.start, span.end - span.start, label)


def _saved_model(file: SourceFile) -> Iterator[Region]:
    for span in wire.scan(file.view()):
        if span.field == 2:
            yield from _metagraph(file, span.offset, span.end)


def _text_at(view: memoryview, span: wire.Span) -> str:
    return str(view[span.offset : span.end], "utf-8", "backslashreplace")


def _text(file: SourceFile) -> Iterator[Region]:
    """The outermost blocks of text-format protobuf."""
    text = file.read(0, file.size)
    for begin in _BLOCK.finditer(text):
        end = text.find(b"\n}", begin.end())
        end = len(text) if end < 0 else end + 2
        named = _NAME.search(text, begin.end(), end)
        label = begin[1].decode() + (f' "{named[1].decode(errors="replace")}"' if named else "")
        yield Region(begin.start(), end - begin.start(), label)


# -- checkpoints, HDF5, zip ---------------------------------------------------------------------


def _of_checkpoint(checkpoint: Checkpoint, name: str, file: SourceFile) -> Iterator[Region]:
    reader = checkpoint.reader
    if not isinstance(reader, Bundle):
        return
    table = Table(file) if name.endswith(".index") else reader.table
    for row in table:
        sliced = slices.read_slice_key(row.key) if row.key and reader.is_slice(row.key) else None
        key = (row.key if sliced is None else sliced[0]).decode("utf-8", "backslashreplace")
        label = f'entry "{key}"' if row.key else "the bundle's header"
        if sliced is not None:
            label += f" [{slices.describe(sliced[1])}]"
        if name.endswith(".index"):
            piece = row.piece
            if isinstance(piece, FileSpan):
                yield Region(piece.offset, piece.length, label)
        elif row.key:
            entry = reader.entry(row.key, key)
            if entry is not None and entry.size:
                span = reader.span(key, entry)
                if os.path.samefile(span.file.path, file.path):
                    yield Region(span.offset, span.length, label)


def _datasets(tensors: Mapping[str, Tensor], prefix: str = "") -> Iterator[Region]:
    for name in tensors:
        try:
            payload = tensors[name].payload
        except ModelFormatError:  # one that cannot be read is a gap
            continue
        if isinstance(payload, FileSpan):
            yield Region(payload.offset, payload.length, f'{prefix}dataset "{name}"')


def _members(container: KerasArchive) -> Iterator[Region]:
    datasets = sorted(_datasets(container.tensors))
    for name in container.archive.names():
        data = container.archive.member(name)
        if not isinstance(data, FileSpan):
            continue
        label, done = f'member "{name}"', data.offset
        for region in datasets:
            if data.offset <= region.offset < data.offset + data.length:
                if region.offset > done:
                    yield Region(done, region.offset - done, label)
                yield region
                done = region.end
        if done < data.offset + data.length:
            yield Region(done, data.offset + data.length - done, label)
