"""Operations on signals: Fourier transforms, frames, correlations, and complex numbers.

Keras 3 hands complex numbers about as a pair of tensors. Source: Keras backend/tensorflow/math.py
and numpy.py; TensorFlow python/ops/signal.
"""

from __future__ import annotations

import math
from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.operations.table import Writer, operation
from modelfmt.layers.operations.values import Ops


def _complex(ops: Ops, real: Any, imaginary: Any) -> TensorName:
    real, imaginary = ops.floats(real, imaginary)
    kind = "complex128" if ops.dtype(real) == "float64" else "complex64"
    return ops.op("Complex", real, imaginary, Tout=dtypes.from_name(kind))


def _pair(ops: Ops, x: str) -> list[TensorName]:
    """The real and the imaginary parts."""
    kind = dtypes.from_name("float64" if ops.dtype(x) == "complex128" else "float32")
    return [ops.op("Real", x, Tout=kind), ops.op("Imag", x, Tout=kind)]


def _transform(op: str) -> Writer:
    return lambda ops, x: _pair(ops, ops.op(op, _complex(ops, *x)))


operation("FFT(x)")(_transform("FFT"))
operation("FFT2(x)")(_transform("FFT2D"))
operation("IFFT2(x)")(_transform("IFFT2D"))


@operation("RFFT(x, fft_length=None)")
def _real_transform(ops: Ops, x: Any, length: Any) -> list[TensorName]:
    return _pair(ops, _of_reals(ops, ops.floats(x)[0], length))


def _of_reals(ops: Ops, x: TensorName, length: Any) -> TensorName:
    size = ops.size(x, ops.rank(x) - 1) if length is None else length
    if isinstance(length, int):
        x = _fitted(ops, x, length)
    kind = "complex128" if ops.dtype(x) == "float64" else "complex64"
    return ops.op("RFFT", x, ops.vector([size]), Tcomplex=dtypes.from_name(kind))


def _fitted(ops: Ops, x: TensorName, length: int) -> TensorName:
    """x with zeros behind it up to a length; what is longer the transform cuts itself."""
    size, rank = ops.size(x, ops.rank(x) - 1), ops.rank(x)
    if not isinstance(size, int):
        raise ConversionError("a transform of a given length, of a signal of unknown length")
    return x if size >= length else ops.op("Pad", x, [[0, 0]] * (rank - 1) + [[0, length - size]])


@operation("IRFFT(x, fft_length=None)")
def _back_to_reals(ops: Ops, x: Any, length: Any) -> TensorName:
    real, imaginary = ops.floats(*x)
    bins = ops.size(real, ops.rank(real) - 1)
    if not isinstance(bins, int):
        raise ConversionError("an inverse transform of an unknown number of bins")
    length = max(0, 2 * (bins - 1)) if length is None else length
    wanted = length // 2 + 1
    if bins < wanted:
        real, imaginary = (_fitted(ops, part, wanted) for part in (real, imaginary))
    kind = dtypes.from_name("float64" if ops.dtype(real) == "float64" else "float32")
    return ops.op("IRFFT", _complex(ops, real, imaginary), [length], Treal=kind)


@operation("ViewAsComplex(x)")
def _as_complex(ops: Ops, x: Any) -> TensorName:
    x = ops.floats(x)[0]
    parts = ops.ops("Unpack", x, num=2, axis=ops.rank(x) - 1)
    return _complex(ops, *parts)


@operation("ViewAsReal(x)")
def _as_real(ops: Ops, x: Any) -> TensorName:
    return ops.op("Pack", *_pair(ops, ops.tensor(x)), axis=-1)


@operation("Polar(abs_, angle)")
def _polar(ops: Ops, size: Any, angle: Any) -> TensorName:
    size, angle = ops.floats(size, angle)
    return _complex(ops, *(ops.op("Mul", size, ops.op(f, angle)) for f in ("Cos", "Sin")))


@operation("Imag(x) math.imag(input)")
def _imaginary(ops: Ops, x: Any) -> TensorName:
    """Of a real number 0."""
    x = ops.tensor(x)
    return _pair(ops, x)[1] if "complex" in ops.dtype(x) else ops.op("ZerosLike", x)


@operation("Angle(x) math.angle(input)")
def _angle(ops: Ops, x: Any) -> TensorName:
    """Of a real number 0, or pi where it is negative."""
    x = ops.tensor(x)
    if "complex" in ops.dtype(x):
        kind = dtypes.from_name("float64" if ops.dtype(x) == "complex128" else "float32")
        return ops.op("Angle", x, Tout=kind)
    x = ops.floats(x)[0]
    zero = ops.tensor(0.0, ops.dtype(x))
    return ops.op("SelectV2", ops.op("Less", x, zero), ops.tensor(math.pi, ops.dtype(x)), zero)


# -- frames -----------------------------


def _framed(ops: Ops, x: TensorName, length: int, step: int) -> TensorName:
    """Pieces of the last axis: (..., frames, length)."""
    import numpy as np

    size = ops.dims(x)[-1]
    if size is None:
        raise ConversionError("frames of a signal of unknown length cannot be written")
    count = max(0, 1 + (size - length) // step)
    places = np.arange(count)[:, None] * step + np.arange(length)[None]
    return ops.op("GatherV2", x, places.astype("int32"), ops.rank(x) - 1)


@operation("ExtractSequences(x, sequence_length, sequence_stride)")
def _sequences(ops: Ops, x: Any, length: Any, step: Any) -> TensorName:
    return _framed(ops, ops.tensor(x), int(length), int(step))


@operation("STFT(x, sequence_length, sequence_stride, fft_length, window='hann', center=True)")
def _short_time(ops: Ops, x: Any, length: Any, step: Any, bins: Any, window: Any, center: Any
                ) -> list[TensorName]:  # fmt: skip
    """Frames of the signal, mirrored at its ends, times a window in the middle of each."""
    import numpy as np

    x = ops.floats(x)[0]
    rank, half = ops.rank(x), bins // 2
    if center:
        ends = [[0, 0]] * (rank - 1) + [[half, half]]
        x = ops.op("MirrorPad", x, ends, mode="REFLECT")
    frames = _framed(ops, x, int(bins), int(step))
    if window is not None:
        turns = 2 * math.pi * np.arange(length) / max(1, length - length % 2)
        shapes = {"hann": 0.5 - 0.5 * np.cos(turns), "hamming": 0.54 - 0.46 * np.cos(turns)}
        values = shapes.get(window) if isinstance(window, str) else np.asarray(window)
        if values is None:
            raise ConversionError("a window that Keras does not know", found=window)
        left = (bins - length) // 2
        values = np.pad(values, [(left, bins - length - left)])
        frames = ops.op("Mul", frames, ops.tensor(values, ops.dtype(x)))
    return _pair(ops, _of_reals(ops, frames, None))


@operation("Correlate(x1, x2, mode='valid')")
def _correlate(ops: Ops, x: Any, y: Any, mode: Any) -> TensorName:
    """The sums of products at each offset, as a convolution of one line."""
    x, y = ops.same(x, y, also=["float32"])
    n, m = ops.dims(x)[0], ops.dims(y)[0]
    if n is None or m is None or mode not in ("valid", "same", "full"):
        raise ConversionError("a correlation of lines of known length can be written", found=mode)
    if mode != "valid":
        x = ops.op("Pad", x, [[m - 1, m - 1]])
    line = ops.reshape(x, [1, 1, -1, 1])
    made = ops.op(
        "Conv2D", line, ops.reshape(y, [1, m, 1, 1]), strides=[1, 1, 1, 1], padding="VALID"
    )
    made = ops.flat(made)
    if mode != "same":
        return made
    return ops.op("Slice", made, [(n + m - 1 - max(n, m)) // 2], [max(n, m)])
