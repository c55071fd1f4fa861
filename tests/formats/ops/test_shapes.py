"""shapes: each family by hand, small values folded, and TensorFlow's own inference as referee."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import MismatchError, MissingError
from modelfmt.graph import Placeholder, Shape
from modelfmt.ops.shapes import Static, constant, infer
from modelfmt.tensor import Tensor

F32, I32 = dtypes.float32, dtypes.int32
N = None
UNKNOWN = Static(None)


def s(*sizes: int | None) -> Static:
    """A Static of that shape."""
    return Static(sizes)


def c(value: object) -> Static:
    """A Static of that value; None inside for unknown elements."""
    array = np.array(value)
    return Static(array.shape, array)


def value_of(static: Static) -> Any:
    return None if static.value is None else static.value.tolist()


def conv(padding: str, *strides: int, **more: Any) -> dict[str, Any]:
    return {"padding": padding, "strides": [1, *strides, 1], **more}


# --- shapes ---

IMAGE, KERNEL = s(N, 28, 28, 3), s(3, 3, 3, 8)
SHAPES: list[tuple[str, dict[str, Any], list[Static], Any]] = [
    ("Relu", {}, [s(N, 3)], (N, 3)),
    ("Softmax", {}, [s(N, 10)], (N, 10)),
    ("Relu", {}, [UNKNOWN], N),
    ("AddV2", {}, [s(N, 3), s(3)], (N, 3)),
    ("Mul", {}, [s(N, 1, 4), s(2, 1)], (N, 2, 4)),
    ("Sub", {}, [s(N, 3), s(1, 3)], (N, 3)),
    ("Sub", {}, [s(N), s(5)], (5,)),
    ("Maximum", {}, [UNKNOWN, s(5)], N),
    ("AddN", {}, [s(N, 3), s(2, N)], (2, 3)),
    ("SelectV2", {}, [s(N, 1), s(N, 4), s()], (N, 4)),
    ("Select", {}, [s(N), s(N, 4), s(2, 4)], (2, 4)),
    ("MatMul", {}, [s(N, 4), s(4, 5)], (N, 5)),
    ("MatMul", {"transpose_a": True, "transpose_b": True}, [s(4, N), s(5, 4)], (N, 5)),
    ("BatchMatMulV2", {}, [s(N, 1, 2, 3), s(7, 3, 5)], (N, 7, 2, 5)),
    ("BatchMatMul", {"adj_y": True}, [s(N, 2, 3), s(4, 5, 3)], (4, 2, 5)),
    ("Einsum", {"equation": "abc,cd->abd"}, [s(N, 5, 3), s(3, 7)], (N, 5, 7)),
    ("Einsum", {"equation": "...i,ij->...j"}, [s(N, 5, 3), s(3, 7)], (N, 5, 7)),
    ("Einsum", {"equation": "aecd,abcd->acbe"}, [s(N, 4, 2, 3), s(N, 5, 2, 3)], (N, 2, 5, 4)),
    ("BiasAdd", {}, [s(N, 4, N), s(6)], (N, 4, 6)),
    ("BiasAdd", {"data_format": "NCHW"}, [s(N, N, 4, 4), s(6)], (N, 6, 4, 4)),
    ("Conv2D", conv("SAME", 2, 2), [s(N, 28, 29, 3), KERNEL], (N, 14, 15, 8)),
    ("Conv2D", conv("VALID", 2, 1), [IMAGE, KERNEL], (N, 13, 26, 8)),
    ("Conv2D", conv("VALID", 1, 1, dilations=[1, 2, 3, 1]), [IMAGE, KERNEL], (N, 24, 22, 8)),
    ("Conv2D", conv("EXPLICIT", 2, 2, explicit_paddings=[0, 0, 1, 1, 0, 1, 0, 0]),
     [IMAGE, KERNEL], (N, 14, 14, 8)),
    ("Conv2D", conv("SAME", 1, 1), [s(N, N, N, 6), KERNEL], (N, N, N, 8)),
    ("Conv2D", {"padding": "SAME", "strides": [1, 1, 2, 2], "data_format": "NCHW"},
     [s(N, 3, 28, 28), KERNEL], (N, 8, 14, 14)),
    ("Conv2D", conv("SAME", 2, 2), [UNKNOWN, UNKNOWN], (N, N, N, N)),
    ("Conv3D", conv("VALID", 1, 2, 2), [s(N, 8, 9, 10, 2), s(2, 3, 3, 2, 4)], (N, 7, 4, 4, 4)),
    ("DepthwiseConv2dNative", conv("VALID", 1, 1), [IMAGE, s(3, 3, 3, 2)], (N, 26, 26, 6)),
    ("Conv2DBackpropInput", conv("SAME", 2, 2),
     [c([N, 28, 28, 3]), KERNEL, s(N, 14, 14, 8)], (N, 28, 28, 3)),
    ("Conv3DBackpropInputV2", conv("SAME", 2, 2, 2),
     [c([N, 4, 4, 4, 3]), s(3, 3, 3, 3, 8), s(5, 2, 2, 2, 8)], (5, 4, 4, 4, 3)),
    ("MaxPool", conv("VALID", 2, 2, ksize=[1, 3, 3, 1]), [IMAGE], (N, 13, 13, 3)),
    ("MaxPool", {"padding": "VALID", "strides": [1, 1, 2, 2], "ksize": [1, 1, 2, 2],
                 "data_format": "NCHW"}, [s(N, 3, 28, 28)], (N, 3, 14, 14)),
    ("AvgPool", conv("SAME", 2, 3, ksize=[1, 2, 3, 1]), [IMAGE], (N, 14, 10, 3)),
    ("AvgPool3D", conv("SAME", 2, 2, 2, ksize=[1, 2, 2, 2, 1]), [s(N, 5, 6, 7, 2)],
     (N, 3, 3, 4, 2)),
    ("Pad", {}, [IMAGE, c([[0, 0], [1, 2], [3, 4], [0, 0]])], (N, 31, 35, 3)),
    ("PadV2", {}, [s(N, 3), s(2, 2), s()], (N, N)),
    ("MirrorPad", {"mode": "REFLECT"}, [s(N, 3), c([[0, 0], [1, 1]])], (N, 5)),
    ("SpaceToBatchND", {}, [s(N, 10, 12, 3), c([2, 3]), c([[1, 1], [0, 0]])], (N, 6, 4, 3)),
    ("SpaceToBatchND", {}, [s(2, 10, 3), c([5]), c([[0, 0]])], (10, 2, 3)),
    ("BatchToSpaceND", {}, [s(N, 6, 4, 3), c([2, 3]), c([[1, 1], [0, 0]])], (N, 10, 12, 3)),
    ("DepthToSpace", {"block_size": 2}, [s(N, 3, 4, 8)], (N, 6, 8, 2)),
    ("SpaceToDepth", {"block_size": 2}, [s(N, 6, 8, 2)], (N, 3, 4, 8)),
    ("ResizeBilinear", {}, [IMAGE, c([56, 14])], (N, 56, 14, 3)),
    ("ResizeNearestNeighbor", {}, [IMAGE, UNKNOWN], (N, N, N, 3)),
    ("Transpose", {}, [s(N, 3, 4), c([0, 2, 1])], (N, 4, 3)),
    ("Transpose", {}, [s(N, 3, 4), s(3)], (N, N, N)),
    ("Mean", {}, [IMAGE, c([1, 2])], (N, 3)),
    ("Mean", {"keep_dims": True}, [IMAGE, c([1, 2])], (N, 1, 1, 3)),
    ("Max", {}, [s(N, 4), c(-1)], (N,)),
    ("Sum", {}, [s(N, 4), UNKNOWN], N),
    ("Sum", {}, [s(N, 4), s()], (N,)),
    ("Sum", {}, [s(), s(N)], ()),
    ("StringJoin", {}, [s(), s(N, 2), s(3, 2)], (3, 2)),
    ("StringJoin", {}, [s(), UNKNOWN], N),
    ("StringJoin", {}, [s(), s()], ()),
    ("Any", {"keep_dims": True}, [s(3, 4), UNKNOWN], (N, N)),
    ("ArgMax", {}, [s(N, 4, 5), c(1)], (N, 5)),
    ("ConcatV2", {}, [s(N, 3), s(N, 4), c(-1)], (N, 7)),
    ("ConcatV2", {}, [s(N, 3), s(2, N), c(1)], (2, N)),
    ("Concat", {}, [c(1), s(N, 3), s(N, 4)], (N, 7)),
    ("Pack", {"axis": 1}, [s(N, 3), s(2, 3)], (2, 2, 3)),
    ("Tile", {}, [s(N, 3), c([2, 4])], (N, 12)),
    ("ExpandDims", {}, [s(N, 3), c(-1)], (N, 3, 1)),
    ("Squeeze", {"squeeze_dims": [-2]}, [s(N, 1, 3)], (N, 3)),
    ("Squeeze", {}, [s(2, 1, 3)], (2, 3)),
    ("Squeeze", {}, [s(N, 1, 3)], N),
    ("Slice", {}, [s(N, 5), c([0, 1]), c([-1, 2])], (N, 2)),
    ("Slice", {}, [s(3, 5), c([1, 1]), c([-1, -1])], (2, 4)),
    ("GatherV2", {}, [s(100, 8), s(N, 5), c(0)], (N, 5, 8)),
    ("GatherV2", {"batch_dims": 1}, [s(N, 7, 8), s(N, 5), c(1)], (N, 5, 8)),
    ("Gather", {}, [s(100, 8), s(N,)], (N, 8)),
    ("GatherNd", {}, [s(4, 5, 6), s(N, 2)], (N, 6)),
    ("OneHot", {}, [s(N, 5), c(10), s(), s()], (N, 5, 10)),
    ("OneHot", {"axis": 0}, [s(N, 5), UNKNOWN, s(), s()], (N, N, 5)),
    ("Reshape", {}, [s(N, 4, 5), c([-1, 20])], (N, 20)),
    ("Reshape", {}, [s(2, 4, 5), c([N, 20])], (2, 20)),
    ("Reshape", {}, [s(2, 4, 5), c([-1, 20])], (2, 20)),
    ("Reshape", {}, [UNKNOWN, s(3)], (N, N, N)),
    ("Reshape", {}, [s(1), c(np.zeros(0, np.int32))], ()),
    ("Fill", {}, [c([N, 4]), s()], (N, 4)),
    ("Range", {}, [c(2), c(9), c(3)], (3,)),
    ("Range", {}, [c(9), c(2), c(-3)], (3,)),
    ("Range", {}, [c(0.0), c(1.0), c(0.25)], (4,)),
    ("Range", {}, [UNKNOWN, c(9), c(3)], (N,)),
    ("Placeholder", {"dtype": F32, "shape": Shape((N, 3))}, [], (N, 3)),
    ("Placeholder", {"dtype": F32}, [], N),
    ("VariableV2", {"dtype": F32, "shape": Shape(())}, [], ()),
    ("Variable", {"dtype": F32, "shape": Shape(())}, [], N),
    ("EnsureShape", {"shape": Shape((N, 3))}, [s(2, N)], (2, 3)),
    ("Merge", {"N": 2}, [s(N, 3), s(2, 3)], (N, 3)),
    ("RandomUniform", {}, [c([2, N])], (2, N)),
    ("TensorListStack", {"element_dtype": F32}, [s(), c([-1, 8])], (N, N, 8)),
    ("DenseBincount", {}, [s(N, 4), c(10), s(0)], (N, 10)),
]


@pytest.mark.parametrize(("op", "attrs", "inputs", "expected"), SHAPES)
def test_shape(op: str, attrs: dict[str, Any], inputs: list[Static], expected: Any) -> None:
    assert infer(op, attrs, inputs)[0].shape == expected


@pytest.mark.parametrize(
    ("spec", "masks", "expected"),
    [
        (([0], [1], [1]), {"shrink_axis": 1}, (4, 5)),
        (([1, 0], [3, 2], [1, 1]), {}, (2, 2, 5)),
        (([0, 0], [0, 2], [1, 1]), {"end": 1}, (6, 2, 5)),
        (([0, -1], [0, 0], [1, 1]), {"ellipsis": 1, "shrink_axis": 2}, (6, 4)),
        (([0, 0, 0], [0, 0, 0], [1, 1, 1]), {"begin": 5, "end": 5, "new_axis": 2}, (6, 1, 4, 5)),
        (([-1], [0], [-2]), {"end": 1}, (3, 4, 5)),
        (([4], [2], [1]), {}, (0, 4, 5)),
        (([-100], [100], [1]), {}, (6, 4, 5)),
    ],
)
def test_strided_slice(spec: Any, masks: dict[str, int], expected: Any) -> None:
    attrs = {f"{name}_mask": bits for name, bits in masks.items()}
    assert infer("StridedSlice", attrs, [s(6, 4, 5), *map(c, spec)])[0].shape == expected


def test_strided_slice_of_unknown_sizes() -> None:
    image = s(N, 28, N)
    attrs: dict[str, Any] = {"begin_mask": 3, "end_mask": 3}
    assert infer("StridedSlice", attrs, [image, c([0, 0]), c([0, 0]), c([1, 2])])[0].shape == (
        N, 14, N,
    )
    assert infer("StridedSlice", {}, [image, s(2), s(2), c([1, 1])])[0].shape == (N, N, N)
    assert infer("StridedSlice", {}, [UNKNOWN, c([0]), c([1]), c([1])])[0].shape is None


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "expected"),
    [
        ("Split", {"num_split": 3}, [c(1), s(N, 6)], [(N, 2)] * 3),
        ("Split", {"num_split": 3}, [UNKNOWN, s(N, 6)], [(N, N)] * 3),
        ("Split", {"num_split": 2}, [c(0), UNKNOWN], [N, N]),
        ("SplitV", {"num_split": 3}, [s(N, 9), c([2, -1, 3]), c(1)], [(N, 2), (N, 4), (N, 3)]),
        ("Unpack", {"num": 2, "axis": 1}, [s(N, 2, 5)], [(N, 5)] * 2),
        ("ShapeN", {"N": 2}, [s(N, 3), s(4)], [(2,), (1,)]),
        ("Switch", {}, [s(N, 3), s()], [(N, 3)] * 2),
        ("IdentityN", {"T": [F32, F32]}, [s(N), s(3)], [(N,), (3,)]),
        ("FusedBatchNormV3", {"is_training": False}, [s(N, 4, 4, N), *[s(8)] * 4],
         [(N, 4, 4, 8), *[(8,)] * 4, N]),
        ("FusedBatchNorm", {"is_training": True, "data_format": "NCHW"},
         [s(N, 8, 4, 4), s(8), s(8), s(0), s(0)], [(N, 8, 4, 4), *[(8,)] * 4]),
        ("TopKV2", {}, [s(N, 9), c(3)], [(N, 3), (N, 3)]),
        ("While", {"T": [F32], "output_shapes": [Shape((N, 3))]}, [s()], [(N, 3)]),
        ("NoOp", {}, [], []),
        ("SomethingNew", {}, [s(3)], [N]),
        ("PartitionedCall", {"Tout": [F32, I32]}, [s(3)], [N, N]),
        ("BlockLSTM", {}, [], [N] * 7),
    ],
)
def test_every_output_has_a_static(
    op: str, attrs: dict[str, Any], inputs: list[Static], expected: list[Any]
) -> None:
    assert [each.shape for each in infer(op, attrs, inputs)] == expected


def test_dtypes_come_along() -> None:
    assert infer("Shape", {"T": F32}, [s(N)])[0].dtype == I32
    assert infer("Relu", {"T": F32}, [s(N)])[0].dtype == F32
    assert infer("Relu", {}, [s(N)])[0].dtype is None
    assert infer("Relu", {"T": Placeholder("T")}, [s(N)])[0].shape == (N,)


def test_a_variable_is_known_behind_its_handle() -> None:
    handle = infer("VarHandleOp", {"dtype": F32, "shape": Shape((9, 4))}, [])[0]
    assert handle.shape == ()
    passed = infer("Identity", {}, infer("Enter", {"frame_name": "f"}, [handle]))[0]
    assert infer("ReadVariableOp", {"dtype": F32}, [passed])[0].shape == (9, 4)
    assert infer("ResourceGather", {"dtype": F32}, [handle, s(N, 5)])[0].shape == (N, 5, 4)
    assert value_of(infer("VariableShape", {}, [handle])[0]) == [9, 4]
    assert infer("ReadVariableOp", {"dtype": F32}, [UNKNOWN])[0].shape is None


def test_output_shapes_fill_in_what_no_rule_tells() -> None:
    hint: dict[str, Any] = {"_output_shapes": [Shape((5, 3))], "Tout": [F32]}
    assert infer("PartitionedCall", hint, [])[0].shape == (5, 3)
    assert infer("Relu", hint, [s(N, 4)])[0].shape == (5, 4)
    assert infer("Relu", hint, [s(N, 4, 4)])[0].shape == (N, 4, 4)


def test_an_old_placeholder_of_shape_nothing_is_of_any_shape() -> None:
    attrs = {"dtype": F32, "shape": Shape(())}
    assert infer("Placeholder", attrs, [])[0].shape == ()
    assert infer("Placeholder", attrs, [], producer=24)[0].shape == ()
    assert infer("Placeholder", attrs, [], producer=23)[0].shape is None
    assert infer("Placeholder", attrs, [], producer=0)[0].shape is None


# --- values ---


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "expected"),
    [
        ("Shape", {}, [s(N, 3)], [N, 3]),
        ("Size", {}, [s(2, 3)], 6),
        ("Rank", {}, [s(N, 3)], 2),
        ("Pack", {}, [s(), c(3)], [N, 3]),
        ("Pack", {}, [c([1, 2]), c([3, 4])], [[1, 2], [3, 4]]),
        ("ConcatV2", {}, [c([N, 2]), c([3]), c(0)], [N, 2, 3]),
        ("ConcatV2", {}, [s(1), c([3]), c(0)], [N, 3]),
        ("Slice", {}, [c([N, 2, 3]), c([1]), c([-1])], [2, 3]),
        ("GatherV2", {}, [c([N, 2, 3]), c([2, 0]), c(0)], [3, N]),
        ("Prod", {}, [c([2, 3, 4]), c([0])], 24),
        ("Prod", {"keep_dims": True}, [c([2, 3]), c(0)], [6]),
        ("Prod", {}, [c([N, 3]), c(0)], N),
        ("Prod", {}, [c(np.zeros(0, np.int32)), c(0)], 1),
        ("Max", {}, [c([2, 7, 4]), c([0])], 7),
        ("Mul", {}, [c([N, 3]), c(2)], [N, 6]),
        ("AddV2", {}, [c([1, 2]), c([3, N])], [4, N]),
        ("FloorDiv", {"T": I32}, [c([-7, 7]), c(2)], [-4, 3]),
        ("FloorDiv", {"T": I32}, [c([7, 7]), c([0, 2])], [N, 3]),
        ("Div", {"T": I32}, [c(-7), c(2)], -3),
        ("FloorMod", {"T": I32}, [c(-7), c(3)], 2),
        ("Mod", {"T": I32}, [c(-7), c(3)], -1),
        ("Mul", {"T": I32}, [c([2**30]), c([4])], N),
        ("Maximum", {}, [c([1, 5]), c(3)], [3, 5]),
        ("Neg", {}, [c([1, N])], [-1, N]),
        ("Cast", {"SrcT": F32, "DstT": I32}, [c([2.9, -2.9])], [2, -2]),
        ("Cast", {"SrcT": I32, "DstT": F32}, [c([2])], [2.0]),
        ("RealDiv", {"T": F32}, [c([1.0]), c([3.0])], [float(np.float32(1) / np.float32(3))]),
        ("Range", {}, [c(1), c(7), c(2)], [1, 3, 5]),
        ("ExpandDims", {}, [c(4), c(0)], [4]),
        ("Squeeze", {}, [c([4])], 4),
        ("Reshape", {}, [c([1, N]), c([-1])], [1, N]),
        ("Reshape", {}, [c(3), c([1])], [3]),
        ("Fill", {}, [c([2]), c(7)], [7, 7]),
        ("OnesLike", {}, [s(2)], [1, 1]),
        ("Tile", {}, [c([1, 2]), c([2])], [1, 2, 1, 2]),
        ("ReverseV2", {}, [c([1, 2, N]), c([0])], [N, 2, 1]),
        ("InvertPermutation", {}, [c([2, 0, 1])], [1, 2, 0]),
        ("StopGradient", {}, [c([1, N])], [1, N]),
        ("Less", {"T": I32}, [c([1, 5]), c(3)], [True, False]),
        ("Equal", {"T": I32}, [c([1, N]), c(1)], [True, N]),
        ("LogicalAnd", {}, [c(True), c(False)], False),
        ("LogicalNot", {}, [c(True)], False),
        ("SelectV2", {}, [c(True), c(1), c(2)], 1),
        ("SelectV2", {}, [c([True, False]), c([1, N]), c(2)], [1, 2]),
        ("StridedSlice", {"shrink_axis_mask": 1}, [c([N, 7]), c([1]), c([2]), c([1])], 7),
        ("StridedSlice", {"shrink_axis_mask": 1}, [c([N, 7]), c([0]), c([1]), c([1])], N),
        ("StridedSlice", {"end_mask": 1}, [c([1, 2, 3]), c([1]), c([0]), c([1])], [2, 3]),
        ("StridedSlice", {"begin_mask": 1, "end_mask": 1}, [c([1, 2, 3]), c([0]), c([0]), c([-1])],
         [3, 2, 1]),
        ("BroadcastArgs", {}, [c([N, 3]), c([2, 1])], [2, 3]),
    ],
)
def test_value(op: str, attrs: dict[str, Any], inputs: list[Static], expected: Any) -> None:
    result = infer(op, attrs, inputs)[0]
    assert value_of(result) == expected
    assert result.value is None or result.value.shape == result.shape


def test_values_of_split_and_unpack() -> None:
    parts = infer("Split", {"num_split": 2}, [c(0), c([1, N, 3, 4])])
    assert list(map(value_of, parts)) == [[1, N], [3, 4]]
    assert list(map(value_of, infer("Unpack", {"num": 2}, [c([N, 7])]))) == [N, 7]


def test_flatten_of_an_unknown_batch_keeps_the_product() -> None:
    x = s(N, 7, 7, 3)
    shape = infer("Shape", {"T": F32}, [x])[0]
    tail = infer("StridedSlice", {"end_mask": 1, "T": I32}, [shape, c([1]), c([0]), c([1])])[0]
    size = infer("Prod", {"T": I32}, [tail, c([0])])[0]
    wanted = infer("Pack", {"T": I32, "N": 2}, [c(-1), size])[0]
    assert value_of(wanted) == [-1, 147]
    assert infer("Reshape", {}, [x, wanted])[0].shape == (N, 147)


def test_constants_have_values_where_they_are_small() -> None:
    small = constant(Tensor.from_numpy("a", np.array([[0, 0], [1, 2]], np.int32)))
    assert (small.shape, value_of(small), small.dtype) == ((2, 2), [[0, 0], [1, 2]], I32)
    assert constant(Tensor.from_numpy("a", np.zeros(65, np.int32))).value is None
    assert constant(Tensor.from_numpy("a", np.array([b"x"]))).value is None
    tensor = Tensor.from_numpy("a", np.array(3, np.int32))
    assert value_of(infer("Const", {"value": tensor, "dtype": I32}, [])[0]) == 3


# --- contradictions ---


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "text"),
    [
        ("MatMul", {}, [s(N, 4), s(5, 6)], "MatMul: inner sizes; expected 4, found 5"),
        ("MatMul", {}, [s(N, 4, 4), s(5, 6)], "rank of input 0; expected 2, found [?, 4, 4]"),
        ("MatMul", {}, [s(N, 4)], "too few inputs"),
        ("AddV2", {}, [s(2, 3), s(4)], "do not broadcast; expected [2, 3], found [4]"),
        ("BiasAdd", {}, [s(N, 4), s(5)], "length of the bias"),
        ("Conv2D", conv("VALID", 1, 1), [s(N, 2, 9, 3), KERNEL], "larger than its input"),
        ("Conv2D", conv("SAME", 1, 1), [s(N, 9, 9, 4), KERNEL], "a multiple of 3, found 4"),
        ("Conv2D", conv("SAME", 0, 1), [IMAGE, KERNEL], "stride"),
        ("Conv2D", {"padding": "SAME", "strides": [1, 1]}, [IMAGE, KERNEL], "expected 4 elements"),
        ("Conv2D", {"padding": "SAME", "strides": ["a"] * 4}, [IMAGE, KERNEL], "an int"),
        ("Reshape", {}, [s(2, 3), c([4, -1])], "does not hold the elements"),
        ("Reshape", {}, [s(2, 3), c([5])], "does not hold the elements"),
        ("ConcatV2", {}, [s(2, 3), s(3, 3), c(1)], "size of axis 0"),
        ("ConcatV2", {}, [s(2, 3), s(3), c(0)], "ranks"),
        ("Pack", {}, [s(2), s(3)], "shapes of the operands"),
        ("Split", {"num_split": 4}, [c(1), s(N, 6)], "a multiple of 4"),
        ("Split", {"num_split": 0}, [c(1), s(N, 6)], "num_split"),
        ("Squeeze", {"squeeze_dims": [1]}, [s(N, 2)], "size of axis 1"),
        ("Transpose", {}, [s(2, 3), c([0, 0])], "permutation"),
        ("Mean", {}, [s(2, 3), c([2])], "expected in [-2, 2), found 2"),
        ("Slice", {}, [s(3), c([1]), c([3])], "past the end"),
        ("StridedSlice", {"shrink_axis_mask": 1}, [s(3), c([3]), c([4]), c([1])], "index"),
        ("StridedSlice", {}, [s(3), c([0]), c([1]), c([0])], "stride"),
        ("StridedSlice", {}, [s(3), c([0, 0]), c([1, 1]), c([1, 1])], "more dimensions"),
        ("Einsum", {"equation": "ab,bc->ac"}, [s(2, 3), s(4, 5)], "size of 'b'"),
        ("SpaceToBatchND", {}, [s(N, 5, 1), c([2]), c([[0, 0]])], "a multiple of 2, found 5"),
        ("Range", {}, [c(0), c(1), c(0)], "delta"),
        ("Unpack", {"num": 3}, [s(2, 5)], "attr 'num'"),
    ],
)
def test_contradiction(op: str, attrs: dict[str, Any], inputs: list[Static], text: str) -> None:
    with pytest.raises(MismatchError) as caught:
        infer(op, attrs, inputs)
    assert text in str(caught.value)


def test_a_missing_attr_is_named() -> None:
    with pytest.raises(MissingError, match="Conv2D needs attr 'strides'"):
        infer("Conv2D", {"padding": "SAME"}, [IMAGE, KERNEL])


def test_an_attr_left_to_the_caller_leaves_the_shape_unknown() -> None:
    attrs: dict[str, Any] = {"padding": Placeholder("p"), "strides": [1, 1, 1, 1]}
    assert infer("Conv2D", attrs, [IMAGE, KERNEL])[0].shape is None


# --- the referee ---


def _cases() -> list[tuple[str, dict[str, Any], list[Any]]]:
    """Seeded nodes: each input is a list of sizes, or an array that is a constant."""
    rng = random.Random(20240501)

    def size(low: int = 1, high: int = 9) -> int | None:
        return rng.choice([None, *range(low, high), *range(low, high)])

    def i32(*values: Any) -> Any:
        return np.array(values[0] if len(values) == 1 else values, np.int32)

    cases: list[tuple[str, dict[str, Any], list[Any]]] = []
    pads = ["SAME", "VALID", "EXPLICIT"]
    for padding, stride, dilation, k in itertools.product(pads, (1, 2, 3), (1, 2), (1, 2, 3)):
        if stride > 1 and dilation > 1:
            continue
        h, w, ch = size(6, 14), size(6, 14), rng.choice([2, 4])
        explicit = [0, 0, 1, 2, 0, 1, 0, 0] if padding == "EXPLICIT" else []
        attrs = {"strides": [1, stride, stride, 1], "dilations": [1, dilation, dilation, 1],
                 "padding": padding, "explicit_paddings": explicit}
        cases.append(("Conv2D", attrs, [[size(), h, w, ch], [k, k, 2, 6]]))
        cases.append(("DepthwiseConv2dNative", attrs, [[size(), h, w, 2], [k, k, 2, 3]]))
        swapped = {key: [v[0], v[3], v[1], v[2]] for key, v in attrs.items() if len(v) == 4
                   and isinstance(v, list)}
        nchw = {**attrs, **swapped, "data_format": "NCHW",
                "explicit_paddings": [0, 0, 0, 0, 1, 2, 0, 1] if explicit else []}
        cases.append(("Conv2D", nchw, [[size(), ch, h, w], [k, k, 2, 6]]))
        if padding != "EXPLICIT":
            cube = {"strides": [1, stride, stride, 1, 1], "padding": padding}
            cases.append(("Conv3D", cube, [[size(), h, w, 5, 2], [k, k, 1, 2, 6]]))
        if dilation == 1:
            pool = {key: v for key, v in attrs.items() if key != "dilations"}
            pool["ksize"] = [1, k, k, 1]
            cases.append(("MaxPool", pool, [[size(), h, w, ch]]))
            pool = {key: v for key, v in pool.items() if key != "explicit_paddings"}
            if padding != "EXPLICIT":
                cases.append(("AvgPool", pool, [[size(), h, w, ch]]))
                pool = {"padding": padding, "ksize": [1, k, 1, k, 1],
                        "strides": [1, stride, stride, 1, 1]}
                cases.append(("MaxPool3D", pool, [[size(), h, 4, w, ch]]))
                cases.append(("AvgPool3D", pool, [[size(), h, 4, w, ch]]))
    for _ in range(60):
        full = [size() for _ in range(rng.randint(0, 4))]
        other = [rng.choice([d, 1, d]) for d in full][rng.randint(0, len(full)) :]
        pair = [full, other] if rng.random() < 0.5 else [other, full]
        op = rng.choice(["AddV2", "Sub", "Mul", "Maximum", "Less", "SquaredDifference"])
        cases.append((op, {}, pair))
        cases.append(("SelectV2", {}, [np.array(True), *pair]))
        rank = len(full)
        if rank:
            axis = rng.randrange(-rank, rank)
            cases.append(("ConcatV2", {"N": 2}, [full, full, i32(axis)]))
            cases.append(("ExpandDims", {}, [full, i32(axis)]))
            cases.append(("ArgMax", {}, [full, i32(axis)]))
            cases.append(("Pack", {"N": 2, "axis": axis}, [full, full]))
            keep = rng.random() < 0.5
            axes = i32(rng.sample(range(rank), rng.randint(1, rank)))
            cases.append((rng.choice(["Mean", "Sum", "Max"]), {"keep_dims": keep}, [full, axes]))
            cases.append(("Tile", {}, [full, i32([rng.randint(1, 3) for _ in full])]))
            cases.append(("Transpose", {}, [full, i32(rng.sample(range(rank), rank))]))
            cases.append(("Pad", {}, [full, i32([[rng.randint(0, 3), 1] for _ in full])]))
            cases.append(("OneHot", {"axis": rng.randint(-1, rank)},
                          [np.zeros(1, np.int32).reshape([1] * rank), i32(5), [], []]))
            cases.append(("GatherV2", {}, [full, np.zeros((2, 3), np.int32), i32(axis)]))
            cases.append(("Split", {"num_split": 2},
                          [i32(axis), [d and 2 * d for d in full]]))
            sizes = [rng.choice([-1, rng.randint(0, d) if d else 0]) for d in full]
            cases.append(("Slice", {}, [full, i32([0] * rank), i32(sizes)]))
            squeezed = [*full[:1], 1, *full[1:]]
            cases.append(("Squeeze", {"squeeze_dims": [1]}, [squeezed]))
            count = rng.randint(1, rank)
            spec = [i32([rng.randint(-4, 4) for _ in range(count)]) for _ in range(2)]
            strides = i32([rng.choice([1, 1, 2, -1, -2]) for _ in range(count)])
            masks = {f"{m}_mask": rng.getrandbits(count) for m in ("begin", "end")}
            masks["ellipsis_mask"] = rng.choice([0, 0, 1 << rng.randrange(count)])
            masks["new_axis_mask"] = rng.choice([0, 0, 1 << rng.randrange(count)])
            cases.append(("StridedSlice", masks, [full, *spec, strides]))
            cases.append(("StridedSlice", {"shrink_axis_mask": 1},
                          [full, i32([0]), i32([1]), i32([1])]))
        m, k, n = size(), size(), size()
        flip = rng.random() < 0.5
        cases.append(("MatMul", {"transpose_b": flip}, [[m, k], [n, k] if flip else [k, n]]))
        cases.append(("BatchMatMulV2", {"adj_x": flip},
                      [[*full, k, m] if flip else [*full, m, k], [*other, k, n]]))
        cases.append(("Einsum", {"equation": "abc,cd->abd", "N": 2}, [[m, n, k], [k, 4]]))
        cases.append(("Einsum", {"equation": "...bc,cd->...bd", "N": 2}, [[*full, m, k], [k, n]]))
        cases.append(("BiasAdd", {}, [[m, n, k], [k]]))
        cases.append(("FusedBatchNormV3", {"is_training": flip},
                      [[m, n, n, 4], [4], [4], [4 - 4 * flip], [4 - 4 * flip]]))
        cases.append(("Reshape", {}, [[m, 4, 5], i32([-1, 20])]))
        cases.append(("Reshape", {}, [[2, 3, m], i32([3, -1])]))
        cases.append(("ResizeBilinear", {}, [[m, n, k, 3], i32([5, 6])]))
        cases.append(("SpaceToBatchND", {},
                      [[m, n and 2 * n, k and 3 * k, 2], i32([2, 3]), i32([[2, 2], [0, 3]])]))
        cases.append(("BatchToSpaceND", {},
                      [[m and 6 * m, 7, n and 2 * n, 2], i32([2, 3]), i32([[1, 2], [0, 3]])]))
        cases.append(("DepthToSpace", {"block_size": 2}, [[m, n, k, 8]]))
    return cases


@pytest.mark.oracle
def test_shapes_equal_tensorflows() -> None:
    """Where TensorFlow knows a size, so do we, and the same; and we accept what it accepts."""
    tf = pytest.importorskip("tensorflow")
    from tensorflow.python.framework import op_def_library  # noqa: F401  registers the ops

    from modelfmt.ops import opdefs

    checked = 0
    for op, attrs, inputs in _cases():
        opdef = opdefs.get(op)
        assert opdef
        with tf.Graph().as_default() as graph:
            tensors = [
                tf.constant(each) if isinstance(each, np.ndarray)
                else tf.raw_ops.Placeholder(dtype=tf.float32, shape=each)
                for each in inputs
            ]
            ours_attrs = opdefs.complete(op, [dtypes.from_name(t.dtype.name) for t in tensors], {
                **attrs, **({"Tidx": I32} if op == "ArgMax" else {}),
            } if op != "ArgMax" else attrs)
            try:
                node = _create(tf, graph, op, tensors, ours_attrs)
            except ValueError:
                node = None
            statics = [c(e) if isinstance(e, np.ndarray) else s(*e) for e in inputs]
            if node is None:
                with pytest.raises(MismatchError):
                    infer(op, attrs, statics)
                continue
            ours = infer(op, ours_attrs, statics)
            assert len(ours) == len(node.outputs)
            for mine, theirs in zip(ours, node.outputs, strict=True):
                expected = None if theirs.shape.rank is None else tuple(theirs.shape.as_list())
                assert mine.shape == expected, (op, attrs, inputs)
                assert mine.dtype and mine.dtype.name == theirs.dtype.name
                checked += 1
    assert checked > 1000


def _create(tf: Any, graph: Any, op: str, tensors: list[Any], attrs: dict[str, Any]) -> Any:
    """The node, made from attrs alone as a GraphDef would be read."""
    node = tf.compat.v1.NodeDef(name="node", op=op)
    node.input.extend(t.name for t in tensors)
    for name, value in attrs.items():
        field = node.attr[name]
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(value, list):
            field.list.SetInParent()
            if value:
                field.list.i.extend(int(e) for e in value)
        elif isinstance(first, bool):
            field.b = first
        elif isinstance(first, int):
            field.i = first
        elif isinstance(first, float):
            field.f = first
        elif isinstance(first, str):
            field.s = first.encode()
        elif isinstance(first, dtypes.DType):
            field.type = first.enum
    definition = graph.as_graph_def()
    definition.node.append(node)
    make: Callable[[], Any] = tf.Graph
    with make().as_default() as fresh:
        tf.import_graph_def(definition, name="")
        return fresh.get_operation_by_name("node")


# --- nonsense ---


def test_nonsense_gives_named_errors_only() -> None:
    """Random attrs, shapes and values for every op with a rule: an answer, or a named error."""
    from modelfmt.errors import ModelFormatError
    from modelfmt.ops import opdefs
    from modelfmt.ops.opdef_rows import ROWS

    rng = random.Random(7)
    ints = [-1, 0, 1, 2, 3, 2**31, 2**62, -(2**62)]
    odd: list[Any] = [*ints, 1.5, float("nan"), "SAME", "NC", b"\xff", True, F32, Shape((N, 2)),
                      [], [1, 2, 2, 1], [0, 0, 0], ["x"], Placeholder("p")]

    def static() -> Static:
        kind = rng.random()
        if kind < 0.2:
            return UNKNOWN
        if kind < 0.6:
            sizes = [N, 0, 1, 2, 3, 2**40]
            return Static(tuple(rng.choice(sizes) for _ in range(rng.randint(0, 5))))
        items = [rng.choice([*ints, N, float("inf"), True]) for _ in range(4)]
        array = np.array(items[: rng.randint(0, 4)], object)
        if kind < 0.7:
            array = np.array(items, object).reshape(2, 2)
        return Static(array.shape, array) if kind < 0.9 else c(rng.choice([1, 0, -1, 7]))

    for line in ROWS.splitlines():
        if not line or line[0] in " #":
            continue
        opdef = opdefs.get(line.partition("(")[0])
        assert opdef
        for _ in range(40):
            attrs = {a.name: rng.choice(odd) for a in opdef.attrs if rng.random() < 0.4}
            for a in opdef.attrs:
                if a.type == "list(int)" and rng.random() < 0.5:
                    attrs[a.name] = [rng.choice([1, 2, 3]) for _ in range(rng.choice([4, 5, 8]))]
                if a.type == "int" and rng.random() < 0.5:
                    attrs[a.name] = rng.randint(0, 4)
            inputs = [static() for _ in range(rng.randint(0, 6))]
            try:
                results = infer(opdef.name, attrs, inputs)
            except ModelFormatError:
                continue
            for result in results:
                assert result.value is None or tuple(result.value.shape) == result.shape


@pytest.mark.parametrize(
    ("op", "attrs", "inputs", "expected"),
    [
        ("LookupTableFindV2", {}, [(), (None, 3), ()], [(None, 3)]),
        ("StringSplitV2", {}, [(None,), ()], [(None, 2), (None,), (2,)]),
        ("UnicodeDecode", {}, [(4,)], [(5,), (None,)]),
        ("UnicodeDecode", {}, [(None,)], [(None,), (None,)]),
        ("UnicodeEncode", {}, [(None,), (5,)], [(4,)]),
        ("StringNGrams", {}, [(None,), (5,)], [(None,), (5,)]),
        ("UnsortedSegmentSum", {}, [(4, 2), (4,), ()], [(None, 2)]),
        ("RFFT", {}, [(None, 7, 32), (1,)], [(None, 7, None)]),
    ],
)
def test_strings_and_segments(op: str, attrs: Any, inputs: Any, expected: Any) -> None:
    assert [s.shape for s in infer(op, attrs, [Static(shape) for shape in inputs])] == expected
