"""How tensors spell their elements, and the same spelling for others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes, proto
from modelfmt.storage import wire
from modelfmt.storage.files import piece_bytes
from modelfmt.tf.spelling import elements, field_bytes, find_spelling, spell


def message(dtype: str, shape: list[int], **values: Any) -> bytes:
    tensor = proto.TensorProto(dtype=dtypes.from_name(dtype).enum, **values)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor.SerializeToString(deterministic=True)


#: (dtype, shape, values, how it is spelled)
SPELLED = [
    ("float32", [2], {"tensor_content": bytes(8)}, "raw"),
    ("float32", [2], {"float_val": [1, 2]}, "raw"),
    ("complex64", [1], {"scomplex_val": [1, 2]}, "raw"),
    ("int32", [3], {"int_val": [1, -2, 300]}, "packed"),
    ("int64", [2], {"int64_val": [1, -(2**60)]}, "packed"),
    ("uint64", [2], {"uint64_val": [1, 2**64 - 1]}, "packed"),
    ("bool", [2], {"bool_val": [True, False]}, "packed"),
    ("float16", [2], {"half_val": [15360, 0]}, "packed"),
    ("bfloat16", [2], {"half_val": [16256, 49024]}, "packed"),
    ("string", [2], {"string_val": [b"ab", b""]}, "strings"),
    ("float8_e5m2", [2], {"float8_val": b"ab"}, "raw"),
    ("float4_e2m1fn", [2], {"float8_val": b"\2\4"}, "raw"),
]


@pytest.mark.parametrize(("dtype", "shape", "values", "how"), SPELLED)
def test_found_and_spelled_again(
    dtype: str, shape: list[int], values: dict[str, Any], how: str
) -> None:
    raw = message(dtype, shape, **values)
    found = find_spelling(raw, memoryview(raw))
    assert found is not None and found[0].how == how
    spelling, tensor = found
    body = spell(how, spelling.field, tensor.dtype, elements(tensor))
    assert body == raw[spelling.start : spelling.start + spelling.length]
    start, end = spelling.spans[0].start, spelling.spans[-1].end
    assert field_bytes(how, spelling.field, body) == raw[start:end]


def test_single_fields_of_old_writers() -> None:
    """proto2 did not pack: a tag a value."""
    head = message("float32", [2])
    tail = b"".join(wire.tag(5, wire.I32) + np.float32(x).tobytes() for x in (1, 2))
    found = find_spelling(head + tail, memoryview(head + tail))
    assert found is not None and found[0].how == "single"
    assert piece_bytes(found[1].payload) == np.array([1, 2], "<f4").tobytes()
    assert spell("single", 5, dtypes.float32, found[1].payload) == tail
    ints = message("int32", [2]) + wire.varint_field(7, 1) + wire.varint_field(7, -1)
    found = find_spelling(ints, memoryview(ints))
    assert found is not None and found[0][:2] == ("single", 7)


@pytest.mark.parametrize(
    ("dtype", "shape", "values"),
    [
        ("float32", [4], {"float_val": [1]}),  # stands for four
        ("int32", [4], {"int_val": [1, 2]}),
        ("string", [3], {"string_val": [b"x"]}),
        ("float32", [2], {}),
        ("float32", [0], {"tensor_content": b""}),
        ("float32", [1], {"tensor_content": bytes(4), "float_val": [1]}),
        ("int32", [1], {"float_val": [1]}),  # a field of other dtypes: the values are zeros
        ("uint8", [2], {"float8_val": b"ab"}),
    ],
)
def test_what_is_no_array_of_its_own(dtype: str, shape: list[int], values: dict[str, Any]) -> None:
    raw = message(dtype, shape, **values)
    assert find_spelling(raw, memoryview(raw)) is None


def test_fields_between_the_values() -> None:
    raw = (wire.varint_field(7, 1) + message("int32", [2]) + wire.varint_field(7, 2))
    assert find_spelling(raw, memoryview(raw)) is None


def test_a_varint_that_is_longer_than_it_must_be() -> None:
    """Spelled anew it would be another: it stays as it is."""
    raw = message("int32", [1]) + wire.tag(7, wire.VARINT) + b"\x81\x00"
    assert find_spelling(raw, memoryview(raw)) is None


def test_strings_are_no_numbers() -> None:
    assert spell("strings", 8, dtypes.int32, [b"x"]) is None
    assert spell("packed", 7, dtypes.from_name("int4"), b"\1") is None
