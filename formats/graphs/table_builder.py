"""Lookup tables of a graph that grows.

    table[x], default where x is no key

A graph with variables holds the table itself; what fills it stands beside the computation, and
the MetaGraphDef says that it must run first (collection ``table_initializer``):

    hash_table                 HashTableV2
    hash_table/initialize      InitializeTableV2(hash_table, keys, values)
    x                          LookupTableFindV2(hash_table, x, default)

A frozen graph has nothing that would fill a table. A table that never changes is a function, and
comparisons compute it:

    SelectV2(Any(x == keys), values[ArgMax(x == keys)], default)

Every element is compared with every key then, so this is for small tables.
Source: tensorflow/core/ops/lookup_ops.cc.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    from modelfmt.graphs.builder import GraphBuilder

#: The largest table that comparisons stand in for.
MOST_COMPARED = 10_000


class Table(NamedTuple):
    """What a table holds.

    Attributes:
        keys: shape (n,), string or int64; no two are equal.
        values: shape (n,), string or int64.
    """

    keys: Tensor
    values: Tensor

    @property
    def name(self) -> str:
        """A name that only tables of the same content share: tables live as long as a process,
        and two of one name are one table.
        """
        digest = hashlib.sha256()
        for part in self:
            digest.update(part.dtype.name.encode())
            for element in part.numpy().ravel().tolist():
                text = element if isinstance(element, bytes) else str(element).encode()
                digest.update(b"%d:%b" % (len(text), text))
        return f"hash_table_{digest.hexdigest()[:32]}"


def table(keys: Sequence[bytes | int], values: Sequence[bytes | int], *, kinds: str) -> Table:
    """A Table of Python's values; ``kinds`` says the dtypes of both: "string int64".

    Args:
        keys: no two equal.
        values: as many.
        kinds: the dtypes' names.
    """
    import numpy as np

    parts = []
    for name, kind, elements in zip(("keys", "values"), kinds.split(), (keys, values), strict=True):
        array = np.empty(len(elements), dtypes.from_name(kind).numpy)
        array[:] = elements
        parts.append(Tensor.from_numpy(name, array))
    return Table(*parts)


def compared(content: Table, x: str, default: bytes | int, graph: GraphBuilder) -> str:
    """A lookup as comparisons, which any graph can hold.

    Raises:
        ConversionError: the table is larger than MOST_COMPARED.
    """
    count = content.keys.shape[0]
    if count > MOST_COMPARED:
        raise ConversionError(
            "a lookup table too large to become comparisons in a frozen graph",
            expected=f"at most {MOST_COMPARED} entries", found=count,
            hint="Convert to .meta or to a SavedModel, which hold the table itself.",
        )  # fmt: skip
    fallback = graph.const(default, content.values.dtype, "default_value")
    if not count:
        return graph.op("Fill", graph.op("Shape", x), fallback)
    keys = graph.const(content.keys.numpy(), content.keys.dtype, "keys")
    values = graph.const(content.values.numpy(), content.values.dtype, "values")
    equal = graph.op("Equal", graph.op("ExpandDims", x, -1), keys)
    place = graph.op("ArgMax", graph.op("Cast", equal, DstT=dtypes.int32), -1)
    found = graph.op("Any", equal, [-1])
    return graph.op("SelectV2", found, graph.op("GatherV2", values, place, 0), fallback)


def add_table(content: Table, graph: GraphBuilder) -> str:
    """A HashTableV2 for ``content``; empty until its initialiser has run."""
    return graph.op(
        "HashTableV2", name="hash_table", shared_name=content.name,
        key_dtype=content.keys.dtype, value_dtype=content.values.dtype,
    )  # fmt: skip


def add_initializers(tables: Iterable[tuple[str, Table]], graph: GraphBuilder) -> list[str]:
    """The nodes that fill tables, one for each handle; their names."""
    made = []
    for handle, content in tables:
        keys = graph.const(content.keys.numpy(), content.keys.dtype, f"{handle}/keys")
        values = graph.const(content.values.numpy(), content.values.dtype, f"{handle}/values")
        name = graph.unique(f"{handle}/initialize")
        graph.ops("InitializeTableV2", handle, keys, values, name=name)
        made.append(name)
    return made


def held(tables: Mapping[str, tuple[str, Table]], graph: GraphBuilder) -> list[tuple[str, Table]]:
    """Of ``tables`` by name, those whose handles are still nodes of the graph."""
    return [(handle, content) for handle, content in tables.values() if handle in graph]
