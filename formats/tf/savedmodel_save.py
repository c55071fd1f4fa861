"""A .meta file or a SavedModel with edits, written with everything that belongs to it.

    OUT.meta, OUT.index, OUT.data-*     the graph, and the checkpoint beside it, if there is one
    OUT/saved_model.pb, variables/      and every other file of the folder, as it is

fingerprint.pb is made to tell of what was written, or left out, as fingerprint.py tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from modelfmt import proto
from modelfmt.errors import UnsafeFileError, UnsupportedError, Where
from modelfmt.storage import wire
from modelfmt.storage.files import (
    Piece,
    SourceFile,
    atomic_folder,
    atomic_output,
    piece_bytes,
    write_pieces,
)
from modelfmt.storage.output import check_output
from modelfmt.storage.splice import delimited, splice
from modelfmt.tf.fingerprint import checkpoint_hash, renew
from modelfmt.tf.graphdef import check_size
from modelfmt.tf.metagraph import MetaGraphFile, checkpoint_prefix
from modelfmt.tf.savedmodel import SavedModel

Keys = Callable[[str], str]
_META_GRAPH = 2
_VARIABLES = "variables/variables"
_MARKERS = ("saved_model.pb", "saved_model.pbtxt")


def save_metagraph(
    container: MetaGraphFile, path: str, *, keys: Keys | None = None, force: bool = False
) -> None:
    """Write a .meta file with its edits, and its checkpoint under the prefix of ``path``.

    Args:
        container: edited.
        path: where to; with a checkpoint it ends in .meta.
        keys: the new checkpoint key of each old one.
        force: replace existing files.

    Raises:
        UnsupportedError: a checkpoint belongs to it, and ``path`` gives that no name.
        OutputExistsError: a file exists, and not ``force``.
    """
    pieces = _metagraph_file(container, path)
    check_output(path, force=force)
    if container.checkpoint is not None:
        prefix = checkpoint_prefix(path)
        if prefix is None:
            raise UnsupportedError(
                "the checkpoint beside a .meta file takes its name from it", where=Where(path),
                expected="a path that ends in .meta",
            )
        container.checkpoint.save_as(prefix, keys=keys, force=force)
    with atomic_output(path, force=force) as out:
        write_pieces(out.file, pieces)


def _metagraph_file(container: MetaGraphFile, path: str) -> list[Piece]:
    source = container.metagraph.source
    pieces = container.metagraph.pieces()
    check_size(pieces, path, "MetaGraphDef")
    if not container.is_text:
        return pieces
    if pieces == [source]:
        return [container.file.span()]
    data = b"".join(map(piece_bytes, pieces))
    return [proto.format_text(proto.MetaGraphDef.FromString(data)).encode()]


def save_savedmodel(
    container: SavedModel, path: str, *, keys: Keys | None = None,
    others: Mapping[str, Sequence[Piece]] | None = None, force: bool = False,
) -> None:
    """Write a SavedModel folder with its edits.

    Args:
        container: edited.
        path: the folder to write.
        keys: the new checkpoint key of each old one.
        others: what other files are to hold, by their path in the folder.
        force: replace an existing SavedModel.

    Raises:
        UnsafeFileError: a link out of the folder.
        OutputExistsError: it exists, and not ``force``.
    """
    name = "saved_model.pbtxt" if container.is_text else "saved_model.pb"
    pieces = _savedmodel_file(container)
    check_size(pieces, path, "SavedModel")
    changed = {**(others or {}), name: pieces}
    with atomic_folder(path, force=force, markers=_MARKERS) as folder:
        for below in _folders(container.folder):
            os.makedirs(os.path.join(folder, below), exist_ok=True)
        for file in _files(container.folder):
            if container.checkpoint is not None and file.startswith(
                (f"{_VARIABLES}.index", f"{_VARIABLES}.data-")
            ):
                continue
            with (
                SourceFile(os.path.join(container.folder, file)) as source,
                open(os.path.join(folder, file), "xb") as out,
            ):
                write_pieces(out, changed.get(file, [source.span()]))
        if container.checkpoint is not None:
            container.checkpoint.save_as(os.path.join(folder, _VARIABLES), keys=keys)
        edited = pieces != [container.file.span()]
        if edited or checkpoint_hash(folder) != checkpoint_hash(container.folder):
            renew(folder, graph=edited, structure=edited)


def _savedmodel_file(container: SavedModel) -> list[Piece]:
    made = [metagraph.pieces() for metagraph in container.metagraphs]
    same = all(
        pieces == [m.source] for pieces, m in zip(made, container.metagraphs, strict=True)
    )
    if same:
        return [container.file.span()]
    if container.is_text:
        message = proto.parse_text(str(container.file.view(), "utf-8"), proto.SavedModel)
        del message.meta_graphs[:]
        for pieces in made:
            message.meta_graphs.add().MergeFromString(b"".join(map(piece_bytes, pieces)))
        return [proto.format_text(message).encode()]
    whole = container.file.span()
    spans = [s for s in wire.scan(whole.view()) if s.field == _META_GRAPH]
    edits = [
        (span, delimited(_META_GRAPH, pieces))
        for span, pieces, metagraph in zip(spans, made, container.metagraphs, strict=True)
        if pieces != [metagraph.source]
    ]
    return splice(whole, edits)


def _files(folder: str) -> list[str]:
    """All files below a folder, sorted. Raises UnsafeFileError."""
    found = []
    home = os.path.realpath(folder)
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.commonpath([home, os.path.realpath(path)]) != home:
                raise UnsafeFileError("a link out of the SavedModel", where=Where(path))
            found.append(os.path.relpath(path, folder))
    return sorted(found)


def _folders(folder: str) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(root, name), folder)
        for root, names, _ in os.walk(folder)
        for name in names
        if not os.path.islink(os.path.join(root, name))
    )
