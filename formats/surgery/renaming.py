"""Names that become others: OLD=NEW, of one thing or of a scope with all that is within.

    dense=fc     dense -> fc    dense/kernel -> fc/kernel    dense_1: left alone

Slot variables carry the name of the variable that they belong to (``Adam/dense/kernel/m``), and
go along with it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

from modelfmt.errors import MismatchError, MissingError, Where
from modelfmt.surgery.slots import is_slot

#: What TensorFlow takes as the name of a node. Source: core/framework/node_def_util.cc.
_NODE_NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_>./\\-]*")


class Renaming:
    """Some names, and what they become; an exact name goes before a scope, a longer one first."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.asked = {old.rstrip("/"): new.rstrip("/") for old, new in names.items()}
        for old, new in self.asked.items():
            if not old or not new:
                raise MismatchError(
                    "a name is renamed to another one", expected="OLD=NEW", found=f"{old}={new}"
                )
        self._names = dict(self.asked)
        self.matched: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._names)

    def name(self, text: str) -> str:
        """What a name becomes."""
        scope, rest = text, ""
        while scope:
            if scope in self._names:
                self.matched.add(scope)
                return self._names[scope] + rest
            scope, slash, _ = scope.rpartition("/")
            rest = text[len(scope) :] if slash else ""
        return text

    def ref(self, text: str) -> str:
        """What an input or a tensor's name becomes: ``^a``, ``a:1``."""
        caret = "^" if text.startswith("^") else ""
        node, colon, output = text[len(caret) :].partition(":")
        return f"{caret}{self.name(node)}{colon}{output}"

    def map(self, names: Iterable[str], where: Where) -> dict[str, str]:
        """Those of some names that change, and what they become.

        Raises:
            MismatchError: two things would have one name.
        """
        listed = list(names)
        changed = {old: new for old in listed if (new := self.name(old)) != old}
        taken = {name for name in listed if name not in changed}
        for old, new in changed.items():
            if new in taken:
                raise MismatchError(
                    f'"{old}" cannot be renamed: there is a "{new}" already', where=where
                )
            taken.add(new)
        return changed

    def along(self, names: Iterable[str], variables: Iterable[str]) -> None:
        """Rename with ``variables`` those of ``names`` that are slots of theirs.

        Args:
            names: of variables that may be slots.
            variables: of all variables.
        """
        listed = set(variables)
        changed = {name: new for name in listed if (new := self.name(name)) != name}
        for name in names if changed else ():
            if name not in changed and is_slot(name, listed):
                new = within(name, changed)
                if new != name:
                    self._names[name] = new

    def check(self, names: Iterable[str], where: Where) -> None:
        """Raise MissingError for an OLD that nothing is called."""
        for old in self.asked:
            if old not in self.matched:
                close = difflib.get_close_matches(old, _scopes(names), n=3)
                raise MissingError(f"nothing is called {old!r}", close_matches=close, where=where)

    def check_nodes(self) -> None:
        """Raise MismatchError for a NEW that no node may be called."""
        for new in self.asked.values():
            if not _NODE_NAME.fullmatch(new):
                raise MismatchError("not the name of a node", found=repr(new))


def within(name: str, changed: Mapping[str, str]) -> str:
    """A name with one of the ``changed`` ones in it, as whole steps, replaced; the longest one."""
    steps = name.split("/")
    for length in range(len(steps) - 1, 0, -1):
        for start in range(1, len(steps) - length + 1):
            part = "/".join(steps[start : start + length])
            if part in changed:
                return "/".join([*steps[:start], changed[part], *steps[start + length :]])
    return name


def _scopes(names: Iterable[str]) -> list[str]:
    found: dict[str, None] = {}
    for name in names:
        steps = name.split("/")
        for length in range(1, len(steps) + 1):
            found["/".join(steps[:length])] = None
    return list(found)
