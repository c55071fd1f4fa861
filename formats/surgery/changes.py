"""What ``diff`` finds: changes, as plain data, and the comparison of values like JSON's.

A change as a row of ``fmt diff --json``:

    part      what kind of thing it is: versions, nodes, layers, weights, tensors, bytes, ...
    where     what it is called: a node, a layer, a tensor's name; empty for the file itself
    item      the part of it that differs: "op", "attr T", "config.units", "shape", "values"
    what      "added" (only in b), "removed" (only in a), "changed", "renamed", "moved"
    a, b      the two values; null for what is not there
    numbers   for "values": {"differing", "of", "max_abs", "max_rel", "at"}; a relative difference
              is |a - b| / max(|a|, |b|), and ``at`` the index of the largest absolute one
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
_OPPOSITE = {"added": "removed", "removed": "added"}
ADDED, REMOVED, CHANGED, RENAMED, MOVED = "added", "removed", "changed", "renamed", "moved"


class Tolerance(NamedTuple):
    """Equal is |a - b| <= absolute + relative * max(|a|, |b|); with both 0, bit for bit."""

    relative: float = 0.0
    absolute: float = 0.0

    @property
    def is_exact(self) -> bool:
        return not (self.relative or self.absolute)


EXACT = Tolerance()


class Numbers(NamedTuple):
    """How far two arrays are apart."""

    differing: int
    of: int
    max_abs: float
    max_rel: float
    at: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Change:
    """One difference; see the module's text."""

    part: str
    where: str
    what: str
    item: str = ""
    a: Any = None
    b: Any = None
    numbers: Numbers | None = None

    def row(self) -> dict[str, Any]:
        """The change as JSON can hold it; what is no finite number becomes its name."""
        row = {
            "part": self.part, "where": self.where, "item": self.item, "what": self.what,
            "a": _jsonable(self.a), "b": _jsonable(self.b),
        }
        if self.numbers is not None:
            row["numbers"] = _jsonable(self.numbers._asdict())
        return row

    def swapped(self) -> Change:
        """What it is seen from the other side."""
        what = _OPPOSITE.get(self.what, self.what)
        return dataclasses.replace(self, what=what, a=self.b, b=self.a)


class Changes(list[Change]):
    """A list of changes, and how they were looked for.

    Attributes:
        way: one sentence on what was compared with what.
    """

    def __init__(self, changes: Iterable[Change] = (), way: str = "") -> None:
        super().__init__(changes)
        self.way = way


def compare_values(
    part: str, where: str, item: str, a: Any, b: Any, *, lenient: bool = False
) -> Iterator[Change]:
    """The changes between two values like JSON's, by their paths: ``config.units``.

    Args:
        lenient: null and nothing are the same.
    """
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in [*a, *(k for k in b if k not in a)]:
            path = f"{item}.{key}" if item else str(key)
            if key in a and key in b:
                yield from compare_values(part, where, path, a[key], b[key], lenient=lenient)
            elif lenient and a.get(key) is None and b.get(key) is None:
                continue
            elif key in a:
                yield Change(part, where, REMOVED, path, a=a[key])
            else:
                yield Change(part, where, ADDED, path, b=b[key])
    elif _is_list(a) and _is_list(b) and (len(a) == len(b) or _holds_objects(a, b)):
        for k in range(max(len(a), len(b))):
            path = f"{item}[{k}]"
            if k >= len(b):
                yield Change(part, where, REMOVED, path, a=a[k])
            elif k >= len(a):
                yield Change(part, where, ADDED, path, b=b[k])
            elif _is_plain(a) and _is_plain(b):
                if not same(a, b):  # [3, 3] -> [5, 5] is one change, not two
                    yield Change(part, where, CHANGED, item, a, b)
                return
            else:
                yield from compare_values(part, where, path, a[k], b[k], lenient=lenient)
    elif not same(a, b):
        yield Change(part, where, CHANGED, item, a, b)


def same(a: Any, b: Any) -> bool:
    """Equality of values as files hold them: True is not 1, and nan is nan."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if _is_list(a) and _is_list(b):
        return len(a) == len(b) and all(map(same, a, b))
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def in_order(a: Sequence[K], b: Sequence[K]) -> list[K]:
    """The names of two lists, each once: a's, and b's own ones after those they follow in b."""
    known, merged = set(a), list[K]()
    after: dict[K | None, list[K]] = {}
    last: K | None = None
    for name in b:
        if name in known:
            last = name
        else:
            after.setdefault(last, []).append(name)
    merged += after.get(None, [])
    for name in a:
        merged.append(name)
        merged += after.get(name, [])
    return merged


def out_of_order(a: Sequence[K], b: Sequence[K]) -> list[K]:
    """The fewest names, of those in both lists, that must move to bring a into b's order."""
    import bisect

    places = {name: k for k, name in enumerate(b)}
    common = [name for name in a if name in places]
    ends: list[int] = []  # the longest rising row of places: its possible ends, by its length
    lengths: list[int] = []
    for name in common:
        k = bisect.bisect_left(ends, places[name])
        ends[k : k + 1] = [places[name]]
        lengths.append(k)
    staying: set[K] = set()
    wanted = len(ends) - 1
    for k in range(len(common) - 1, -1, -1):
        if lengths[k] == wanted:
            staying.add(common[k])
            wanted -= 1
    return [name for name in common if name not in staying]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _is_plain(values: Sequence[Any]) -> bool:
    return not any(isinstance(value, Mapping | list | tuple) for value in values)


def _holds_objects(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return any(isinstance(value, Mapping) for value in (*a, *b))


def _jsonable(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return {str(key): _jsonable(v) for key, v in value.items()}
    if _is_list(value):
        return [_jsonable(v) for v in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
