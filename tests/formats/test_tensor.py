"""Tensor: bytes that stay where they are until they are read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import MismatchError, TruncatedError, UnsupportedError
from modelfmt.storage.files import Computed, SourceFile
from modelfmt.tensor import Tensor

ARRAYS = [
    np.arange(6, dtype="<f4").reshape(2, 3),
    np.float64(1.5),
    np.zeros((0, 3), "i8"),
    np.array([True, False]),
    np.array([1 + 2j], "c8"),
    np.array([1.5, -2], ml_dtypes.bfloat16),
    np.array([1, 2], "f2"),
    np.arange(8, dtype="i2")[::2],
    np.asfortranarray(np.arange(6, dtype="f4").reshape(2, 3)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{list(a.shape)}")
def test_from_numpy_and_back(array: Any) -> None:
    tensor = Tensor.from_numpy("t", array)
    assert (tensor.name, tensor.shape, tensor.size) == ("t", array.shape, array.size)
    assert tensor.nbytes == array.nbytes
    np.testing.assert_array_equal(tensor.numpy(), array)
    assert tensor.numpy().dtype == array.dtype
    wanted = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    assert tensor.sha256() == wanted


def test_big_endian_arrays_become_little_endian() -> None:
    tensor = Tensor.from_numpy("t", np.array([1, 2], ">i4"))
    assert tensor.payload == b"\1\0\0\0\2\0\0\0"
    assert tensor.numpy().tolist() == [1, 2]


@pytest.mark.parametrize(
    "value", [[["a", "bc"], ["é", ""]], [[b"a", b"bc"], ["é", b""]], np.array(["a", "bc"])]
)
def test_text_becomes_strings(value: Any) -> None:
    array = np.array(value, object)
    tensor = Tensor.from_numpy("t", array)
    assert tensor.dtype is dtypes.string and tensor.shape == array.shape
    flat = [e if isinstance(e, bytes) else e.encode() for e in array.ravel()]
    assert tensor.numpy().ravel().tolist() == flat
    assert tensor.nbytes == sum(map(len, flat))
    assert tensor.sha256() is None


def test_a_copy_is_taken() -> None:
    array = np.zeros(3, "f4")
    tensor = Tensor.from_numpy("t", array)
    array[0] = 1
    assert tensor.numpy()[0] == 0


def test_a_span_of_a_file_is_viewed_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"head" + np.arange(4, dtype="<f4").tobytes())
    with SourceFile(path) as file:
        tensor = Tensor("t", dtypes.float32, (2, 2), file.span(4, 16))
        array = tensor.numpy()
        assert array.tolist() == [[0, 1], [2, 3]]
        assert not array.flags.owndata and not array.flags.writeable
        assert tensor.sha256() == hashlib.sha256(path.read_bytes()[4:]).hexdigest()


def test_computed_bytes_are_made_when_asked_for() -> None:
    made = []

    def produce() -> list[bytes]:
        made.append(1)
        return [b"\1\0\0\0", b"\2\0\0\0"]

    tensor = Tensor("t", dtypes.int32, (2,), Computed(8, produce))
    assert (tensor.nbytes, repr(tensor)) == (8, "Tensor('t', int32, [2])")
    assert made == []
    assert tensor.numpy().tolist() == [1, 2] and made == [1]


def test_a_payload_of_another_size() -> None:
    tensor = Tensor("t", dtypes.float32, (3,), b"\0" * 8)
    with pytest.raises(MismatchError, match="expected 3, found 2"):
        tensor.numpy()


def test_a_span_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"1234")
    with SourceFile(tmp_path / "data") as file, pytest.raises(TruncatedError):
        file.span(2, 4)


def test_no_elements_of_a_resource() -> None:
    with pytest.raises(UnsupportedError):
        Tensor("t", dtypes.from_name("resource"), ()).numpy()


def test_another_name_and_another_shape_share_the_payload() -> None:
    tensor = Tensor.from_numpy("t", np.arange(6, dtype="f4"))
    again = tensor.renamed("u").reshaped((2, 3))
    assert (again.name, again.shape, tensor.name, tensor.shape) == ("u", (2, 3), "t", (6,))
    assert again.payload is tensor.payload
    with pytest.raises(MismatchError, match="cannot be reshaped"):
        tensor.reshaped((4,))


def test_changed_is_applied_when_read() -> None:
    tensor = Tensor.from_numpy("t", np.arange(6, dtype="f4").reshape(2, 3))
    turned = tensor.changed(lambda array: array[::-1])
    np.testing.assert_array_equal(turned.numpy(), tensor.numpy()[::-1])
    assert (turned.name, turned.shape, turned.nbytes) == ("t", (2, 3), 24)


def test_tensors_compare_by_identity() -> None:
    a, b = (Tensor.from_numpy("t", np.zeros(1)) for _ in range(2))
    assert a != b and len({a, b, a}) == 2
