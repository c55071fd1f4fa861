"""Open a model file of any kind, recognised by its content."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from modelfmt.container import Container
from modelfmt.errors import (
    ModelFormatError,
    TruncatedError,
    UnknownFormatError,
    UnsupportedError,
    Where,
)
from modelfmt.storage import wire
from modelfmt.storage.files import SourceFile

#: The kinds of CONTRACT.md that can be opened so far.
KINDS = (
    "graphdef", "metagraph", "savedmodel", "checkpoint", "keras-h5", "keras-weights", "keras",
)  # fmt: skip

#: Files of plain arrays, and of layers without weights, opened as well.
ARRAYS = ("npz", "safetensors")
CONFIG = "keras-config"

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_RIEGELI = bytes.fromhex("83af70d10d884a3f")  # a file of records: SavedModels of 2 GB and more
#: A .weights.json of Keras 3, which tells in which shard each group of weights stands.
_SHARD_MAP = re.compile(rb'\s*\{[^\[\]]*"weight_map"\s*:\s*\{')
#: A model's config: JSON or YAML whose first key is one of a config's.
_CONFIG = re.compile(
    rb'\s*\{\s*"(class_name|config|keras_version|backend|module|name|registered_name|build_config|'
    rb'compile_config)"\s*:|(class_name|config|keras_version|backend):[ \r\n]'
)
_OP = re.compile(rb"[A-Za-z0-9_>.\-]+")
_TEXT_GRAPH = re.compile(r"\s*(#[^\n]*\n\s*)*(node|versions|library)\s*[:{]")
_TEXT_OTHER = re.compile(r"\s*(#[^\n]*\n\s*)*(meta_info_def|graph_def|saved_model_schema_version)")


def open(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    tags: Sequence[str] | None = None,
) -> Container:
    """Open a model file; nothing but its structure is read.

    Args:
        path: the file; of a checkpoint also the prefix, or its folder.
        kind: overrides what the content says.
        tags: of a SavedModel's MetaGraph; ``serve`` where left out.

    Raises:
        MissingError: there is no such file.
        UnknownFormatError: nothing recognises the content.
        UnsupportedError: no such kind.
        CorruptFileError: the file breaks the rules of its format.
    """
    path = os.fspath(path)
    found = kind or sniff(path)
    if found == "keras-weights" and _is_shard_map(path):
        from modelfmt.keras.sharded import ShardedWeights

        return ShardedWeights(path)
    if found in ("keras-h5", "keras-weights"):
        from modelfmt.keras.h5 import KerasH5, KerasWeights

        return KerasH5(path) if found == "keras-h5" else KerasWeights(path)
    if found == "keras":
        from modelfmt.keras.archive import KerasArchive

        return KerasArchive(path)
    if found == "graphdef":
        from modelfmt.tf.graphdef import GraphDefFile

        return GraphDefFile(path, text=_is_text(path))
    if found == "checkpoint":
        from modelfmt.tf.checkpoint import Checkpoint

        return Checkpoint(path, verify=True)
    if found == "metagraph":
        from modelfmt.tf.metagraph import MetaGraphFile

        return MetaGraphFile(path, text=_is_text(path))
    if found == "savedmodel":
        from modelfmt.tf.savedmodel import SavedModel

        return SavedModel(path, tags=tags)
    if found in ARRAYS:
        from modelfmt.arrays import NpzFile, SafetensorsFile

        return NpzFile(path) if found == "npz" else SafetensorsFile(path)
    if found == CONFIG:
        from modelfmt.keras.architecture import KerasConfig

        return KerasConfig(path)
    raise UnsupportedError(
        f"no kind {found}", where=Where(path),
        expected=f"one of {', '.join((*KINDS, *ARRAYS, CONFIG))}",
    )


def _is_shard_map(path: str) -> bool:
    with SourceFile(path) as file:
        return _SHARD_MAP.match(file.read(0, min(file.size, 1 << 12))) is not None


def sniff(path: str) -> str:
    """The kind of a file, by its content. Raises as ``open``."""
    if os.path.isdir(path):
        if any(os.path.exists(os.path.join(path, f"saved_model.{e}")) for e in ("pb", "pbtxt")):
            return "savedmodel"
        chunked = os.path.join(path, "saved_model.cpb")
        if os.path.exists(chunked):
            raise _chunked(chunked)
        if _is_checkpoint(path):
            return "checkpoint"
        raise UnknownFormatError(
            "a folder that holds no SavedModel and no checkpoint", where=Where(path)
        )
    if not os.path.exists(path) and _is_checkpoint(path):
        return "checkpoint"
    with SourceFile(path) as file:
        if not file.size:
            if _is_checkpoint(path):
                return "checkpoint"
            raise UnknownFormatError("the file is empty", where=Where(path))
        head = file.read(0, min(file.size, 1 << 12))
        if head.startswith(_HDF5):
            return _hdf5_kind(path)
        if head.startswith(_ZIP):
            return "npz" if _first_member(head).endswith(b".npy") else "keras"
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= file.size - 8:
            return "safetensors"
        if head.startswith(_RIEGELI):
            raise _chunked(path)
        if _SHARD_MAP.match(head):
            return "keras-weights"
        if _CONFIG.match(head):
            return CONFIG
        kind = _protobuf_kind(file) or _text_kind(head)
    if kind is None and _is_checkpoint(path):
        return "checkpoint"
    if kind is None:
        raise UnknownFormatError(
            "no model file that modelfmt knows", where=Where(path),
            expected=f"one of {', '.join(KINDS)}", found=f"bytes {head[:8]!r}",
        )
    return kind


def _first_member(head: bytes) -> bytes:
    """The name of a zip's first member: at 30, as long as the number at 26 says."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")]


def _chunked(path: str) -> UnsupportedError:
    return UnsupportedError(
        "a SavedModel in chunks, as TensorFlow writes those of 2 GB and more", where=Where(path),
        expected="saved_model.pb or saved_model.pbtxt",
        hint="TensorFlow's tf.saved_model.load reads it.",
    )


def _is_checkpoint(path: str) -> bool:
    from modelfmt.tf.checkpoint import find_checkpoint

    return find_checkpoint(path) is not None


def _hdf5_kind(path: str) -> str:
    from modelfmt.storage.hdf5 import Hdf5Reader

    with Hdf5Reader(path) as reader:
        return "keras-weights" if reader.attribute("/", "model_config") is None else "keras-h5"


def _protobuf_kind(file: SourceFile) -> str | None:
    """By the first field: a GraphDef begins with a node, which begins with name and op."""
    view = file.view()
    try:
        first = next(wire.fields(view))
    except TruncatedError:
        # A GraphDef cut off within its first node still shows the node's beginning.
        return "graphdef" if view[0] == 0x0A and _begins_node(view) else None
    except ModelFormatError:
        return None
    field, wire_type, _, offset, length = first
    if field == 1 and wire_type == wire.VARINT:
        return "savedmodel"
    if field == 1 and wire_type == wire.LEN:
        return "graphdef" if _begins_node(view) else _metagraph(view, offset + length)
    if field in (2, 4) and wire_type == wire.LEN and _is_whole(view, {1, 2, 3, 4}):
        return "graphdef"
    return None


def _begins_node(view: memoryview) -> bool:
    """Whether the first field's value begins as a NodeDef: 1 name, 2 op."""
    try:
        _, start = wire.read_varint(view, 1)
        parts = wire.fields(view, start)
        name, op = next(parts), next(parts)
    except (ModelFormatError, StopIteration):
        return False
    text = bytes(view[op[3] : op[3] + op[4]])
    return name[:2] == (1, wire.LEN) and op[:2] == (2, wire.LEN) and bool(_OP.fullmatch(text))


def _metagraph(view: memoryview, after: int) -> str | None:
    try:
        following = next(wire.fields(view, after), None)
    except TruncatedError:
        return "metagraph" if view[after] == 0x12 else None  # cut off within its graph
    except ModelFormatError:
        return None
    if following is None or following[1] != wire.LEN:
        return None
    # Writers put the graph second; elsewhere it is a MetaGraphDef as well.
    return "metagraph" if following[0] == 2 or _is_whole(view, set(range(1, 8))) else None


def _is_whole(view: memoryview, allowed: set[int]) -> bool:
    try:
        return all(item[0] in allowed for item in wire.fields(view))
    except ModelFormatError:
        return False


def _text_kind(head: bytes) -> str | None:
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 1 << 12 else "ignore")
    except UnicodeDecodeError:
        return None
    if _TEXT_GRAPH.match(text):
        return "graphdef"
    other = _TEXT_OTHER.match(text)
    if other:
        return "savedmodel" if other[2].startswith("saved") else "metagraph"
    return None


def _is_text(path: str) -> bool:
    with SourceFile(path) as file:
        head = file.read(0, min(file.size, 1 << 12))
        binary = any(byte < 9 or 13 < byte < 32 for byte in head)  # control characters
        return file.size > 0 and not binary and _protobuf_kind(file) is None
