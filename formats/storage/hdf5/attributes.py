"""Attributes as plain values, and back into the HDF5 type that they had.

A value is text, a number, or nested lists of them; text that is no UTF-8 is ``{"base64": ...}``.
The type says how it is stored: ``vlen utf-8``, ``fixed[12] ascii``, ``<f4``. What has no plain
value (references, compounds) is left alone.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from typing import Any

import h5py
import numpy as np

from modelfmt.errors import CorruptFileError, ModelFormatError
from modelfmt.storage.hdf5.door import key_of, translated

_TEXT = h5py.h5t.STRING


@dataclasses.dataclass(frozen=True)
class Attribute:
    """One attribute; ``value`` is meaningless where it is not ``plain``."""

    name: str
    type: str
    value: Any
    plain: bool = True


def describe(path: str | None, held: Any, at: str) -> list[Attribute]:
    """All attributes of an object, in the order that it keeps.

    Raises:
        CorruptFileError: damaged.
    """
    with translated(path, key_of(at)):
        return [_described(name, _opened(held, name)) for name in _names(held)]


def _described(name: str, attribute: Any) -> Attribute:
    stored = attribute.get_type()
    if attribute.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        return Attribute(name, "empty", None, plain=False)
    if stored.get_class() == _TEXT:
        values = _texts(attribute)
        charset = "utf-8" if stored.get_cset() == h5py.h5t.CSET_UTF8 else "ascii"
        size = "vlen" if stored.is_variable_str() else f"fixed[{stored.get_size()}]"
        return Attribute(name, f"{size} {charset}", _nested(values, attribute.shape))
    try:
        dtype = attribute.dtype
    except TypeError:
        return Attribute(name, "a type that numpy lacks", None, plain=False)
    if dtype.kind not in "biuf":
        return Attribute(name, str(dtype), None, plain=False)
    array = np.empty(attribute.shape, dtype)
    attribute.read(array)
    return Attribute(name, dtype.str, array.tolist())


def _texts(attribute: Any) -> list[str | dict[str, str]]:
    stored = attribute.get_type()
    if stored.is_variable_str():
        array = np.empty(attribute.shape, h5py.string_dtype())
        attribute.read(array)
    else:
        array = np.empty(attribute.shape, f"S{stored.get_size()}")
        attribute.read(array)
    return [_readable(value) for value in array.ravel().tolist()]


def _readable(value: Any) -> str | dict[str, str]:
    if isinstance(value, str):
        raw = value.encode("utf-8", "surrogateescape")
    else:
        raw = bytes(value or b"")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def _nested(flat: list[Any], shape: tuple[int, ...]) -> Any:
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape).tolist() if shape else flat[0]


def put(path: str | None, held: Any, at: str, name: str, value: Any) -> None:
    """Set an attribute: in the type it had, where the value fits that, else in what Keras writes.

    Attributes behind it keep their order, where the object remembers one.

    Raises:
        CorruptFileError: no plain value.
        ModelFormatError: what libhdf5 refuses, as above its 64 KiB for a header.
    """
    with translated(path, f'{key_of(at)}, attribute "{name}"', ModelFormatError):
        old = _opened(held, name) if h5py.h5a.exists(held.id, _raw(name)) else None
        kind, array, memory = _encoded(value, old)
        if old is not None and old.get_type().equal(kind) and old.shape == array.shape:
            old.write(array, mtype=memory)
            return
        behind = _behind(held, name) if old is not None else []
        if old is not None:
            old = None
            h5py.h5a.delete(held.id, _raw(name))
        _create(held, name, kind, array, memory)
        for after in behind:
            _move_to_end(held, after)


def remove(path: str | None, held: Any, at: str, name: str) -> None:
    """Delete an attribute."""
    with translated(path, f'{key_of(at)}, attribute "{name}"', ModelFormatError):
        h5py.h5a.delete(held.id, _raw(name))


def copy_attributes(source: Any, target: Any) -> None:
    """All attributes of one object as those of another, type and bytes. Raises TypeError."""
    for name in _names(source):
        _create(target, name, *stored(_opened(source, name)))


def stored(attribute: Any) -> tuple[Any, Any, Any]:
    """An attribute's type, its value, and the type of that in memory. Raises TypeError."""
    kind = attribute.get_type()
    shape = attribute.shape
    if attribute.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        return kind, None, None
    if kind.get_class() in (h5py.h5t.VLEN, h5py.h5t.REFERENCE) or attribute.dtype.hasobject:
        if kind.get_class() != _TEXT:
            raise TypeError(f"an attribute of type {attribute.dtype}")
        array = np.empty(shape, h5py.string_dtype())
        attribute.read(array)
        return kind, array, None
    array = np.empty(shape, f"V{kind.get_size()}")
    attribute.read(array, mtype=kind)
    return kind, array, kind


def _create(held: Any, name: str, kind: Any, array: Any, memory: Any) -> None:
    if array is None:
        h5py.h5a.create(held.id, _raw(name), kind, h5py.h5s.create(h5py.h5s.NULL))
        return
    space = (
        h5py.h5s.create_simple(array.shape) if array.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    )
    made = h5py.h5a.create(held.id, _raw(name), kind, space)
    made.write(array, mtype=memory)


def _behind(held: Any, name: str) -> list[str]:
    """Attributes created after one, where the object remembers; else none."""
    if not held.id.get_create_plist().get_attr_creation_order() & h5py.h5p.CRT_ORDER_TRACKED:
        return []
    names = _names(held)
    return names[names.index(name) + 1 :]


def _move_to_end(held: Any, name: str) -> None:
    kept = stored(_opened(held, name))
    h5py.h5a.delete(held.id, _raw(name))
    _create(held, name, *kept)


def _encoded(value: Any, old: Any) -> tuple[Any, Any, Any]:
    """The type to store a value in, the array, and its type in memory."""
    texts = _is_text(value)
    kind = None if old is None else old.get_type()
    if texts:
        array = _text_array(value)
        if kind is None or kind.get_class() != _TEXT:
            ascii_list = isinstance(value, list)
            kind = h5py.h5t.py_create(
                h5py.string_dtype("ascii" if ascii_list else "utf-8"), logical=True
            )
        if kind.is_variable_str():
            return kind, array.astype(h5py.string_dtype()), None
        longest = max((len(e) for e in array.ravel().tolist()), default=1)
        terminated = int(kind.get_strpad() == h5py.h5t.STR_NULLTERM)
        if longest + terminated > kind.get_size():
            kind = kind.copy()
            kind.set_size(longest + terminated)
        return kind, array.astype(f"S{kind.get_size()}"), None
    if kind is not None and kind.get_class() != _TEXT:
        return kind, np.asarray(value, old.dtype), None
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise CorruptFileError(f"no plain value ({error})") from None
    if array.dtype.kind not in "biuf":
        raise CorruptFileError("no plain value", found=f"{value!r:.60}")
    return h5py.h5t.py_create(array.dtype, logical=True), array, None


def _is_text(value: Any) -> bool:
    while isinstance(value, list):
        if not value:
            return False
        value = value[0]
    return isinstance(value, (str, dict))


def _text_array(value: Any) -> Any:
    shape: list[int] = []
    inner = value
    while isinstance(inner, list) and inner:
        shape.append(len(inner))
        inner = inner[0]
    flat = list(_flat(value))
    array = np.empty(len(flat), object)
    array[:] = flat
    if len(flat) != int(np.prod(shape, dtype=int)):
        raise CorruptFileError("lists of unequal lengths", found=f"{value!r:.60}")
    return array.reshape(shape)


def _flat(value: Any) -> Any:
    if isinstance(value, list):
        for element in value:
            yield from _flat(element)
    elif isinstance(value, str):
        yield value.encode()
    else:
        try:
            yield base64.b64decode(value["base64"], validate=True)
        except (TypeError, KeyError, binascii.Error) as error:
            raise CorruptFileError(f"no text ({error!r})", found=f"{value!r:.60}") from None


def _raw(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _names(held: Any) -> list[str]:
    """Names in the order that the object keeps; h5py gives those that are no UTF-8 as bytes."""
    return [n if isinstance(n, str) else n.decode("utf-8", "surrogateescape") for n in held.attrs]


def _opened(held: Any, name: str) -> Any:
    return h5py.h5a.open(held.id, _raw(name))
