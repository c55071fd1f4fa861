"""Weights of Keras 3 in several HDF5 files, as ``model.save_weights(path, max_shard_size=...)`` has
them.

    NAME.weights.json         {"metadata": {"total_size": bytes},
                               "weight_map": {"/layers/dense/vars": SHARD or [SHARD, ...]}}
    NAME_00000.weights.h5     shards beside it: each the tree of tree.py, with other groups of it

A group that did not fit into one shard goes on in the next. Written under another name, the shards
take theirs from it. Keras has no .keras of this sort: it neither writes nor reads one. Source:
Keras saving_lib.py, ``ShardedH5IOStore``.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modelfmt.container import Container, EditedTensors
from modelfmt.errors import (
    CorruptFileError,
    MissingError,
    UnsafeFileError,
    UnsupportedError,
    Where,
)
from modelfmt.keras.h5 import KerasWeights, parse_json
from modelfmt.keras.stored import StoredTensors, elements_of
from modelfmt.keras.tree import tree_order
from modelfmt.storage.files import Piece, SourceFile, atomic_output, write_pieces
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.storage.output import check_output
from modelfmt.tensor import Tensor

MAP = ".weights.json"
_SHARD = re.compile(r"_\d{5}\.weights\.h5$")


class ShardedWeights(KerasWeights):
    """A .weights.json with its shards. Kind ``keras-weights``.

    Attributes:
        shards: the names of the files, in the order of the map.
        readers: of these, likewise.
        text, config: the map as it stands, and parsed.

    Raises:
        MissingError: a shard does not exist.
        CorruptFileError: no JSON, or no map of weights.
        UnsafeFileError: a shard in another folder.
    """

    def __init__(self, path: str) -> None:
        Container.__init__(self, path)
        self.oddities: list[str] = []
        with SourceFile(path) as file:
            self.text = file.read(0, file.size)
        self.config = parse_json(self.text, path, "")
        self.weight_map = _weight_map(self.config, path)
        self.shards = list(dict.fromkeys(n for names in self.weight_map.values() for n in names))
        folder = os.path.dirname(path)
        self.readers: list[Hdf5Reader] = []
        found: dict[str, Tensor] = {}
        try:
            for name in self.shards:
                place = os.path.join(folder, name)
                self.readers.append(Hdf5Reader(place))
                found.update(StoredTensors(self.readers[-1], place))
        except BaseException:
            self.close()
            raise
        self.reader = self.readers[0]
        self._edited = EditedTensors(
            _Found((name, found[name]) for name in tree_order(found)), path
        )
        self._note(found, folder)

    @property
    def layout(self) -> str:
        return "tree"

    def config_of(self, left: Mapping[str, int]) -> dict[str, Any]:
        """The map of the tensors that are left, given their sizes in bytes."""
        config = dict(self.config)
        total = sum(left.values())
        changed = total != sum(tensor.nbytes for tensor in self.tensors.values())
        if changed and isinstance(config.get("metadata"), dict):
            config["metadata"] = {**config["metadata"], "total_size": total}
        config["weight_map"] = {
            group: held
            for group, held in config["weight_map"].items()
            if _has(left, group) or not _has(self.tensors, group)
        }
        return config

    def save(self, path: str, *, force: bool = False) -> None:
        """Write map and shards with their edits; only the bytes of replaced elements differ."""
        from modelfmt.storage.hdf5.refill import refilled

        edits = {name: elements_of(tensor) for name, tensor in self._edited.edits.items()}
        shards: dict[str, list[Piece]] = {}
        for name, reader in zip(self.shards, self.readers, strict=True):
            own = {key: value for key, value in edits.items() if reader.exists(key)}
            shards[name] = refilled(reader, own, path) if own else [reader.source]
        write_sharded(path, self.text, self.config, shards, force=force)

    def close(self) -> None:
        for reader in self.readers:
            reader.close()

    def _note(self, found: dict[str, Tensor], folder: str) -> None:
        for group in self.weight_map:
            if not _has(found, group):
                self.oddities.append(f'the map tells of "{group}", which no shard has')
        base = _SHARD.sub("", self.shards[0])
        for name in sorted(os.listdir(folder or ".")):
            if name not in self.shards and _SHARD.sub("", name) == base and _SHARD.search(name):
                self.oddities.append(f'the map does not use the shard "{name}"')


def write_sharded(
    path: str, text: bytes | None, config: dict[str, Any], shards: Mapping[str, Sequence[Piece]],
    *, force: bool = False,
) -> None:
    """Write shards, then their map, each atomically. Read by: ``ShardedWeights``.

    Args:
        path: the map's; the shards stand beside it, called like it.
        text: the map as it stood; None where it says something else now.
        config: the map parsed, with the old names of the shards.
        shards: their bytes, by old name.
        force: replace existing files.

    Raises:
        UnsupportedError: ``path`` gives the shards no name.
        OutputExistsError: a file exists, and not ``force``.
    """
    base = os.path.basename(path).removesuffix(MAP)
    if not path.endswith(MAP) or not base:
        raise UnsupportedError(
            "shards take their names from their map", where=Where(path),
            expected=f"a path that ends in {MAP}",
        )
    names = {name: base + found[0] if (found := _SHARD.search(name)) else name for name in shards}
    targets = {name: os.path.join(os.path.dirname(path), new) for name, new in names.items()}
    for target in (*targets.values(), path):
        check_output(target, force=force)
    if text is None or any(old != new for old, new in names.items()):
        renamed = {
            group: [names[name] for name in held] if isinstance(held, list) else names[held]
            for group, held in config["weight_map"].items()
        }
        text = json.dumps({**config, "weight_map": renamed}, indent=4).encode()
    for name, pieces in shards.items():
        with atomic_output(targets[name], force=force) as out:
            write_pieces(out.file, pieces)
    with atomic_output(path, force=force) as out:
        write_pieces(out.file, [text])


def _has(names: Iterable[str], group: str) -> bool:
    return any(f"/{name}".startswith(f"{group}/") for name in names)


class _Found(dict[str, Tensor]):
    def __missing__(self, name: str) -> Tensor:
        close = difflib.get_close_matches(name, list(self), n=3)
        raise MissingError(f"no tensor {name!r}", close_matches=close)


def _weight_map(config: dict[str, Any], path: str) -> dict[str, list[str]]:
    """The shards of each group. Raises CorruptFileError, UnsafeFileError."""
    where = Where(path, '"weight_map"')
    stated = config.get("weight_map")
    if not isinstance(stated, dict) or not stated:
        raise CorruptFileError("no map of weights to shards", where=where)
    found: dict[str, list[str]] = {}
    for group, value in stated.items():
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) and name for name in names):
            raise CorruptFileError(f'"{group}" has no shard', where=where, found=value)
        for name in names:
            if name != os.path.basename(name) or name in (".", "..") or "\\" in name:
                raise UnsafeFileError("a shard in another folder", where=where, found=repr(name))
        found[group] = names
    return found
