"""What the rooms share: h5py's exceptions translated, names, plain values."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from modelfmt.errors import CorruptFileError, MissingError, ModelFormatError
from modelfmt.storage.hdf5.door import H5PY_ERRORS, key_of, little, plain_value, translated


@pytest.mark.parametrize("error", H5PY_ERRORS)
def test_exceptions_of_h5py_become_ours(error: type[Exception]) -> None:
    with (
        pytest.raises(CorruptFileError, match=r'^f.h5, HDF5 "a": HDF5: two lines\.$'),
        translated("f.h5", key_of("/a/")),
    ):
        raise error("two\n  lines")
    with pytest.raises(ModelFormatError) as caught, translated(None, None, ModelFormatError):
        raise error
    assert type(caught.value) is ModelFormatError and caught.value.__cause__ is not None


def test_ours_pass_as_they_are() -> None:
    with pytest.raises(MissingError, match=r"^x"), translated("f.h5", "key"):
        raise MissingError("x")


def test_keys() -> None:
    assert [key_of(path) for path in ("/", "", "a/b", "/a")] == [
        'HDF5 "/"', 'HDF5 "/"', 'HDF5 "a/b"', 'HDF5 "a"',
    ]


def test_little() -> None:
    assert little(np.dtype(">f4")) == np.dtype("<f4")
    assert little(h5py.string_dtype()) == np.dtype(object)
    assert little(h5py.enum_dtype({"a": 1}, "i1")).metadata is None


def test_plain_values() -> None:
    assert plain_value(np.array([b"a", b"b"])) == ["a", "b"]
    assert plain_value(h5py.Empty("S1")) == "" and plain_value(h5py.Empty("f4")).shape == (0,)
    with pytest.raises(UnicodeDecodeError):
        plain_value(b"\xff")
