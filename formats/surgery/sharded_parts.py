"""Sharded weights of Keras 3 as parts: the map as JSON, and each shard as hdf5_parts.py has it.

    {"part": "shards", "output": "", "file": "weights.json", "sha256": HEX, "text": as it stood,
     "shards": [{"name": "m_00000.weights.h5", "content": RECORD}, ...]}

Assembled under another name, the shards are called like it, and the map says so.
"""

from __future__ import annotations

import os

from modelfmt.errors import CorruptFileError, located
from modelfmt.keras.h5 import parse_json
from modelfmt.keras.sharded import ShardedWeights, write_sharded
from modelfmt.storage.files import Piece, SourceFile
from modelfmt.surgery.hdf5_parts import explode_hdf5, implode_hdf5
from modelfmt.surgery.hdf5_texts import read_json, same_json, write_json
from modelfmt.surgery.parts import Names, Parts, Record


def explode_shards(container: ShardedWeights, folder: str) -> Record:
    """Write the parts of sharded weights, and return their record for the manifest.

    Raises: as ``explode_hdf5``.

    Read by: ``implode_shards``.
    """
    names = Names()
    names.allocate(".", "manifest", ".json")
    file = names.allocate(".", "weights", ".json")[2:]
    sha256 = write_json(folder, file, container.config)
    shards: list[Record] = []
    for name in container.shards:
        path = os.path.join(os.path.dirname(container.path), name)
        stem = name.removesuffix(".weights.h5")
        tensors = names.allocate(".", f"tensors_{stem.rpartition('_')[2]}", "")[2:]
        with SourceFile(path) as source, located(path=path):
            record = explode_hdf5(source.span(), folder, names, stem=stem, tensors=tensors)
        shards.append({"name": name, "content": record})
    return {
        "part": "shards", "output": "", "file": file, "sha256": sha256,
        "text": container.text.decode("utf-8", "surrogateescape"), "shards": shards,
    }


def implode_shards(parts: Parts, record: Record, out: str, *, force: bool) -> list[str]:
    """Write the map and the shards that a record's parts make; what was edited.

    Raises:
        CorruptFileError: the map names other shards than there are.
        UnsupportedError: ``out`` does not end in .weights.json.
        ModelFormatError: as ``implode_hdf5``.

    Written by: ``explode_shards``.
    """
    edited: list[str] = []
    text: bytes | None = parts.get(record, "text", str).encode("utf-8", "surrogateescape")
    config = parse_json(text, parts.where.path or "", '"text"')
    file = parts.get(record, "file", str)
    said = read_json(parts, file, parts.get(record, "sha256", str))
    if said is not None and not same_json(said, config):
        text, config = None, said
        edited.append(file)
    shards: dict[str, list[Piece]] = {}
    for row in parts.get(record, "shards", list):
        pieces, names = implode_hdf5(parts, parts.get(row, "content", dict))
        shards[parts.get(row, "name", str)] = pieces
        edited += names
    held = config.get("weight_map")
    listed = [held[key] for key in held] if isinstance(held, dict) else []
    named = {name for one in listed for name in (one if isinstance(one, list) else [one])}
    if named != set(shards):
        raise CorruptFileError(
            "the map names other shards than the manifest", where=parts.where,
            expected=sorted(shards), found=sorted(map(str, named)),
        )
    write_sharded(out, text, config, shards, force=force)
    return edited
