"""Which bytes of two files differ, and what stands there.

Regions (regions.py) are matched by label, so that one node that grew is one difference, however
far everything behind it moved. In two regions of one length the differing runs are named, in
others all between the first and the last byte that differ. Regions that changed their places, and
nothing else, are named as moved. Files are read in chunks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from modelfmt.container import Container
from modelfmt.storage.files import SourceFile
from modelfmt.surgery.changes import (
    ADDED,
    CHANGED,
    MOVED,
    REMOVED,
    Change,
    in_order,
    out_of_order,
)
from modelfmt.surgery.graph_changes import same_bytes
from modelfmt.surgery.regions import Region, files_of, regions_of

_CHUNK = 1 << 20
#: Runs with fewer equal bytes than this between them are one; and so many are told of a region.
_NEAR, _MOST_RUNS = 16, 8


def byte_changes(a: Container, b: Container) -> Iterator[Change]:
    """The differing spans of two models' files."""
    left, right = files_of(a), files_of(b)
    if len(left) == len(right) == 1:  # whatever they are called
        left, right = {"": next(iter(left.values()))}, {"": next(iter(right.values()))}
    for name in in_order(sorted(left), sorted(right)):
        if name not in right or name not in left:
            yield Change("files", name, REMOVED if name in left else ADDED)
            continue
        with SourceFile(left[name]) as x, SourceFile(right[name]) as y:
            if not same_bytes(x.span(), y.span()):
                yield from file_byte_changes(
                    name, x, y, regions_of(a, name, x), regions_of(b, name, y)
                )


def file_byte_changes(
    name: str, a: SourceFile, b: SourceFile, left: Sequence[Region], right: Sequence[Region]
) -> Iterator[Change]:
    """The differing spans of two files, given the regions that fill them."""
    regions = _keyed(left), _keyed(right)
    prefix = _common(a, b, Region(0, a.size, ""), Region(0, b.size, ""), backwards=False)
    found = False
    for key in in_order(list(regions[0]), list(regions[1])):
        x, y = regions[0].get(key), regions[1].get(key)
        if x is not None and x == y and x.end <= prefix:
            continue
        if x is None or y is None:
            found = True
            what = ADDED if x is None else REMOVED
            yield Change("bytes", name, what, key[0], _place(x), _place(y))
            continue
        for left_run, right_run in _runs(a, b, x, y):
            found = True
            yield Change("bytes", name, CHANGED, key[0], _place(left_run), _place(right_run))
    moved = out_of_order(list(regions[0]), list(regions[1]))
    for key in moved if not found else ():
        places = _place(regions[0][key]), _place(regions[1][key])
        yield Change("bytes", name, MOVED, key[0], *places)


def _keyed(regions: Sequence[Region]) -> dict[tuple[str, int], Region]:
    """Regions by label; those of one label are counted."""
    count: Counter[str] = Counter()
    found = {}
    for region in regions:
        found[region.label, count[region.label]] = region
        count[region.label] += 1
    return found


def _place(region: Region | None) -> dict[str, int] | None:
    return None if region is None else {"offset": region.offset, "length": region.length}


def _runs(
    a: SourceFile, b: SourceFile, x: Region, y: Region
) -> Iterator[tuple[Region, Region]]:
    """Pairs of spans that differ within two regions."""
    if x.length == y.length:
        for start, end in _differing(a, b, x, y):
            size = end - start
            yield Region(x.offset + start, size, ""), Region(y.offset + start, size, "")
        return
    before = _common(a, b, x, y, backwards=False)
    x, y = (Region(r.offset + before, r.length - before, "") for r in (x, y))
    after = _common(a, b, x, y, backwards=True)
    yield Region(x.offset, x.length - after, ""), Region(y.offset, y.length - after, "")


def _differing(a: SourceFile, b: SourceFile, x: Region, y: Region) -> Iterator[tuple[int, int]]:
    """Runs of differing bytes, as (start, end) from the regions' first bytes."""
    import numpy as np

    runs: list[tuple[int, int]] = []
    for start in range(0, x.length, _CHUNK):
        size = min(_CHUNK, x.length - start)
        left, right = a.read(x.offset + start, size), b.read(y.offset + start, size)
        if left == right:
            continue
        at = np.flatnonzero(np.frombuffer(left, np.uint8) != np.frombuffer(right, np.uint8))
        ends = np.flatnonzero(np.diff(at) > _NEAR)
        firsts, lasts = at[np.r_[0, ends + 1]], at[np.r_[ends, at.size - 1]]
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            joins = bool(runs) and start + first - runs[-1][1] < _NEAR
            if joins or len(runs) == _MOST_RUNS:  # all further ones are told as one
                runs[-1] = (runs[-1][0], start + last + 1)
            else:
                runs.append((start + first, start + last + 1))
    yield from runs


def _common(a: SourceFile, b: SourceFile, x: Region, y: Region, *, backwards: bool) -> int:
    """How many bytes two regions have in common from their beginnings, or from their ends."""
    import numpy as np

    done, most = 0, min(x.length, y.length)
    while done < most:
        size = min(_CHUNK, most - done)
        places = [(r.end - done - size) if backwards else (r.offset + done) for r in (x, y)]
        left, right = a.read(places[0], size), b.read(places[1], size)
        if left != right:
            at = np.flatnonzero(np.frombuffer(left, np.uint8) != np.frombuffer(right, np.uint8))
            return done + int(size - 1 - at[-1] if backwards else at[0])
        done += size
    return done
