"""Static shape inference, node by node: shapes in, shapes out, and small constants folded.

``infer`` is the whole interface. It looks at one node only, so a builder calls it as it emits
nodes and a reader memoises it per tensor. The rules stand by family: ``shape_elementwise``,
``shape_rules`` (products, reductions, gathering), ``shape_flow`` (control flow, variables,
lists), ``shape_arrange`` (Shape, Reshape, Transpose), ``shape_slices`` (pieces cut and joined),
``shape_windows`` (convolution, pooling, padding, resizing), ``shape_strings`` (strings, lookups).

Unknown is never an error: an op without a rule gives unknown shapes, one per output. Known
shapes that contradict the op are one: MismatchError.

Source: the shape functions of tensorflow/core/ops/*.cc and framework/common_shape_fns.cc.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, MissingError, UnsupportedError
from modelfmt.graph import AttrValue, Shape
from modelfmt.ops import (
    opdefs,
    shape_arrange,
    shape_elementwise,
    shape_flow,
    shape_rules,
    shape_slices,
    shape_strings,
    shape_windows,
)
from modelfmt.ops.shape_arrange import constant
from modelfmt.ops.shape_core import MAX_ELEMENTS, Call, Rule, Static, UnknownShapesError

__all__ = ["Static", "constant", "infer"]

_RULES: dict[str, Rule] = {
    **shape_elementwise.RULES, **shape_rules.RULES, **shape_flow.RULES, **shape_arrange.RULES,
    **shape_slices.RULES, **shape_windows.RULES, **shape_strings.RULES,
}


def infer(
    op: str, attrs: Mapping[str, AttrValue], inputs: Sequence[Static], producer: int | None = None
) -> list[Static]:
    """What is known of each output of a node, from its attrs and its data inputs.

    Args:
        op: the op's name; one without a rule here gives unknown shapes.
        attrs: as in the node; those with a default may be absent. What ``_output_shapes`` says
            fills in sizes that no rule tells.
        inputs: one per data input, in order; ``Static(None)`` where nothing is known.
        producer: the graph's version, None for a graph of ours. Below 24 (0 included: TensorFlow
            0.12 froze graphs without versions) a Placeholder's shape ``[]`` means any.

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
    # Source: "Legacy behavior" of Placeholder in tensorflow/core/ops/array_ops.cc.
    if op == "Placeholder" and producer is not None and producer < 24 and found == [()]:
        found = [None]
    found = found or [None] * len(dtypes)
    dtypes += [None] * (len(found) - len(dtypes))
    statics = [_finished(each, dtype) for each, dtype in zip(found, dtypes, strict=False)]
    hints = attrs.get("_output_shapes")
    if isinstance(hints, list) and len(hints) == len(statics):
        return [_hinted(static, hint) for static, hint in zip(statics, hints, strict=True)]
    return statics


def _hinted(static: Static, hint: Any) -> Static:
    """The Static with sizes filled in from ``_output_shapes``; our own reading wins."""
    ours, theirs = static.shape, hint.dims if isinstance(hint, Shape) else None
    if theirs is None or (ours is not None and (None not in ours or len(ours) != len(theirs))):
        return static
    merged = theirs if ours is None else tuple(
        b if a is None else a for a, b in zip(ours, theirs, strict=True)
    )
    return dataclasses.replace(static, shape=merged)


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
        return Static(result.shape, None, dtype, result.handle)
    import numpy as np

    with np.errstate(all="ignore"):
        items = [_fit(e, dtype) for e in result.value.ravel()]
    if items and all(e is None for e in items):
        return Static(result.shape, None, dtype, result.handle)
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
