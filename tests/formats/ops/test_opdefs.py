"""opdefs: rows equal TensorFlow's registry; attrs completed as TensorFlow would write them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modelfmt import dtypes
from modelfmt.errors import MismatchError, MissingError, UnsupportedError
from modelfmt.graph import Func, Placeholder, Shape
from modelfmt.ops import opdefs
from modelfmt.ops.opdef_rows import ROWS

F32, F64, I32, I64, BOOL = (
    dtypes.float32, dtypes.from_name("float64"), dtypes.int32, dtypes.int64, dtypes.bool_
)
OPS = [line.partition("(")[0] for line in ROWS.splitlines() if line and line[0] not in " #"]


def test_a_row_is_read_field_by_field() -> None:
    conv = opdefs.get("Conv2D")
    assert conv is not None
    assert [(a.name, a.type_attr) for a in conv.inputs] == [("input", "T"), ("filter", "T")]
    assert [(a.name, a.type_attr) for a in conv.outputs] == [("output", "T")]
    assert [a.name for a in conv.attrs] == [
        "T", "strides", "use_cudnn_on_gpu", "padding", "explicit_paddings", "data_format",
        "dilations",
    ]
    attrs = {a.name: a for a in conv.attrs}
    assert attrs["strides"].default is opdefs.REQUIRED
    assert attrs["padding"].allowed == ("SAME", "VALID", "EXPLICIT")
    assert attrs["data_format"].default == "NHWC"
    assert attrs["explicit_paddings"].default == []
    assert attrs["dilations"].default == [1, 1, 1, 1]
    assert not conv.stateful and not conv.commutative


def test_lists_references_and_flags() -> None:
    pack, identity_n, assign = map(opdefs.get, ("Pack", "IdentityN", "Assign"))
    assert pack and identity_n and assign
    assert pack.inputs == (opdefs.Arg("values", type_attr="T", number_attr="N"),)
    assert pack.attrs[0].minimum == 1
    assert identity_n.outputs == (opdefs.Arg("output", type_list_attr="T"),)
    assert assign.inputs[0].is_ref and not assign.inputs[1].is_ref
    add = opdefs.get("AddN")
    assert add and add.commutative and not add.stateful
    handle = opdefs.get("VarHandleOp")
    assert handle and handle.stateful
    assert handle.outputs[0].type == dtypes.from_name("resource")


@pytest.mark.parametrize(
    ("op", "attr", "default"),
    [
        ("LeakyRelu", "alpha", 0.20000000298023224),
        ("Placeholder", "shape", Shape(None)),
        ("Shape", "out_type", I32),
        ("StringSplit", "skip_empty", True),
        ("PrintV2", "end", "\n"),
        ("While", "output_shapes", []),
        ("DecodeCSV", "field_delim", ","),
    ],
)
def test_defaults_are_attr_values(op: str, attr: str, default: object) -> None:
    row = opdefs.get(op)
    assert row
    assert next(a.default for a in row.attrs if a.name == attr) == default


def test_unknown_ops() -> None:
    assert opdefs.get("Convolute") is None
    with pytest.raises(UnsupportedError, match="no definition of op 'Convolute'"):
        opdefs.complete("Convolute", [], {})
    with pytest.raises(UnsupportedError):
        opdefs.output_dtypes("Convolute", {})


def test_every_row_parses_and_stands_once() -> None:
    assert len(OPS) == len(set(OPS)) > 600
    for op in OPS:
        row = opdefs.get(op)
        assert row and row.name == op
        assert opdefs.get(op) is row


def test_complete_fills_in_types_and_defaults_in_order_of_name() -> None:
    attrs = opdefs.complete(
        "Conv2D", [F32, F32], {"padding": "SAME", "strides": [1, 2, 2, 1], "_class": ["loc:@a"]}
    )
    assert list(attrs.items()) == [
        ("T", F32), ("_class", ["loc:@a"]), ("data_format", "NHWC"), ("dilations", [1, 1, 1, 1]),
        ("explicit_paddings", []), ("padding", "SAME"), ("strides", [1, 2, 2, 1]),
        ("use_cudnn_on_gpu", True),
    ]


@pytest.mark.parametrize(
    ("op", "inputs", "given", "expected"),
    [
        ("MatMul", [F64, F64], {}, {"T": F64, "transpose_a": False}),
        ("Pack", [I32, I32, I32], {}, {"N": 3, "T": I32, "axis": 0}),
        ("ConcatV2", [F32, F32, I32], {}, {"N": 2, "T": F32, "Tidx": I32}),
        ("Concat", [I32, F32, F32], {}, {"N": 2, "T": F32}),
        ("ConcatOffset", [I32, I32, I32, I32], {}, {"N": 3}),
        ("DynamicStitch", [I32, I32, F32, F32], {}, {"N": 2, "T": F32}),
        ("IdentityN", [F32, I32], {}, {"T": [F32, I32]}),
        ("Einsum", [F32, F32], {"equation": "ab,bc->ac"}, {"N": 2, "T": F32}),
        ("PartitionedCall", [F32], {"f": Func("g"), "Tout": [F32]}, {"Tin": [F32]}),
        ("Select", [BOOL, F32, F32], {}, {"T": F32}),
        ("Cast", [F32], {"DstT": I32}, {"SrcT": F32, "DstT": I32, "Truncate": False}),
        ("NoOp", [], {}, {}),
        ("Identity", [F32], {"T": F32}, {"T": F32}),
        ("SaveV2", [dtypes.string] * 3 + [F32, I64], {}, {"dtypes": [F32, I64]}),
        ("Print", [F32, F32, I32], {}, {"T": F32, "U": [F32, I32]}),
    ],
)
def test_complete_infers(
    op: str, inputs: list[dtypes.DType], given: dict[str, object], expected: dict[str, object]
) -> None:
    attrs = opdefs.complete(op, inputs, given)  # type: ignore[arg-type]
    assert {name: attrs[name] for name in expected} == expected
    assert list(attrs) == sorted(attrs)


@pytest.mark.parametrize(
    ("op", "inputs", "given", "error", "text"),
    [
        ("MatMul", [F32, F64], {}, MismatchError, "expected float32, found float64"),
        ("Identity", [F32], {"T": I32}, MismatchError, "expected int32, found float32"),
        ("LogicalAnd", [BOOL, F32], {}, MismatchError, "expected bool, found float32"),
        ("MatMul", [F32], {}, MismatchError, "too few inputs; expected 2, found 1"),
        ("Relu", [F32, F32], {}, MismatchError, "too many inputs; expected 1, found 2"),
        ("Pack", [F32, F32], {"N": 3}, MismatchError, "too few inputs; expected 3, found 2"),
        ("DynamicStitch", [I32, I32, F32], {}, MismatchError, "too many inputs"),
        ("Pack", [], {"T": F32}, MismatchError, "'N' of Pack is too small"),
        ("Cast", [F32], {}, MissingError, "Cast needs attr 'DstT'"),
        ("Relu", [F32], {"alfa": 1.0}, MissingError, "no attr 'alfa'"),
        (
            "Conv2D", [F32, F32], {"padding": "FULL", "strides": [1, 1, 1, 1]}, MismatchError,
            '"SAME" or "VALID" or "EXPLICIT", found "FULL"',
        ),
    ],
)
def test_complete_names_what_is_wrong(
    op: str, inputs: list[dtypes.DType], given: dict[str, object], error: type[Exception], text: str
) -> None:
    with pytest.raises(error) as caught:
        opdefs.complete(op, inputs, given)  # type: ignore[arg-type]
    assert text in str(caught.value)


def test_a_misspelt_attr_is_told_its_neighbours() -> None:
    with pytest.raises(MissingError, match="Did you mean strides"):
        opdefs.complete("Conv2D", [F32, F32], {"padding": "SAME", "stride": [1, 1, 1, 1]})


def test_default_lists_are_not_shared() -> None:
    given = {"padding": "SAME", "strides": [1, 1, 1, 1]}
    first = opdefs.complete("Conv2D", [F32, F32], given)["dilations"]
    assert isinstance(first, list)
    first.append(7)
    assert opdefs.complete("Conv2D", [F32, F32], given)["dilations"] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("op", "attrs", "expected"),
    [
        ("Relu", {"T": F32}, [F32]),
        ("Split", {"T": F32, "num_split": 3}, [F32] * 3),
        ("Unpack", {"T": I32, "num": 2}, [I32] * 2),
        ("Shape", {"T": F32}, [I32]),
        ("ShapeN", {"T": F32, "N": 2, "out_type": I64}, [I64, I64]),
        ("IdentityN", {"T": [F32, I32]}, [F32, I32]),
        ("FusedBatchNormV3", {"T": dtypes.from_name("float16"), "U": F32},
         [dtypes.from_name("float16")] + [F32] * 5),
        ("VarHandleOp", {"dtype": F32, "shape": Shape(())}, [dtypes.from_name("resource")]),
        ("VariableV2", {"dtype": F32, "shape": Shape(())}, [F32]),
        ("RestoreV2", {"dtypes": [F32, I64]}, [F32, I64]),
        ("NoOp", {}, []),
        ("Equal", {"T": F32}, [BOOL]),
    ],
)
def test_output_dtypes(
    op: str, attrs: dict[str, object], expected: list[dtypes.DType]
) -> None:
    assert opdefs.output_dtypes(op, attrs) == expected  # type: ignore[arg-type]


def test_output_dtypes_that_cannot_be_told() -> None:
    with pytest.raises(MissingError, match="Relu needs attr 'T'"):
        opdefs.output_dtypes("Relu", {})
    with pytest.raises(MismatchError, match="expected dtype, found 1"):
        opdefs.output_dtypes("Relu", {"T": 1})
    with pytest.raises(UnsupportedError, match="left to the function's caller"):
        opdefs.output_dtypes("Relu", {"T": Placeholder("T")})


def test_import_needs_no_numpy() -> None:
    code = "import sys, modelfmt.ops.opdefs as o; o.get('Conv2D'); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.oracle
def test_rows_equal_tensorflows_registry() -> None:
    pytest.importorskip("tensorflow")
    from tensorflow.python.framework import op_def_registry

    def literal(attr: object, kind: str) -> object:
        if kind.startswith("list("):
            return [plain(e, kind[5:-1]) for e in getattr(attr.list, FIELDS[kind[5:-1]])]  # type: ignore[attr-defined]
        return plain(getattr(attr, FIELDS[kind]), kind)

    def plain(value: object, kind: str) -> object:
        if kind == "string":
            return value.decode()  # type: ignore[attr-defined]
        if kind == "type":
            return dtypes.from_enum(value)  # type: ignore[arg-type]
        if kind == "shape":
            assert not value.dim  # type: ignore[attr-defined]
            return Shape(None if value.unknown_rank else ())  # type: ignore[attr-defined]
        return value

    def args(protos: object) -> tuple[opdefs.Arg, ...]:
        return tuple(
            opdefs.Arg(
                a.name, dtypes.from_enum(a.type) if a.type else None, a.type_attr,
                a.type_list_attr, a.number_attr, a.is_ref,
            )
            for a in protos  # type: ignore[attr-defined]
        )

    fields = "int i, float f, bool b, string s, type type, shape shape, func func, tensor tensor"
    FIELDS = dict(pair.split() for pair in fields.split(", "))
    for op in OPS:
        theirs, ours = op_def_registry.get(op), opdefs.get(op)
        assert theirs is not None, op
        assert ours is not None
        assert ours.inputs == args(theirs.input_arg), op
        assert ours.outputs == args(theirs.output_arg), op
        assert (ours.stateful, ours.commutative) == (theirs.is_stateful, theirs.is_commutative)
        assert [a.name for a in ours.attrs] == [a.name for a in theirs.attr], op
        for mine, attr in zip(ours.attrs, theirs.attr, strict=True):
            assert mine.type == attr.type
            assert mine.minimum == (attr.minimum if attr.has_minimum else None), (op, mine)
            assert list(mine.allowed) == [s.decode() for s in attr.allowed_values.list.s]
            if attr.HasField("default_value"):
                assert mine.default == literal(attr.default_value, attr.type), (op, mine)
            else:
                assert mine.default is opdefs.REQUIRED, (op, mine)
