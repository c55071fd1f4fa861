"""VariableGraphBuilder: a graph that grows, and whose weights are variables.

    dense/kernel                        VarHandleOp, shared_name "dense/kernel"
    dense/kernel/Read/ReadVariableOp    ReadVariableOp, read by every use of the weight

What initialises, saves and restores them is added when the graph is written (saver.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from modelfmt.graph import Shape
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.saver import Variable
from modelfmt.graphs.table_builder import Table, add_initializers, add_table, held
from modelfmt.ops.shapes import Static
from modelfmt.tensor import Tensor


class VariableGraphBuilder(GraphBuilder):
    """A GraphBuilder for graphs that are written with a checkpoint beside them."""

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[str, tuple[str, Tensor]] = {}
        self._constant: set[int] = set()
        self._tables: dict[str, tuple[str, Table]] = {}

    def _weight(self, tensor: Tensor, name: str | None) -> str:
        """A resource variable that holds ``tensor``; the tensor that reads it.

        Asked again for the same one, the same variable.
        """
        known = self._weights.get(id(tensor))
        if known is None:
            known = tensor, self._variable(tensor, name or tensor.name)
            self._weights[id(tensor)] = known
        return known[1]

    def not_trained(self, tensors: Iterable[Tensor]) -> None:
        """Say of weights that no optimizer may change them: moving averages, frozen layers."""
        self._constant.update(map(id, tensors))

    def handles(self) -> dict[int, str]:
        """The variables that the graph holds, by the ``id`` of the weight in each."""
        return {id(tensor): name for name, (_, tensor) in self._held.items() if name in self}

    def variables(self) -> list[Variable]:
        """The variables that the graph holds, in the order in which they were made.

        A weight is trainable where its dtype can be and nobody said otherwise.
        """
        return [
            Variable(
                handle, tensor.renamed(handle), read,
                trainable=tensor.dtype.is_floating and id(tensor) not in self._constant,
            )
            for handle, (read, tensor) in self._held.items()
            if handle in self
        ]  # fmt: skip

    def table_handle(self, table: Table) -> str:
        """A HashTableV2 of this content; asked again, the same one."""
        if table.name not in self._tables:
            self._tables[table.name] = add_table(table, self), table
        return self._tables[table.name][0]

    def table_initializers(self) -> list[str]:
        """Add the nodes that fill the tables which the finished graph holds; their names."""
        return add_initializers(held(self._tables, self), self)

    def _variable(self, tensor: Tensor, name: str) -> str:
        full = self.unique(name)
        outer, self._scope = self._scope, ""
        try:
            handle = self.op(
                "VarHandleOp", name=full,
                dtype=tensor.dtype, shape=Shape(tensor.shape), shared_name=full,
            )  # fmt: skip
            read = self.op(
                "ReadVariableOp", handle, name=f"{full}/Read/ReadVariableOp", dtype=tensor.dtype
            )
        finally:
            self._scope = outer
        self._static[read] = Static(tensor.shape, None, tensor.dtype)
        self._held[handle] = read, tensor
        return read
