"""Tensors as another floating dtype."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import UnsupportedError
from modelfmt.storage.files import Computed, iterate_piece
from modelfmt.tensor import Tensor

#: What weights may be cast to.
CASTS = ("float16", "bfloat16", "float32", "float64")


def float_dtype(name: str) -> DType:
    """The dtype to cast to. Raises UnsupportedError for one that holds no weights."""
    if name not in CASTS:
        raise UnsupportedError(
            f"weights are not cast to {name!r}", expected=f"one of {', '.join(CASTS)}"
        )
    return dtypes.from_name(name)


def cast_tensor(tensor: Tensor, dtype: DType) -> Tensor:
    """The elements rounded to ``dtype``, to nearest even, when they are read, some at a time."""

    def produce() -> Iterator[bytes]:
        import numpy as np

        rest = b""
        size = tensor.dtype.itemsize
        for chunk in iterate_piece(tensor.payload):
            data = rest + bytes(chunk)
            whole = len(data) - len(data) % size
            rest = data[whole:]
            with np.errstate(over="ignore", invalid="ignore"):
                yield np.frombuffer(data[:whole], tensor.dtype.numpy).astype(dtype.numpy).tobytes()

    payload = Computed(tensor.size * dtype.itemsize, produce)
    return dataclasses.replace(tensor, dtype=dtype, payload=payload, derived=True)
