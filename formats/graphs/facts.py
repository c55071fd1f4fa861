"""Facts: what is known of a graph's tensors without running it, and the questions about them.

A tensor stands for another one (an Identity for its input), has a static shape, holds a constant
of the file, or a value that follows from shapes and constants. view.py finds these facts; codecs
ask for them.
"""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any

from modelfmt.dtypes import DType
from modelfmt.errors import MissingError
from modelfmt.graph import AttrValue, Dims, Graph, Node, parse_input, tensor_name
from modelfmt.ops import opdefs
from modelfmt.ops.shape_core import MAX_ELEMENTS
from modelfmt.ops.shapes import Static
from modelfmt.tensor import Tensor

#: Ops whose output k is their input k, at inference.
PASSING = {
    "Identity", "IdentityN", "StopGradient", "PreventGradient", "CheckNumerics", "Snapshot",
    "EnsureShape", "PlaceholderWithDefault", "RefIdentity",
}  # fmt: skip
#: Ops that show a constant with another shape and leave its elements in place.
RESHAPING = {"Reshape", "Squeeze", "ExpandDims"}


@dataclasses.dataclass(frozen=True)
class Constant:
    """A tensor fixed by the file: the stored one at its root, and the shape it is seen with."""

    root: Tensor
    shape: tuple[int, ...]


class Facts:
    """What is known of the tensors of ``graph``; whoever finds it fills the tables in.

    Tensors are named as in ``graph``; a name that was resolved away stands for what it
    resolves to.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._cut: set[str] = set()
        self._nodes: dict[str, Node] = {}
        self._alias: dict[str, str] = {}
        self._static: dict[str, Static] = {}
        self._constant: dict[str, Constant] = {}
        #: What others found out about this graph and would find out again, by whom.
        self.memo: dict[object, object] = {}

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each node in an order in which inputs come first."""
        return {name: place for place, name in enumerate(self._nodes)}

    def producer(self, tensor: str) -> Node | None:
        """The canonical node whose output this is; None for inputs and what was folded away."""
        tensor = self.resolve(tensor)
        return None if tensor in self._cut else self._nodes.get(parse_input(tensor).node)

    def resolve(self, tensor: str) -> str:
        """The tensor that this one stands for."""
        tensor = plain(tensor)
        return self._alias.get(tensor, tensor)

    def constant(self, tensor: str) -> Constant | None:
        """The constant behind a tensor, through reshapes; None where it is computed."""
        return self._constant.get(self.resolve(tensor))

    def static(self, tensor: str) -> Static:
        """Shape, and value of small integer tensors, as far as they are known."""
        return self._static.get(self.resolve(tensor), Static(None))

    def is_known(self, tensor: str) -> bool:
        """Whether every element of a tensor is known, so that nothing needs to compute it."""
        value = self.static(tensor).value
        if value is None:
            return self.constant(tensor) is not None
        return not any(element is None for element in value.ravel())

    def shape(self, tensor: str) -> Dims:
        """The static shape: None where the rank is unknown, None inside where a size is."""
        return self.static(tensor).shape

    def dtype(self, tensor: str) -> DType | None:
        """The dtype of a tensor; None where the op or its attrs do not tell."""
        edge = parse_input(self.resolve(tensor))
        node = self.graph[edge.node]
        if opdefs.get(node.op) is None:
            return None
        kinds = opdefs.output_dtypes(node.op, node.attrs)
        return kinds[edge.port] if edge.port < len(kinds) else None

    def ints(self, tensor: str) -> list[int | None] | None:
        """The elements of a small integer tensor, None for the unknown ones; None if unknown."""
        value = self.static(tensor).value
        return None if value is None else [v if v is None else int(v) for v in value.ravel()]

    def matrix(self, tensor: str) -> list[list[int]] | None:
        """The rows of a known integer matrix (paddings, crops), else None."""
        constant = self.constant(tensor)
        if constant is None:
            return self._computed_matrix(tensor)
        if len(constant.shape) != 2 or not constant.root.dtype.is_integer:
            return None
        if constant.root.size > MAX_ELEMENTS:
            return None
        rows: list[list[int]] = constant.root.numpy().reshape(constant.shape).tolist()
        return rows

    def _computed_matrix(self, tensor: str) -> list[list[int]] | None:
        static = self.static(tensor)
        kind = static.dtype
        if static.value is None or static.value.ndim != 2 or not self.is_known(tensor):
            return None
        if kind is None or not kind.is_integer:
            return None
        return [[int(element) for element in row] for row in static.value]

    def scalar(self, tensor: str) -> Any:
        """The Python number in a known tensor of one element, else None."""
        constant = self.constant(tensor)
        if constant is None:
            value = self.static(tensor).value
            return None if value is None or value.size != 1 else value.ravel()[0]
        if constant.root.size != 1 or constant.root.strings is not None:
            return None
        return constant.root.numpy().item()

    def vector(self, tensor: str) -> list[float] | None:
        """The elements of a constant of floats along one axis, else None."""
        constant = self.constant(tensor)
        if constant is None or len(constant.shape) != 1 or not constant.root.dtype.is_floating:
            return None
        return [float(value) for value in constant.root.numpy().ravel()]

    def is_read(self, tensor: str) -> bool:
        """Whether a constant stands behind what was the read of a variable, before freezing."""
        while (node := self.graph[parse_input(tensor).node]).op in RESHAPING:
            tensor = node.inputs[0]
        return node.op in PASSING

    def attr(self, node: Node, name: str) -> AttrValue:
        """An attr of a node, or TensorFlow's default where the file leaves it out."""
        if name in node.attrs:
            return node.attrs[name]
        row = opdefs.get(node.op)
        for attr in row.attrs if row else ():
            if attr.name == name:
                return None if isinstance(attr.default, opdefs.Required) else attr.default
        return None


def plain(tensor: str) -> str:
    """``a:0`` and ``a`` are one tensor: the short spelling. Raises MissingError."""
    if ":" not in tensor and "^" not in tensor:
        return tensor
    edge = parse_input(tensor)
    if edge.output:
        raise MissingError(f"no tensor {tensor!r}")
    return tensor_name(edge.node, max(edge.port, 0))
