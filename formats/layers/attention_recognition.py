"""Attention recognised: softmax of scores, with what hides some of them, times values.

    y = product(softmax(hidden(scale * product(q, k))), v)

The products stand in many spellings (``products``), the masks in more: each is taken apart to the
masks that Keras puts together, and those that follow from places alone are tried out (``trial``).
An axis has a role, by which one product's axes are told in the next:

    ("b", 0)   of the batch       ("q", 1)  of queries, axis 1 of their tensor
    ("k", 1)   of keys            "N"  of heads         "H", "V"  of what is summed, of values
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from modelfmt.graph import Node
from modelfmt.graphs.trial import tried
from modelfmt.graphs.view import View
from modelfmt.layers.products import Axis, Product, layout, product_at
from modelfmt.layers.template import precision

Role: TypeAlias = tuple[str, int] | str

#: Scores are hidden by numbers as low as that, or lower; half precision knows none much lower.
_LOW = -1e4


@dataclasses.dataclass
class Hiding:
    """What hides scores: masks of data, by the roles of their axes, and of places.

    Attributes:
        masks: (tensor, the roles of its axes).
        causal: whether no key after its query is seen.
        window: no key so far from its query is seen, or farther.
        zeroed: whether what is hidden is set to 0 after softmax as well.
    """

    masks: list[tuple[str, tuple[Role, ...]]] = dataclasses.field(default_factory=list)
    causal: bool = False
    window: int | None = None
    zeroed: bool = False


@dataclasses.dataclass
class Scores:
    """The scores below a softmax, what hides them, and what they are multiplied by."""

    tensor: str
    masks: list[tuple[str, bool]]
    zeroed: str | None
    axes: list[int] | None
    constants: list[str]


def scores_below(tensor: str, view: View) -> Scores | None:
    """What ``tensor`` is the softmax of; None where it is none.

    ``axes`` are those it is taken along: None for the last one. ``masks`` are true where scores are
    seen, or, where False stands beside them, where they are hidden. ``constants`` are scalars that
    the scores are multiplied by.
    """
    zeroed = None
    node = view.producer(tensor)
    if node is not None and node.op == "SelectV2" and view.scalar(node.inputs[2]) == 0:
        zeroed, tensor = view.resolve(node.inputs[0]), node.inputs[1]
        node = view.producer(tensor)
    if node is None:
        return None
    axes = None
    if node.op == "Softmax":
        inner = node.inputs[0]
    else:
        found = _spelled_out(node, view)
        if found is None:
            return None
        inner, axes = found
    masks: list[tuple[str, bool]] = []
    constants: list[str] = []
    while True:
        hidden = _hidden(inner, view)
        factor = None if hidden else _scaled(inner, view)
        if hidden:
            inner, mask, seen = hidden
            masks.append((mask, seen))
        elif factor:
            inner, constant = factor
            constants.append(constant)
        else:
            return Scores(view.resolve(inner), masks, zeroed, axes, constants)


def _spelled_out(node: Node, view: View) -> tuple[str, list[int]] | None:
    """x and the axes, of exp(x - log(sum(exp(x)))) along several axes."""
    if node.op != "Exp":
        return None
    difference = view.producer(node.inputs[0])
    if difference is None or difference.op != "Sub":
        return None
    x = view.resolve(difference.inputs[0])
    total = view.producer(difference.inputs[1])
    for _ in range(12):
        if total is None:
            return None
        if total.op == "Sum" and view.attr(total, "keep_dims"):
            axes, shape = view.ints(total.inputs[1]), view.shape(x)
            if axes is None or None in axes or shape is None:
                return None
            return x, sorted((a or 0) % len(shape) for a in axes)
        if total.op not in ("AddV2", "Log", "Squeeze", "Reshape"):
            return None
        total = view.producer(total.inputs[0])
    return None


def _scaled(tensor: str, view: View) -> tuple[str, str] | None:
    """(x, c) of x times a scalar that the file holds."""
    node = view.producer(tensor)
    if node is None or node.op not in ("Mul", "RealDiv"):
        return None
    pairs = [node.inputs, node.inputs[::-1]] if node.op == "Mul" else [node.inputs]
    for x, c in pairs:
        if isinstance(view.scalar(c), float | int) and view.scalar(x) is None:
            return x, f"{'/' if node.op == 'RealDiv' else '*'}{view.resolve(c)}"
    return None


def factor_of(constants: Sequence[str], view: View) -> float:
    """The product of what stands in ``Scores.constants``."""
    found = 1.0
    for constant in constants:
        value = float(view.scalar(constant[1:]))
        found = found * value if constant[0] == "*" else found / value
    return found


def unscaled(tensor: str, view: View) -> tuple[str, list[str]]:
    """A tensor without the scalars it is multiplied by, and these."""
    constants: list[str] = []
    while (found := _scaled(tensor, view)) is not None:
        tensor = found[0]
        constants.append(found[1])
    return view.resolve(tensor), constants


def _hidden(tensor: str, view: View) -> tuple[str, str, bool] | None:
    """(scores, mask, whether it is true where they are seen), of scores made low by a mask."""
    node = view.producer(tensor)
    if node is None:
        return None
    if node.op == "SelectV2":
        mask, scores, low = node.inputs
        if _is_low(view.scalar(low)):
            return scores, view.resolve(mask), True
        lowered = view.producer(scores)
        if lowered is None or lowered.op != "Sub":
            return None
        same = view.resolve(lowered.inputs[0]) == view.resolve(low)
        far = _is_low(view.scalar(lowered.inputs[1]), -1)
        return (low, view.resolve(mask), False) if same and far else None
    if node.op == "AddV2":
        for scores, added in (node.inputs, node.inputs[::-1]):
            lowering = _lowering(added, view, 1)
            if lowering is not None:
                return scores, *lowering
    if node.op == "Sub":
        lowering = _lowering(node.inputs[1], view, -1)
        if lowering is not None:
            return node.inputs[0], *lowering
    return None


def _is_low(value: Any, sign: int = 1) -> bool:
    return isinstance(value, float | int) and value * sign <= _LOW


def _lowering(tensor: str, view: View, sign: int) -> tuple[str, bool] | None:
    """The mask in (1 - mask) * low, or in hidden * low."""
    node = view.producer(tensor)
    if node is None or node.op != "Mul":
        return None
    for marked, low in (node.inputs, node.inputs[::-1]):
        if not _is_low(view.scalar(low), sign):
            continue
        inner = view.producer(marked)
        if inner is not None and inner.op == "Sub" and view.scalar(inner.inputs[0]) == 1:
            return view.resolve(inner.inputs[1]), True
        return view.resolve(marked), False
    return None


# -- masks ------------------------------------------------------------------------------------


def hiding_of(
    scores: Scores, roles: Sequence[Role], sizes: Mapping[tuple[str, int], Role], view: View
) -> Hiding | None:
    """What the masks of ``scores`` say; None where one is none of Keras'.

    Args:
        scores: from ``scores_below``.
        roles: of the axes of the scores.
        sizes: the role of the axis whose size is asked for as (tensor, axis).
        view: where.
    """
    found = Hiding(zeroed=scores.zeroed is not None)
    pending = [(mask, seen, roles) for mask, seen in scores.masks]
    if scores.zeroed is not None and scores.zeroed not in [m for m, _ in scores.masks]:
        return None
    while pending:
        mask, seen, wanted = pending.pop(0)
        mask, seen = _uncast(mask, seen, view)
        arranged = _arranged(mask, wanted, view)
        if arranged is None:
            return None
        source, own = arranged
        if source != view.resolve(mask):
            pending.insert(0, (source, seen, own))
            continue
        node = view.producer(source)
        if node is not None and seen and node.op == "LogicalAnd":
            pending[:0] = [(i, True, own) for i in node.inputs]
        elif not _heed(found, source, seen, own, sizes, view):
            return None
    return found


def _uncast(mask: str, seen: bool, view: View) -> tuple[str, bool]:
    """A mask below what makes it boolean or a number: Cast, Greater(., 0.5), LogicalNot."""
    while (node := view.producer(mask)) is not None:
        half = node.op == "Greater" and view.scalar(node.inputs[1]) == 0.5
        if not half and node.op not in ("Cast", "LogicalNot"):
            break
        seen = seen != (node.op == "LogicalNot")
        mask = node.inputs[0]
    return mask, seen


def _arranged(
    mask: str, roles: Sequence[Role], view: View
) -> tuple[str, tuple[Role, ...]] | None:
    """What a mask is a layout of, and the roles of that one's axes."""
    # A mask (batch, time) is what Keras hands on, whatever it is made of.
    arranged = layout(mask, view, until=lambda tensor: len(view.shape(tensor) or ()) == 2)
    if len(arranged.groups) > len(roles):
        return None
    told: dict[Axis, Role] = {}
    behind = roles[len(roles) - len(arranged.groups) :]
    for group, role in zip(arranged.groups, behind, strict=True):
        more = [axis for axis in group if axis.size != 1] or group[:1]
        if len(more) > 1:
            return None
        told.update({axis: role if axis in more else "1" for axis in group})
    if any(axis not in told and axis.size != 1 for axis in arranged.own):
        return None
    return arranged.source, tuple(told.get(axis, "1") for axis in arranged.own)


def _heed(
    found: Hiding, mask: str, seen: bool, roles: tuple[Role, ...],
    sizes: Mapping[tuple[str, int], Role], view: View,
) -> bool:  # fmt: skip
    """Add one mask to what is found; False where it is none of Keras'."""
    lengths = {"b": 1, "q": 5, "k": 7}

    def size_of(tensor: str, axis: int) -> int | None:
        role = sizes.get((tensor, axis))
        return lengths.get(role[0]) if isinstance(role, tuple) else None

    value = tried(mask, view, {}, size_of)
    if value is None:
        shape = view.shape(mask) or ()
        told = tuple(r for r, size in zip(roles, shape, strict=True) if size != 1)
        found.masks.append((mask, told))
        return seen
    import numpy as np

    value = (value != 0) == seen
    if value.all():
        return True
    places = [k for k, role in enumerate(roles) if isinstance(role, tuple) and role[0] in "qk"]
    if len(places) != 2 or len(value.shape) != len(roles):
        return False
    if value.size != value.shape[places[0]] * value.shape[places[1]]:
        return False
    square = value.reshape(value.shape[places[0]], value.shape[places[1]])
    if roles[places[0]][0] == "k":
        square = square.T
    distance = np.arange(square.shape[0])[:, None] - np.arange(square.shape[1])
    if (square == (distance >= 0)).all():
        found.causal = True
        return True
    window = int(np.abs(distance[square]).max(initial=-1)) + 1
    if not (square == (np.abs(distance) < window)).all():
        return False
    found.window = window
    return True


# -- roles ------------------------------------------------------------------------------------


def joined_roles(
    found: Product, left: Sequence[Sequence[Role]], right: Sequence[Sequence[Role]],
    summed: set[Role],
) -> list[list[Role]] | None:
    """The roles of a product's axes; None where axes meet that have nothing to do with each other.

    Args:
        found: the product.
        left: the roles of its left factor's axes, piece by piece.
        right: of its right factor's.
        summed: the roles over which it has to sum, all of them.
    """
    told: dict[Axis, Role] = {}
    gone: set[Role] = set()
    kept = {axis for group in found.axes for axis in group}
    for axes, roles in ((found.left_axes, left), (found.right_axes, right)):
        if [len(group) for group in axes] != [len(group) for group in roles]:
            return None
        for group, names in zip(axes, roles, strict=True):
            for axis, role in zip(group, names, strict=True):
                met = told.get(axis)
                if met is None:
                    told[axis] = role
                    continue
                both = _met(met, role)
                if both is None:
                    return None
                told[axis] = both
                if axis not in kept:
                    gone.add(both)
    if any(axis not in told for axis in kept) or gone != summed:
        return None
    return [[told[axis] for axis in group] for group in found.axes]


def _met(a: Role, b: Role) -> Role | None:
    """The role of an axis that both factors have."""
    if a == b:
        return a
    if isinstance(a, tuple) and isinstance(b, tuple) and a[1] == b[1]:
        return ("b", a[1]) if {a[0], b[0]} <= {"q", "k", "b"} else None
    return None


def single(groups: Sequence[Sequence[Role]] | None) -> list[Role] | None:
    """The roles of axes none of which is in pieces."""
    if groups is None or any(len(group) != 1 for group in groups):
        return None
    return [group[0] for group in groups]


def attended(tensor: str, view: View, *, split: bool = False) -> tuple[Product, Scores] | None:
    """Probabilities times values, the probabilities as the left factor, and the scores below."""
    found = product_at(tensor, view, split=split)
    if found is None or view.constant(found.left) or view.constant(found.right):
        return None
    for each in (found, found.turned()):
        scores = scores_below(each.left, view)
        if scores is not None:
            return each, scores
    return None


def is_inverse_root(constants: Sequence[str], size: int, view: View) -> bool:
    """Whether scores are divided by the root of a size."""
    near = max([1e-6, *(precision(constant[1:], view) for constant in constants)])
    return math.isclose(factor_of(constants, view), 1.0 / math.sqrt(size), rel_tol=near)
