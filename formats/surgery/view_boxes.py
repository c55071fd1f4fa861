"""What a picture of a model shows: boxes, boxes within boxes, and edges between the innermost ones.

A scope is a box that holds others. Those of a graph are told by the slashes in names; layers, whose
names have none, are grouped where a whole word of their names is shared (``conv2_block1_out``) and
the group stands in one piece: it holds layers of several classes, and no path leaves and reenters.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

#: So many boxes are shown before anyone unfolds one.
READABLE = 40
#: With so few, also a level is unfolded that isn't readable as a whole.
_FEW = 10
#: So many parts that are alike, and hang together with nothing, are shown each for itself.
_ALIKE = 6
#: Scopes stand within scopes down to so many, and names are split at so many words.
_DEEP, _WORDS = 100, 8
#: A group of layers has at least so many.
_GROUP = 3
_UNPRINTABLE = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclasses.dataclass
class Box:
    """One box of a picture.

    Attributes:
        title: what is written in it; the name without its scope.
        name: its full name.
        kind: the class of a layer, the op of a node, the dtype of a tensor; "" for a scope.
        lines: its weights, one a line: ``kernel  float32 [3, 3, 64]``.
        details: [(what, value)] for who asks for more.
        children: the boxes within.
        id: its number in the picture, in the order of a walk.
        parent: the id of the scope it stands in; -1 at the top.
        aside: it stays folded until somebody asks for it.
    """

    title: str
    name: str
    kind: str = ""
    lines: list[str] = dataclasses.field(default_factory=list)
    details: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    children: list[Box] = dataclasses.field(default_factory=list)
    id: int = -1
    parent: int = -1
    aside: bool = False


@dataclasses.dataclass(frozen=True)
class Line:
    """An edge from box to box, by their ids; ``control``: it carries no tensor."""

    source: int
    target: int
    control: bool = False


@dataclasses.dataclass
class Picture:
    """The boxes of a model, numbered, and the edges between those without children.

    Attributes:
        title, kind: the name of the file, and its kind.
        top: the outermost boxes.
        boxes: all of them by id.
        edges: in order of their ends, none twice.
    """

    title: str
    kind: str
    top: list[Box]
    boxes: list[Box]
    edges: list[Line]

    @classmethod
    def of(
        cls, title: str, kind: str, top: list[Box], edges: Sequence[tuple[Box, Box, bool]]
    ) -> Picture:
        """Number the boxes, and join edges that are one but for being control edges."""
        boxes: list[Box] = []
        stack = [(box, -1) for box in reversed(top)]
        while stack:
            box, parent = stack.pop()
            box.id, box.parent = len(boxes), parent
            boxes.append(box)
            stack.extend((child, box.id) for child in reversed(box.children))
        joined: dict[tuple[int, int], bool] = {}
        for source, target, control in edges:
            if source is not target:
                ends = (source.id, target.id)
                joined[ends] = joined.get(ends, True) and control
        lines = [Line(*ends, control) for ends, control in sorted(joined.items())]
        return cls(title, kind, top, boxes, lines)

    def around(self, box: int) -> Iterator[int]:
        """The box and the scopes it stands in, from the innermost; then -1."""
        while box >= 0:
            yield box
            box = self.boxes[box].parent
        yield -1

    def opened(self, depth: int | None = None) -> set[int]:
        """The scopes that are unfolded at first: ``depth`` levels, or as many as stay readable."""
        found: set[int] = set()
        shown, level, at = len(self.top), self.top, 0
        while level and at < (_DEEP if depth is None else min(depth, _DEEP)):
            following = []
            folded = [b for b in level if b.children and (not b.aside or depth is not None)]
            more = sum(len(box.children) - 1 for box in folded)
            if depth is None and shown + more > READABLE and shown > _FEW:
                break  # what is alike is folded alike
            for box in folded:
                if depth is None and shown + len(box.children) - 1 > READABLE:
                    continue
                found.add(box.id)
                shown += len(box.children) - 1
                following += box.children
            level, at = following, at + 1
        return found


def printable(text: str) -> str:
    """The text with U+FFFD for what neither XML nor UTF-8 can hold."""
    return _UNPRINTABLE.sub("\ufffd", text)


def shortened(text: str, length: int = 40) -> str:
    """The text, its middle left out if it is longer than ``length``."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{text[:head]}\u2026{text[head + 1 - length:]}"


def scoped(boxes: Mapping[str, Box]) -> list[Box]:
    """Leaf boxes by full name, put in scopes by the slashes of their names; the outermost ones.

    A node may be called as a scope is; it then stands in it. A scope of one box is no scope.
    """
    root = Box("", "")
    scopes: dict[str, Box] = {"": root}
    for name, box in boxes.items():
        parts = name.split("/", _DEEP)
        place = root
        for at in range(1, len(parts)):
            inner = "/".join(parts[:at])
            if inner not in scopes:
                scopes[inner] = Box(parts[at - 1], inner)
                place.children.append(scopes[inner])
            place = scopes[inner]
        place.children.append(box)
    homes = {name: box for name, box in boxes.items() if name and name in scopes}
    inside = {id(box) for box in homes.values()}
    for scope in scopes.values() if inside else ():
        scope.children = [child for child in scope.children if id(child) not in inside]
    for name, box in homes.items():  # "dense" beside "dense/kernel"
        scopes[name].children.insert(0, box)
    for scope in reversed(list(scopes.values())):
        scope.children = [_plain(child) for child in scope.children]
    return root.children


def _plain(box: Box) -> Box:
    """A scope of one box becomes that box, under the longer name."""
    if len(box.children) != 1 or box.kind:  # a node that calls a function is no scope
        return box
    only = box.children[0]
    only.title = f"{box.title}/{only.title}" if only.name != box.name else only.title
    return only


def gathered(boxes: list[Box], edges: Sequence[tuple[Box, Box, bool]]) -> list[Box]:
    """Parts that hang together with nothing else, where many are alike, put into a folded scope."""
    holder = {id(leaf): box for box in boxes for leaf in [box, *_within(box)]}
    beside: dict[int, list[int]] = {}
    for source, target, _ in edges:
        ends = id(holder[id(source)]), id(holder[id(target)])
        beside.setdefault(ends[0], []).append(ends[1])
        beside.setdefault(ends[1], []).append(ends[0])
    alike: dict[tuple[str, ...], list[list[Box]]] = {}
    by_id = {id(box): at for at, box in enumerate(boxes)}
    seen: set[int] = set()
    for box in boxes:
        if id(box) not in seen:
            part = reach([id(box)], beside)
            seen |= part
            members = [boxes[at] for at in sorted(by_id[one] for one in part)]
            kinds = sorted(one.kind or one.title for one in members)
            alike.setdefault(tuple(kinds), []).append(members)
    away = {id(box) for parts in alike.values() if len(parts) > _ALIKE for p in parts for box in p}
    found = [box for box in boxes if id(box) not in away]
    for kinds_, parts in alike.items():
        if len(parts) > _ALIKE:
            name = f"{len(parts)} \u00d7 {', '.join(dict.fromkeys(kinds_))}"
            children = [box for part in parts for box in part]
            found.append(Box(name, name, children=children, aside=True))
    return found


def _within(box: Box) -> Iterator[Box]:
    stack = list(box.children)
    while stack:
        one = stack.pop()
        yield one
        stack.extend(one.children)


def grouped(boxes: list[Box], edges: Sequence[tuple[Box, Box, bool]]) -> list[Box]:
    """Boxes of layers, and over them the groups that their names tell; the outermost ones."""
    after: dict[int, list[int]] = {}
    here = {id(box) for box in boxes}
    for source, target, _ in edges:
        if id(source) in here and id(target) in here:
            after.setdefault(id(source), []).append(id(target))
    found = _grouped(boxes, after, 1)
    while len(found) == 1 and not found[0].kind:  # a group of all says nothing
        found = found[0].children
    return found


def _grouped(boxes: list[Box], after: Mapping[int, Sequence[int]], words: int) -> list[Box]:
    by_prefix: dict[str, list[Box]] = {}
    for box in boxes if words <= _WORDS else ():
        parts = box.title.split("_")
        if len(parts) > words:
            by_prefix.setdefault("_".join(parts[:words]), []).append(box)
    inner: dict[int, Box] = {}  # by the first layer, in whose place a group stands
    for prefix, members in by_prefix.items():
        children = _grouped(members, after, words + 1)
        alone = len(children) == 1 and bool(children[0].children)
        if not alone and _means_something(members, prefix) and _is_one_piece(members, after):
            scope = members[0].name.rpartition("/")[0]
            children = [Box(prefix, f"{scope}/{prefix}" if scope else prefix, children=children)]
        inner.update({id(_first(child)): child for child in children})
    grouped_away = {id(box) for members in by_prefix.values() for box in members}
    return [
        inner.get(id(box), box) for box in boxes
        if id(box) in inner or id(box) not in grouped_away
    ]  # fmt: skip


def _first(box: Box) -> Box:
    """The first layer of a group."""
    while box.children and not box.kind:
        box = box.children[0]
    return box


def _means_something(members: list[Box], prefix: str) -> bool:
    """Names that Keras made up (dense, dense_1) tell of no group, nor does one class alone."""
    named = sum(not box.title[len(prefix) + 1 :].isdecimal() for box in members)
    return len(members) >= _GROUP and named > 1 and len({box.kind for box in members}) > 1


def _is_one_piece(members: list[Box], after: Mapping[int, Sequence[int]]) -> bool:
    """Whether the members hang together, and no path leaves them and comes back."""
    inside = {id(box) for box in members}
    beside: dict[int, list[int]] = {}
    left = []
    for source in sorted(inside):
        for target in after.get(source, ()):
            if target in inside:
                beside.setdefault(source, []).append(target)
                beside.setdefault(target, []).append(source)
            else:
                left.append(target)
    return reach([id(members[0])], beside) == inside and not reach(left, after) & inside


def reach(starts: Sequence[int], after: Mapping[int, Sequence[int]]) -> set[int]:
    """What can be reached, the starts included."""
    found, todo = set(starts), list(starts)
    while todo:
        for following in after.get(todo.pop(), ()):
            if following not in found:
                found.add(following)
                todo.append(following)
    return found
