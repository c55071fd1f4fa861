"""Operations on the order along an axis: the place of the largest, sums so far, sorting, quantiles.

Source: Keras backend/tensorflow/numpy.py and math.py; TensorFlow python/ops/sort_ops.py.
"""

from __future__ import annotations

from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.sizes import Size
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.reading import Reading, reads
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import Writer, operation
from modelfmt.layers.operations.values import Ops


def place(op: str) -> Writer:
    def write(ops: Ops, x: Any, axis: Any, keepdims: Any, kind: Any) -> TensorName:
        x = ops.tensor(x)
        if ops.dtype(x) == "bool":
            x = ops.cast(x, "int32")
        rank, whole = ops.rank(x), axis is None
        found = ops.op(
            op, ops.flat(x) if whole else x, 0 if whole else ops.axis(x, axis),
            output_type=ops.named_dtype(kind),
        )  # fmt: skip
        if not keepdims:
            return found
        return ops.reshape(found, [1] * rank) if whole else ops.op("ExpandDims", found, axis)

    return write


for op, keras, function in (("ArgMax", "Argmax", "argmax"), ("ArgMin", "Argmin", "argmin")):
    operation(
        f"{keras}(x, axis=None, keepdims=False, _kind='int32')",
        f"math.{function}(input, axis=0, _keepdims=False, output_type='int64')",
    )(place(op))


@reads("ArgMax", "ArgMin")
def _read_place(r: Reading) -> Said:
    x, axis, kind = r.x(0), r.number(1), r.output_dtype()
    function = f"math.{r.op.lower()}"
    found = r.say("Argmax" if r.op == "ArgMax" else "Argmin", x, axis=axis)
    return r.any_of(r.say(function, x, axis=axis, output_type=kind), r.say("Cast", found, kind))


def running(op: str) -> Writer:
    def write(ops: Ops, x: Any, axis: Any, dtype: Any, exclusive: Any, reverse: Any) -> TensorName:
        x = ops.tensor(x)
        kind = "int32" if ops.dtype(x) == "bool" else ops.dtype(x)
        x = ops.cast(x, kind if dtype is None else ops.named_dtype(dtype).name)
        if axis is None:
            x, axis = ops.flat(x), 0
        return ops.op(op, x, ops.axis(x, axis), exclusive=bool(exclusive), reverse=bool(reverse))

    return write


for op, keras in (("Cumsum", "Cumsum"), ("Cumprod", "Cumprod")):
    operation(
        f"{keras}(x, axis=None, dtype=None, _exclusive=False, _reverse=False)",
        f"math.{keras.lower()}(x, axis=0, _dtype=None, exclusive=False, reverse=False)",
    )(running(op))


@reads("Cumsum", "Cumprod")
def _read_running(r: Reading) -> Said:
    """Backwards: turned and turned back. Without its own: of what stands one place further on."""
    x, axis, rank = r.x(0), r.number(1) % r.rank(0), r.rank(0)
    exclusive, reverse = bool(r.attr("exclusive")), bool(r.attr("reverse"))
    direct = r.say(f"math.{r.op.lower()}", x, axis=axis, exclusive=exclusive, reverse=reverse)
    line = r.say("Flip", x, axis=axis) if reverse else x
    if exclusive:
        neutral = None if r.op == "Cumsum" else 1
        width = [[int(k == axis), 0] for k in range(rank)]
        key = [slice(None, -1) if k == axis else slice(None) for k in range(rank)]
        line = r.say("GetItem", r.say("Pad", line, neutral, pad_width=width), key)
    made = r.say(r.op, line, axis=axis)
    return r.any_of(direct, r.say("Flip", made, axis=axis) if reverse else made)


@operation(
    "TopK(x, k, sorted=True) math.top_k(input, k=1, sorted=True, *, index_type='int32')",
    "nn.top_k(input, k=1, sorted=True, *, index_type='int32')",
)
def write_top_k(ops: Ops, x: Any, k: Any, ordered: Any) -> list[TensorName]:
    return ops.ops("TopKV2", ops.tensor(x), ops.tensor(k, "int32"), sorted=bool(ordered))


@reads("TopKV2")
def _read_top_k(r: Reading) -> list[Said]:
    """As many as the whole axis: for Keras 3 all in order, of floats the negative ones upwards."""
    x, count = r.x(0), r.sizes(1)
    if isinstance(count[0], int):
        made = r.say("TopK", x, count[0], sorted=bool(r.attr("sorted")))
        return r.outputs(made, 2)
    direct = r.say("math.top_k", x, r.x(1), sorted=True)
    whole = Size(r.view.resolve(r.node.inputs[0]), r.rank(0) - 1)
    if count[0] != whole or not r.dtype(0).startswith("float"):
        return r.outputs(direct, 2)
    turned = r.say("Negative", x)
    values = r.say("Negative", r.say("Sort", turned))
    return [r.any_of(direct, values), r.any_of(direct.out(1), r.say("Argsort", turned))]


@operation("InTopK(targets, predictions, k) math.in_top_k(targets, predictions, k)")
def _in_top_k(ops: Ops, targets: Any, predictions: Any, k: Any) -> TensorName:
    targets = ops.tensor(targets)
    return ops.op("InTopKV2", ops.tensor(predictions), targets, ops.tensor(k, ops.dtype(targets)))


@reads("InTopKV2")
def _read_in_top_k(r: Reading) -> Said:
    return r.say("InTopK", r.x(1), r.x(0), r.number(2))


def ordered(ops: Ops, x: Any, axis: Any, downwards: bool) -> tuple[TensorName, TensorName]:
    """The values along an axis in order, and where they stood; equal ones keep their order."""
    x = ops.tensor(x)
    if ops.dtype(x) == "bool":
        x = ops.cast(x, "int32")
    if axis is None:
        x, axis = ops.flat(x), 0
    last, axis = ops.rank(x) - 1, ops.axis(x, axis)
    turned = ops.moved(x, [axis], [last])
    if downwards:
        values, places = ops.ops("TopKV2", turned, ops.size(turned, last))
    elif ops.is_float(x):
        negative, places = ops.ops("TopKV2", ops.op("Neg", turned), ops.size(turned, last))
        values = ops.op("Neg", negative)
    else:  # the least integer has no negative: -1 - x has every one's
        negative, places = ops.ops("TopKV2", _mirrored(ops, turned), ops.size(turned, last))
        values = _mirrored(ops, negative)
    return ops.moved(values, [last], [axis]), ops.moved(places, [last], [axis])


def _mirrored(ops: Ops, x: str) -> TensorName:
    """-1 - x; of unsigned integers the largest - x."""
    kind = ops.graph.dtype(x)
    most = 2 ** (8 * kind.itemsize) - 1 if kind.name[0] == "u" else -1
    return ops.op("Sub", ops.tensor(most, kind.name), x)


@operation(
    "Sort(x, axis=-1, _direction='ASCENDING')", "sort(values, axis=-1, direction='ASCENDING')"
)
def _sort(ops: Ops, x: Any, axis: Any, direction: Any) -> TensorName:
    return ordered(ops, x, axis, direction == "DESCENDING")[0]


@operation(
    "Argsort(x, axis=-1, _direction='ASCENDING')",
    "argsort(values, axis=-1, direction='ASCENDING', *, stable=False)",
)
def _argsort(ops: Ops, x: Any, axis: Any, direction: Any) -> TensorName:
    return ordered(ops, x, axis, direction == "DESCENDING")[1]


@operation("Median(x, axis=None, keepdims=False)")
def _median(ops: Ops, x: Any, axis: Any, keepdims: Any) -> TensorName:
    return _quantile(ops, x, 0.5, axis, "linear", keepdims)


@operation("Percentile(x, q, axis=None, method='linear', keepdims=False)")
def _percentile(ops: Ops, x: Any, q: Any, axis: Any, method: Any, keepdims: Any) -> TensorName:
    if not isinstance(q, int | float):
        raise ConversionError("a percentile of one number can be written", found=f"{q!r:.60}")
    return _quantile(ops, x, q / 100, axis, method, keepdims)


@operation("Quantile(x, q, axis=None, method='linear', keepdims=False)")
def _quantile(ops: Ops, x: Any, q: Any, axis: Any, method: Any, keepdims: Any) -> TensorName:
    """Between the two neighbours of place q (n - 1) in the order along an axis of known size."""
    x = ops.floats(x)[0]
    rank = ops.rank(x)
    axes = sorted(ops.axes(x, axis))
    rest = [k for k in range(rank) if k not in axes]
    turned = ops.turned(x, [*rest, *axes])
    count = ops.product([ops.size(x, k) for k in axes])
    known = isinstance(q, int | float) and isinstance(count, int) and count
    if not known or not isinstance(count, int) or method != "linear":
        raise ConversionError(
            "a quantile can be written along axes of known size", expected="one number, linear",
            found=f"q={q!r:.60}, method={method}",
        )  # fmt: skip
    line = ops.reshape(turned, [*(ops.size(x, k) for k in rest), count])
    values = ordered(ops, line, -1, False)[0]
    place = q * (count - 1)
    low = int(place)
    first = ops.op("GatherV2", values, low, -1)
    second = ops.op("GatherV2", values, min(low + 1, count - 1), -1)
    step = ops.tensor(place - low, ops.dtype(x))
    one = ops.tensor(1.0 - (place - low), ops.dtype(x))
    made = ops.op("AddV2", ops.op("Mul", first, one), ops.op("Mul", second, step))
    if not keepdims:
        return made
    return ops.reshape(made, [1 if k in axes else ops.size(x, k) for k in range(rank)])


@operation(
    "SearchSorted(sorted_sequence, values, side='left')",
    "searchsorted(sorted_sequence, values, side='left', *, "
    "out_type='int32')",
)
def _search(ops: Ops, line: Any, values: Any, side: Any) -> TensorName:
    """Where values would be put into a line in order."""
    line, values = ops.same(line, values)
    if ops.rank(line) != 1:
        raise ConversionError("a search in one line can be written", found=ops.shape(line))
    op = "UpperBound" if side == "right" else "LowerBound"
    found = ops.op(
        op, ops.reshape(line, [1, -1]), ops.reshape(values, [1, -1]), out_type=dtypes.int32
    )
    return ops.reshape(found, ops.sizes(values))


@operation("Digitize(x, bins)")
def _digitize(ops: Ops, x: Any, bins: Any) -> TensorName:
    import numpy as np

    if isinstance(bins, TensorName):
        raise ConversionError("the bins of digitize must be numbers")
    return ops.op("Bucketize", ops.tensor(x), boundaries=[float(b) for b in np.ravel(bins)])


@reads("Bucketize")
def _read_buckets(r: Reading) -> Said:
    """How many bounds are not above x."""
    import numpy as np

    bounds = np.asarray(r.attr("boundaries"), "float32")
    x = r.x(0)
    seen = r.say("GreaterEqual", r.say("ExpandDims", x, -1), bounds)
    count = r.say("Sum", r.say("Cast", seen, "int32"), axis=-1)
    return r.any_of(r.say("Digitize", x, bounds), count)


@operation("math.cumulative_logsumexp(x, axis=0, exclusive=False, reverse=False)")
def _running_logsumexp(ops: Ops, x: Any, axis: Any, exclusive: Any, reverse: Any) -> TensorName:
    return ops.op(
        "CumulativeLogsumexp",
        x,
        ops.axis(x, axis),
        exclusive=bool(exclusive),
        reverse=bool(reverse),
    )
