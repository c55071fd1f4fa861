"""Operations of networks: activation functions, softmax, normalisation.

What a layer computes as well is written as that layer writes it. Source: Keras
backend/tensorflow/nn.py and ops/nn.py; TensorFlow python/ops/nn_ops.py.
"""

from __future__ import annotations

import math
from typing import Any

from modelfmt.layers.activations import write_activation
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.linalg import write_norm
from modelfmt.layers.operations.reading import Reading, Unread, reads, reads_as
from modelfmt.layers.operations.reductions import reduced, write_mean, write_variance
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import Writer, operation
from modelfmt.layers.operations.values import Ops

#: Activation functions without arguments: our name, and those that ask for it.
_FUNCTIONS = {
    "relu": "Relu(x) nn.relu(features)", "relu6": "Relu6(x) nn.relu6(features)",
    "sigmoid": "Sigmoid(x) math.sigmoid(x) nn.sigmoid(x)",
    "sparse_sigmoid": "SparseSigmoid(x)", "sparse_plus": "SparsePlus(x)",
    "softplus": "Softplus(x) math.softplus(features) nn.softplus(features)",
    "softsign": "Softsign(x) nn.softsign(features) math.softsign(features)",
    "log_sigmoid": "LogSigmoid(x) math.log_sigmoid(x)",
    "hard_sigmoid": "HardSigmoid(x)", "hard_silu": "HardSilu(x)", "hard_tanh": "HardTanh(x)",
    "selu": "Selu(x) nn.selu(features)", "tanh_shrink": "TanhShrink(x)",
}  # fmt: skip


def _function(name: str) -> Writer:
    return lambda ops, x: TensorName(write_activation(name, ops.floats(x)[0], ops.graph))


for name, spellings in _FUNCTIONS.items():
    operation(spellings)(_function(name))


for op, row in (
    ("Relu", "Relu"), ("Relu6", "Relu6"), ("Sigmoid", "Sigmoid"), ("Softplus", "Softplus"),
    ("Softsign", "Softsign"), ("Selu", "Selu"), ("Elu", "Elu"), ("Softmax", "Softmax"),
    ("LogSoftmax", "LogSoftmax"),
):  # fmt: skip
    reads_as(op, row)


@operation("Silu(x, _beta=1.0) nn.silu(features, beta=1.0) nn.swish(features, beta=1.0)")
def _silu(ops: Ops, x: Any, beta: Any) -> TensorName:
    x = ops.floats(x)[0]
    inner = x if beta == 1 else ops.op("Mul", x, ops.tensor(beta, ops.dtype(x)))
    return ops.op("Mul", x, ops.op("Sigmoid", inner))


@operation("LeakyRelu(x, negative_slope=0.2) nn.leaky_relu(features, alpha=0.2)")
def _leaky_relu(ops: Ops, x: Any, slope: Any) -> TensorName:
    return ops.op("LeakyRelu", ops.floats(x)[0], alpha=float(slope))


@reads("LeakyRelu")
def _read_leaky_relu(r: Reading) -> Said:
    return r.say("LeakyRelu", r.x(0), float(r.attr("alpha")))


@operation("Elu(x, alpha=1.0) nn.elu(features, _alpha=1.0)")
def _elu(ops: Ops, x: Any, alpha: Any) -> TensorName:
    x = ops.floats(x)[0]
    made = ops.op("Elu", x)
    if alpha == 1:
        return made
    above = ops.op("Greater", x, ops.tensor(0, ops.dtype(x)))
    return ops.op("SelectV2", above, made, ops.op("Mul", made, ops.tensor(alpha, ops.dtype(x))))


@operation("Celu(x, alpha=1.0)")
def _celu(ops: Ops, x: Any, alpha: Any) -> TensorName:
    x = ops.floats(x)[0]
    zero, scale = ops.tensor(0, ops.dtype(x)), ops.tensor(alpha, ops.dtype(x))
    below = ops.op("Expm1", ops.op("RealDiv", ops.op("Minimum", x, zero), scale))
    return ops.op("AddV2", ops.op("Maximum", x, zero), ops.op("Mul", scale, below))


@operation("Gelu(x, approximate=True) nn.gelu(features, approximate=False)")
def _gelu(ops: Ops, x: Any, approximate: Any) -> TensorName:
    """Half of x times 1 + erf(x / sqrt 2), or 1 + tanh(0.79788456 (x + 0.044715 x^3))."""
    x = ops.floats(x)[0]
    if not approximate:
        return TensorName(write_activation("gelu", x, ops.graph))
    kind = ops.dtype(x)
    cube = ops.op("Mul", ops.tensor(0.044715, kind), ops.op("Pow", x, ops.tensor(3, kind)))
    inner = ops.op("Mul", ops.tensor(0.7978845608028654, kind), ops.op("AddV2", x, cube))
    half = ops.op("Mul", ops.tensor(0.5, kind), x)
    return ops.op("Mul", half, ops.op("AddV2", ops.tensor(1, kind), ops.op("Tanh", inner)))


@operation("Glu(x, axis=-1)")
def _glu(ops: Ops, x: Any, axis: Any) -> TensorName:
    first, second = ops.ops("Split", ops.axis(x, axis), ops.tensor(x), num_split=2)
    return ops.op("Mul", first, ops.op("Sigmoid", second))


@operation("Sparsemax(x, axis=-1)")
def _sparsemax(ops: Ops, x: Any, axis: Any) -> TensorName:
    turned = ops.moved(ops.tensor(x), [axis], [-1])
    return ops.moved(TensorName(write_activation("sparsemax", turned, ops.graph)), [-1], [axis])


@operation("Squareplus(x, b=4)")
def _squareplus(ops: Ops, x: Any, b: Any) -> TensorName:
    x = ops.floats(x)[0]
    kind = ops.dtype(x)
    root = ops.op("Sqrt", ops.op("AddV2", ops.op("Square", x), ops.tensor(b, kind)))
    return ops.op("RealDiv", ops.op("AddV2", x, root), ops.tensor(2, kind))


def _kept_where(ops: Ops, inside: TensorName, x: TensorName, other: Any) -> TensorName:
    return ops.op("SelectV2", inside, x, ops.tensor(other, ops.dtype(x)))


@operation("Threshold(x, threshold, default_value)")
def _threshold(ops: Ops, x: Any, limit: Any, other: Any) -> TensorName:
    x = ops.tensor(x)
    return _kept_where(ops, ops.op("Greater", x, ops.tensor(limit, ops.dtype(x))), x, other)


@operation("HardShrink(x, threshold=0.5)")
def _hard_shrink(ops: Ops, x: Any, limit: Any) -> TensorName:
    x = ops.tensor(x)
    far = ops.op("Greater", ops.op("Abs", x), ops.tensor(limit, ops.dtype(x)))
    return _kept_where(ops, far, x, 0)


@operation("SoftShrink(x, threshold=0.5)")
def _soft_shrink(ops: Ops, x: Any, limit: Any) -> TensorName:
    """x moved towards 0 by the threshold, 0 where it is nearer."""
    x = ops.tensor(x)
    edge = ops.tensor(limit, ops.dtype(x))
    above = ops.op(
        "SelectV2", ops.op("Greater", x, edge), ops.op("Sub", x, edge), ops.op("ZerosLike", x)
    )
    below = ops.op("Less", x, ops.op("Neg", edge))
    return ops.op("SelectV2", below, ops.op("AddV2", x, edge), above)


def _softmax(op: str) -> Writer:
    def write(ops: Ops, x: Any, axis: Any) -> TensorName:
        """Over one axis, several together, or all of them."""
        x = ops.tensor(x)
        rank = ops.rank(x)
        if axis == -1:
            return ops.op(op, x)
        axes = ops.axes(x, axis)
        order = [*(k for k in range(rank) if k not in axes), *axes]
        turned = ops.turned(x, order)
        if len(axes) > 1:
            sizes = ops.sizes(turned)
            kept = sizes[: rank - len(axes)]
            flat = ops.reshape(turned, [*kept, ops.product(sizes[rank - len(axes) :])])
            made = ops.reshape(ops.op(op, flat), sizes)
        else:
            made = ops.op(op, turned)
        return ops.turned(made, [order.index(k) for k in range(rank)])

    return write


operation("Softmax(x, axis=-1) nn.softmax(logits, axis=-1) math.softmax(logits, axis=-1)")(
    _softmax("Softmax")
)
operation(
    "LogSoftmax(x, axis=-1) nn.log_softmax(logits, axis=-1) math.log_softmax(logits, axis=-1)"
)(_softmax("LogSoftmax"))

# -- normalisation -----------------------------


@operation("Normalize(x, axis=-1, order=2, epsilon=None)")
def _normalize(ops: Ops, x: Any, axis: Any, order: Any, epsilon: Any) -> TensorName:
    """x by its norm, which counts as epsilon at least."""
    x = ops.floats(x)[0]
    kind, least = ops.dtype(x), 1e-7 if epsilon is None else epsilon
    if order == 2:
        inverse = ops.op("Rsqrt", reduced(ops, "Sum", ops.op("Square", x), axis, True))
        return ops.op("Mul", x, ops.op("Minimum", inverse, ops.tensor(1.0 / least, kind)))
    norm = write_norm(ops, x, order, axis, True)
    return ops.op("RealDiv", x, ops.op("Maximum", norm, ops.tensor(least, kind)))


@operation(
    "math.l2_normalize(x, axis=None, epsilon=1e-12) nn.l2_normalize(x, axis=None, "
    "epsilon=1e-12) linalg.l2_normalize(x, axis=None, epsilon=1e-12)"
)
def _l2_normalize(ops: Ops, x: Any, axis: Any, epsilon: Any) -> TensorName:
    total = reduced(ops, "Sum", ops.op("Square", x), axis, True)
    least = ops.op("Maximum", total, ops.tensor(epsilon, ops.dtype(x)))
    return ops.op("Mul", x, ops.op("Rsqrt", least))


def _shaped(ops: Ops, value: Any, x: str, axes: list[int]) -> TensorName:
    """A value along these axes of x, of size 1 along the others."""
    value = ops.tensor(value, ops.dtype(x))
    sizes = [ops.size(x, k) if k in axes else 1 for k in range(ops.rank(x))]
    return ops.reshape(value, sizes)


@operation(
    "BatchNorm(x, mean, variance, offset=None, scale=None, axis=-1, epsilon=1e-3)",
    "nn.batch_normalization(x, mean, variance, offset, scale, _axis=None, variance_epsilon=1e-3)",
)
def _batch_norm(ops: Ops, x: Any, mean: Any, variance: Any, offset: Any, scale: Any, axis: Any,
                epsilon: Any) -> TensorName:  # fmt: skip
    """x * inv + (offset - mean * inv), inv being scale / sqrt(variance + epsilon)."""
    x = ops.tensor(x)
    kind = ops.dtype(x)
    if axis is None:
        mean, variance, offset, scale = (
            None if v is None else ops.tensor(v, kind) for v in (mean, variance, offset, scale)
        )
    else:
        axes = ops.axes(x, axis)
        mean, variance, offset, scale = (
            None if v is None else _shaped(ops, v, x, axes) for v in (mean, variance, offset, scale)
        )
    inverse = ops.op("Rsqrt", ops.op("AddV2", variance, ops.tensor(epsilon, kind)))
    if scale is not None:
        inverse = ops.op("Mul", inverse, scale)
    moved = ops.op("Mul", mean, inverse)
    shift = ops.op("Neg", moved) if offset is None else ops.op("Sub", offset, moved)
    return ops.op("AddV2", ops.op("Mul", x, inverse), shift)


@operation("RMSNorm(x, scale=None, axis=-1, epsilon=None)")
def _rms_norm(ops: Ops, x: Any, scale: Any, axis: Any, epsilon: Any) -> TensorName:
    x = ops.floats(x)[0]
    kind, least = ops.dtype(x), 1e-7 if epsilon is None else epsilon
    mean = write_mean(ops, ops.op("Square", x), axis, True)
    inverse = ops.op("Rsqrt", ops.op("AddV2", mean, ops.tensor(least, kind)))
    made = ops.op("Mul", x, inverse)
    return made if scale is None else ops.op("Mul", made, ops.tensor(scale, kind))


@operation("LayerNorm(x, gamma=None, beta=None, axis=-1, epsilon=None, rms_scaling=False)")
def _layer_norm(ops: Ops, x: Any, gamma: Any, beta: Any, axis: Any, epsilon: Any, rms: Any
                ) -> TensorName:  # fmt: skip
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta."""
    x = ops.floats(x)[0]
    kind, axes = ops.dtype(x), ops.axes(x, axis)
    least = ops.tensor(1e-7 if epsilon is None else epsilon, kind)
    inverse = ops.op("Rsqrt", ops.op("AddV2", write_variance(ops, x, axes, True), least))
    if gamma is not None:
        inverse = ops.op("Mul", inverse, _shaped(ops, gamma, x, axes))
    if rms:
        return ops.op("Mul", x, inverse)
    mean = write_mean(ops, x, axes, True)
    shift = ops.op("Neg", ops.op("Mul", mean, inverse))
    if beta is not None:
        shift = ops.op("AddV2", shift, _shaped(ops, beta, x, axes))
    return ops.op("AddV2", ops.op("Mul", x, inverse), shift)


@operation("nn.bias_add(value, bias, data_format=None)")
def _bias_add(ops: Ops, x: Any, bias: Any, form: Any) -> TensorName:
    x = ops.tensor(x)
    order = "NCHW" if isinstance(form, str) and form[1:2] == "C" else "NHWC"
    return ops.op("BiasAdd", x, ops.tensor(bias, ops.dtype(x)), data_format=order)


@reads("BiasAdd")
def _read_bias_add(r: Reading) -> Said:
    x, bias = r.operands()
    if r.attr("data_format") == "NCHW":
        size = r.dims(1)[0]
        if size is None:
            raise Unread
        bias = r.say("Reshape", bias, [size, *[1] * (r.rank(0) - 2)])
    return r.say("Add", x, bias)


@reads("LRN")
def _read_local_response(r: Reading) -> Said:
    """x / (bias + alpha * the sum of squares of the channels around it) ** beta."""
    import numpy as np

    x, radius = r.x(0), int(r.attr("depth_radius"))
    kernel = np.ones([1, 1, 2 * radius + 1, 1, 1], r.output_dtype())
    squares = r.say("ExpandDims", r.say("Square", x), -1)
    total = r.any_of(
        r.exactly("nn.conv3d", squares, kernel, strides=[1] * 5, padding="SAME"),
        r.say("Conv", squares, kernel, padding="same"),
    )
    total = r.say("Multiply", r.say("Squeeze", total, -1), float(r.attr("alpha")))
    power = r.say("Power", r.say("Add", total, float(r.attr("bias"))), float(r.attr("beta")))
    return r.say("Divide math.truediv", x, power)


@operation("PSNR(x1, x2, max_val)")
def _psnr(ops: Ops, x: Any, y: Any, largest: Any) -> TensorName:
    """20 log10(largest) - 10 log10(the mean squared distance)."""
    x, y = ops.floats(x, y)
    kind = ops.dtype(x)
    error = write_mean(ops, ops.op("Square", ops.op("Sub", x, y)), None, False)
    log = ops.op("RealDiv", ops.op("Log", error), ops.tensor(math.log(10), kind))
    top = ops.tensor(20 * math.log10(largest), kind)
    return ops.op("Sub", top, ops.op("Mul", ops.tensor(10.0, kind), log))
