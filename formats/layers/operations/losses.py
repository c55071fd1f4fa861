"""Operations of losses: cross entropies. Source: Keras backend/tensorflow/nn.py."""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.reductions import reduced
from modelfmt.layers.operations.table import operation
from modelfmt.layers.operations.values import Ops

_EPSILON = 1e-7


def _between(ops: Ops, x: str) -> TensorName:
    """x, at least epsilon and at most 1 - epsilon."""
    kind = ops.dtype(x)
    least = ops.op("Minimum", x, ops.tensor(1.0 - _EPSILON, kind))
    return ops.op("Maximum", least, ops.tensor(_EPSILON, kind))


@operation(
    "BinaryCrossentropy(target, output, from_logits=False)",
    "nn.sigmoid_cross_entropy_with_logits(labels, logits, _from_logits=True)",
)
def _binary(ops: Ops, target: Any, output: Any, logits: Any) -> TensorName:
    """-(t log x + (1 - t) log(1 - x)); of logits max(x, 0) - x t + log1p(exp(-|x|))."""
    target, x = ops.floats(target, output)
    if logits:
        above = ops.op("Sub", ops.op("Relu", x), ops.op("Mul", x, target))
        power = ops.op("Exp", ops.op("Neg", ops.op("Abs", x)))
        return ops.op("AddV2", above, ops.op("Log1p", power))
    x, one = _between(ops, x), ops.tensor(1.0, ops.dtype(x))
    hit = ops.op("Mul", target, ops.op("Log", x))
    missed = ops.op("Mul", ops.op("Sub", one, target), ops.op("Log", ops.op("Sub", one, x)))
    return ops.op("Neg", ops.op("AddV2", hit, missed))


@operation(
    "CategoricalCrossentropy(target, output, from_logits=False, axis=-1)",
    "nn.softmax_cross_entropy_with_logits(labels, logits, _from_logits=True, axis=-1)",
    "nn.softmax_cross_entropy_with_logits_v2(labels, logits, _from_logits=True, axis=-1)",
)
def _categorical(ops: Ops, target: Any, output: Any, logits: Any, axis: Any) -> TensorName:
    """-sum(t log x), x being made to add up to 1."""
    target, x = ops.floats(target, output)
    if logits:
        x = ops.moved(ops.op("LogSoftmax", ops.moved(x, [axis], [-1])), [-1], [axis])
    else:
        x = ops.op("RealDiv", x, reduced(ops, "Sum", x, axis, True))
        x = ops.op("Log", _between(ops, x))
    return ops.op("Neg", reduced(ops, "Sum", ops.op("Mul", target, x), axis, False))


@operation(
    "SparseCategoricalCrossentropy(target, output, from_logits=False, axis=-1)",
    "nn.sparse_softmax_cross_entropy_with_logits(labels, logits, _from_logits=True, _axis=-1)",
)
def _sparse(ops: Ops, target: Any, output: Any, logits: Any, axis: Any) -> TensorName:
    """-log softmax at the place that the target names, of logits or of logs."""
    x = ops.floats(output)[0]
    rank = ops.rank(x)
    if ops.axis(x, axis) != rank - 1:
        raise ConversionError("a sparse cross entropy along another axis than the last")
    target = ops.cast(target, "int64")
    if ops.rank(target) == rank and ops.dims(target)[-1] == 1:
        target = ops.op("Squeeze", target, squeeze_dims=[rank - 1])
    if not logits:
        x = ops.op("Log", _between(ops, x))
    hot = ops.op(
        "OneHot", target, ops.tensor(ops.size(x, rank - 1), "int32"),
        ops.tensor(1.0, ops.dtype(x)), ops.tensor(0.0, ops.dtype(x)), axis=-1,
    )  # fmt: skip
    found = ops.op("Mul", ops.op("LogSoftmax", x), hot)
    return ops.op("Neg", ops.op("Sum", found, [rank - 1]))
