"""Operations of attention. Source: Keras backend/tensorflow/nn.py, dot_product_attention."""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.table import operation
from modelfmt.layers.operations.values import Ops

_SPELLING = (
    "DotProductAttention(query, key, value, bias=None, mask=None, scale=None, is_causal=False, "
    "flash_attention=None, attn_logits_soft_cap=None)"
)


@operation(_SPELLING)
def _attention(ops: Ops, query: Any, key: Any, value: Any, bias: Any, mask: Any, scale: Any,
               causal: Any, flash: Any, cap: Any) -> TensorName:  # fmt: skip
    """softmax(scale * query @ transpose(key) + bias) @ value, over (batch, time, heads, width)."""
    query, key, value = ops.floats(query, key, value)
    if any(ops.rank(x) != 4 for x in (query, key, value)) or flash:
        raise ConversionError("attention over tensors of four axes can be written")
    heads, shared = ops.dims(query)[2], ops.dims(key)[2]
    width, kind = ops.dims(key)[-1], ops.dtype(query)
    if heads is None or shared is None or width is None:
        raise ConversionError("attention of an unknown number of heads cannot be written")
    if heads > shared > 1:
        key, value = (_repeated(ops, x, heads // shared) for x in (key, value))
    query, key, value = (ops.op("Transpose", x, [0, 2, 1, 3]) for x in (query, key, value))
    within = kind if kind == "float64" else "float32"
    logits = ops.cast(_product(ops, query, key, turned=True), within)
    factor = width**-0.5 if scale is None else scale
    logits = ops.op("Mul", logits, ops.tensor(factor, within))
    if bias is not None:
        logits = ops.op("AddV2", logits, ops.tensor(ops.tensor(bias, kind), within))
    hidden = ops.tensor(float(_large_negative(ops, within)), within)
    if mask is not None:
        logits = ops.op("SelectV2", ops.cast(mask, "bool"), logits, hidden)
    if causal:
        ones = ops.op("OnesLike", logits)
        seen = ops.op(
            "MatrixBandPart", ones, ops.tensor(-1, "int32"), ops.tensor(0, "int32")
        )
        logits = ops.op("SelectV2", ops.cast(seen, "bool"), logits, hidden)
    weights = ops.cast(ops.op("Softmax", logits), kind)
    return ops.op("Transpose", _product(ops, weights, value, turned=False), [0, 2, 1, 3])


def _large_negative(ops: Ops, kind: str) -> float:
    """Less than any logit, and no infinity."""
    import numpy as np

    return float(np.finfo(kind).max) * -0.7


def _product(ops: Ops, x: str, y: str, *, turned: bool) -> TensorName:
    """x @ y over the last two axes; heads of which there is one only stand for all."""
    return ops.op("BatchMatMulV2", x, y, adj_y=turned)


def _repeated(ops: Ops, x: str, times: int) -> TensorName:
    """Each head as often as heads of the query share it."""
    sizes = ops.sizes(x)
    wide = ops.op("ExpandDims", x, 3)
    made = ops.op("Tile", wide, [1, 1, 1, times, 1])
    heads = sizes[2]
    assert isinstance(heads, int)  # seen above
    return ops.reshape(made, [*sizes[:2], heads * times, sizes[3]])
