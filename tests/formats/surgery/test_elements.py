"""Tensors compared: bit for bit or within a tolerance, in bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import MismatchError
from modelfmt.storage.files import Computed, SourceFile
from modelfmt.surgery.changes import Numbers, Tolerance
from modelfmt.surgery.elements import compare_tensors, difference, even_chunks
from modelfmt.tensor import Tensor

NAN, INF = np.nan, np.inf


def tensor(values: Any, dtype: Any = "float32") -> Tensor:
    return Tensor.from_numpy("t", np.asarray(values, dtype))


def differing(a: Any, b: Any, dtype: Any = "float32", **tolerance: float) -> int:
    found = difference(tensor(a, dtype), tensor(b, dtype), Tolerance(**tolerance))
    back = difference(tensor(b, dtype), tensor(a, dtype), Tolerance(**tolerance))
    assert found == back
    return 0 if found is None else found.differing


def test_numbers() -> None:
    a = np.arange(12, dtype=np.float32).reshape(3, 4)
    b = a.copy()
    b[1, 2] += 0.5
    b[2, 3] += 0.25
    assert difference(tensor(a), tensor(a)) is None
    found = difference(tensor(a), tensor(b))
    assert found == Numbers(2, 12, 0.5, 0.5 / 6.5, (1, 2))


def test_without_tolerance_bits_are_compared() -> None:
    assert differing([0.0, NAN, INF], [0.0, NAN, INF]) == 0
    assert differing([0.0], [-0.0]) == 1
    other_nan = np.array([0x7FC00001], np.uint32).view(np.float32)
    assert differing([NAN], other_nan) == 1
    assert differing([NAN], [1.0]) == differing([INF], [-INF]) == 1


def test_with_a_tolerance_numbers_are() -> None:
    assert differing([0.0], [-0.0], absolute=1e-9) == 0
    assert differing([1.0, 100.0], [1.001, 100.1], relative=2e-3) == 0
    assert differing([1.0, 100.0], [1.001, 100.1], absolute=2e-3) == 1
    other_nan = np.array([0x7FC00001], np.uint32).view(np.float32)
    assert differing([NAN, INF], [other_nan[0], INF], relative=1) == 0
    assert differing([NAN, INF, 1.0], [1.0, 1.0, -INF], relative=0.5, absolute=9) == 3


@pytest.mark.parametrize(
    "dtype",
    ["int8", "uint16", "int64", "uint64", "float16", "float64", "complex64", "bool",
     ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.int4],
)  # fmt: skip
def test_every_dtype(dtype: Any) -> None:
    assert differing([0, 1, 1], [0, 1, 1], dtype) == 0
    assert differing([0, 1, 1], [0, 1, 0], dtype) == 1
    assert differing([0, 1, 1], [0, 1, 0], dtype, absolute=1) == 0


def test_integers_beyond_the_floats() -> None:
    a, b = tensor([2**63 - 1, -(2**63)], "int64"), tensor([2**63 - 2, 2**63 - 1], "int64")
    found = difference(a, b)
    assert found is not None and (found.differing, found.at) == (2, (1,))
    assert found.max_abs == float(2**64 - 1)
    first = difference(tensor([2**63 - 1], "int64"), tensor([2**63 - 2], "int64"))
    assert first is not None and first.max_abs == 1


def test_dtype_and_shape() -> None:
    def items(a: Tensor, b: Tensor) -> list[tuple[str, Any, Any]]:
        return [(c.item, c.a, c.b) for c in compare_tensors("weights", "w", a, b)]

    assert items(tensor([1, 2]), tensor([1, 2], "float16")) == [("dtype", "float32", "float16")]
    assert [i[0] for i in items(tensor([1, 2]), tensor([1, 3], "float16"))] == ["dtype", "values"]
    assert items(tensor([1, 2]), tensor([[1, 2]])) == [("shape", [2], [1, 2])]


def test_strings() -> None:
    a, b = tensor([b"x", b"y", b"z"], object), tensor([b"x", b"q", b"r"], object)
    assert list(compare_tensors("tensors", "s", a, a)) == []
    (change,) = compare_tensors("tensors", "s", a, b)
    assert (change.item, change.a, change.b) == ("values[1] and 1 more", b"y", b"q")


def test_chunks_are_even_whatever_the_piece_yields() -> None:
    data = bytes(range(256)) * 5
    for step in (1, 7, 300, 2000):
        piece = Computed(len(data), lambda s=step: (data[k : k + s] for k in range(0, 1280, s)))
        chunks = list(even_chunks(piece, 300))
        assert b"".join(chunks) == data and [len(c) for c in chunks] == [300] * 4 + [80]
    assert list(even_chunks(b"", 4)) == []


def test_a_difference_beyond_the_first_chunk() -> None:
    a = np.zeros(600_000, np.float32)
    b = a.copy()
    b[[1, 599_999]] = [0.5, -2]
    found = difference(tensor(a), tensor(b))
    assert found == Numbers(2, 600_000, 2.0, 1.0, (599_999,))


def test_a_payload_of_another_size() -> None:
    short = Tensor("t", dtypes.float32, (3,), b"\0" * 8)
    with pytest.raises(MismatchError, match="number of bytes"):
        difference(short, tensor([1, 2, 3]))


def test_memory_is_bounded(tmp_path: Path) -> None:
    size = 64 << 20
    paths = tmp_path / "a", tmp_path / "b"
    np.zeros(size // 4, np.float32).tofile(paths[0])
    np.ones(size // 4, np.float32).tofile(paths[1])
    with SourceFile(paths[0]) as a, SourceFile(paths[1]) as b:
        x, y = (Tensor("t", dtypes.float32, (size // 4,), f.span()) for f in (a, b))
        tracemalloc.start()
        found = difference(x, y)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found is not None and found.differing == size // 4
    assert peak < size // 2
