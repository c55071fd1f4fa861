"""What dump says of a checkpoint, as plain data.

    version   1 or 2
    files     [{"name", "nbytes"}], the shards, then the index: what their names add to the prefix
    slices    {key: ["0,10:-", ...]} of partitioned tensors: start,length for each axis, - all of it
    state     {"latest", "all"} of the file ``checkpoint`` beside it, null where there is none
    objects   of an object-based one: {"count", "variables", "slots", "configs",
              "rows": [{"path", "key"}]}: attributes that lead to keys, as deep as it was asked for

Odd are shards that no entry uses, and data files of another number of shards than the index says.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import Any

from modelfmt.tf import slices
from modelfmt.tf.bundle import Bundle
from modelfmt.tf.checkpoint import Checkpoint
from modelfmt.tf.checkpoint_state import NAME, is_checkpoint_state, read_checkpoint_state
from modelfmt.tf.objects import KEY, VALUE, read_objects

Row = dict[str, Any]
_DATA = re.compile(r"\.data-(\d{5})-of-(\d{5})$")
_CONFIG = "OBJECT_CONFIG_JSON"


def checkpoint_row(checkpoint: Checkpoint) -> Row:
    """Version, files, slices and state; see the module's text."""
    reader = checkpoint.reader
    return {
        "version": checkpoint.version,
        "files": [
            {"name": name.removeprefix(checkpoint.prefix), "nbytes": os.path.getsize(name)}
            for name in reader.files
        ],
        "slices": _slices(checkpoint),
        "state": _state(checkpoint),
    }


def _slices(checkpoint: Checkpoint) -> dict[str, list[str]]:
    reader = checkpoint.reader
    if not isinstance(reader, Bundle):
        return {
            name: [slices.describe(part) for part in parts]
            for name, parts in reader.partitions()
        }
    return {
        name: [slices.describe(part) for part in entry.slices]
        for name, entry in reader.rows()
        if entry.slices
    }


def _state(checkpoint: Checkpoint) -> Row | None:
    folder = os.path.dirname(checkpoint.prefix) or "."
    path = os.path.join(folder, NAME)
    if not os.path.isfile(path) or not is_checkpoint_state(path):
        return None
    state = read_checkpoint_state(folder)
    return {"latest": state.latest, "all": [*state.all]}


def saved_object_row(checkpoint: Checkpoint, depth: int) -> Row | None:
    """The object graph; None in a checkpoint of names. Raises CorruptFileError."""
    graph = read_objects(checkpoint.tensors)
    if graph is None:
        return None
    slots = {slot.node for node in graph.nodes for slot in node.slots}
    rows = [
        {"path": path, "key": key}
        for path, key in graph.variables.items()
        if path.count("/") < depth
    ]
    return {
        "count": len(graph.nodes),
        "variables": sum(VALUE in n.keys for i, n in enumerate(graph.nodes) if i not in slots),
        "slots": len(slots),
        "configs": sum(_CONFIG in node.keys for node in graph.nodes),
        "rows": rows,
    }


def odd_in_checkpoint(checkpoint: Checkpoint) -> Iterator[str]:
    """Shards that nothing uses; what tells where the shards are disagreeing with the folder."""
    reader = checkpoint.reader
    if not isinstance(reader, Bundle):
        return
    count = reader.header.shards
    used = {entry.shard for _, entry in reader.stored()}
    for path in sorted(glob.glob(f"{glob.escape(checkpoint.prefix)}.data-*")):
        match = _DATA.search(path)
        if match is None:
            continue
        name = os.path.basename(path)
        if int(match[2]) != count:
            yield f'"{name}" is no shard of this checkpoint: its index tells of {count}'
        elif int(match[1]) not in used and os.path.getsize(path):
            yield f'no entry uses the shard "{name}"'


def odd_keys(checkpoint: Checkpoint) -> Iterator[str]:
    """Variables that Keras 3 exports twice, under ``variables/N`` and ``_all_variables/N``."""
    tail = f"/.ATTRIBUTES/{VALUE}"
    groups: dict[str, int] = {"variables": 0, "_all_variables": 0}
    for key in checkpoint.tensors:
        head, _, number = key.removesuffix(tail).rpartition("/")
        if key.endswith(tail) and number.isdecimal() and head in groups:
            groups[head] += 1
    if all(groups.values()):
        yield (
            f"Keras exported variables twice: {groups['variables']} under variables/, "
            f"{groups['_all_variables']} under _all_variables/"
        )


def is_object_graph(key: str) -> bool:
    """Whether a key holds no tensor of the model but the object graph."""
    return key == KEY
