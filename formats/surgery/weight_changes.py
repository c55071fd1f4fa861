"""Changes between the weights of two models, whatever holds them.

See weight_names.py for what they are called. They are matched

    1. by equal names                     each where
    2. one name the end of the other      that is
    3. equal ends of two words or more    one to one
    4. if some are left and layers can be had of both files, by the layers, as 1 to 3
    5. of what is still left, those of equal content
    6. the only ones of their dtype and shape

Of what is unmatched, slot variables of an optimizer are dropped, which are named after a weight and
have its shape (``[scope/]dense/kernel/Adam``), and what stands in their scope.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from modelfmt.container import Container
from modelfmt.errors import located
from modelfmt.surgery.changes import ADDED, REMOVED, Change, Changes, Tolerance
from modelfmt.surgery.elements import compare_tensors
from modelfmt.surgery.model_changes import described
from modelfmt.surgery.weight_names import Weights, named_weights, recognised_weights


class _Matched(NamedTuple):
    """Pairs of names, and the names without a partner."""

    pairs: list[tuple[str, str]]
    only_a: list[str]
    only_b: list[str]

    @property
    def is_whole(self) -> bool:
        return not (self.only_a or self.only_b)


def weight_changes(a: Container, b: Container, tolerance: Tolerance) -> Changes:
    """The changes between the weights of two containers of any kind.

    Raises:
        ModelFormatError: the weights of one cannot be read.
    """
    left, right = named_weights(a, b), named_weights(b, a)
    matched = _by_end(left, right, _by_name(left, right))
    way = "weights by name"
    dropped = _drop_state(left, matched.only_a) + _drop_state(right, matched.only_b)
    if not matched.is_whole:
        seen_a, seen_b = recognised_weights(a), recognised_weights(b)
        if seen_a and seen_b:
            again = _by_end(seen_a, seen_b, _by_name(seen_a, seen_b))
            if len(again.only_a) + len(again.only_b) < len(matched.only_a) + len(matched.only_b):
                left, right, matched = seen_a, seen_b, again
                way = "weights by recognised layers"
    named_pairs = len(matched.pairs)
    matched = _by_shape(left, right, _by_content(left, right, matched))
    if len(matched.pairs) > named_pairs:
        way += f", {len(matched.pairs) - named_pairs} by content or shape"
    if dropped:
        way += f", without {dropped} variables of the optimizer"
    return Changes(_compared(left, right, matched, tolerance), way)


def _compared(
    left: Weights, right: Weights, matched: _Matched, tolerance: Tolerance
) -> Iterator[Change]:
    for x, y in matched.pairs:
        where = x if x == y else f"{x} = {y}"
        with located(key=f'weight "{where}"'):
            yield from compare_tensors("weights", where, left[x], right[y], tolerance)
    for x in matched.only_a:
        yield Change("weights", x, REMOVED, a=described(left[x]))
    for y in matched.only_b:
        yield Change("weights", y, ADDED, b=described(right[y]))


# -- matching -----------------------------------------------------------------------------------


def _by_name(left: Weights, right: Weights) -> _Matched:
    return _Matched(
        [(x, x) for x in left if x in right],
        [x for x in left if x not in right],
        [y for y in right if y not in left],
    )


def _paired(matched: _Matched, found: Mapping[str, str]) -> _Matched:
    taken = set(found.values())
    return _Matched(
        [*matched.pairs, *found.items()],
        [x for x in matched.only_a if x not in found],
        [y for y in matched.only_b if y not in taken],
    )


def _by_end(left: Weights, right: Weights, matched: _Matched) -> _Matched:
    """Pair names with equal ends, where only two have it and the shapes agree."""
    matched = _paired(matched, _whole_ends(left, right, matched))
    words = {name: name.split("/") for name in (*matched.only_a, *matched.only_b)}
    for count in range(max(map(len, words.values()), default=0), 1, -1):
        ends = [
            _grouped({n: "/".join(words[n][-count:]) for n in names if len(words[n]) >= count})
            for names in (matched.only_a, matched.only_b)
        ]
        found = {
            xs[0]: ends[1][end][0]
            for end, xs in ends[0].items()
            if len(xs) == 1 and len(ends[1].get(end, ())) == 1
            and left[xs[0]].shape == right[ends[1][end][0]].shape
        }  # fmt: skip
        matched = _paired(matched, found)
    return matched


def _whole_ends(left: Weights, right: Weights, matched: _Matched) -> dict[str, str]:
    """Names of which one is the end of the other: ``dense/kernel``, ``model/dense/kernel``."""
    pairs: list[tuple[str, str]] = []
    for shorter, longer, flip in (
        (matched.only_a, matched.only_b, False), (matched.only_b, matched.only_a, True),
    ):
        known = set(shorter)
        for name in longer:
            parts = name.split("/")
            ends = ("/".join(parts[k:]) for k in range(1, len(parts) - 1))
            pairs += [(name, end) if flip else (end, name) for end in ends if end in known]
    pairs = [(x, y) for x, y in pairs if left[x].shape == right[y].shape]
    counts = Counter(name for pair in pairs for name in (("a", pair[0]), ("b", pair[1])))
    return {x: y for x, y in pairs if counts["a", x] == counts["b", y] == 1}


def _drop_state(weights: Weights, unmatched: list[str]) -> int:
    """Drop an optimizer's variables from what is unmatched; how many that were."""
    outlines = {name: tensor.shape for name, tensor in weights.items()}
    state, scopes = set[str](), set[str]()
    for name in unmatched:
        parts = name.split("/")
        for i in range(len(parts) - 1):
            for j in range(i + 1, len(parts)):
                weight = "/".join(parts[i:j])
                if weight not in unmatched and outlines.get(weight) == outlines[name]:
                    state.add(name)
                    scopes.add("/".join(parts[:i]))
    state |= {n for n in unmatched for s in scopes if s and n.startswith(f"{s}/")}
    unmatched[:] = [name for name in unmatched if name not in state]
    return len(state)


def _grouped(keys: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, key in keys.items():
        groups.setdefault(key, []).append(name)
    return groups


def _by_content(left: Weights, right: Weights, matched: _Matched) -> _Matched:
    """Pair what is left and equal, in order; only tensors of equal dtype and shape are read."""
    outlines = [
        {described(side[n]) for n in names}
        for side, names in ((left, matched.only_a), (right, matched.only_b))
    ]
    both = outlines[0] & outlines[1]
    groups = [
        _grouped({n: f"{described(side[n])} {side[n].sha256()}" for n in names
                  if described(side[n]) in both and side[n].strings is None})
        for side, names in ((left, matched.only_a), (right, matched.only_b))
    ]  # fmt: skip
    found: dict[str, str] = {}
    for key, names in groups[0].items():
        found.update(zip(names, groups[1].get(key, ()), strict=False))
    return _paired(matched, found)


def _by_shape(left: Weights, right: Weights, matched: _Matched) -> _Matched:
    groups = [
        _grouped({n: described(side[n]) for n in names})
        for side, names in ((left, matched.only_a), (right, matched.only_b))
    ]
    found = {
        names[0]: groups[1][key][0]
        for key, names in groups[0].items()
        if len(names) == 1 and len(groups[1].get(key, ())) == 1
    }
    return _paired(matched, found)
