"""Weights of Keras 3 in several HDF5 files, as ``model.save_weights(path, max_shard_size=...)`` has
them.

    NAME.weights.json         {"metadata": {"total_size": bytes},
                               "weight_map": {"/layers/dense/vars": SHARD or [SHARD, ...]}}
    NAME_00000.weights.h5     shards beside it: each the tree of tree.py, with other groups of it

A group that did not fit into one shard goes on in the next. Source: Keras saving_lib.py,
``ShardedH5IOStore``.
"""

from __future__ import annotations

import difflib
import os
import re
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
from modelfmt.keras.stored import StoredTensors
from modelfmt.keras.tree import tree_order
from modelfmt.storage.files import SourceFile
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.tensor import Tensor

_SHARD = re.compile(r"_\d{5}\.weights\.h5$")


class ShardedWeights(KerasWeights):
    """A .weights.json with its shards. Kind ``keras-weights``.

    Attributes:
        shards: the names of the files, in the order of the map.

    Raises:
        MissingError: a shard does not exist.
        CorruptFileError: no JSON, or no map of weights.
        UnsafeFileError: a shard in another folder.
    """

    def __init__(self, path: str) -> None:
        Container.__init__(self, path)
        self.oddities: list[str] = []
        with SourceFile(path) as file:
            text = file.read(0, file.size)
        self.weight_map = _weight_map(parse_json(text, path, ""), path)
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

    def save(self, path: str, *, force: bool = False) -> None:
        """Not yet: of what Keras reads, one .weights.h5 holds the same."""
        raise UnsupportedError(
            "saving sharded weights", where=Where(self.path), hint="Edit one of its shards."
        )

    def close(self) -> None:
        for reader in self.readers:
            reader.close()

    def _note(self, found: dict[str, Tensor], folder: str) -> None:
        for group in self.weight_map:
            if not any(f"/{name}".startswith(f"{group}/") for name in found):
                self.oddities.append(f'the map tells of "{group}", which no shard has')
        base = _SHARD.sub("", self.shards[0])
        for name in sorted(os.listdir(folder or ".")):
            if name not in self.shards and _SHARD.sub("", name) == base and _SHARD.search(name):
                self.oddities.append(f'the map does not use the shard "{name}"')


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
