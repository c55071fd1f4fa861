"""SavedModel folders.

    saved_model.pb or .pbtxt    SavedModel {1 schema version, 2 meta_graphs}
    variables/variables.*       a checkpoint of the variables
    assets/, keras_metadata.pb, fingerprint.pb

Source: tensorflow/core/protobuf/saved_model.proto, python/saved_model/constants.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from modelfmt import proto
from modelfmt.errors import CorruptFileError, MissingError, Where, located
from modelfmt.storage import wire
from modelfmt.storage.files import SourceFile
from modelfmt.tf.metagraph import GraphWithVariables, MetaGraph

if TYPE_CHECKING:
    from modelfmt.tf.checkpoint import Checkpoint

_META_GRAPH = 2
SERVE = "serve"


class SavedModel(GraphWithVariables):
    """A SavedModel folder; the MetaGraph of the wanted tags is looked at. Kind ``savedmodel``.

    Args:
        path: the folder, or the saved_model.pb in it.
        tags: of the MetaGraph; where left out the one tagged ``serve``, else the first.

    Raises:
        MissingError: no such folder, or no MetaGraph of these tags.
        CorruptFileError: saved_model.pb is damaged.
    """

    kind = "savedmodel"

    def __init__(self, path: str, *, tags: Sequence[str] | None = None) -> None:
        super().__init__(path)
        self.folder = path if os.path.isdir(path) else os.path.dirname(path) or "."
        binary = os.path.join(self.folder, "saved_model.pb")
        self.is_text = not os.path.exists(binary)
        name = f"{binary}txt" if self.is_text else binary
        self.file = SourceFile(name)
        with located(path=name):
            self.metagraphs = self._parse_text() if self.is_text else self._parse()
            self._metagraph = self._pick(tags)

    @property
    def metagraph(self) -> MetaGraph:
        return self._metagraph

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        from modelfmt.tf.checkpoint import Checkpoint

        prefix = os.path.join(self.folder, "variables", "variables")
        return Checkpoint(prefix, verify=True) if os.path.exists(f"{prefix}.index") else None

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the folder with the edits of its graphs and variables."""
        from modelfmt.tf.savedmodel_save import save_savedmodel

        save_savedmodel(self, path, force=force)

    def close(self) -> None:
        self.file.close()
        if self.__dict__.get("checkpoint"):
            self.__dict__["checkpoint"].close()

    def _parse(self) -> list[MetaGraph]:
        whole = self.file.span()
        return [
            MetaGraph(whole.span(span.offset, span.length))
            for span in wire.scan(whole.view())
            if span.field == _META_GRAPH
        ]

    def _parse_text(self) -> list[MetaGraph]:
        try:
            text = str(self.file.view(), "utf-8")
            message = proto.parse_text(text, proto.SavedModel)
        except (UnicodeDecodeError, proto.ParseError) as error:
            raise CorruptFileError(f"not a text SavedModel ({error})", where=Where()) from None
        return [
            MetaGraph(meta.SerializeToString(deterministic=True)) for meta in message.meta_graphs
        ]

    def _pick(self, tags: Sequence[str] | None) -> MetaGraph:
        for metagraph in self.metagraphs:
            if set(metagraph.tags) == set(tags) if tags else SERVE in metagraph.tags:
                return metagraph
        if not self.metagraphs or tags:
            listed = ["+".join(m.tags) or "no tags" for m in self.metagraphs]
            raise MissingError(
                f"no MetaGraph tagged {'+'.join(tags or [SERVE])}", close_matches=listed
            )
        return self.metagraphs[0]
