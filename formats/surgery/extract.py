"""extract: a model file taken apart into a folder, or tensors or a subgraph taken out of it.

The folder is for hands and scripts: protos as text, tensors as .npy, strings as JSON, and a
manifest that says how they were one. Each payload is stored once; ``assemble`` reverses it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence

from modelfmt.container import Container
from modelfmt.errors import UnsafeFileError, UnsupportedError, Where, located
from modelfmt.storage.files import FileSpan, SourceFile, write_pieces
from modelfmt.storage.output import atomic_folder, check_output
from modelfmt.surgery.opening import open as open_container
from modelfmt.surgery.parts import MANIFEST, Names, Record, digest, write_manifest

#: Files of a SavedModel that are messages, and of which kind.
_MESSAGES = {
    "saved_model.pb": "SavedModel",
    "keras_metadata.pb": "KerasSavedMetadata",
    "fingerprint.pb": "FingerprintDef",
}
_TEXTS = {"saved_model.pbtxt": "SavedModel"}
_VARIABLES = "variables/variables"


@dataclasses.dataclass(frozen=True)
class Extraction:
    """What ``extract`` did: the kind of the source, and what is where."""

    source: str
    kind: str
    destination: str
    parts: int = 0
    tensors: int = 0
    remarks: list[str] = dataclasses.field(default_factory=list)


def extract(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    kind: str | None = None,
    select: Sequence[str] = (),
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    force: bool = False,
) -> Extraction:
    """Take a model file apart, or take something out of it.

    Args:
        path: any model file.
        out: a folder to make. With ``select`` a .npz, a .safetensors, or a folder of .npy; with
            ``inputs`` or ``outputs`` a .pb or .pbtxt.
        kind: overrides what the content says.
        select: take the tensors whose names match one of these globs.
        inputs, outputs: take the subgraph between these tensors, frozen.
        force: replace an existing output; of folders one that ``extract`` made.

    Raises:
        OutputExistsError: ``out`` exists, and not ``force``.
        UnsupportedError: a kind that cannot be taken apart yet.
        ModelFormatError: the file cannot be read, or is damaged.

    Reversed by: ``assemble.assemble``.
    """
    path, out = os.fspath(path), os.fspath(out)
    check_output(out, force=force)
    with open_container(path, kind=kind) as container, located(path=path):
        if inputs or outputs:
            return _subgraph(container, out, select, inputs, outputs, force=force)
        if select:
            from modelfmt.surgery.selection import write_selection

            container.verify()
            count, remarks = write_selection(container, out, select, force=force)
            return Extraction(path, container.kind, out, tensors=count, remarks=remarks)
        explode = _EXPLODERS.get(container.kind)
        if explode is None:
            raise UnsupportedError(
                f"taking a {container.kind} file apart is not supported yet", where=Where(path),
                expected=f"one of {', '.join(_EXPLODERS)}",
                hint="With --select its tensors can be taken out.",
            )
        with atomic_folder(out, force=force, markers=(MANIFEST,)) as folder:
            parts = explode(container, folder)
            write_manifest(folder, container.kind, parts, **_more(container))
    tensors = sum(map(_count, parts))
    return Extraction(path, container.kind, out, len(parts), tensors, list(_remarks(parts)))


def _count(part: Record) -> int:
    segments = (s for shard in part.get("shards", ()) for s in shard.get("segments", ()))
    inner = _within(part)
    own = len(part.get("holes", ())) + len(part.get("tensors", ()))
    return own + sum("key" in segment for segment in segments) + sum(map(_count, inner))


def _remarks(parts: Iterable[Record]) -> Iterator[str]:
    """What could not be made a part of its own, and what will not be the same bytes again."""
    for part in parts:
        for kept in part.get("kept", ()):
            yield f'"{kept["path"]}" stays in the skeleton: {kept["why"]}'
        packed = sum(row["how"] == "library" for row in part.get("layout", ()))
        if packed:
            what = f"{packed} packed dataset{'s' * (packed != 1)}"
            yield f"{what}: assemble gives the same tree, perhaps other bytes"
        yield from _remarks(_within(part))


def _within(part: Record) -> list[Record]:
    """The records of the files that a part is made of."""
    rows = (*part.get("members", ()), *part.get("shards", ()))
    return [row["content"] for row in rows if "content" in row]


def _more(container: Container) -> Record:
    return {"folders": _folders(container.path)} if container.kind == "savedmodel" else {}


def _graphdef(container: Container, folder: str) -> list[Record]:
    from modelfmt.tf.graphdef import GraphDefFile

    assert isinstance(container, GraphDefFile)
    return [_proto(container.path, "GraphDef", "graph", folder, container.is_text)]


def _metagraph(container: Container, folder: str) -> list[Record]:
    """The .meta; the checkpoint beside it is a container of its own."""
    from modelfmt.tf.metagraph import MetaGraphFile

    assert isinstance(container, MetaGraphFile)
    return [_proto(container.path, "MetaGraphDef", "meta_graph", folder, container.is_text)]


def _proto(path: str, message: str, stem: str, folder: str, is_text: bool) -> Record:
    from modelfmt.surgery.messages import explode_message

    names = Names()
    with SourceFile(path) as source:
        if is_text:
            return _text(source, message, stem, folder, names)
        return explode_message(source.span(), message, folder, stem, names)


def _text(
    source: SourceFile, message: str, stem: str, folder: str, names: Names, output: str = ""
) -> Record:
    """A text proto is readable as it is: it is one part, its payloads within."""
    file = names.allocate(".", stem, ".pbtxt")[2:]
    _write(folder, file, source.span())
    return {
        "part": "text", "message": message, "output": output, "file": file,
        "sha256": digest(source.read(0, source.size)),
    }


def _checkpoint(container: Container, folder: str) -> list[Record]:
    from modelfmt.tf.checkpoint import Checkpoint

    assert isinstance(container, Checkpoint)
    if container.version == 1:
        return [_tables(container, folder)]
    return [_bundle(container, folder, Names(), "", "checkpoint")]


def _tables(container: Container, folder: str) -> Record:
    from modelfmt.surgery.table_parts import explode_tables
    from modelfmt.tf.checkpoint import Checkpoint
    from modelfmt.tf.checkpoint_v1 import SliceTables

    assert isinstance(container, Checkpoint) and isinstance(container.reader, SliceTables)
    return explode_tables(container.reader, container.prefix, folder, Names())


def _bundle(container: Container, folder: str, names: Names, output: str, stem: str) -> Record:
    from modelfmt.surgery.bundles import explode_bundle
    from modelfmt.tf.bundle import Bundle
    from modelfmt.tf.checkpoint import Checkpoint

    assert isinstance(container, Checkpoint) and isinstance(container.reader, Bundle)
    tensors = "variables" if output else "tensors"
    return explode_bundle(
        container.reader, folder, names, output=output, tensors=tensors, stem=stem
    )


def _savedmodel(container: Container, folder: str) -> list[Record]:
    from modelfmt.surgery.messages import explode_message
    from modelfmt.tf.savedmodel import SavedModel

    assert isinstance(container, SavedModel)
    names = Names()
    parts: list[Record] = []
    has_bundle = container.checkpoint is not None
    for name in _files(container.folder):
        if has_bundle and name.startswith((f"{_VARIABLES}.index", f"{_VARIABLES}.data-")):
            continue
        with SourceFile(os.path.join(container.folder, *name.split("/"))) as source:
            stem = os.path.splitext(name)[0]
            if name in _MESSAGES:
                part = explode_message(
                    source.span(), _MESSAGES[name], folder, stem, names, output=name
                )
            elif name in _TEXTS:
                part = _text(source, _TEXTS[name], stem, folder, names, output=name)
            else:
                file = names.allocate("files", name, "")
                _write(folder, file, source.span())
                part = {"part": "file", "output": name, "file": file}
        parts.append(part)
    if container.checkpoint is not None:
        parts.append(_bundle(container.checkpoint, folder, names, _VARIABLES, "variables"))
    return parts


def _hdf5(container: Container, folder: str) -> list[Record]:
    from modelfmt.keras.sharded import ShardedWeights
    from modelfmt.surgery.hdf5_parts import explode_hdf5

    if isinstance(container, ShardedWeights):
        from modelfmt.surgery.sharded_parts import explode_shards

        return [explode_shards(container, folder)]
    names = Names()
    names.allocate(".", "manifest", ".json")
    with SourceFile(container.path) as source:
        return [explode_hdf5(source.span(), folder, names)]


def _archive(container: Container, folder: str) -> list[Record]:
    from modelfmt.surgery.archive_parts import explode_archive

    return [explode_archive(container.path, folder)]


def _files(folder: str) -> list[str]:
    """All files below a folder, with slashes, sorted. Raises UnsafeFileError."""
    found = []
    home = os.path.realpath(folder)
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if os.path.commonpath([home, os.path.realpath(path)]) != home:
                raise UnsafeFileError("a link out of the SavedModel", where=Where(path))
            found.append(os.path.relpath(path, folder).replace(os.sep, "/"))
    return sorted(found)


def _folders(path: str) -> list[str]:
    """The folders of a SavedModel, since some are empty."""
    folder = path if os.path.isdir(path) else os.path.dirname(path) or "."
    return sorted(
        os.path.relpath(os.path.join(root, name), folder).replace(os.sep, "/")
        for root, names, _ in os.walk(folder)
        for name in names
        if not os.path.islink(os.path.join(root, name))
    )


def _write(folder: str, name: str, span: FileSpan) -> None:
    path = os.path.join(folder, *name.split("/"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        write_pieces(file, [span])


_EXPLODERS = {
    "graphdef": _graphdef,
    "metagraph": _metagraph,
    "savedmodel": _savedmodel,
    "checkpoint": _checkpoint,
    "keras-h5": _hdf5,
    "keras-weights": _hdf5,
    "keras": _archive,
}


def _subgraph(
    container: Container, out: str, select: Sequence[str], inputs: Sequence[str] | None,
    outputs: Sequence[str] | None, *, force: bool,
) -> Extraction:
    from modelfmt.surgery.convert import UsageError
    from modelfmt.surgery.freeze import freeze_container
    from modelfmt.tf.graphdef import write_graphdef

    if select:
        raise UsageError("--select takes tensors out, --inputs and --outputs a graph: not both")
    if not container.has_graph:
        raise UnsupportedError(
            f"a {container.kind} file holds no graph to take a part of",
            hint="Convert it into a .pb first.",
        )
    graph = freeze_container(container, inputs, outputs)
    write_graphdef(graph, out, text=out.endswith(".pbtxt"), force=force)
    return Extraction(container.path, container.kind, out, parts=1)
