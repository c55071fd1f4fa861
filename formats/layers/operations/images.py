"""Operations on pictures: cropped, padded, blurred, their edges and their patches.

Source: Keras ops/image.py and backend/tensorflow/image.py; TensorFlow python/ops/image_ops_impl.py.
"""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.convolving import convolve_each
from modelfmt.layers.operations.table import Writer, operation
from modelfmt.layers.operations.values import Ops
from modelfmt.layers.spatial import spread

_FRAME = "top_{0}=None, left_{0}=None, bottom_{0}=None, right_{0}=None"
_ENDS = "target_height=None, target_width=None, data_format=None"


def _sides(ops: Ops, x: str, form: Any) -> tuple[int, list[int | TensorName]]:
    """The axis of the rows, and how many rows and columns there are."""
    rank = ops.rank(x)
    if rank not in (3, 4):
        raise ConversionError("a picture, or a batch of them, is wanted", found=ops.shape(x))
    axis = rank - 2 if form == "channels_first" else rank - 3
    return axis, [ops.size(x, axis), ops.size(x, axis + 1)]


def _margin(ops: Ops, total: Any, *taken: Any) -> Any:
    """What is left of a total, a number where all is known."""
    for part in taken:
        if isinstance(total, int) and isinstance(part, int):
            total -= part
        else:
            total = ops.op("Sub", ops.tensor(total, "int32"), ops.tensor(part, "int32"))
    if isinstance(total, int) and total < 0:
        raise ConversionError("a picture that is larger than what it shall fit", found=total)
    return total


@operation(f"CropImages(images, {_FRAME.format('cropping')}, {_ENDS})")
def _cropped(ops: Ops, x: Any, top: Any, left: Any, bottom: Any, right: Any, height: Any,
             width: Any, form: Any) -> TensorName:  # fmt: skip
    x = ops.tensor(x)
    axis, (rows, columns) = _sides(ops, x, form)
    begin: list[Any] = [0] * ops.rank(x)
    wanted: list[Any] = [-1] * ops.rank(x)
    for k, whole, first, last, size in (
        (axis, rows, top, bottom, height), (axis + 1, columns, left, right, width)
    ):
        begin[k] = _margin(ops, whole, size, last) if first is None else first
        wanted[k] = _margin(ops, whole, begin[k], last) if size is None else size
    return ops.op("Slice", x, ops.vector(begin), ops.vector(wanted))


@operation(f"PadImages(images, {_FRAME.format('padding')}, {_ENDS})")
def _padded(ops: Ops, x: Any, top: Any, left: Any, bottom: Any, right: Any, height: Any,
            width: Any, form: Any) -> TensorName:  # fmt: skip
    x = ops.tensor(x)
    axis, (rows, columns) = _sides(ops, x, form)
    ends: list[Any] = [[0, 0] for _ in range(ops.rank(x))]
    for k, whole, first, last, size in (
        (axis, rows, top, bottom, height), (axis + 1, columns, left, right, width)
    ):
        if first is None:
            first = _margin(ops, size, last, whole)
        elif last is None:
            last = _margin(ops, size, first, whole)
        ends[k] = [first, last]
    known = all(isinstance(end, int) for row in ends for end in row)
    widths = ends if known else ops.op("Pack", *(ops.tensor(ops.vector(e)) for e in ends), axis=0)
    return ops.op("Pad", x, widths)


def _of_batches(ops: Ops, x: str, form: Any) -> tuple[TensorName, bool, bool]:
    """A batch with the channels last; whether it was one picture, and had its channels first."""
    first, single = form == "channels_first", ops.rank(x) == 3
    x = ops.op("ExpandDims", x, 0) if single else x
    return ops.moved(x, [1], [3]) if first else TensorName(x), single, first


@operation("GaussianBlur(images, kernel_size=None, sigma=None, data_format=None)")
def _blurred(ops: Ops, x: Any, size: Any, sigma: Any, form: Any) -> TensorName:
    """Each channel convolved with exp(-(x / sigma)^2 / 2) along rows and along columns."""
    import numpy as np

    x, single, first = _of_batches(ops, ops.tensor(x), form)
    channels = ops.dims(x)[-1]
    if channels is None:
        raise ConversionError("a blur of an unknown number of channels cannot be written")
    lines = []
    for count, width in zip(spread(size or 3, 2), sigma or (1.0, 1.0), strict=True):
        line = np.exp(-0.5 * ((np.arange(count) - (count - 1) / 2) / width) ** 2)
        lines.append(line / line.sum())
    # Keras lays the first line along the columns; as a matrix it has the first size of rows.
    kernel = np.outer(lines[1], lines[0]).reshape(len(lines[0]), len(lines[1]), 1, 1)
    kernel = np.tile(kernel, [1, 1, channels, 1])
    made = convolve_each(
        x, ops.tensor(kernel, ops.dtype(x)), ops.graph, strides=[1, 1], padding="SAME",
        dilation=[1, 1],
    )  # fmt: skip
    made = ops.moved(made, [3], [1]) if first else TensorName(made)
    return ops.op("Squeeze", made, squeeze_dims=[0]) if single else made


@operation("SobelEdges(images, data_format=None)", "image.sobel_edges(image, _format=None)")
def _edges(ops: Ops, x: Any, form: Any) -> TensorName:
    """How fast each channel grows downwards and to the right, on a picture mirrored at its ends."""
    import numpy as np

    x, single, first = _of_batches(ops, ops.tensor(x), form)
    sizes = ops.sizes(x)
    if single or not isinstance(sizes[3], int):
        raise ConversionError("edges of batches of known channels can be written")
    down = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
    both = np.stack([down, down.T], -1)[:, :, None]  # rows, columns, 1, 2
    kernel = ops.tensor(np.tile(both, [1, 1, sizes[3], 1]), ops.dtype(x))
    x = ops.op("MirrorPad", x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
    made = convolve_each(
        x, kernel, ops.graph, strides=[1, 1], padding="VALID", dilation=[1, 1]
    )
    made = ops.reshape(made, [*sizes, 2])
    return ops.moved(made, [3], [1]) if first else made


@operation(
    "ExtractPatches(images, size, strides=None, dilation_rate=1, padding='valid', data_format=None)"
)
def _patches(ops: Ops, x: Any, size: Any, strides: Any, rate: Any, padding: Any, form: Any
             ) -> TensorName:  # fmt: skip
    """Windows of the picture, each as one row of all its numbers."""
    if not isinstance(size, int) and len(size) == 3:
        raise ConversionError("patches of three axes cannot be written", found=size)
    x, single, first = _of_batches(ops, ops.tensor(x), form)
    made = ops.op(
        "ExtractImagePatches", x, ksizes=[1, *spread(size, 2), 1],
        strides=[1, *spread(size if strides is None else strides, 2), 1],
        rates=[1, *spread(rate, 2), 1], padding=str(padding).upper(),
    )  # fmt: skip
    made = ops.op("Transpose", made, [0, 3, 1, 2]) if first else made
    return ops.op("Squeeze", made, squeeze_dims=[0]) if single else made


@operation("Unfold(x, kernel_size, dilation=1, padding=0, stride=1)")
def _unfolded(ops: Ops, x: Any, size: Any, rate: Any, padding: Any, stride: Any) -> TensorName:
    """Windows of a picture with its channels first: (batch, channels * window, windows)."""
    x = ops.tensor(x)
    channels = ops.dims(x)[1]
    rows, columns = spread(size, 2)
    above, beside = spread(padding, 2)
    x = ops.op("Pad", x, [[0, 0], [0, 0], [above, above], [beside, beside]])
    made = ops.op(
        "ExtractImagePatches", ops.op("Transpose", x, [0, 2, 3, 1]), ksizes=[1, rows, columns, 1],
        strides=[1, *spread(stride, 2), 1], rates=[1, *spread(rate, 2), 1], padding="VALID",
    )  # fmt: skip
    if channels is None:
        raise ConversionError("windows of an unknown number of channels cannot be written")
    sizes = ops.op("Shape", made)
    count = ops.op("Prod", ops.op("Slice", sizes, [1], [2]), [0])
    batch = ops.op("StridedSlice", sizes, [0], [1], [1], shrink_axis_mask=1)
    made = ops.reshape(made, [batch, count, rows * columns, channels])
    made = ops.op("Transpose", made, [0, 3, 2, 1])
    return ops.reshape(made, [batch, channels * rows * columns, count])


# -- functions of TensorFlow -----------------------------


def _flipped(axis: int) -> Writer:
    def write(ops: Ops, x: Any) -> TensorName:
        x = ops.tensor(x)
        return ops.op("ReverseV2", x, [ops.axis(x, axis)])

    return write


operation("image.flip_left_right(image)")(_flipped(-2))
operation("image.flip_up_down(image)")(_flipped(-3))


@operation("image.transpose(image)")
def _turned(ops: Ops, x: Any) -> TensorName:
    x = ops.tensor(x)
    return ops.moved(x, [-3, -2], [-2, -3])


@operation(
    "image.crop_to_bounding_box(image, offset_height, offset_width, target_height, target_width)"
)
def _boxed(ops: Ops, x: Any, top: Any, left: Any, height: Any, width: Any) -> TensorName:
    return _cropped(ops, x, top, left, None, None, height, width, None)


@operation(
    "image.pad_to_bounding_box(image, offset_height, offset_width, target_height, target_width)"
)
def _framed(ops: Ops, x: Any, top: Any, left: Any, height: Any, width: Any) -> TensorName:
    return _padded(ops, x, top, left, None, None, height, width, None)


@operation("image.central_crop(image, central_fraction)")
def _middle(ops: Ops, x: Any, part: Any) -> TensorName:
    x = ops.tensor(x)
    _, (rows, columns) = _sides(ops, x, None)
    if not (isinstance(rows, int) and isinstance(columns, int) and isinstance(part, int | float)):
        raise ConversionError("the middle of a picture of known size can be written")
    top, left = (int((size - size * part) / 2) for size in (rows, columns))
    return _cropped(ops, x, top, left, None, None, rows - 2 * top, columns - 2 * left, None)


@operation("image.adjust_brightness(image, delta)")
def _brighter(ops: Ops, x: Any, delta: Any) -> TensorName:
    x = _of_floats(ops, x)
    return ops.op("AddV2", x, ops.tensor(delta, ops.dtype(x)))


@operation("image.adjust_contrast(images, contrast_factor)")
def _contrasted(ops: Ops, x: Any, factor: Any) -> TensorName:
    return ops.op("AdjustContrastv2", _of_floats(ops, x), ops.tensor(factor, "float32"))


@operation("image.grayscale_to_rgb(images)")
def _coloured(ops: Ops, x: Any) -> TensorName:
    x = ops.tensor(x)
    return ops.op("Tile", x, [1] * (ops.rank(x) - 1) + [3])


@operation("image.per_image_standardization(image)")
def _standardized(ops: Ops, x: Any) -> TensorName:
    """x - mean by its deviation, which counts as 1 / sqrt(number of elements) at least."""
    x = _of_floats(ops, x)
    axes, kind = [-3, -2, -1], ops.dtype(x)
    count = ops.product([ops.size(x, axis) for axis in axes])
    mean = ops.op("Mean", x, axes, keep_dims=True)
    apart = ops.op("Sub", x, mean)
    spread_ = ops.op("Sqrt", ops.op("Mean", ops.op("Square", apart), axes, keep_dims=True))
    least = ops.op("Rsqrt", ops.cast(ops.tensor(count, "int32"), kind))
    return ops.op("RealDiv", apart, ops.op("Maximum", spread_, least))


def _of_floats(ops: Ops, x: Any) -> TensorName:
    x = ops.tensor(x)
    if not ops.is_float(x):
        raise ConversionError("a picture of integers is scaled there and back: not written")
    return TensorName(x)
