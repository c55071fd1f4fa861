"""A table of an Embedding that stands in parts, put together by looking up all of its rows.

    tf.nn.embedding_lookup over partitioned variables: DynamicPartition of the ids, a Gather in each
    part, DynamicStitch of what they found; by rows in a row ("div") or by remainder ("mod")

Source: tensorflow/python/ops/embedding_ops.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelfmt.graphs.trial import tried
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim
from modelfmt.layers.products import interior
from modelfmt.tensor import Tensor

STITCHES = frozenset({"DynamicStitch", "ParallelDynamicStitch"})
#: What stands between ids and what is looked up by them.
_BETWEEN = STITCHES | {
    "DynamicPartition", "Gather", "GatherV2", "Reshape", "FloorDiv", "FloorMod", "Sub", "AddV2",
    "Mul", "Maximum", "Less", "SelectV2", "Cast", "Range", "Size", "Shape", "ConcatV2", "Minimum",
    "RealDiv", "Mod", "Pack",
}  # fmt: skip


def lookup_in_parts(tensor: str, view: View) -> Claim | None:
    """The claim of an Embedding whose rows are looked up in several tables, or None."""
    import numpy as np

    node = view.producer(tensor)
    stitch = view.producer(node.inputs[0]) if node is not None and node.op == "Reshape" else node
    if stitch is None or stitch.op not in STITCHES:
        return None
    found = _leaves(stitch.name, view)
    if found is None:
        return None
    ids, tables = found
    kind = view.dtype(ids)
    if kind is None or not kind.is_integer or len({t.shape[1:] for t in tables}) != 1:
        return None
    rows = sum(table.shape[0] for table in tables)
    table = tried(stitch.name, view, {ids: np.arange(rows, dtype=kind.numpy)})
    if table is None or table.shape != (rows, *tables[0].shape[1:]):
        return None
    sample = np.arange(rows, dtype=kind.numpy)[:: max(rows // 7, 1)]
    shape = view.shape(ids)
    sizes = [2, 3] if shape is None else [2 if size is None else size for size in shape]
    sample = np.resize(sample, sizes)
    seen = tried(tensor, view, {ids: sample})
    if seen is None or not np.array_equal(seen, table[sample]):
        return None
    name = tables[0].name.rpartition("/part_")[0] or tables[0].name
    weights = {"embeddings": Tensor.from_numpy(name, table)}
    return Claim((ids,), {}, weights, interior(tensor, [ids], view))


def _leaves(tensor: str, view: View) -> tuple[str, Sequence[Tensor]] | None:
    """The ids, and the tables in which they are looked up."""
    ids: set[str] = set()
    tables: dict[str, Tensor] = {}
    todo, seen = [tensor], set[str]()
    while todo:
        current = view.resolve(todo.pop())
        if current in seen or view.static(current).value is not None:
            continue
        seen.add(current)
        constant, node = view.constant(current), view.producer(current)
        if constant is not None:
            if constant.root.dtype.is_floating and len(constant.root.shape) == 2:
                tables[current] = constant.root
        elif node is None or node.op not in _BETWEEN:
            ids.add(current)
        else:
            todo.extend(node.inputs)
    if len(ids) != 1 or len(tables) < 2:
        return None
    return ids.pop(), list(tables.values())
