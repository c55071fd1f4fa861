"""Numbers: what ops compute, by values that are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import bool_, float32, int32
from modelfmt.ops import opdefs
from modelfmt.ops.numbers import COMPUTED, ELEMENTWISE, UncomputedError, compute

A = np.array([[1.0, -2.0, 3.0], [0.5, 8.0, -0.25]])


def run(op: str, *inputs: Any, **attrs: Any) -> Any:
    made = compute(op, attrs.get, [np.asarray(x) for x in inputs])
    return made[0] if len(made) == 1 else made


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "wanted"),
    [
        ("Erf", (0.5,), {}, math.erf(0.5)), ("Erfc", (-1.5,), {}, math.erfc(-1.5)),
        ("Sigmoid", (2.0,), {}, 1 / (1 + math.exp(-2))), ("Sigmoid", (-800.0,), {}, 0.0),
        ("Softplus", (1.0,), {}, math.log(1 + math.e)), ("Softplus", (900.0,), {}, 900.0),
        ("Selu", (-1.0,), {}, 1.0507009873554805 * 1.6732632423543772 * math.expm1(-1)),
        ("Elu", (-2.0,), {}, math.expm1(-2)), ("Relu6", (7.0,), {}, 6.0),
        ("Rsqrt", (4.0,), {}, 0.5), ("DivNoNan", (1.0, 0.0), {}, 0.0),
        ("RealDiv", (1.0, 0.0), {}, math.inf), ("LeakyRelu", (-2.0,), {"alpha": 0.25}, -0.5),
        ("SquaredDifference", (1.0, 3.0), {}, 4.0), ("ClipByValue", (5.0, 0.0, 2.0), {}, 2.0),
        ("AddN", (1.0, 2.0, 3.0), {}, 6.0), ("Cast", (2.7,), {"DstT": int32}, 2),
        ("Cast", (2.7,), {"DstT": float32}, 2.7), ("Cast", (2.7,), {"DstT": bool_}, True),
        ("SelectV2", (True, 1.0, 2.0), {}, 1.0), ("Size", (A,), {}, 6), ("Rank", (A,), {}, 2),
    ],
)  # fmt: skip
def test_of_single_numbers(op: str, inputs: Any, attrs: Any, wanted: float) -> None:
    assert run(op, *inputs, **attrs) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "wanted"),
    [
        ("Mean", (A, [0]), {"keep_dims": True}, [[0.75, 3, 1.375]]),
        ("Sum", (A, [0, 1]), {"keep_dims": False}, 10.25), ("Max", (A, -1), {}, [3, 8]),
        ("Reshape", (A, [3, -1]), {}, A.reshape(3, 2)), ("Transpose", (A, [1, 0]), {}, A.T),
        ("Squeeze", (A[None, ..., None],), {"squeeze_dims": [0]}, A[..., None]),
        ("Squeeze", (A[None, ..., None],), {}, A), ("ExpandDims", (A, 1), {}, A[:, None]),
        ("StridedSlice", (A, [0, 1], [0, 3], [1, 2]), {"begin_mask": 1, "end_mask": 1}, A[:, 1::2]),
        ("StridedSlice", (A, [1], [2], [1]), {"shrink_axis_mask": 1}, A[1]),
        ("StridedSlice", (A, [0], [1], [1]), {"new_axis_mask": 1}, A[None]),
        ("MatMul", (A, A), {"transpose_b": True}, A @ A.T),
        ("BatchMatMulV2", (A[None], A[None]), {"adj_x": True}, (A.T @ A)[None]),
        ("Einsum", (A, A), {"equation": "ab,cb->ac"}, A @ A.T),
        ("ConcatV2", (A, A, 1), {}, np.hstack([A, A])), ("Pack", (A, A), {"axis": 1},
                                                        np.stack([A, A], 1)),
        ("BiasAdd", (A[None, None].transpose(0, 3, 1, 2), [1.0, 2.0, 3.0]),
         {"data_format": "NCHW"}, np.add(A, [1, 2, 3])[None, None].transpose(0, 3, 1, 2)),
        ("Fill", ([2, 3], 7.0), {}, np.full((2, 3), 7.0)), ("Range", (1, 7, 2), {}, [1, 3, 5]),
        ("Cumsum", (A, -1), {}, A.cumsum(-1)), ("Tile", (A, [1, 2]), {}, np.tile(A, (1, 2))),
        ("GatherV2", ([5, 6, 7], [2, 0], 0), {}, [7, 5]), ("Shape", (A,), {}, [2, 3]),
    ],
)  # fmt: skip
def test_of_arrays(op: str, inputs: Any, attrs: Any, wanted: Any) -> None:
    made = run(op, *inputs, **attrs)
    assert made.shape == np.shape(wanted)
    np.testing.assert_allclose(made, wanted, rtol=1e-12)


def test_several_outputs() -> None:
    first, second, third = run("Split", 1, A, num_split=3)
    assert (first.tolist(), third.tolist()) == ([[1.0], [0.5]], [[3.0], [-0.25]])
    values, places = run("TopKV2", A, 2)
    assert (values.tolist(), places.tolist()) == ([[3, 1], [8, 0.5]], [[2, 0], [1, 0]])
    assert [each.tolist() for each in run("Unpack", A, axis=0)] == A.tolist()
    assert second.shape == (2, 1)


@pytest.mark.parametrize(("layout", "axis"), [("NHWC", 3), ("NCHW", 1), ("NDHWC", 4)])
@pytest.mark.parametrize("training", [True, False])
def test_fused_normalization(layout: str, axis: int, training: bool) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=[2, 3, 2, 3, 3][: len(layout)])
    scale, offset, mean, variance = random.uniform(0.5, 1.5, (4, x.shape[axis]))
    others = tuple(k for k in range(x.ndim) if k != axis)
    if training:
        mean, variance = x.mean(others), x.var(others)
    moved = np.moveaxis(x, axis, -1)
    wanted = scale * (moved - mean) / np.sqrt(variance + 0.1) + offset
    made = run("FusedBatchNormV3", x, scale, offset, mean, variance,
               data_format=layout, epsilon=0.1, is_training=training)  # fmt: skip
    np.testing.assert_allclose(np.moveaxis(made, axis, -1), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("op", "inputs", "attrs"),
    [("Conv2D", (A, A), {}), ("Reshape", (A, [4, 4]), {}), ("AddV2", (A, A.T), {}),
     ("Cast", (A,), {"DstT": "odd"}), ("Cumsum", (A, 0), {"reverse": True}),
     ("StridedSlice", (A, [0], [1], [1]), {"ellipsis_mask": 1}), ("MatMul", (A,), {}),
     ("GatherV2", (A, [9], 0), {})],
)  # fmt: skip
def test_what_cannot_be_computed_is_said(op: str, inputs: Any, attrs: Any) -> None:
    with pytest.raises(UncomputedError):
        run(op, *inputs, **attrs)


def test_every_op_is_one_of_tensorflow() -> None:
    assert ELEMENTWISE <= COMPUTED
    assert not [op for op in COMPUTED if opdefs.get(op) is None]
