"""Checkpoints of TensorFlow, version 1 and 2, as containers: tensors by their checkpoint keys.

    PREFIX.index, PREFIX.data-0000i-of-0000n    version 2 (bundle.py)
    PREFIX, or PREFIX-0000i-of-0000n            version 1 (checkpoint_v1.py)
    FOLDER/checkpoint                           says which of a folder is the latest
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import TYPE_CHECKING, NamedTuple

from modelfmt.container import Container
from modelfmt.errors import (
    MissingError,
    ModelFormatError,
    UnknownFormatError,
    Where,
)
from modelfmt.storage import wire
from modelfmt.storage.files import SourceFile
from modelfmt.storage.sstable import Table, is_table
from modelfmt.tensor import Tensor
from modelfmt.tf import checkpoint_state
from modelfmt.tf.bundle import Bundle
from modelfmt.tf.bundle_writer import copy_files
from modelfmt.tf.checkpoint_v1 import SliceTables, find_shards, shard_prefix

if TYPE_CHECKING:
    import numpy.typing as npt

_DATA = re.compile(r"\.data-\d{5}-of-\d{5}$")


class Found(NamedTuple):
    """A checkpoint on disk: its prefix, and for version 1 its files (version 2: none)."""

    prefix: str
    files: tuple[str, ...] = ()


def find_checkpoint(path: str) -> Found | None:
    """The checkpoint that a path means; None where it means none.

    Args:
        path: a prefix, an ``.index`` or a data file, a file of version 1, a folder with a file
            ``checkpoint``, or that file.

    Raises:
        MissingError: the ``checkpoint`` file names one that does not exist.
        CorruptFileError: it is no CheckpointState; or a table is damaged.
    """
    if os.path.isdir(path):
        if os.path.isfile(os.path.join(path, checkpoint_state.NAME)):
            return _latest(path)
    elif os.path.isfile(path):
        found = _of_file(path)
        if found is not None:
            return found
    return _of_prefix(path)


def _latest(folder: str) -> Found:
    prefix = checkpoint_state.latest_prefix(folder)
    # A file called so is this one, or another of its kind: following it could go on for ever.
    is_state = os.path.basename(prefix) == checkpoint_state.NAME
    found = _of_file(prefix) if os.path.isfile(prefix) and not is_state else None
    found = found or _of_prefix(prefix)
    if found is None:
        raise MissingError(
            "the latest checkpoint does not exist",
            where=Where(os.path.join(folder, checkpoint_state.NAME), f'checkpoint "{prefix}"'),
        )
    return found


def _of_file(path: str) -> Found | None:
    """By content: a table's first entry is a header (version 2) or meta (version 1)."""
    with SourceFile(path) as file:
        if is_table(file):
            row = Table(file).get(b"")
            first = next(wire.scan(row.value), None) if row is not None else None
            if first is not None and first.field == 1 and first.wire_type == wire.LEN:
                prefix = shard_prefix(path)
                files = find_shards(prefix, like=path) if prefix else [path]
                return Found(prefix or path, tuple(files))
            if first is not None and first.wire_type == wire.VARINT and path.endswith(".index"):
                return Found(path.removesuffix(".index"))
            return None
    if os.path.basename(path) == checkpoint_state.NAME:
        if checkpoint_state.is_checkpoint_state(path):
            return _latest(os.path.dirname(path) or ".")
        return None
    # A damaged index, or a shard, is recognised by what stands beside it.
    prefix = _DATA.sub("", path.removesuffix(".index"))
    return _of_prefix(prefix) if prefix != path and _has_data(prefix) else None


def _of_prefix(prefix: str) -> Found | None:
    if not os.path.basename(prefix):
        return None
    if os.path.isfile(f"{prefix}.index"):
        return Found(prefix)
    pattern = shard_prefix(prefix)
    if pattern is not None and "?" in prefix:
        prefix, like = pattern, prefix
    else:
        like = ""
    shards = find_shards(prefix, like)
    return Found(prefix, tuple(shards)) if shards else None


def _has_data(prefix: str) -> bool:
    folder, base = os.path.split(prefix)
    return any(
        name.startswith(base) and _DATA.fullmatch(name[len(base) :])
        for name in os.listdir(folder or ".")
    )


class Checkpoint(Container):
    """An open checkpoint. Kind ``checkpoint``.

    Args:
        path: what ``find_checkpoint`` takes.
        verify: check the crc32c of a tensor's bytes whenever they are read (version 2; version 1
            always does).

    Attributes:
        prefix: without ``.index``; for version 1 the file or what its shards have in common.
        version: 1 or 2.
    """

    kind = "checkpoint"

    def __init__(self, path: str, *, verify: bool = False) -> None:
        super().__init__(path)
        found = find_checkpoint(path)
        if found is None:
            if not os.path.exists(path):
                raise MissingError("no such checkpoint", where=Where(path))
            raise UnknownFormatError("no checkpoint", where=Where(path))
        self.prefix = found.prefix
        self.version = 1 if found.files else 2
        self.reader: Bundle | SliceTables = (
            SliceTables(found.files) if found.files else Bundle(found.prefix, verify=verify)
        )
        self._tensors = CheckpointTensors(self.reader, path)

    @property
    def tensors(self) -> CheckpointTensors:
        """The tensors by checkpoint key, in key order; assigning and deleting edits, for ``save``.

        Those that were added stand at the end.
        """
        return self._tensors

    def check(self) -> Iterator[ModelFormatError]:
        """Every fault of the file: checksums, sizes, slices. Reads all of it, in chunks."""
        return self.reader.check()

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the checkpoint with its edits under another prefix.

        Nothing edited means the same bytes, and a tensor replaced by one of its dtype and shape
        changes no others. Else it is one shard, whose data stands in the old order, replaced
        tensors in the place of the old ones, added ones at the end.

        Raises:
            UnsupportedError: tensors added to or deleted from a checkpoint in big-endian order.
        """
        self.save_as(path, force=force)

    def save_as(
        self, path: str, *, keys: Callable[[str], str] | None = None, force: bool = False
    ) -> None:
        """As ``save``, with the tensors under the keys that ``keys`` makes of theirs."""
        from modelfmt.tf.checkpoint_save import save_bundle
        from modelfmt.tf.checkpoint_v1_edits import save_tables

        prefix = path.removesuffix(".index")
        edits = self._tensors.edits
        if not edits and keys is None:
            self._copy(prefix, force)
        elif isinstance(self.reader, SliceTables):
            save_tables(self.reader, edits, self.prefix, prefix, keys=keys, force=force)
        else:
            save_bundle(self.reader, edits, prefix, keys=keys, force=force)

    def close(self) -> None:
        self.reader.close()

    def _copy(self, prefix: str, force: bool) -> None:
        sources = [SourceFile(name) for name in reversed(self.reader.files)]  # the index first
        try:
            copy_files(
                [(s.span(), prefix + s.path.removeprefix(self.prefix)) for s in sources],
                force=force,
            )
        finally:
            for source in sources:
                source.close()


class CheckpointTensors(MutableMapping[str, Tensor]):
    """A checkpoint's tensors; ``edits`` has those assigned, and None for those deleted."""

    def __init__(self, reader: Bundle | SliceTables, path: str) -> None:
        self._reader, self._path = reader, path
        self.edits: dict[str, Tensor | None] = {}

    def __getitem__(self, name: str) -> Tensor:
        tensor = self.edits[name] if name in self.edits else self._reader.tensor(name)
        if tensor is None:
            from difflib import get_close_matches

            raise MissingError(
                f"no tensor {name!r}", where=Where(self._path),
                close_matches=get_close_matches(name, list(self), 3),
            )
        return tensor

    def __setitem__(self, name: str, value: Tensor | npt.ArrayLike) -> None:
        """Replace or add a tensor: a Tensor, or an array."""
        tensor = value if isinstance(value, Tensor) else Tensor.from_numpy(name, value)
        self.edits[name] = tensor.renamed(name)

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self.edits[name] = None

    def __contains__(self, name: object) -> bool:
        if name in self.edits:
            return self.edits[str(name)] is not None
        return isinstance(name, str) and self._reader.has(name)

    def __iter__(self) -> Iterator[str]:
        for name in self._reader.names():
            if name not in self.edits or self.edits[name] is not None:
                yield name
        for name, tensor in self.edits.items():
            if tensor is not None and not self._reader.has(name):
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)
