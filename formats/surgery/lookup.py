"""Lookups in tables whose contents are known, as ops that any graph can hold.

    LookupTableFind(table, x, default)
      =  Select(Any(x == keys), values[ArgMax(x == keys)], default)

A table that is filled once and then only read is a constant function. A GraphDef has nothing that
would fill a table, but it can hold the function: every element of x is compared with every key, so
this is for vocabularies, not for databases. Source: tensorflow/core/ops/lookup_ops.cc.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError, UnsupportedError, located
from modelfmt.graph import Graph, Node
from modelfmt.graphs.saver import const_node, made_node
from modelfmt.surgery.tables import TABLES as TABLES
from modelfmt.surgery.tables import initializers
from modelfmt.tensor import Tensor

FINDS = frozenset({"LookupTableFind", "LookupTableFindV2"})
SIZES = frozenset({"LookupTableSize", "LookupTableSizeV2"})
#: Comparing a batch with more keys than this would cost more than any model.
_MOST = 1 << 17


class Table(NamedTuple):
    """What a table holds: keys and values, of one dimension."""

    keys: Tensor
    values: Tensor


def tables(graph: Graph, needed: Iterable[str], assets: Mapping[str, str]) -> dict[str, Table]:
    """The contents of the tables among ``needed``, by node name.

    Args:
        graph: all of it, with calls inlined.
        needed: names of nodes.
        assets: path of the asset that each tensor stands for.

    Raises:
        ConversionError: nothing fills a table, or what does is no constant, or has too many keys.
    """
    made = {node.name: node for node in initializers(graph, needed, assets)}
    found = {}
    for node in made.values():
        if node.op == "Const":
            continue
        name, *parts = node.data_inputs
        with located(key=f'table "{name}"'):
            if len(parts) != 2:
                raise ConversionError("a table filled from a file that is no asset")
            keys, values = (_constant(part, made, graph) for part in parts)
            if not 0 < keys.size <= _MOST or keys.size != values.size:
                raise UnsupportedError(
                    "a table that cannot become a constant",
                    expected=f"1 to {_MOST} keys, and a value for each",
                    found=f"{keys.size} keys, {values.size} values",
                )
            flat = (keys.size,)
            found[name] = Table(keys.reshaped(flat), values.reshaped(flat))
    return found


def _constant(tensor: str, made: Mapping[str, Node], graph: Graph) -> Tensor:
    for _ in range(len(graph)):
        name = tensor.removesuffix(":0")
        node = made.get(name) or graph.find(name)
        value = node.attrs.get("value") if node is not None and node.op == "Const" else None
        if isinstance(value, Tensor):
            return value
        if node is None or node.op != "Identity":
            break
        tensor = node.data_inputs[0]
    raise ConversionError(f'a table filled with "{tensor}", which is no constant')


def size_node(node: Node, table: Table) -> Node:
    """A Const in the place of a LookupTableSize."""
    return const_node(node.name, table.keys.size, dtypes.int64)


def find_nodes(node: Node, table: Table) -> list[Node]:
    """The nodes that do what a LookupTableFind does; the last one has its name."""
    _, x, default = node.data_inputs
    key, value = table.keys.dtype, table.values.dtype
    at, index = dtypes.int32, dtypes.int64

    def below(name: str) -> str:
        return f"{node.name}/{name}"

    def stored(name: str, tensor: Tensor) -> Node:
        value = tensor.renamed(below(name))
        return made_node("Const", below(name), [], [], dtype=tensor.dtype, value=value)

    def op(name: str, kind: str, inputs: dict[str, DType], **attrs: DType) -> Node:
        return made_node(kind, name, list(inputs), list(inputs.values()), **attrs)

    equal = below("equal")
    return [
        stored("keys", table.keys),
        stored("values", table.values),
        const_node(below("last"), -1, at),
        const_node(below("first"), 0, at),
        op(below("expanded"), "ExpandDims", {x: key, below("last"): at}),
        op(equal, "Equal", {below("expanded"): key, below("keys"): key}),
        op(below("ones"), "Cast", {equal: dtypes.bool_}, DstT=at),
        op(below("index"), "ArgMax", {below("ones"): at, below("last"): at}, output_type=index),
        op(below("found"), "Any", {equal: dtypes.bool_, below("last"): at}),
        op(below("value"), "GatherV2",
           {below("values"): value, below("index"): index, below("first"): at}),
        op(node.name, "SelectV2",
           {below("found"): dtypes.bool_, below("value"): value, default: value}),
    ]  # fmt: skip
