"""What every room of HDF5 needs: h5py's exceptions as ours, and how a place is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h5py
import numpy as np

from modelfmt.errors import CorruptFileError, ModelFormatError, Where

# What h5py was seen to raise on damaged files; MissingError is a KeyError, hence the order below.
H5PY_ERRORS = (
    RuntimeError, LookupError, TypeError, OSError, ValueError, AttributeError, MemoryError,
    OverflowError,
)


@contextmanager
def translated(
    path: str | None, key: str | None, error_class: type[ModelFormatError] = CorruptFileError
) -> Iterator[None]:
    """h5py's exceptions as one of ours, with file and HDF5 path."""
    try:
        yield
    except ModelFormatError:
        raise
    except H5PY_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise error_class(f"HDF5: {reason}", where=Where(path, key)) from error


def key_of(path: str) -> str:
    """An object as errors name it."""
    return f'HDF5 "{path.strip("/") or "/"}"'


def little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype without h5py's metadata, little-endian."""
    return np.dtype(object) if dtype.hasobject else np.dtype(dtype.str.replace(">", "<"))


def plain_value(value: Any) -> Any:
    """An attribute's value, text of every storage as str."""
    if isinstance(value, h5py.Empty):
        return "" if h5py.check_string_dtype(value.dtype) else np.empty((0,), value.dtype)
    if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
        value = value.tolist()
    return _text(value)


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(element) for element in value]
    if isinstance(value, bytes):  # np.bytes_ too
        return value.decode("utf-8")
    if isinstance(value, str):
        value.encode("utf-8")  # h5py lets invalid UTF-8 pass as surrogates
    return value
