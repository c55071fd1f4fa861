"""Changes between the weights of two models, whatever holds them.

See weight_names.py for what they are called. They are matched (weight_matching.py) by names and the
ends of names; where some are left and layers can be had of both files, by the layers; of what is
still left, those of equal content, and the only ones of their dtype and shape.
"""

from __future__ import annotations

from collections.abc import Iterator

from modelfmt.container import Container
from modelfmt.errors import located
from modelfmt.surgery.changes import ADDED, REMOVED, Change, Changes, Tolerance
from modelfmt.surgery.elements import compare_tensors
from modelfmt.surgery.model_changes import described
from modelfmt.surgery.weight_matching import (
    Matched,
    by_content,
    by_end,
    by_name,
    by_shape,
    drop_state,
)
from modelfmt.surgery.weight_names import Weights, named_weights, recognised_weights


def weight_changes(a: Container, b: Container, tolerance: Tolerance) -> Changes:
    """The changes between the weights of two containers of any kind.

    Raises:
        ModelFormatError: the weights of one cannot be read.
    """
    left, right = named_weights(a, b), named_weights(b, a)
    matched = by_end(left, right, by_name(left, right))
    way = "weights by name"
    dropped = drop_state(left, matched.only_a) + drop_state(right, matched.only_b)
    if not matched.is_whole:
        seen_a, seen_b = recognised_weights(a), recognised_weights(b)
        if seen_a and seen_b:
            again = by_end(seen_a, seen_b, by_name(seen_a, seen_b))
            if len(again.only_a) + len(again.only_b) < len(matched.only_a) + len(matched.only_b):
                left, right, matched = seen_a, seen_b, again
                way = "weights by recognised layers"
    named_pairs = len(matched.pairs)
    matched = by_shape(left, right, by_content(left, right, matched))
    if len(matched.pairs) > named_pairs:
        way += f", {len(matched.pairs) - named_pairs} by content or shape"
    if dropped:
        way += f", without {dropped} variables of the optimizer"
    return Changes(_compared(left, right, matched, tolerance), way)


def _compared(
    left: Weights, right: Weights, matched: Matched, tolerance: Tolerance
) -> Iterator[Change]:
    for x, y in matched.pairs:
        where = x if x == y else f"{x} = {y}"
        with located(key=f'weight "{where}"'):
            yield from compare_tensors("weights", where, left[x], right[y], tolerance)
    for x in matched.only_a:
        yield Change("weights", x, REMOVED, a=described(left[x]))
    for y in matched.only_b:
        yield Change("weights", y, ADDED, b=described(right[y]))
