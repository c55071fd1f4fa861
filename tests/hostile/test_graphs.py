"""GraphDefs that break the rules of graphs, one abuse each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import modelfmt
from modelfmt import proto
from modelfmt.errors import (
    ConversionError,
    CorruptFileError,
    MissingError,
    ModelFormatError,
    TruncatedError,
    UnrecognisedGraphError,
    UnsupportedError,
)

Refused = Callable[..., ModelFormatError]


@pytest.fixture
def graph(tmp_path: Path) -> Callable[..., Path]:
    """Write a GraphDef; each node is (name, op, inputs, attrs as text)."""

    def build(*nodes: Any, raw: bytes = b"") -> Path:
        message = proto.GraphDef()
        for name, op, inputs, *attrs in nodes:
            node = message.node.add(name=name, op=op, input=inputs)
            for key, text in (attrs[0] if attrs else {}).items():
                node.attr[key].CopyFrom(proto.parse_text(text, proto.AttrValue))
        path = tmp_path / "hostile.pb"
        path.write_bytes(message.SerializeToString() + raw)
        return path

    return build


X = ("x", "Placeholder", [], {"dtype": "type: DT_FLOAT", "shape": "shape { dim { size: 2 } }"})
F = {"T": "type: DT_FLOAT"}


def both(path: Path) -> ModelFormatError | None:
    """dump names the trouble as an oddity, or raises an error of ours."""
    try:
        report = modelfmt.dump(path, digest=True)
    except ModelFormatError as error:
        return error
    assert isinstance(report["oddities"], list)
    return None


def test_two_nodes_of_one_name(graph: Any, refused: Refused) -> None:
    path = graph(X, X)
    assert '"x"' in str(refused(path, CorruptFileError))
    both(path)


def test_a_constant_that_declares_a_huge_shape(graph: Any, refused: Refused) -> None:
    value = "tensor { dtype: DT_FLOAT tensor_shape { dim { size: 1000000000000 } } float_val: 1 }"
    path = graph(X, ("c", "Const", [], {"value": value, **F}), ("y", "AddV2", ["x", "c"], F))
    refused(path)
    assert modelfmt.dump(path)["tensors"][0]["shape"] == [10**12]


def test_a_constant_whose_size_passes_64_bits(graph: Any, refused: Refused) -> None:
    dim = "dim { size: 9223372036854775807 }"
    value = f"tensor {{ dtype: DT_FLOAT tensor_shape {{ {dim} {dim} {dim} }} float_val: 1 }}"
    path = graph(X, ("c", "Const", [], {"value": value, **F}), ("y", "AddV2", ["x", "c"], F))
    refused(path)


def test_a_constant_with_too_few_bytes(graph: Any, refused: Refused) -> None:
    value = 'tensor { dtype: DT_FLOAT tensor_shape { dim { size: 9 } } tensor_content: "1234" }'
    path = graph(X, ("c", "Const", [], {"value": value, **F}), ("y", "AddV2", ["x", "c"], F))
    error = refused(path, CorruptFileError)
    assert '"c"' in str(error) and "36 bytes" in str(error)
    assert "36 bytes" in str(modelfmt.dump(path)["oddities"])


@pytest.mark.parametrize(
    "value",
    [
        "tensor { dtype: DT_FLOAT tensor_shape { dim { size: -1 } } }",
        "tensor { dtype: DT_FLOAT tensor_shape { unknown_rank: true } }",
        "tensor { dtype: DT_RESOURCE tensor_shape { } }",
        "tensor { dtype: 99 tensor_shape { } }",
        "tensor { tensor_shape { } }",
        "tensor { dtype: DT_FLOAT tensor_shape { } float_val: 1 float_val: 2 }",
        'tensor { dtype: DT_FLOAT tensor_shape { } tensor_content: "12345" }',
        "i: 3",
        "list { }",
    ],
)
def test_a_constant_that_is_none(graph: Any, refused: Refused, value: str) -> None:
    path = graph(X, ("c", "Const", [], {"value": value, **F}), ("y", "AddV2", ["x", "c"], F))
    refused(path)
    both(path)


def test_a_constant_without_a_value(graph: Any, refused: Refused) -> None:
    path = graph(X, ("c", "Const", [], F), ("y", "AddV2", ["x", "c"], F))
    refused(path)
    both(path)


def test_wire_type_7(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "seven.pb"
    path.write_bytes(b"\x0a\x07\x0a\x01x\x12\x02No" + b"\x0f\x00")
    error = refused(path, CorruptFileError)
    assert error.found == 7
    both(path)


def test_a_group(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "group.pb"
    path.write_bytes(b"\x0a\x07\x0a\x01x\x12\x02No" + b"\x2b\x2c")
    refused(path, UnsupportedError)


def test_a_varint_without_end(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "endless.pb"
    path.write_bytes(b"\x0a\x07\x0a\x01x\x12\x02No" + b"\x18" + b"\xff" * 20)
    refused(path, CorruptFileError)


def test_a_length_of_terabytes(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "long.pb"
    path.write_bytes(b"\x0a\x07\x0a\x01x\x12\x02No" + b"\x0a\xff\xff\xff\xff\xff\x1f")
    error = refused(path, TruncatedError)
    assert isinstance(error, TruncatedError) and error.wanted > 10**12


def test_an_edge_to_a_missing_node(graph: Any, refused: Refused) -> None:
    path = graph(X, ("y", "AddV2", ["x", "xx"], F))
    error = refused(path, MissingError)
    assert "'xx'" in str(error) and "Did you mean x?" in str(error)
    both(path)


def test_an_edge_to_an_output_that_is_none(graph: Any, refused: Refused) -> None:
    refused(graph(X, ("y", "Relu", ["x:3"], F)))


@pytest.mark.parametrize(
    "edge", ["", ":", ":1", "x:", "x:y:z", "x:-1", "^", "^^x", "x:99999999999"]
)
def test_an_edge_that_is_none(graph: Any, refused: Refused, edge: str) -> None:
    path = graph(X, ("y", "Relu", [edge], F))
    refused(path, survives=edge == "x:")
    both(path)


def test_a_cycle(graph: Any, refused: Refused) -> None:
    ring = [("a", "AddV2", ["x", "b"], F), ("b", "Relu", ["a"], F)]
    path = graph(X, *ring, ("y", "Tanh", ["b"], F))
    refused(path)
    both(path)


def test_a_cycle_that_nothing_leaves(graph: Any, refused: Refused) -> None:
    path = graph(X, ("a", "AddV2", ["x", "b"], F), ("b", "Relu", ["a"], F))
    refused(path)
    both(path)


def test_a_node_that_feeds_itself(graph: Any, refused: Refused) -> None:
    refused(graph(X, ("a", "AddV2", ["x", "a"], F), ("y", "Relu", ["a"], F)))


def test_a_cycle_of_identities(graph: Any, refused: Refused) -> None:
    ring = [("a", "Identity", ["b"], F), ("b", "Identity", ["a"], F)]
    refused(graph(X, *ring, ("y", "Relu", ["b"], F)))


def test_a_name_that_is_not_utf8(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "latin1.pb"
    path.write_bytes(b"\x0a\x08\x0a\x02\xe9\xff\x12\x02No")
    assert "UTF-8" in str(refused(path, CorruptFileError))
    both(path)


@pytest.mark.parametrize(
    "field",
    [
        b"\x12\x02\xe9\xff", b"\x1a\x02\xe9\xff", b"\x22\x02\xe9\xff",
        b"\x2a\x04\x0a\x02\xe9\xff",
    ],
)  # fmt: skip
def test_an_op_an_input_a_device_or_an_attr_that_is_not_utf8(
    tmp_path: Path, refused: Refused, field: bytes
) -> None:
    node = b"\x0a\x01x\x12\x02No" + field
    path = tmp_path / "latin1.pb"
    path.write_bytes(b"\x0a" + bytes([len(node)]) + node)
    assert "UTF-8" in str(refused(path, CorruptFileError))
    both(path)


def test_a_name_with_a_line_end_stays_one_line(graph: Any, refused: Refused) -> None:
    error = refused(graph(X, ("two\nlines\x1b[31m", "Sorcery", ["x"])), UnrecognisedGraphError)
    assert "two\\nlines\\x1b[31m" in str(error)


def test_a_node_without_a_name(graph: Any, refused: Refused) -> None:
    path = graph(X, ("", "Relu", ["x"], F))
    refused(path, survives=True)
    both(path)


def test_a_node_without_an_op(graph: Any, refused: Refused) -> None:
    path = graph(X, ("y", "", ["x"], F))
    refused(path)
    both(path)


OPS = (
    "Relu", "AddV2", "Conv2D", "FusedBatchNormV3", "Switch", "Merge", "SelectV2", "Concat",
)  # fmt: skip


def test_too_few_and_too_many_inputs(graph: Any, refused: Refused) -> None:
    for inputs in ([], ["x"], ["x"] * 3, ["x"] * 50):
        for op in OPS:
            takes_one = op in ("Relu", "Merge") and len(inputs) == 1
            refused(graph(X, ("y", op, inputs, F)), survives=takes_one)


@pytest.mark.parametrize("op", ["Relu", "Reshape", "ConcatV2", "Pack", "StridedSlice", "Squeeze"])
@pytest.mark.parametrize(
    "attrs",
    [
        {"T": "i: 1"}, {"T": 's: "float"'}, {"T": "list { i: 1 }"}, {"T": "type: 77"},
        {"N": "i: -1"}, {"axis": "i: 999"}, {"squeeze_dims": "list { i: 40 }"},
        {"begin_mask": "i: -1"}, {"shrink_axis_mask": "i: 9223372036854775807"},
    ],
)  # fmt: skip
def test_attrs_that_make_no_sense(graph: Any, refused: Refused, op: str, attrs: Any) -> None:
    path = graph(X, ("y", op, ["x", "x", "x", "x"], attrs))
    refused(path)
    both(path)


@pytest.mark.parametrize(
    "attrs",
    [
        {"strides": "list { i: 0 i: 0 i: 0 i: 0 }"}, {"strides": "list { }"}, {"strides": "i: 1"},
        {"padding": 's: "sideways"'}, {"padding": "i: 1"}, {"data_format": 's: "XYZ"'},
        {"dilations": "list { i: -1 i: -1 i: -1 i: -1 }"},
    ],
)  # fmt: skip
def test_a_convolution_that_makes_no_sense(graph: Any, refused: Refused, attrs: Any) -> None:
    x = ("x", "Placeholder", [], {
        "dtype": "type: DT_FLOAT",
        "shape": "shape { dim { size: 1 } dim { size: 8 } dim { size: 8 } dim { size: 3 } }",
    })  # fmt: skip
    value = ("tensor { dtype: DT_FLOAT tensor_shape { dim { size: 3 } dim { size: 3 } "
             "dim { size: 3 } dim { size: 2 } } float_val: 1 }")  # fmt: skip
    whole = {"strides": "list { i: 1 i: 1 i: 1 i: 1 }", "padding": 's: "SAME"', **F, **attrs}
    k = ("k", "Const", [], {"value": value, "dtype": "type: DT_FLOAT"})
    path = graph(x, k, ("y", "Conv2D", ["x", "k"], whole))
    refused(path)
    both(path)


def test_a_graph_of_nothing_but_unknown_fields(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "odd.pb"
    path.write_bytes(b"\xca\x03\x02hi" * 3)
    refused(path)


def test_a_graph_without_outputs(graph: Any, refused: Refused) -> None:
    refused(graph(X), ConversionError)


def test_a_library_that_is_no_library(graph: Any, refused: Refused) -> None:
    path = graph(X, ("y", "Relu", ["x"], F), raw=b"\x12\x03\x0a\x01\x07")
    both(path)
    refused(path, survives=True)


def test_functions_that_call_each_other(tmp_path: Path, refused: Refused) -> None:
    message = proto.GraphDef()
    message.node.add(name="x", op="Placeholder")
    message.node.add(name="y", op="PartitionedCall", input=["x"]).attr["f"].func.name = "a"
    for name, other in (("a", "b"), ("b", "a")):
        function = message.library.function.add()
        function.signature.name = name
        function.node_def.add(name="n", op="PartitionedCall").attr["f"].func.name = other
    path = tmp_path / "ring.pb"
    path.write_bytes(message.SerializeToString())
    refused(path)
    both(path)


def test_a_chain_of_many_nodes_needs_no_stack(graph: Any, refused: Refused) -> None:
    chain = [(f"n{k}", "Relu", [f"n{k - 1}" if k else "x"], F) for k in range(2000)]
    assert refused(graph(X, *chain), survives=True, end=".keras") is None


def test_an_output_that_is_asked_for_and_is_not_there(graph: Any, refused: Refused) -> None:
    path = graph(X, ("y", "Relu", ["x"], F))
    refused(path, MissingError, outputs=["z"])
    refused(path, MissingError, inputs=["z"])
    refused(path, outputs=["y:7"])
    refused(path, outputs=[""])


def test_text_that_is_no_graph(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "bad.pbtxt"
    for text in ('node { name: "a" ', "node { nome: 1 }", "node: 3", 'node { name: "\\400" }',
                 "node {" * 2000, 'node { name: "a" name: "b" }'):  # fmt: skip
        path.write_text(text)
        refused(path)
        both(path)


def test_text_of_two_nodes_of_one_name(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "twice.pbtxt"
    path.write_text('node { name: "a" op: "Relu" }\n' * 2)
    assert '"a"' in str(refused(path, CorruptFileError))
