"""Static shape inference, node by node: shapes in, shapes out, and small constants folded.

``infer`` is the whole interface. It looks at one node only, so a builder calls it as it emits
nodes and a reader memoises it per tensor. The rules stand by family: ``shape_rules``
(elementwise, products, reductions, gathering), ``shape_slices`` (what makes, cuts and joins
shapes), ``shape_windows`` (convolution, pooling, padding, resizing).

Unknown is never an error: an op without a rule gives unknown shapes, one per output. Known
shapes that contradict the op are one: MismatchError.

Source: the shape functions of tensorflow/core/ops/*.cc and framework/common_shape_fns.cc.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt import opdefs, shape_rules, shape_slices, shape_windows
from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, MissingError, UnsupportedError
from modelfmt.graph import AttrValue
from modelfmt.shape_core import MAX_ELEMENTS, Call, Rule, Static, UnknownShapesError
from modelfmt.shape_slices import constant

__all__ = ["Static", "constant", "infer"]

_RULES: dict[str, Rule] = {**shape_rules.RULES, **shape_slices.RULES, **shape_windows.RULES}


def infer(op: str, attrs: Mapping[str, AttrValue], inputs: Sequence[Static]) -> list[Static]:
    """What is known of each output of a node, from its attrs and its data inputs.

    Args:
        op: the op's name; one without a rule here gives unknown shapes.
        attrs: as in the node; those with a default may be absent.
        inputs: one per data input, in order; ``Static(None)`` where nothing is known.

    Returns:
        One Static per output.

    Raises:
        MismatchError: the known shapes contradict the op.
        MissingError: an attr without a default is missing.
    """
    dtypes = _dtypes(op, attrs)
    rule = _RULES.get(op)
    found: list[Any] = []
    if rule is not None:
        try:
            result = rule(Call(op, attrs, inputs))
        except UnknownShapesError:
            result = []
        found = result if isinstance(result, list) else [result]
    found = found or [None] * len(dtypes)
    dtypes += [None] * (len(found) - len(dtypes))
    return [_finished(each, dtype) for each, dtype in zip(found, dtypes, strict=False)]


def _dtypes(op: str, attrs: Mapping[str, AttrValue]) -> list[DType | None]:
    """The dtype of each output; where the attrs do not tell, None for each."""
    try:
        return list[DType | None](opdefs.output_dtypes(op, attrs))
    except (MismatchError, MissingError, UnsupportedError):
        opdef = opdefs.get(op)
        return [None] * (len(opdef.outputs) if opdef else 1)


def _finished(result: Any, dtype: DType | None) -> Static:
    """A rule's answer with its dtype, its value rounded to that dtype or dropped."""
    if not isinstance(result, Static):
        return Static(result, None, dtype)
    dtype = result.dtype or dtype
    if result.value is None or result.value.size > MAX_ELEMENTS:
        return Static(result.shape, None, dtype)
    import numpy as np

    items = [_fit(e, dtype) for e in result.value.ravel()]
    if items and all(e is None for e in items):
        return Static(result.shape, None, dtype)
    value = np.empty(len(items), object)
    value[:] = items
    return Static(tuple(result.value.shape), value.reshape(result.value.shape), dtype)


def _fit(element: Any, dtype: DType | None) -> Any:
    """The element as ``dtype`` holds it, None where it does not fit."""
    if element is None or dtype is None:
        return element
    if dtype.is_integer:
        bits = 8 * dtype.itemsize
        low, high = (0, 2**bits) if dtype.name[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        if isinstance(element, float) and not math.isfinite(element):
            return None
        whole = int(element)
        return whole if low <= whole < high else None
    if dtype.name == "bool":
        return bool(element)
    if dtype.is_floating:
        return float(dtype.numpy.type(element))
    return element
