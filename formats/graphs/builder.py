"""GraphBuilder: a graph that grows by one op at a time, with TensorFlow's own attrs filled in.

The writing half of the bridge speaks to it. It keeps the static shape and dtype of every tensor,
so that a layer can ask what it is applied to.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, located
from modelfmt.graph import (
    AttrValue,
    Dims,
    Function,
    Graph,
    Node,
    Shape,
    called_functions,
    parse_input,
    tensor_name,
)
from modelfmt.graphs.table_builder import Table, compared
from modelfmt.ops import opdefs
from modelfmt.ops.opages import settled
from modelfmt.ops.shapes import Static, constant, infer
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Operand = str | Tensor | bool | int | float | npt.ArrayLike


_UNFIT = re.compile(r"[^A-Za-z0-9_.\\/>-]")
_UNFIT_START = re.compile(r"^[^A-Za-z0-9.]")


class GraphBuilder(Graph):
    """A growing graph; every method returns the names of the tensors it made.

    Names are made unique as TensorFlow makes them (``Relu``, ``Relu_1``) below the open scope.
    """

    def __init__(self) -> None:
        self._grown: dict[str, Node] = {}
        super().__init__(self._grown)
        self._static: dict[str, Static] = {}
        self._dtype: dict[str, DType] = {}
        self._weights: dict[int, tuple[Tensor, str]] = {}
        self._functions: dict[str, Function] = {}
        self._taken: set[str] = set()  # names that are no nodes: a function's arguments
        self._scope = ""
        self._computed: DType | None = None
        self._cast_weights: dict[tuple[str, str], str] = {}
        #: Keras' masks: the boolean tensor (batch, time) that goes along with a tensor, by name.
        self.masks: dict[str, str] = {}
        #: The Keras major whose rules the layers follow, where a layer's depend on it.
        self.keras_major = 3

    @property
    def functions(self) -> Mapping[str, Function]:
        """The functions that were built, by name."""
        return self._functions

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefix the names of nodes made inside with ``name/``."""
        outer, self._scope = self._scope, f"{self._scope}{name}/"
        try:
            yield
        finally:
            self._scope = outer

    def unique(self, name: str) -> str:
        """``name`` below the open scope, with ``_1``, ``_2`` where it is taken."""
        wanted = fit_name(self._scope + name)
        full, count = wanted, 0
        while full in self._grown or full in self._taken:
            count += 1
            full = f"{wanted}_{count}"
        return full

    def static(self, tensor: str) -> Static:
        """What is known of a tensor before running: shape, and small integer values."""
        return self._static[self._known(tensor)]

    def shape(self, tensor: str) -> Dims:
        """The static shape of a tensor: None where the rank is unknown, None inside for a size."""
        return self.static(tensor).shape

    def dtype(self, tensor: str) -> DType:
        """The dtype of a tensor."""
        return self._dtype[self._known(tensor)]

    def _known(self, tensor: str) -> str:
        """The short spelling of a tensor's name. Raises MismatchError where there is none."""
        name = tensor_name(*parse_input(tensor)[:2])
        if name not in self._static:
            raise MismatchError(f"input {tensor!r} names no tensor of this graph")
        return name

    def placeholder(self, name: str, dtype: DType, shape: Dims) -> str:
        """An input of the graph."""
        return self._add("Placeholder", [], {"dtype": dtype, "shape": Shape(shape)}, name)[0]

    def const(self, value: npt.ArrayLike, dtype: DType | None = None, name: str = "Const") -> str:
        """A Const that holds ``value``; without ``dtype`` numpy's default for it."""
        import numpy as np

        array = np.asarray(value, dtype=dtype.numpy if dtype else None)
        return self._const(Tensor.from_numpy(name, array), name)

    def weight(self, tensor: Tensor, name: str | None = None) -> str:
        """A tensor that yields a weight's value; asked again for the same one, the same name.

        Where the graph casts weights (``autocast``), the value in that dtype.
        """
        return self._in_computed_dtype(self._weight(tensor, name))

    def _weight(self, tensor: Tensor, name: str | None) -> str:
        """What yields a weight as it is stored.

        A frozen graph holds it as a Const; builders of other graphs override this.
        """
        known = self._weights.get(id(tensor))
        if known is None:
            known = tensor, self._const(tensor, name or tensor.name)
            self._weights[id(tensor)] = known
        return known[1]

    @contextmanager
    def autocast(self, dtype: DType) -> Iterator[None]:
        """Cast floating-point weights that are asked for inside to ``dtype``."""
        outer, self._computed = self._computed, dtype
        try:
            yield
        finally:
            self._computed = outer

    def _in_computed_dtype(self, read: str) -> str:
        dtype, found = self._computed, self.dtype(read)
        if dtype is None or found is dtype or not found.is_floating:
            return read
        key = read, dtype.name
        if key not in self._cast_weights:
            self._cast_weights[key] = self.op("Cast", read, DstT=dtype)
        return self._cast_weights[key]

    def op(self, op: str, *operands: Operand, name: str | None = None, **attrs: AttrValue) -> str:
        """Add a node and return its first output.

        Args:
            op: TensorFlow's op type.
            operands: tensor names, Tensors (which become weights), or plain numbers and arrays,
                which become Consts of the dtype that the op's other operands give them.
            name: of the node, below the open scope; the op type where left out.
            attrs: those that neither the inputs nor TensorFlow's defaults settle.
        """
        return self.ops(op, *operands, name=name, **attrs)[0]

    def ops(
        self, op: str, *operands: Operand, name: str | None = None, **attrs: AttrValue
    ) -> list[str]:
        """As ``op``, for nodes with several outputs: all their names."""
        inputs = [self._operand(o) for o in operands]
        wanted = self._literal_dtypes(op, inputs, attrs)
        full = name or op
        names = [
            i if isinstance(i, str) else self.const(i[0], wanted[k], f"{full}/{_argument(op, k)}")
            for k, i in enumerate(inputs)
        ]
        return self._add(op, names, attrs, full)

    def table_handle(self, table: Table) -> str | None:
        """The tensor of a table that holds ``table``; None where the graph cannot hold one.

        A frozen graph cannot; builders of other graphs override this.
        """
        return None

    def lookup(self, table: Table, x: str, default: bytes | int) -> str:
        """The value of each element of ``x`` in ``table``, ``default`` where it is no key.

        Raises:
            ConversionError: no table can be held, and it is too large for comparisons.
        """
        handle = self.table_handle(table)
        if handle is None:
            return compared(table, x, default, self)
        fallback = self.const(default, table.values.dtype, "default_value")
        return self.op("LookupTableFindV2", handle, x, fallback)

    def keep_only(self, outputs: Sequence[str]) -> None:
        """Remove the nodes that none of ``outputs`` depends on; Placeholders stay."""
        needed: set[str] = set()
        todo = [parse_input(output).node for output in outputs]
        while todo:
            name = todo.pop()
            if name not in needed:
                needed.add(name)
                todo.extend(parse_input(i).node for i in self._grown[name].inputs)
        for name, node in list(self._grown.items()):
            if name not in needed and node.op != "Placeholder":
                del self._grown[name]
        called = called_functions(self, self._functions)
        for name in [name for name in self._functions if name not in called]:
            del self._functions[name]

    def _operand(self, operand: Operand) -> str | tuple[Any]:
        if isinstance(operand, str):
            return operand
        if isinstance(operand, Tensor):
            return self.weight(operand)
        return (operand,)

    def _literal_dtypes(
        self, op: str, inputs: Sequence[str | tuple[Any]], attrs: Mapping[str, AttrValue]
    ) -> list[DType | None]:
        """The dtype each literal operand takes: that of its argument's type attr, if known."""
        row = opdefs.get(op)
        if row is None or any(arg.number_attr or arg.type_list_attr for arg in row.inputs):
            other = next((self.dtype(t) for t in inputs if isinstance(t, str)), None)
            return [
                None if isinstance(i, str) else dtypes.int32 if _is_integer(i[0]) else other
                for i in inputs
            ]
        known = {k: v for k, v in attrs.items() if isinstance(v, DType)}
        for arg, operand in zip(row.inputs, inputs, strict=False):
            if arg.type_attr and isinstance(operand, str):
                known.setdefault(arg.type_attr, self.dtype(operand))
        out: list[DType | None] = []
        for arg, operand in zip(row.inputs, inputs, strict=False):
            if isinstance(operand, str):
                out.append(None)
            elif arg.type is not None:
                out.append(arg.type)
            else:
                default = dtypes.int32 if _is_integer(operand[0]) else dtypes.float32
                out.append(known.get(arg.type_attr or "", default))
        return out

    def _const(self, tensor: Tensor, name: str) -> str:
        made = self._add("Const", [], {"dtype": tensor.dtype, "value": tensor}, name)[0]
        return made

    def _add(
        self, op: str, inputs: list[str], attrs: Mapping[str, AttrValue], name: str
    ) -> list[str]:
        full = self.unique(name)
        with located(key=f'node "{full}"'):
            whole = opdefs.complete(op, [self.dtype(i) for i in inputs], attrs)
            node = Node(full, op, list(inputs), settled(op, whole))
            value = whole.get("value")
            outputs = (
                [constant(value)]
                if isinstance(value, Tensor)
                else infer(op, whole, [self.static(i) for i in inputs])
            )
            kinds = opdefs.output_dtypes(op, whole)
        self._grown[full] = node
        names = [tensor_name(full, k) for k in range(len(kinds))]
        for tensor, static, dtype in zip(names, outputs, kinds, strict=True):
            self._static[tensor], self._dtype[tensor] = static, dtype
        return names


def fit_name(name: str) -> str:
    """``name`` with what TensorFlow takes in a node's name. Source: NodeDef validation, op names
    match [A-Za-z0-9.][A-Za-z0-9_.\\/>-]*."""
    return _UNFIT_START.sub(".", _UNFIT.sub("_", name))


def _is_integer(value: Any) -> bool:
    import numpy as np

    return np.asarray(value).dtype.kind in "iu"


def _argument(op: str, index: int) -> str:
    """The name TensorFlow's documentation gives an op's argument, for naming a literal's Const."""
    row = opdefs.get(op)
    if row is None or not row.inputs:
        return "Const"
    return row.inputs[min(index, len(row.inputs) - 1)].name
