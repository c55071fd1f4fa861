"""coverage: which layer classes of Keras are known, and in which direction; for the README.

Keras' classes are those of ``keras/accepted.py``, the rest is the registry's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from modelfmt.keras.accepted import accepted, built_in
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.recurrent.cells import CellCodec
from modelfmt.layers.registry import codecs

#: Classes that no codec is needed for: a model's input, and what is no layer of its own.
_WITHOUT = {
    "InputLayer": "a Placeholder",
    "Lambda": "holds code, which is never run; register a layer in its place",
}

#: Between these the README has the table.
BEGIN, END = "<!-- layers: make readme -->", "<!-- end of layers -->"


class Row(NamedTuple):
    """One class: the Keras majors that have it, what modelfmt does with it, and a remark."""

    class_name: str
    majors: str
    is_written: bool
    is_recognised: bool
    note: str


def coverage() -> Iterator[Row]:
    """A row for every layer class of Keras 2 and 3, by name."""
    known = {codec.class_name: codec for codec in codecs() if codec.module == LayerCodec.module}
    for name in sorted({*built_in(), *known, *_WITHOUT}):
        majors = ", ".join(str(k) for k in (2, 3) if accepted(name, k) is not None)
        codec = known.get(name)
        if codec is None or name in _WITHOUT:
            fits = name == "InputLayer"
            yield Row(name, majors, fits, fits, _WITHOUT.get(name, "refused by name"))
            continue
        writes = codec.template is not None or type(codec).write is not LayerCodec.write
        writes = writes or isinstance(codec, CellCodec)  # within a layer that loops
        reads = any(True for _ in codec.roots())
        yield Row(name, majors, writes, reads, codec.note)


def markdown() -> str:
    """The rows as a table for the README."""
    lines = ["| class | Keras | written | recognised | note |", "|---|---|---|---|---|"]
    for row in coverage():
        marks = ["yes" if done else "" for done in (row.is_written, row.is_recognised)]
        lines.append(f"| {row.class_name} | {row.majors} | {' | '.join(marks)} | {row.note} |")
    return "\n".join(lines) + "\n"


def filled(readme: str) -> str:
    """A README with the table between its marks as it should be.

    Raises:
        ValueError: the marks are missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n\n{markdown()}\n{END}{after}"
