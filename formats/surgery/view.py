"""view: a picture of a model in one file, which needs no network and no other file.

    .html   layers or nodes folded by scope, to unfold, search and read: view_html.py
    .svg    the same picture, as it stands at first: view_svg.py
    .dot, .mmd   for Graphviz and Mermaid: view_text.py
"""

from __future__ import annotations

import os

from modelfmt.errors import UnsupportedError, Where
from modelfmt.storage.output import atomic_output, check_output
from modelfmt.surgery.opening import open as open_container
from modelfmt.surgery.view_boxes import Picture
from modelfmt.surgery.view_source import picture_of

ENDINGS = (".html", ".svg", ".dot", ".mmd")


def view(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    kind: str | None = None,
    depth: int | None = None,
    force: bool = False,
) -> Picture:
    """Draw a model; the same file gives the same bytes. No tensor is read.

    Args:
        path: the file.
        out: the file to write; its ending says what: .html, .svg, .dot or .mmd.
        kind: overrides what the content says.
        depth: unfold so many levels of scopes. Left out: as many as stay readable, in .dot and
            .mmd all of them.
        force: replace an existing file.

    Returns:
        What was drawn.

    Raises:
        UnsupportedError: ``out`` has another ending.
        OutputExistsError: it exists, and not ``force``.
        ModelFormatError: the file cannot be opened, or its structure not be read.
    """
    ending = os.path.splitext(os.fspath(out))[1].lower()
    if ending not in ENDINGS:
        raise UnsupportedError(
            "a picture of that ending", where=Where(os.fspath(out)),
            expected=f"one of {', '.join(ENDINGS)}", found=ending or "none",
        )  # fmt: skip
    check_output(out, force=force)
    with open_container(path, kind=kind) as container:
        picture = picture_of(container)
    text = drawn(picture, ending, depth)
    with atomic_output(out, force=force) as output:
        output.file.write(text.encode())
    return picture


def drawn(picture: Picture, ending: str, depth: int | None = None) -> str:
    """The text of a file of that ending."""
    if ending in (".dot", ".mmd"):
        from modelfmt.surgery import view_text

        write = view_text.dot if ending == ".dot" else view_text.mermaid
        everything = {box.id for box in picture.boxes if box.children}
        return write(picture, everything if depth is None else picture.opened(depth))
    if ending == ".svg":
        from modelfmt.surgery.view_svg import svg

        return svg(picture, picture.opened(depth))
    from modelfmt.surgery.view_html import page

    return page(picture, picture.opened(depth))
