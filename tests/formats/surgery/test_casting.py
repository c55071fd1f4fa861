"""Tensors cast when they are read."""

from __future__ import annotations

import numpy as np
import pytest

from modelfmt.errors import UnsupportedError
from modelfmt.storage.files import Computed
from modelfmt.surgery.casting import CASTS, cast_tensor, float_dtype
from modelfmt.tensor import Tensor


@pytest.mark.parametrize("name", CASTS)
def test_as_numpy_rounds(name: str) -> None:
    data = np.random.default_rng(3).normal(size=(40, 5)).astype(np.float32) * 1e3
    raw = data.tobytes()
    # Chunks that end within an element.
    piece = Computed(len(raw), lambda: [raw[k : k + 7] for k in range(0, len(raw), 7)])
    tensor = Tensor("x", float_dtype("float32"), (40, 5), piece)
    dtype = float_dtype(name)
    found = cast_tensor(tensor, dtype).numpy()
    assert found.dtype == dtype.numpy
    np.testing.assert_array_equal(found, data.astype(dtype.numpy))


@pytest.mark.parametrize("name", ["int8", "float8_e5m2", "half", ""])
def test_what_holds_no_weights(name: str) -> None:
    with pytest.raises(UnsupportedError, match="not cast to"):
        float_dtype(name)
