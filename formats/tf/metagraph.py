"""MetaGraphDef: a graph with what one needs to run it; .meta files, and the parts of SavedModels.

    1 meta_info_def  2 graph_def  3 saver_def  4 collection_def  5 signature_def
    6 asset_file_def  7 object_graph_def

The graph stays where it is, the rest is parsed. Source: tensorflow/core/protobuf/meta_graph.proto.

A file PREFIX.meta, or in text also PREFIX.meta.pbtxt or PREFIX.pbtxt, has its variables in the
checkpoint PREFIX.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from modelfmt import dtypes, proto
from modelfmt.container import Container
from modelfmt.dtypes import DType
from modelfmt.errors import CorruptFileError, MissingError, Where, located
from modelfmt.graph import Dims, Graph
from modelfmt.graphs.inline import inline
from modelfmt.graphs.variables import values
from modelfmt.storage import wire
from modelfmt.storage.files import FileSpan, Piece, SourceFile, piece_bytes
from modelfmt.storage.splice import delimited, splice
from modelfmt.tensor import Tensor
from modelfmt.tf.collections import Collection, read_collection
from modelfmt.tf.defs import AssetFileDef, SaverDef, read_asset_file_def, read_saver_def
from modelfmt.tf.graphdef import WireGraph
from modelfmt.tf.nodedef import view_of

if TYPE_CHECKING:
    from modelfmt.tf.checkpoint import Checkpoint

_GRAPH_DEF = 2
_SUFFIXES = (".meta.pbtxt", ".meta", ".pbtxt")
_ASSETS = "saved_model_assets"  # where TensorFlow 1 listed them before asset_file_def


def checkpoint_prefix(path: str) -> str | None:
    """The prefix of the checkpoint that belongs to a .meta file; None for another name."""
    for suffix in _SUFFIXES:
        if path.endswith(suffix):
            prefix = path.removesuffix(suffix)
            return prefix if os.path.basename(prefix) else None
    return None


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """An input or output of a signature: the tensor it stands for, as ``a`` or ``a:1``.

    ``dtype`` is None for an op that yields no tensor, such as an initialiser.
    """

    tensor: str
    dtype: DType | None
    shape: Dims


@dataclasses.dataclass(frozen=True)
class Signature:
    """A SignatureDef: inputs and outputs by key, in order of the keys."""

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    method: str = ""


class MetaGraph:
    """A serialised MetaGraphDef; ``graph`` is scanned lazily, ``message`` is all the rest.

    Raises:
        CorruptFileError: not a MetaGraphDef.
    """

    def __init__(self, source: FileSpan | bytes) -> None:
        self.source = source
        view = source.view() if isinstance(source, FileSpan) else memoryview(source)
        spans = [span for span in wire.scan(view) if span.field == _GRAPH_DEF]
        rest = b"".join(map(piece_bytes, splice(source, [(span, []) for span in spans])))
        try:
            self.message = proto.MetaGraphDef.FromString(rest)
        except proto.DecodeError as error:
            raise CorruptFileError(f"not a MetaGraphDef ({error})") from None
        parts = [
            source.span(span.offset, span.length)
            if isinstance(source, FileSpan)
            else source[span.offset : span.end]
            for span in spans
        ]
        if len(parts) > 1:  # a reader of protobuf merges them
            parts = [b"".join(map(piece_bytes, parts))]
        self.graph = WireGraph(parts[0] if parts else b"")
        self.fields: dict[wire.Span, list[Piece]] = {}

    def pieces(self) -> list[Piece]:
        """The MetaGraphDef with the edits of its graph, and other ``fields`` in their places."""
        graph = self.graph.pieces()
        changes = dict(self.fields)
        if graph != [self.graph.source]:
            spans = [s for s in wire.scan(view_of(self.source)) if s.field == _GRAPH_DEF]
            for number, span in enumerate(spans):
                changes[span] = delimited(_GRAPH_DEF, graph) if number == 0 else []
        return splice(self.source, sorted(changes.items(), key=lambda change: change[0].start))

    @cached_property
    def inlined(self) -> Graph:
        """The graph with its calls expanded."""
        return inline(self.graph)

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(self.message.meta_info_def.tags)

    @cached_property
    def collections(self) -> Mapping[str, Collection]:
        """The collections by key, in order of the keys; entries are decoded when asked for."""
        stored = self.message.collection_def
        return {
            key: read_collection(key, stored[key].SerializeToString(deterministic=True))
            for key in sorted(stored)
        }

    @property
    def saver(self) -> SaverDef | None:
        """The nodes that save and restore the variables, where the file names them."""
        if not self.message.HasField("saver_def"):
            return None
        return read_saver_def(self.message.saver_def.SerializeToString(deterministic=True))

    @property
    def assets(self) -> list[AssetFileDef]:
        """The files that belong to the graph, in the order of the list."""
        if self.message.asset_file_def or _ASSETS not in self.collections:
            return [
                read_asset_file_def(asset.SerializeToString(deterministic=True))
                for asset in self.message.asset_file_def
            ]
        listed = self.collections[_ASSETS].values
        return [value for value in listed if isinstance(value, AssetFileDef)]

    @cached_property
    def signatures(self) -> dict[str, Signature]:
        """The signatures by key; those that hold no plain tensors are left out."""
        found = {}
        for key in sorted(self.message.signature_def):
            message = self.message.signature_def[key]
            found[key] = Signature(
                {k: _info(message.inputs[k]) for k in sorted(message.inputs)},
                {k: _info(message.outputs[k]) for k in sorted(message.outputs)},
                message.method_name,
            )
        return found

    def signature(self, key: str | None = None) -> Signature | None:
        """The signature called ``key``; without a key ``serving_default``, else the only one.

        Raises:
            MissingError: there is none of that key.
        """
        if key is not None:
            if key not in self.signatures:
                raise MissingError(f"no signature {key!r}", close_matches=list(self.signatures))
            return self.signatures[key]
        if "serving_default" in self.signatures:
            return self.signatures["serving_default"]
        real = [k for k in self.signatures if not k.startswith("__saved_model")]
        return self.signatures[real[0]] if len(real) == 1 else None


def _info(info: proto.TensorInfo) -> TensorInfo:
    shape = info.tensor_shape
    dims = None if shape.unknown_rank else tuple(
        None if dim.size < 0 else dim.size for dim in shape.dim
    )
    name = info.name.removesuffix(":0")
    return TensorInfo(name, dtypes.from_enum(info.dtype) if info.dtype else None, dims)


class GraphWithVariables(Container):
    """What .meta files and SavedModels have in common: a MetaGraph, and a checkpoint beside it."""

    @property
    def metagraph(self) -> MetaGraph:
        """The MetaGraph that is looked at."""
        raise NotImplementedError

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The variables' values, where there are any."""
        raise NotImplementedError

    @property
    def graph(self) -> Graph:
        """The graph, with its calls expanded."""
        return self.metagraph.inlined

    @cached_property
    def values(self) -> Mapping[str, Tensor]:
        """What each variable of the graph holds, by node name."""
        if self.checkpoint is None:
            return {}
        return values(self.graph, self.checkpoint.tensors)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors of the checkpoint, by key."""
        return {} if self.checkpoint is None else self.checkpoint.tensors


class MetaGraphFile(GraphWithVariables):
    """A .meta file, binary or text, with the checkpoint of its prefix where there is one.

    Kind ``metagraph``.
    """

    kind = "metagraph"

    def __init__(self, path: str, *, text: bool = False) -> None:
        super().__init__(path)
        self.file = SourceFile(path)
        self.is_text = text
        with located(path=path):
            self._metagraph = MetaGraph(self._parse_text() if text else self.file.span())

    @property
    def metagraph(self) -> MetaGraph:
        return self._metagraph

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        from modelfmt.tf.checkpoint import Checkpoint, find_checkpoint

        prefix = checkpoint_prefix(self.path)
        if prefix is None or os.path.isdir(prefix) or find_checkpoint(prefix) is None:
            return None
        return Checkpoint(prefix, verify=True)

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the graph with its edits, and its checkpoint under the prefix of ``path``."""
        from modelfmt.tf.savedmodel_save import save_metagraph

        save_metagraph(self, path, force=force)

    def close(self) -> None:
        self.file.close()
        if self.__dict__.get("checkpoint"):
            self.__dict__["checkpoint"].close()

    def _parse_text(self) -> bytes:
        try:
            text = str(self.file.view(), "utf-8")
            message = proto.parse_text(text, proto.MetaGraphDef)
        except (UnicodeDecodeError, proto.ParseError) as error:
            raise CorruptFileError(f"not a text MetaGraphDef ({error})", where=Where()) from None
        return message.SerializeToString(deterministic=True)
