"""Rearrange: axes split, turned and joined by their names. Source: Keras ops/einops.py.

    "b (h w) c -> b c h w", h=4      names in parentheses are one axis of the tensor
"""

from __future__ import annotations

import re
from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.table import operation
from modelfmt.layers.operations.values import Ops

_AXES = re.compile(r"\(([^()]*)\)|(\w+)")


def axes_of(side: str) -> list[list[str]]:
    """The names of one side of a pattern, axis by axis."""
    return [(group or name).split() for group, name in _AXES.findall(side)]


@operation("Rearrange(tensor, pattern, **lengths)")
def _rearrange(ops: Ops, x: Any, pattern: Any, lengths: dict[str, Any]) -> TensorName:
    x = ops.tensor(x)
    left, arrow, right = str(pattern).partition("->")
    before, after = axes_of(left), axes_of(right)
    names = [name for axis in before for name in axis]
    wanted = [name for axis in after for name in axis]
    fits = arrow and len(before) == ops.rank(x) and sorted(names) == sorted(set(wanted))
    if not fits or len(wanted) != len(names):
        raise ConversionError("a pattern that does not fit its tensor", found=f"{pattern!r:.80}")
    size: dict[str, int | TensorName] = {k: v for k, v in lengths.items() if isinstance(v, int)}
    for place, axis in enumerate(before):
        missing = [name for name in axis if name not in size]
        whole = ops.size(x, place)
        if len(missing) > 1:
            raise ConversionError("axes of unknown length", found=", ".join(missing))
        if missing:
            known = ops.product([size[name] for name in axis if name in size])
            size[missing[0]] = _divided(ops, whole, known)
    split = ops.reshape(x, [size[name] for name in names])
    turned = ops.turned(split, [names.index(name) for name in wanted])
    return ops.reshape(turned, [ops.product([size[name] for name in axis]) for axis in after])


def _divided(ops: Ops, whole: int | TensorName, part: int | TensorName) -> int | TensorName:
    if isinstance(whole, int) and isinstance(part, int):
        return whole // part
    if part == 1:
        return whole
    return ops.op("FloorDiv", *(ops.tensor(size, "int32") for size in (whole, part)))
