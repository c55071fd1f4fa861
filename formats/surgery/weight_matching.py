"""Weights of two files matched, one to one, by what they are called, hold, or look like.

    by_name      equal names                       each where
    by_end       one name the end of the other,    that is
                 then equal ends of two words up   one to one
    by_content   equal dtype, shape and bytes, in order
    by_shape     the only ones of their dtype and shape; by_shape_in_order: of several, where there
                 are as many on both sides, the first with the first
    drop_state   leaves out an optimizer's slot variables: named after a weight and of its shape
                 (``[scope/]dense/kernel/Adam``), and what else stands in their scope
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from modelfmt.surgery.model_changes import described
from modelfmt.surgery.weight_names import Weights


class Matched(NamedTuple):
    """Pairs of names, and the names without a partner."""

    pairs: list[tuple[str, str]]
    only_a: list[str]
    only_b: list[str]

    @property
    def is_whole(self) -> bool:
        return not (self.only_a or self.only_b)


def by_name(left: Weights, right: Weights) -> Matched:
    return Matched(
        [(x, x) for x in left if x in right],
        [x for x in left if x not in right],
        [y for y in right if y not in left],
    )


def _paired(matched: Matched, found: Mapping[str, str]) -> Matched:
    taken = set(found.values())
    return Matched(
        [*matched.pairs, *found.items()],
        [x for x in matched.only_a if x not in found],
        [y for y in matched.only_b if y not in taken],
    )


def by_end(left: Weights, right: Weights, matched: Matched) -> Matched:
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


def _whole_ends(left: Weights, right: Weights, matched: Matched) -> dict[str, str]:
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


def drop_state(weights: Weights, unmatched: list[str]) -> int:
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


def by_content(left: Weights, right: Weights, matched: Matched) -> Matched:
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


def by_shape(left: Weights, right: Weights, matched: Matched) -> Matched:
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


def by_shape_in_order(left: Weights, right: Weights, matched: Matched) -> Matched:
    """Pair those of equal dtype and shape in order, where there are as many on both sides."""
    groups = [
        _grouped({n: described(side[n]) for n in names})
        for side, names in ((left, matched.only_a), (right, matched.only_b))
    ]
    found: dict[str, str] = {}
    for key, names in groups[0].items():
        others = groups[1].get(key, [])
        if len(names) == len(others):
            found.update(zip(names, others, strict=True))
    return _paired(matched, found)
