"""The files of a folder, by their paths from it."""

from __future__ import annotations

import os


def files_below(folder: str) -> list[str]:
    """All files below a folder, with slashes, sorted; links to folders are not followed."""
    return sorted(
        os.path.relpath(os.path.join(root, name), folder).replace(os.sep, "/")
        for root, _, names in os.walk(folder)
        for name in names
    )
