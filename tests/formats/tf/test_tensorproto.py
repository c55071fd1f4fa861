"""TensorProto: every spelling of the same elements, both directions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes, proto
from modelfmt.errors import CorruptFileError, ModelFormatError, TruncatedError, UnsupportedError
from modelfmt.storage.files import Computed, FileSpan, SourceFile, piece_bytes
from modelfmt.tensor import Tensor
from modelfmt.tf.tensorproto import read_tensor, write_tensor


def message(text: str) -> bytes:
    return proto.parse_text(text, proto.TensorProto).SerializeToString()


def read(text: str) -> Any:
    return read_tensor(message(text), "t").numpy()


def shape(*sizes: int) -> str:
    return "tensor_shape { " + " ".join(f"dim {{ size: {size} }}" for size in sizes) + " }"


# -- annotated bytes ------------------------------------------------------------------------------


def test_bytes_of_a_matrix() -> None:
    """float32 [1, 2] = [[1, -2]], elements in tensor_content."""
    raw = bytes.fromhex(
        "08 01"                    # 1 dtype: DT_FLOAT
        "12 08 12 02 08 01"        # 2 tensor_shape { 2 dim { 1 size: 1 }
        "      12 02 08 02"        #                  2 dim { 1 size: 2 } }
        "22 08 0000803f 000000c0"  # 4 tensor_content: 1.0, -2.0
    )  # fmt: skip
    tensor = read_tensor(raw, "t")
    assert (tensor.dtype, tensor.shape) == (dtypes.float32, (1, 2))
    assert tensor.numpy().tolist() == [[1, -2]]
    assert b"".join(map(piece_bytes, write_tensor(tensor))) == raw


def test_bytes_of_a_scalar_and_of_strings() -> None:
    scalar = Tensor.from_numpy("t", np.int32(-1))
    assert pieces(scalar) == bytes.fromhex("08 03 12 00 22 04 ffffffff")
    text = Tensor.from_numpy("t", np.array([b"a", b""], object))
    assert pieces(text) == bytes.fromhex("08 07 12 04 12 02 08 02 42 01 61 42 00")


def pieces(tensor: Tensor) -> bytes:
    return b"".join(map(piece_bytes, write_tensor(tensor)))


# -- typed values ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "values", "wanted"),
    [
        ("DT_FLOAT", "float_val: [1.5, -2]", [1.5, -2]),
        ("DT_DOUBLE", "double_val: [1.5, -2]", [1.5, -2]),
        ("DT_INT32", "int_val: [1, -2]", [1, -2]),
        ("DT_INT16", "int_val: [1, -2]", [1, -2]),
        ("DT_INT8", "int_val: [1, -2]", [1, -2]),
        ("DT_UINT8", "int_val: [1, 255]", [1, 255]),
        ("DT_UINT16", "int_val: [1, 65535]", [1, 65535]),
        ("DT_QINT8", "int_val: [1, -2]", [1, -2]),
        ("DT_QUINT8", "int_val: [1, 255]", [1, 255]),
        ("DT_QINT32", "int_val: [1, -2]", [1, -2]),
        ("DT_INT64", "int64_val: [1, -9223372036854775808]", [1, -(2**63)]),
        ("DT_UINT32", "uint32_val: [1, 4294967295]", [1, 2**32 - 1]),
        ("DT_UINT64", "uint64_val: [1, 18446744073709551615]", [1, 2**64 - 1]),
        ("DT_BOOL", "bool_val: [true, false]", [True, False]),
        ("DT_COMPLEX64", "scomplex_val: [1, 2, 3, -4]", [1 + 2j, 3 - 4j]),
        ("DT_COMPLEX128", "dcomplex_val: [1, 2, 3, -4]", [1 + 2j, 3 - 4j]),
        ("DT_HALF", "half_val: [15360, 49152]", [1, -2]),
        ("DT_BFLOAT16", "half_val: [16256, 49152]", [1, -2]),
        ("DT_STRING", 'string_val: ["a", "\\377"]', [b"a", b"\xff"]),
        ("DT_FLOAT8_E5M2", 'float8_val: "\\074\\300"', [1, -2]),
        ("DT_FLOAT4_E2M1FN", 'float8_val: "\\002\\014"', [1, -2]),
    ],
)
def test_typed_values(dtype: str, values: str, wanted: list[Any]) -> None:
    array = read(f"dtype: {dtype} {shape(2)} {values}")
    assert array.shape == (2,)
    assert array.astype(object).tolist() == wanted


@pytest.mark.parametrize(
    ("dtype", "first", "last"),
    [
        ("DT_FLOAT", "float_val: 7", 7), ("DT_INT64", "int64_val: -7", -7),
        ("DT_BOOL", "bool_val: true", True), ("DT_HALF", "half_val: 15360", 1),
        ("DT_COMPLEX64", "scomplex_val: [0, 1]", 1j), ("DT_STRING", 'string_val: "z"', b"z"),
    ],
)  # fmt: skip
def test_the_last_value_is_repeated(dtype: str, first: str, last: Any) -> None:
    array = read(f"dtype: {dtype} {shape(2, 3)} {first}")
    assert array.astype(object).tolist() == [[last] * 3] * 2


def test_some_values_then_the_last_one() -> None:
    assert read(f"dtype: DT_INT32 {shape(5)} int_val: [1, 2]").tolist() == [1, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("dtype", "zero"),
    [("DT_FLOAT", 0), ("DT_INT64", 0), ("DT_BOOL", False), ("DT_STRING", b""), ("DT_BFLOAT16", 0)],
)
def test_no_value_means_zero(dtype: str, zero: Any) -> None:
    assert read(f"dtype: {dtype} {shape(2)}").astype(object).tolist() == [zero, zero]


def test_a_large_splat_comes_in_bounded_chunks() -> None:
    tensor = read_tensor(message(f"dtype: DT_FLOAT {shape(1000, 1000)} float_val: 3"), "t")
    assert isinstance(tensor.payload, Computed)
    chunks = list(tensor.payload.produce())
    assert max(map(len, chunks)) <= 1 << 20 and sum(map(len, chunks)) == 4_000_000
    assert (tensor.numpy() == 3).all()


@pytest.mark.parametrize(
    ("field", "single", "packed"),
    [
        ("int64_val", "50 05 50 ffffffffffffffffff01", "52 0b 05 ffffffffffffffffff01"),
        ("int_val", "38 05 38 ffffffffffffffffff01", "3a 0b 05 ffffffffffffffffff01"),
        ("float_val", "2d 0000a040 2d 000080bf", "2a 08 0000a040 000080bf"),
        ("double_val", "31 0000000000001440 31 000000000000f0bf",
         "32 10 0000000000001440 000000000000f0bf"),
    ],
)  # fmt: skip
def test_packed_and_single_values(field: str, single: str, packed: str) -> None:
    kind = {"int64_val": "09", "int_val": "03", "float_val": "01", "double_val": "02"}[field]
    for values in (single, packed):
        raw = bytes.fromhex(f"08 {kind} 12 04 12 02 08 02 {values}")
        assert read_tensor(raw, "t").numpy().tolist() == [5, -1]


def test_packed_and_single_values_mixed() -> None:
    raw = bytes.fromhex("08 09 12 04 12 02 08 04 50 01 52 02 02 03 50 04")
    assert read_tensor(raw, "t").numpy().tolist() == [1, 2, 3, 4]


# -- tensor_content -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [r for r in dtypes._ROWS if r.code], ids=str)
def test_content_both_ways(dtype: dtypes.DType) -> None:
    raw = bytes(range(2 * 3 * dtype.itemsize))
    if dtype.name == "bool":
        raw = bytes(k % 2 for k in raw)
    tensor = Tensor("t", dtype, (2, 3), raw)
    again = read_tensor(pieces(tensor), "t")
    assert (again.dtype, again.shape, piece_bytes(again.payload)) == (dtype, (2, 3), raw)
    assert again.numpy().dtype == dtype.numpy


def test_strings_in_content() -> None:
    raw = message(f'dtype: DT_STRING {shape(3)} tensor_content: "\\001\\000\\002abc"')
    assert read_tensor(raw, "t").numpy().tolist() == [b"a", b"", b"bc"]


def test_strings_both_ways() -> None:
    array = np.array([[b"a", b"", "é".encode()], [b"\0", b"long" * 100, b"z"]], object)
    again = read_tensor(pieces(Tensor.from_numpy("t", array)), "t")
    assert again.numpy().tolist() == array.tolist()


def test_content_wins_over_nothing_and_empty_content_is_none() -> None:
    assert read(f'dtype: DT_INT32 {shape(1)} tensor_content: "" int_val: 4').tolist() == [4]


@pytest.mark.parametrize("sizes", [(0,), (0, 3), (3, 0, 2)])
def test_empty(sizes: tuple[int, ...]) -> None:
    tensor = Tensor.from_numpy("t", np.zeros(sizes, "f4"))
    again = read_tensor(pieces(tensor), "t")
    assert again.numpy().shape == sizes and again.nbytes == 0
    assert read(f"dtype: DT_STRING {shape(*sizes)}").shape == sizes


def test_a_scalar_has_no_dims() -> None:
    assert read("dtype: DT_FLOAT float_val: 2").shape == ()
    assert read(f"dtype: DT_FLOAT {shape()} float_val: 2").item() == 2


def test_content_stays_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tensor.pb"
    path.write_bytes(b"head" + pieces(Tensor.from_numpy("t", np.arange(4, dtype="f4"))))
    with SourceFile(path) as file:
        tensor = read_tensor(file.span(4), "t")
        assert isinstance(tensor.payload, FileSpan)
        assert (tensor.payload.offset, tensor.payload.length) == (path.stat().st_size - 16, 16)
        assert not tensor.numpy().flags.owndata
        written = write_tensor(tensor)
        assert written[-1] is tensor.payload  # neither read nor copied


def test_unknown_fields_of_the_message_are_passed_over() -> None:
    raw = message(f"dtype: DT_INT32 {shape(1)} int_val: 4") + b"\xca\x03\x02hi"
    assert read_tensor(raw, "t").numpy().tolist() == [4]


# -- what is damaged ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (f'dtype: DT_FLOAT {shape(2)} tensor_content: "1234"', CorruptFileError,
         r"expected 8 bytes for float32\[2\], found 4 bytes"),
        (f'dtype: DT_FLOAT {shape(1)} tensor_content: "12345678"', CorruptFileError, "8 bytes"),
        (f"dtype: DT_FLOAT {shape(1)} float_val: [1, 2]", CorruptFileError, "more values"),
        (f"dtype: DT_COMPLEX64 {shape(1)} scomplex_val: [1, 2, 3, 4]", CorruptFileError, "more"),
        (f'dtype: DT_STRING {shape(1)} string_val: ["a", "b"]', CorruptFileError, "more values"),
        (f'dtype: DT_STRING {shape(2)} tensor_content: "\\001\\001a"', CorruptFileError, "lengths"),
        (f'dtype: DT_STRING {shape(2)} tensor_content: "\\001"', TruncatedError, "varint"),
        (f"dtype: DT_FLOAT {shape(-1)}", CorruptFileError, "unknown size"),
        ("dtype: DT_FLOAT tensor_shape { unknown_rank: true }", CorruptFileError, "unknown rank"),
        ("dtype: DT_RESOURCE", UnsupportedError, "resource"),
        ("dtype: DT_VARIANT", UnsupportedError, "variant"),
        ("dtype: 77", UnsupportedError, "DataType 77"),
        ("", UnsupportedError, "DataType 0"),
    ],
)  # fmt: skip
def test_damage_has_a_name(text: str, error: type[ModelFormatError], words: str) -> None:
    with pytest.raises(error, match=words):
        read(text)


def test_half_a_complex_number() -> None:
    with pytest.raises(ModelFormatError):
        read(f"dtype: DT_COMPLEX64 {shape(2)} scomplex_val: [1, 2, 3]")


@pytest.mark.parametrize("field", ["2a 03 000000", "32 04 00000000", "4a 05 0000000000"])
def test_numbers_cut_within_an_element(field: str) -> None:
    kind = {"2": "01", "3": "02", "4": "08"}[field[0]]
    raw = bytes.fromhex(f"08 {kind} 12 04 12 02 08 02 {field}")
    with pytest.raises(ModelFormatError):
        read_tensor(raw, "t").numpy()


@pytest.mark.parametrize("cut", range(1, 28))
def test_a_cut_message(cut: int) -> None:
    raw = message(f"dtype: DT_INT64 {shape(2, 2)} int64_val: [1, 2000, -1, 4]")
    try:
        read_tensor(raw[:cut], "t").numpy()
    except ModelFormatError:
        return
    assert cut in (2, 12)  # between two fields


# -- the oracle -----------------------------------------------------------------------------------

RANDOM = np.random.default_rng(3)
TYPES = ["float32", "float64", "int32", "uint8", "int16", "int8", "complex64", "int64", "bool",
         "bfloat16", "uint16", "complex128", "float16", "uint32", "uint64", "float8_e5m2",
         "float8_e4m3fn", "string"]  # fmt: skip


def sample(name: str, shape: tuple[int, ...]) -> Any:
    if name == "string":
        words = [RANDOM.bytes(int(k)) for k in RANDOM.integers(0, 9, int(np.prod(shape)))]
        array = np.empty(len(words), object)
        array[:] = words
        return array.reshape(shape)
    values = RANDOM.integers(0, 2 if name == "bool" else 100, shape)
    return values.astype(dtypes.from_name(name).numpy)


@pytest.mark.oracle
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("sizes", [(), (1,), (3,), (2, 3), (0, 2)])
def test_tensorflow_writes_what_we_read(name: str, sizes: tuple[int, ...]) -> None:
    import tensorflow as tf

    array = sample(name, sizes)
    made = tf.make_tensor_proto(array, dtype=tf.as_dtype(name), shape=sizes)
    tensor = read_tensor(made.SerializeToString(), "t")
    assert (tensor.dtype.name, tensor.shape) == (name, sizes)
    np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.oracle
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("sizes", [(), (1,), (3,), (2, 3), (0, 2)])
def test_tensorflow_reads_what_we_write(name: str, sizes: tuple[int, ...]) -> None:
    import tensorflow as tf

    array = sample(name, sizes)
    made = tf.compat.v1.AttrValue().tensor
    made.ParseFromString(pieces(Tensor.from_numpy("t", array)))
    np.testing.assert_array_equal(tf.make_ndarray(made), array)
    assert made.dtype == tf.as_dtype(name).as_datatype_enum


@pytest.mark.oracle
def test_tensorflow_reads_every_spelling_as_we_do() -> None:
    import tensorflow as tf

    spellings = [
        f"dtype: DT_FLOAT {shape(2, 3)} float_val: [1, 2]",
        f"dtype: DT_HALF {shape(3)} half_val: [15360, 49152]",
        f"dtype: DT_BFLOAT16 {shape(3)} half_val: [16256]",
        f"dtype: DT_COMPLEX64 {shape(3)} scomplex_val: [1, 2, 3, 4]",
        f"dtype: DT_INT8 {shape(3)} int_val: [-1, 127]",
        f"dtype: DT_UINT16 {shape(2)} int_val: [65535]",
        f"dtype: DT_BOOL {shape(4)} bool_val: [false, true]",
        f"dtype: DT_INT64 {shape(0)}",
        f"dtype: DT_UINT64 {shape(2)} uint64_val: [18446744073709551615]",
        f"dtype: DT_FLOAT {shape(4)}",
        f"dtype: DT_FLOAT {shape(2)} int_val: 3",
        f"dtype: DT_INT32 {shape(2)} float_val: 3 int64_val: 4",
    ]
    for text in spellings:
        with tf.Graph().as_default() as graph:
            # By the kernel, not by make_ndarray: it is what runs a model.
            node = graph.as_graph_def().node.add(name="c", op="Const")
            value = tf.compat.v1.AttrValue()
            value.tensor.ParseFromString(message(text))
            definition = tf.compat.v1.GraphDef(node=[node])
            definition.node[0].attr["value"].CopyFrom(value)
            definition.node[0].attr["dtype"].type = value.tensor.dtype
            tf.import_graph_def(definition, name="")
            with tf.compat.v1.Session(graph=graph) as session:
                wanted = session.run("c:0")
        np.testing.assert_array_equal(read(text), wanted)
        assert read(text).dtype == wanted.dtype
