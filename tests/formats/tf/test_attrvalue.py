"""AttrValue: a Python value for every kind, both directions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes, proto
from modelfmt.dtypes import float32, int64
from modelfmt.errors import CorruptFileError, ModelFormatError, UnsupportedError
from modelfmt.graph import Func, Placeholder, Shape
from modelfmt.storage.files import piece_bytes
from modelfmt.tensor import Tensor
from modelfmt.tf.attrvalue import read_attr, read_map_entry, write_attr, write_map_entry


def written(value: Any) -> bytes:
    return b"".join(map(piece_bytes, write_attr(value)))


#: Python value, the message as text.
PAIRS: list[tuple[Any, str]] = [
    ("SAME", 's: "SAME"'),
    ("é", 's: "\\303\\251"'),
    (b"\xff\xfe", 's: "\\377\\376"'),
    ("", 's: ""'),
    (0, "i: 0"),
    (-1, "i: -1"),
    (2**63 - 1, "i: 9223372036854775807"),
    (-(2**63), "i: -9223372036854775808"),
    (1.5, "f: 1.5"),
    (0.0, "f: 0"),
    (float("inf"), "f: inf"),
    (True, "b: true"),
    (False, "b: false"),
    (float32, "type: DT_FLOAT"),
    (dtypes.from_name("bfloat16"), "type: DT_BFLOAT16"),
    (Shape(()), "shape { }"),
    (Shape((None, 0, 3)), "shape { dim { size: -1 } dim { size: 0 } dim { size: 3 } }"),
    (Shape(None), "shape { unknown_rank: true }"),
    (Placeholder("T"), 'placeholder: "T"'),
    (Func("f"), 'func { name: "f" }'),
    (Func("f", {"T": float32, "n": [1]}),
     'func { name: "f" attr { key: "T" value { type: DT_FLOAT } }'
     ' attr { key: "n" value { list { i: 1 } } } }'),
    ([], "list { }"),
    (["a", b"\xff"], 'list { s: "a" s: "\\377" }'),
    ([1, -2, 0], "list { i: 1 i: -2 i: 0 }"),
    ([0.5, -1.0], "list { f: 0.5 f: -1 }"),
    ([True, False], "list { b: true b: false }"),
    ([float32, int64], "list { type: DT_FLOAT type: DT_INT64 }"),
    ([Shape((1,)), Shape(None)], "list { shape { dim { size: 1 } } shape { unknown_rank: true } }"),
    ([Func("f"), Func("g")], 'list { func { name: "f" } func { name: "g" } }'),
    (None, ""),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), PAIRS, ids=lambda v: str(v)[:40])
def test_read(value: Any, text: str) -> None:
    raw = proto.parse_text(text, proto.AttrValue).SerializeToString()
    found = read_attr(raw, "n")
    assert found == value and type(found) is type(value)
    if isinstance(value, list):
        assert [type(v) for v in found] == [type(v) for v in value]  # type: ignore[union-attr]


@pytest.mark.parametrize(("value", "text"), PAIRS, ids=lambda v: str(v)[:40])
def test_write(value: Any, text: str) -> None:
    made = proto.AttrValue.FromString(written(value))
    assert made == proto.parse_text(text, proto.AttrValue)


def test_numbers_in_lists_are_packed() -> None:
    assert written([1, -1]) == bytes.fromhex("0a 0d 1a 0b 01 ffffffffffffffffff01")
    assert written([float32]) == bytes.fromhex("0a 03 32 01 01")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("0a 04 18 01 18 02", [1, 2]),
        ("0a 05 18 01 1a 01 02", [1, 2]),
        ("0a 0a 25 0000003f 25 000080bf", [0.5, -1.0]),
        ("0a 04 28 01 28 00", [True, False]),
        ("0a 02 30 01", [float32]),
    ],
)
def test_lists_that_are_not_packed(raw: str, value: Any) -> None:
    assert read_attr(bytes.fromhex(raw), "n") == value


def test_a_tensor() -> None:
    tensor = Tensor.from_numpy("other name", np.arange(6, dtype="f4").reshape(2, 3))
    again = read_attr(written(tensor), "n")
    assert isinstance(again, Tensor)
    assert again.name == "n"
    np.testing.assert_array_equal(again.numpy(), tensor.numpy())


def test_a_tensor_is_not_read_when_written() -> None:
    from modelfmt.storage.files import Computed

    def refuse() -> list[bytes]:
        raise AssertionError("read")

    tensor = Tensor("t", float32, (2,), Computed(8, refuse))
    assert any(isinstance(piece, Computed) for piece in write_attr(tensor))


def test_a_list_of_tensors() -> None:
    tensors: Any = [Tensor.from_numpy("a", np.float32(1)), Tensor.from_numpy("b", np.float32(2))]
    again = read_attr(written(tensors), "n")
    assert isinstance(again, list) and [float(t.numpy()) for t in again] == [1, 2]


def test_a_map_entry_both_ways() -> None:
    raw = b"".join(map(piece_bytes, write_map_entry(5, "key", write_attr(7))))
    assert raw == bytes.fromhex("2a 09 0a 03 6b6579 12 02 18 07")
    key, span = read_map_entry(memoryview(raw)[2:])
    assert key == "key" and span is not None
    assert read_attr(raw[2 + span.offset : 2 + span.end], "n") == 7
    assert read_map_entry(memoryview(b"")) == ("", None)


def test_attrs_of_a_func_are_written_in_order_of_their_keys() -> None:
    assert written(Func("f", {"b": 1, "a": 2})) == written(Func("f", {"a": 2, "b": 1}))


@pytest.mark.parametrize("value", [object(), {"a": 1}, (1, 2), [{}], np.float32(1)])
def test_what_no_attr_holds(value: Any) -> None:
    with pytest.raises(UnsupportedError, match="an attr cannot hold"):
        written(value)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        ("30 4d", UnsupportedError),  # type: 77
        ("4a 01 ff", CorruptFileError),  # a placeholder that is no text
        ("52 03 0a 01 ff", CorruptFileError),  # a function's name that is no text
        ("0a 03 22 01 00", ModelFormatError),  # a packed float of one byte
        ("25 00 00", ModelFormatError),  # a float of two bytes
        ("22 01 00", ModelFormatError),  # f, as bytes
        ("12 05 61", ModelFormatError),  # s, longer than what there is
        ("1a 01 01", ModelFormatError),  # i, as bytes
        ("10 01", ModelFormatError),  # s, as a varint
        ("38 01", ModelFormatError),  # shape, as a varint
        ("0a 04 3a 02 10 05", ModelFormatError),  # a dim, as a varint
    ],
)
def test_damage_has_a_name(raw: str, error: type[ModelFormatError]) -> None:
    with pytest.raises(error):
        read_attr(bytes.fromhex(raw), "n")
