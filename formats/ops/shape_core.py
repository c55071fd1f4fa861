"""What every shape rule stands on: Static, Call, and the arithmetic of unknown sizes.

A rule is a function ``Call -> Dims | Static | list`` of them, one per output. Sizes are ints or
None, and None is contagious but never wrong.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, MissingError
from modelfmt.graph import AttrValue, Dims, Placeholder, Shape
from modelfmt.ops import opdefs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Values = npt.NDArray[np.object_]

#: Values of more elements than this are not followed: they are weights, not shapes.
MAX_ELEMENTS = 64

#: numpy 1 knows no more dimensions.
MAX_VALUE_RANK = 32

#: TensorFlow's TensorShape holds no more dimensions.
MAX_RANK = 254

Size: TypeAlias = "int | None"


@dataclasses.dataclass(frozen=True, eq=False)
class Static:
    """What is known of a tensor without running the graph.

    Attributes:
        shape: None where the rank is unknown, None inside where a size is.
        value: elements of a small tensor as a numpy object array of shape ``shape``, None for
            an unknown element; None where nothing is known. Any numpy array is welcome as input.
        dtype: None where unknown.
        handle: of a resource, what is known of the variable behind it.
    """

    shape: Dims
    value: npt.NDArray[Any] | None = None
    dtype: DType | None = None
    handle: Static | None = None


Result: TypeAlias = "Dims | Static"
Rule: TypeAlias = Callable[["Call"], "Result | list[Static] | list[Dims]"]


class UnknownShapesError(Exception):
    """An attr that only a function's caller knows, or a layout without a rule.

    ``infer`` answers with unknown shapes.
    """


class Call:
    """A node as a rule sees it: the op, its attrs with defaults, what is known of its inputs."""

    def __init__(
        self, op: str, attrs: Mapping[str, AttrValue], inputs: Sequence[Static]
    ) -> None:
        self.op = op
        self.attrs = attrs
        self.inputs = inputs

    def attr(self, name: str) -> Any:
        """An attr, or its default. Raises MissingError where it has none."""
        value = self.attrs.get(name)
        if value is None:
            opdef = opdefs.get(self.op)
            known = opdef.attrs if opdef else ()
            default = next((attr.default for attr in known if attr.name == name), opdefs.REQUIRED)
            if isinstance(default, opdefs.Required):
                raise MissingError(f"{self.op} needs attr {name!r}")
            return default
        if isinstance(value, Placeholder):
            raise UnknownShapesError(name)
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

    def ints(self, name: str, length: int | None = None) -> list[int]:
        """An attr of type list(int), of that length where one is given."""
        value = self.attr(name)
        if not isinstance(value, list) or (length is not None and len(value) != length):
            found = value if not isinstance(value, list) else f"{len(value)} elements"
            self.fail(f"attr {name!r}", f"{length} elements" if length else "a list", found)
        return [self.whole(f"attr {name!r}", e) for e in value]

    def int_attr(self, name: str) -> int:
        """An attr of type int."""
        return self.whole(f"attr {name!r}", self.attr(name))

    def whole(self, what: str, value: Any) -> int:
        if not isinstance(value, int):
            self.fail(what, "an int", repr(value))
        return value

    def dims_attr(self, name: str) -> Dims:
        """An attr of type shape."""
        value = self.attr(name)
        return value.dims if isinstance(value, Shape) else None

    def input(self, index: int) -> Static:
        try:
            return self.inputs[index]
        except IndexError:
            self.fail("too few inputs", f"at least {index + 1}", len(self.inputs))

    def shape(self, index: int) -> Dims:
        static = self.input(index)
        if static.shape is None and static.value is not None:
            return tuple(static.value.shape)
        return static.shape

    def ranked(self, index: int, rank: int) -> tuple[Size, ...]:
        """The sizes of an input that must have this rank."""
        shape = self.shape(index)
        if shape is None:
            return (None,) * rank
        if len(shape) != rank:
            self.fail(f"rank of input {index}", rank, Shape(shape))
        return shape

    def value(self, index: int) -> Values | None:
        """The elements of an input as an object array, None where nothing is known of them."""
        return elements(self.input(index))

    def scalar(self, index: int) -> Any:
        """The one element of an input, None where unknown."""
        value = self.value(index)
        return value.ravel()[0] if value is not None and value.size == 1 else None

    def integer(self, index: int) -> Size:
        """The one element of an input, None where unknown or not an int."""
        return _index(self.scalar(index))

    def vector(self, index: int) -> list[Size] | None:
        """The ints of an input of rank 1 (or 0), None for unknown ones.

        None for all where not even their number is known.
        """
        value = self.value(index)
        if value is not None:
            return [_index(e) for e in value.ravel()]
        shape = self.shape(index)
        if shape is None or len(shape) > 1:
            return None
        size = shape[0] if shape else 1
        return None if size is None or size > MAX_RANK else [None] * size

    def known(self, index: int) -> list[int] | None:
        """The ints of an input of rank 1 (or 0), None unless all of them are known."""
        sizes = self.vector(index)
        return None if sizes is None or None in sizes else list(known(sizes))

    def pairs(self, index: int, rows: int) -> list[list[Size]]:
        """The ints of an input of shape (rows, 2): paddings, crops."""
        shape = self.shape(index)
        if shape is not None:
            self.merge_shapes((rows, 2), shape, f"shape of input {index}")
        value = self.value(index)
        if value is None:
            return [[None, None]] * rows
        return [[_index(e) for e in row] for row in value]

    def dims(self, index: int) -> Dims:
        """The shape that an input describes; negative elements are unknown sizes.

        Source: InferenceContext::MakeShapeFromShapeTensor.
        """
        shape = self.shape(index)
        if shape is not None and len(shape) != 1:
            return None  # a scalar -1 stands for an unknown rank
        sizes = self.vector(index)
        if sizes is None:
            return None
        return tuple(None if e is None or e < 0 else e for e in sizes)

    def axis(self, axis: int, rank: int) -> int:
        """An axis counted from the front. Raises MismatchError where it is out of range."""
        if not -rank <= axis < rank:
            self.fail("axis", f"in [{-rank}, {rank})", axis)
        return axis % rank

    def merge(self, a: Size, b: Size, what: str) -> Size:
        """Two readings of the same size. Raises MismatchError."""
        if a is None or b is None:
            return b if a is None else a
        if a != b:
            self.fail(what, a, b)
        return a

    def merge_shapes(self, a: Dims, b: Dims, what: str) -> Dims:
        """Two readings of the same shape. Raises MismatchError."""
        if a is None or b is None:
            return b if a is None else a
        if len(a) != len(b):
            self.fail(what, Shape(a), Shape(b))
        return tuple(self.merge(x, y, what) for x, y in zip(a, b, strict=True))

    def broadcast(self, a: Dims, b: Dims) -> Dims:
        """The shape of an elementwise op. Source: BroadcastBinaryOpOutputShapeFnHelper."""
        if a is None or b is None:
            return None
        rank = max(len(a), len(b))
        result: list[Size] = []
        for x, y in zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True):
            if x is not None and y is not None and x != y and 1 not in (x, y):
                self.fail("shapes do not broadcast", Shape(a), Shape(b))
            if x is None or y is None:
                known = y if x is None else x
                result.append(known if known != 1 else None)
            else:
                result.append(y if x == 1 else x)
        return tuple(result)

    def fail(self, what: str, expected: object, found: object) -> NoReturn:
        raise MismatchError(f"{self.op}: {what}", expected=expected, found=found)


def elements(static: Static) -> Values | None:
    """A Static's value as an object array of Python numbers."""
    if static.value is None or static.value.size > MAX_ELEMENTS:
        return None
    if static.value.dtype.kind not in "biufO":
        return None
    return static.value if static.value.dtype == object else static.value.astype(object)


def _index(element: Any) -> Size:
    """An int, out of an int of Python's or numpy's; None for anything else."""
    return operator.index(element) if hasattr(element, "__index__") else None


def partial(static: Static) -> Values | None:
    """Like ``elements``, but all unknown where only a small shape is known."""
    if static.value is not None:
        return elements(static)
    import numpy as np

    return np.full(known(static.shape or ()), None, object) if is_small(static.shape) else None


def array(items: object) -> Values:
    """An object array, rank 0 included."""
    import numpy as np

    return np.asarray(items, dtype=object)


def full(shape: Dims, item: object) -> Values | None:
    """A value of one repeated element, where it is small enough."""
    import numpy as np

    if item is None or not is_small(shape):
        return None
    return np.full(known(shape or ()), item, object)


def is_small(shape: Dims) -> bool:
    """Whether a value of that shape is followed; sizes beside a 0 count too, as in numpy."""
    if shape is None or None in shape or len(shape) > MAX_VALUE_RANK:
        return False
    return math.prod(max(size, 1) for size in known(shape)) <= MAX_ELEMENTS


def valued(value: Values) -> Static:
    """The Static of a value, whose shape tells the shape."""
    return Static(tuple(value.shape), value)


def known(shape: Iterable[Size]) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)


def product(sizes: Iterable[Size]) -> Size:
    """The product, 0 where one is 0, else None where one is unknown."""
    total: Size = 1
    for size in sizes:
        if size == 0:
            return 0
        total = None if total is None or size is None else total * size
    return total
