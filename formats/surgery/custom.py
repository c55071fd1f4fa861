"""Users' own layers: a Python file that registers codecs, run because its user said so."""

from __future__ import annotations

import os
import runpy

from modelfmt.errors import ModelFormatError, UnknownFormatError, Where
from modelfmt.layers.registry import codecs


def load_custom(path: str | os.PathLike[str]) -> list[str]:
    """Run a Python file that calls ``modelfmt.register_layer``.

    Args:
        path: the file. It is executed: pass only what you trust.

    Returns:
        The class names that it registered.

    Raises:
        ModelFormatError: the file cannot be run, or registers nothing.
    """
    path = os.fspath(path)
    before = {id(codec) for codec in codecs()}
    try:
        runpy.run_path(path, run_name="modelfmt_custom")
    except Exception as error:  # not ours: a user's code may raise anything
        raise ModelFormatError(
            f"cannot be run ({type(error).__name__}: {error})", where=Where(path)
        ) from error
    added = [codec.class_name for codec in codecs() if id(codec) not in before]
    if not added:
        raise UnknownFormatError("registers no layer", where=Where(path))
    return added
