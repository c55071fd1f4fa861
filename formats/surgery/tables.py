"""Lookup tables of a graph: what fills them, with the contents of asset files brought in.

    hash_table                     HashTableV2
    text_file_init/Initialize...   InitializeTableFromTextFileV2(hash_table, filename)
      becomes                      InitializeTableV2(hash_table, keys, values), two Consts

A file named in a graph is only ever read where the SavedModel lists it as an asset.
Source: tensorflow/core/kernels/lookup_util.cc, TextFileLineIterator.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from modelfmt import dtypes
from modelfmt.container import Container
from modelfmt.dtypes import DType
from modelfmt.errors import (
    ConversionError,
    CorruptFileError,
    UnsafeFileError,
    UnsupportedError,
    Where,
    located,
)
from modelfmt.graph import Graph, Node, parse_input
from modelfmt.graphs.saver import const_node, made_node
from modelfmt.storage.files import SourceFile

TABLES = frozenset({"HashTable", "HashTableV2"})
_MUTABLE = frozenset({
    "MutableHashTable", "MutableHashTableV2", "MutableHashTableOfTensors",
    "MutableHashTableOfTensorsV2", "MutableDenseHashTable", "MutableDenseHashTableV2",
})  # fmt: skip
_FROM_FILE = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})
_FILLS = _FROM_FILE | {
    "InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2",
}  # fmt: skip
_PASS = frozenset({"Identity", "ReadVariableOp"})
_ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_WHOLE_LINE, _LINE_NUMBER = -2, -1


def initializers(graph: Graph, needed: Iterable[str], assets: Mapping[str, str]) -> list[Node]:
    """The nodes that fill the tables among ``needed``, and the Consts made for them.

    Args:
        graph: all of it, with calls inlined.
        needed: names of nodes that a computation depends on.
        assets: path of the asset that each tensor stands for.

    Returns:
        Nodes; those that fill a table have no outputs. Their inputs are nodes of ``graph`` or
        stand before them.

    Raises:
        ConversionError: nothing in the graph fills a table.
        UnsupportedError: a table that a checkpoint restores.
    """
    tables = [name for name in needed if graph[name].op in TABLES | _MUTABLE]
    if not tables:
        return []
    filled: dict[str, Node] = {}
    for node in graph.values():
        if node.op in _FILLS:
            filled.setdefault(_behind(_input(node, 0), graph), node)
    made: list[Node] = []
    for name in tables:
        with located(key=f'node "{name}"'):
            if graph[name].op in _MUTABLE:
                raise UnsupportedError("a mutable table, whose contents a checkpoint would restore")
            if name not in filled:
                raise ConversionError("a table that nothing in the graph fills")
            made += _filling(filled[name], name, graph, assets)
    return made


def assets_of(container: Container) -> dict[str, str]:
    """The path of each asset of a SavedModel, by the tensor that stands for it; else nothing."""
    from modelfmt.tf.savedmodel import SavedModel

    if not isinstance(container, SavedModel):
        return {}
    listed = container.metagraph.assets
    return asset_files(container.folder, [(asset.tensor, asset.filename) for asset in listed])


def asset_files(folder: str, listed: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The path of each asset by the tensor that stands for it.

    Args:
        folder: of the SavedModel.
        listed: tensor and file name, as in its asset_file_def.

    Raises:
        UnsafeFileError: a name that leads out of the folder ``assets``.
    """
    base = os.path.realpath(os.path.join(folder, "assets"))
    found = {}
    for tensor, name in listed:
        path = os.path.realpath(os.path.join(base, name))
        if os.path.commonpath([base, path]) != base:
            raise UnsafeFileError("an asset outside of the folder assets", found=name)
        found[parse_input(tensor).node] = path
    return found


def _input(node: Node, index: int) -> str:
    """A data input that the op must have. Raises CorruptFileError."""
    if index >= len(node.data_inputs):
        raise CorruptFileError(
            f"{node.op} has too few inputs", where=Where(key=f'node "{node.name}"'),
            expected=f"more than {index}", found=len(node.data_inputs),
        )
    return node.data_inputs[index]


def _behind(tensor: str, graph: Graph) -> str:
    """The node that a tensor comes from, behind what only passes it on."""
    for _ in range(len(graph)):
        name = parse_input(tensor).node
        if name not in graph or graph[name].op not in _PASS:
            return name
        tensor = _input(graph[name], 0)
    return parse_input(tensor).node


def _filling(
    node: Node, table: str, graph: Graph, assets: Mapping[str, str]
) -> Iterator[Node]:
    path = None
    if node.op in _FROM_FILE:
        path = assets.get(_filename_source(_input(node, 1), graph))
    inputs = [table, *node.data_inputs[1:]]
    if path is None:
        filling = node.copy()
        filling.inputs = inputs
        yield filling
        return
    kinds = [graph[table].attrs.get(key) for key in ("key_dtype", "value_dtype")]
    columns = [node.attrs.get("key_index"), node.attrs.get("value_index")]
    size, delimiter = node.attrs.get("vocab_size", -1), node.attrs.get("delimiter", "\t")
    lines = _lines(path, size if isinstance(size, int) else -1)
    offset = node.attrs.get("offset", 0)
    lines = lines[offset if isinstance(offset, int) else 0 :]
    split = delimiter.encode() if isinstance(delimiter, str) else b"\t"
    consts = []
    for kind, column, part in zip(kinds, columns, ("keys", "values"), strict=True):
        if not isinstance(kind, DType) or not isinstance(column, int):
            raise UnsupportedError("a table whose columns are not told")
        with located(path=path):
            elements = [_element(line, k, column, split, kind) for k, line in enumerate(lines)]
        consts.append(const_node(f"{node.name}/{part}", elements, kind))
    yield from consts
    handle = dtypes.from_name("resource") if node.op.endswith("V2") else dtypes.string
    op = "InitializeTableV2" if node.op.endswith("V2") else "InitializeTable"
    names = [const.name for const in consts]
    yield made_node(op, node.name, [table, *names], [handle, *_dtypes(kinds)])


def _dtypes(kinds: Iterable[object]) -> list[DType]:
    return [kind for kind in kinds if isinstance(kind, DType)]


def _filename_source(tensor: str, graph: Graph) -> str:
    """The node that a file name comes from; through a variable, what is assigned to it."""
    name = _behind(tensor, graph)
    for node in graph.values():
        if node.op in _ASSIGNS and _behind(_input(node, 0), graph) == name:
            return _behind(_input(node, 1), graph)
    return name


def _lines(path: str, count: int) -> list[bytes]:
    with SourceFile(path) as file:
        data = file.read(0, file.size).replace(b"\r", b"")
    lines = data.split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    if count > len(lines):
        raise CorruptFileError(
            "the vocabulary is too short", where=Where(path), expected=count, found=len(lines)
        )
    return lines if count < 0 else lines[:count]


def _element(line: bytes, number: int, column: int, split: bytes, kind: DType) -> bytes | float:
    """One key or value: the line, its number, or the part of it that a column says."""
    if column == _LINE_NUMBER:
        return number
    text = line
    if column != _WHOLE_LINE:
        parts = line.split(split)
        if column >= len(parts):
            raise CorruptFileError(f"line {number + 1} has no column {column}")
        text = parts[column]
    if kind is dtypes.string:
        return text
    try:
        return int(text) if kind.is_integer else float(text)
    except ValueError:
        raise CorruptFileError(f"line {number + 1} holds no {kind}", found=text[:40]) from None
