"""Edits of a graph and of what is told beside it: a GraphDef, a MetaGraphDef.

All names are those of the file that was read; renaming is done at the end. Nothing is written
here, and an edit that is refused leaves no file.
"""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Iterator, Sequence

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, MissingError, Where
from modelfmt.graph import Node, parse_input
from modelfmt.graphs.saver import made_node
from modelfmt.graphs.variables import VARIABLES
from modelfmt.storage import wire
from modelfmt.surgery.attr_text import parse_attr
from modelfmt.surgery.casting import cast_tensor
from modelfmt.surgery.kept import free_name
from modelfmt.surgery.references import Sort, changed_fields
from modelfmt.surgery.renaming import Renaming
from modelfmt.tensor import Tensor
from modelfmt.tf.graphdef import WireGraph
from modelfmt.tf.metagraph import MetaGraph
from modelfmt.tf.nodedef import view_of
from modelfmt.tf.objects import ATTRIBUTES
from modelfmt.tf.objects import KEY as OBJECTS

#: Ops whose second input lists checkpoint keys.
SAVES = frozenset({"SaveV2", "Save", "SaveSlices"})
RESTORES = frozenset({"RestoreV2", "Restore", "RestoreSlice"})
_PLACES = "loc:@"
_FIELDS = {3: "the saver", 4: "a collection", 5: "a signature", 6: "an asset",
           7: "the object graph"}


class GraphEditor:
    """One graph being edited.

    Attributes:
        gone: the nodes that are to be deleted: what names one of them is an error.
        stripped: nodes that go with what names them beside the graph.
        changes: what was done, in words.
    """

    def __init__(self, graph: WireGraph, metagraph: MetaGraph | None, path: str) -> None:
        self.graph, self.metagraph, self.path = graph, metagraph, path
        self.gone: set[str] = set()
        self.stripped: set[str] = set()
        self.changes: list[str] = []

    # -- one at a time ------------------------------------------------------------------------

    def delete(self, glob: str) -> bool:
        """Delete the nodes whose names match; whether there are any."""
        found = {name for name in self.graph if fnmatch.fnmatchcase(name, glob)}
        self.gone |= found
        self.changes += [f'deleted node "{name}"' for name in self.graph if name in found]
        return bool(found)

    def set_attr(self, name: str, attr: str, text: str) -> None:
        """Set an attr to what a text says. Raises MissingError, MismatchError."""
        node = self.graph[name]
        where = Where(self.path, f'node "{name}", attr "{attr}"')
        if attr not in node.attrs:
            raise MissingError(
                f"the node has no attr {attr!r}", where=Where(self.path, f'node "{name}"'),
                close_matches=difflib.get_close_matches(attr, list(node.attrs), 3)
                or sorted(node.attrs),
            )
        node.attrs[attr] = parse_attr(text, node.attrs[attr], where)
        self.changes.append(f'set attr "{attr}" of node "{name}"')

    def cast(self, dtype: DType) -> None:
        """Store each float Const of rank 1 or more as ``dtype``; a Cast gives it back."""
        taken = set(self.graph)
        for name, node in list(self.graph.items()):
            value = node.attrs.get("value") if node.op == "Const" else None
            if name in self.gone or not isinstance(value, Tensor) or not value.shape:
                continue
            if not value.dtype.is_floating or value.dtype is dtype:
                continue
            stored = free_name(f"{name}/{dtype.name}", taken.__contains__)
            taken.add(stored)
            const = made_node("Const", stored, [], [], dtype=dtype,
                              value=cast_tensor(value, dtype).renamed(stored))
            const.inputs = list(node.inputs)
            const.device = node.device
            node.op, node.inputs = "Cast", [stored]
            for attr in ("value", "dtype"):
                del node.attrs[attr]
            node.attrs["SrcT"], node.attrs["DstT"] = dtype, value.dtype
            self.graph.edits.inserted.setdefault(name, []).append(const)
            self.changes.append(f'stored Const "{name}" as {dtype.name}')

    # -- at the end ---------------------------------------------------------------------------

    def finish(self, renaming: Renaming) -> None:
        """Do what was asked for, in the graph and beside it.

        Raises:
            MismatchError: what is kept reads what is deleted; two nodes of one name.
        """
        self._check_readers()
        self.graph.edits.deleted |= self.gone | self.stripped
        if renaming:
            names = self._rename(renaming)
            self.changes += [f'renamed node "{old}" to "{new}"' for old, new in names.items()]
        self._unlocate()
        if self.metagraph is None:
            return
        everything = self.gone | self.stripped

        def change(sort: Sort, text: str) -> str | None:
            if sort == "ref" and node_of(text) in everything:
                return None
            return renaming.ref(text) if sort == "ref" else renaming.name(text)

        fields = changed_fields(view_of(self.metagraph.source), "MetaGraphDef", change)
        self.metagraph.fields = {span: list(pieces) for span, pieces in fields.items()}

    def kept(self) -> Iterator[tuple[str, Node]]:
        """The nodes that are not deleted."""
        for name, node in self.graph.items():
            if name not in self.gone and name not in self.stripped:
                yield name, node

    def _check_readers(self) -> None:
        """Raise MismatchError where a kept node, or a message, names a deleted one."""
        if not self.gone:
            return
        for name, node in self.kept():
            for text in node.inputs:
                if parse_input(text).node in self.gone:
                    raise MismatchError(
                        f'"{parse_input(text).node}" cannot be deleted: node "{name}" reads it',
                        where=Where(self.path),
                    )
        if self.metagraph is None:
            return
        view = view_of(self.metagraph.source)
        for span in wire.scan(view):
            if span.field not in _FIELDS:
                continue
            named: list[str] = []

            def note(sort: Sort, text: str) -> str:
                if sort == "ref" and node_of(text) in self.gone:
                    named.append(node_of(text))  # noqa: B023  used up before the next turn
                return text

            changed_fields(view[span.start : span.end], "MetaGraphDef", note)
            if named:
                raise MismatchError(
                    f'"{named[0]}" cannot be deleted: {_FIELDS[span.field]} names it',
                    where=Where(self.path),
                )

    def _rename(self, renaming: Renaming) -> dict[str, str]:
        where = Where(self.path)
        variables = [name for name, node in self.kept() if node.op in VARIABLES]
        renaming.along(variables, variables)
        inserted = [n for nodes in self.graph.edits.inserted.values() for n in nodes]
        names = [*(name for name, _ in self.kept()), *(node.name for node in inserted)]
        changed = renaming.map(names, where)
        if changed:
            renaming.check_nodes()
        shared = {
            old: new for old, new in changed.items()
            if old in self.graph and self.graph[old].attrs.get("shared_name") == old
        }  # fmt: skip
        listed = self._key_consts()
        for name, node in self.kept():
            self._rename_node(node, renaming, shared)
            if name in listed:
                self._rename_keys(node, renaming)
        for node in inserted:
            self._rename_node(node, renaming, shared)
        if shared and self.graph.functions:
            for function in self.graph.functions.values():
                for node in function.values():
                    _rename_shared(node, shared)
        return changed

    def _rename_node(self, node: Node, renaming: Renaming, shared: dict[str, str]) -> None:
        node.name = renaming.name(node.name)
        inputs = [renaming.ref(text) for text in node.inputs]
        if inputs != node.inputs:
            node.inputs = inputs
        _rename_shared(node, shared)
        frame = node.attrs.get("frame_name")
        if isinstance(frame, str) and renaming.name(frame) != frame:
            node.attrs["frame_name"] = renaming.name(frame)
        places = node.attrs.get("_class")
        if isinstance(places, list):
            moved = [
                _PLACES + renaming.name(p.removeprefix(_PLACES))
                if isinstance(p, str) and p.startswith(_PLACES) else p
                for p in places
            ]  # fmt: skip
            if moved != places:
                node.attrs["_class"] = moved

    def _key_consts(self) -> set[str]:
        """The Consts that list checkpoint keys."""
        found = set()
        for _, node in self.kept():
            if node.op in SAVES | RESTORES and len(node.data_inputs) > 1:
                found.add(parse_input(node.data_inputs[1]).node)
        return found

    def _rename_keys(self, node: Node, renaming: Renaming) -> None:
        value = node.attrs.get("value")
        if not isinstance(value, Tensor) or value.strings is None:
            return
        old = value.strings()
        new = [key_renamed(k.decode("utf-8", "surrogateescape"), renaming).encode(
            "utf-8", "surrogateescape") for k in old]
        if new != old:
            node.attrs["value"] = string_tensor(value, new)

    def _unlocate(self) -> None:
        """Take places away that a node had beside one that is gone."""
        gone = self.gone | self.stripped
        if not gone:
            return
        for _, node in self.kept():
            places = node.attrs.get("_class")
            if isinstance(places, list):
                left = [p for p in places if str(p).removeprefix(_PLACES) not in gone]
                if left != places:
                    del node.attrs["_class"]
                    if left:
                        node.attrs["_class"] = left


def node_of(text: str) -> str:
    """The node that a reference names."""
    return text.removeprefix("^").partition(":")[0]


def key_renamed(key: str, renaming: Renaming) -> str:
    """What a checkpoint key becomes with the graph; ways through objects stay."""
    return key if ATTRIBUTES in key or key == OBJECTS else renaming.name(key)


def string_tensor(like: Tensor, values: Sequence[bytes]) -> Tensor:
    """A tensor of strings, one-dimensional unless it has as many as the old one."""
    listed = list(values)
    shape = like.shape if len(listed) == like.size else (len(listed),)
    return Tensor(like.name, dtypes.string, shape, strings=lambda: listed)


def _rename_shared(node: Node, shared: dict[str, str]) -> None:
    name = node.attrs.get("shared_name")
    if isinstance(name, str) and name in shared:
        node.attrs["shared_name"] = shared[name]


def references(metagraph: MetaGraph | None) -> set[str]:
    """The nodes that the messages beside a graph name."""
    found: set[str] = set()
    if metagraph is not None:

        def note(sort: Sort, text: str) -> str:
            if sort == "ref":
                found.add(node_of(text))
            return text

        changed_fields(view_of(metagraph.source), "MetaGraphDef", note)
    return found


def behind(graph: WireGraph, roots: Iterable[str], without: Iterable[str] = ()) -> set[str]:
    """The nodes that some nodes need, by any edge, and they themselves; not beyond ``without``."""
    found, stop = set[str](), set(without)
    todo = [root for root in roots if root not in stop]
    while todo:
        name = todo.pop()
        node = graph.find(name)
        if node is None or name in found:
            continue
        found.add(name)
        todo += [n for text in node.inputs if (n := parse_input(text).node) not in stop]
    return found
