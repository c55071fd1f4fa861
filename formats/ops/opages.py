"""The age of ops and attrs: what an older TensorFlow does not know, and so must not be told.

A reader fills in the default of an attr that a node leaves out, but refuses a node with an attr
that it has never heard of. A *version* is a minor release: ``(1, 15)``. The table is opage_rows;
the versions that a graph may state as its producer's are those of core/public/version.h.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from modelfmt.errors import ConversionError
from modelfmt.ops import opdefs

if TYPE_CHECKING:
    from modelfmt.graph import AttrValue

#: Major and minor of a release.
Version = tuple[int, int]

#: The oldest TensorFlow that reads what is written where nobody states one.
OLDEST_READER: Version = (1, 15)

#: Each release's own GraphDef version: TF_GRAPH_DEF_VERSION.
_PRODUCERS: dict[Version, int] = {
    (1, 0): 21, (1, 1): 21, (1, 2): 22, (1, 3): 24, (1, 4): 24, (1, 5): 24, (1, 6): 26,
    (1, 7): 26, (1, 8): 26, (1, 9): 26, (1, 10): 26, (1, 11): 27, (1, 12): 27, (1, 13): 27,
    (1, 14): 38, (1, 15): 134, (2, 0): 119, (2, 1): 175,
}  # fmt: skip


def parse_version(text: str) -> Version:
    """``1.15`` or ``1.15.5`` as (1, 15). Raises ConversionError for what is no release."""
    match = re.fullmatch(r"([12])\.(\d{1,2})(?:\.\d+)?", text.strip())
    version = (int(match[1]), int(match[2])) if match else None
    if version is None or (version[0] == 1 and version[1] > 15):
        raise ConversionError(
            "no such release of TensorFlow", expected="1.0 to 1.15, or 2.0 and newer", found=text
        )
    return version


def age(op: str, attr: str | None = None) -> Version | None:
    """The first release that knows an op, or an attr of it; None where the table has no such op."""
    born = _ages().get(op)
    if attr is None or born is None:
        return born
    return _ages().get(f"{op}.{attr}", born)


def producer_of(version: Version) -> int:
    """The GraphDef version that a release may be told: its own, or where newer 2.1's."""
    return _PRODUCERS.get(version, _PRODUCERS[2, 1])


def settled(
    op: str, attrs: Mapping[str, AttrValue], version: Version = OLDEST_READER
) -> dict[str, AttrValue]:
    """``attrs`` without those that ``version`` does not know, where they hold their default."""
    young = [name for name in attrs if is_younger(op, name, version)]
    if not young:
        return dict(attrs)
    row = opdefs.get(op)
    defaults = {attr.name: attr.default for attr in row.attrs} if row else {}
    return {
        name: value
        for name, value in attrs.items()
        if name not in young or name not in defaults or value != defaults[name]
    }


def is_younger(op: str, attr: str, version: Version) -> bool:
    """Whether ``version`` lacks an attr; attrs with an underscore belong to no op."""
    born = _ages().get(f"{op}.{attr}")
    return born is not None and born > version


@cache
def _ages() -> dict[str, Version]:
    """The release of each ``Op`` and, where it came later, of ``Op.attr``."""
    from modelfmt.ops.opage_rows import ROWS

    found: dict[str, Version] = {}
    for row in ROWS.replace("\n  ", " ").split("\n"):
        first, *names = row.split() or [""]
        found.update(dict.fromkeys(names, _release(first)))
    return found


def _release(text: str) -> Version:
    major, _, minor = text.partition(".")
    return int(major or 0), int(minor or 0)
