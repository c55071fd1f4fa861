"""Operations on windows of images and lines, and on images: pooling, convolution, colours, sizes.

Sizes of windows stand alone, one for each axis, or in TensorFlow with 1 for batch and channels.
Source: Keras backend/tensorflow/nn.py and image.py; TensorFlow python/ops/nn_ops.py and
image_ops_impl.py.
"""

from __future__ import annotations

from typing import Any

from modelfmt.errors import ConversionError
from modelfmt.layers.codec import TensorName
from modelfmt.layers.convolving import convolve, convolve_each
from modelfmt.layers.operations.arrays import listed
from modelfmt.layers.operations.reading import Reading, Unread, reads, reads_as
from modelfmt.layers.operations.saying import Said
from modelfmt.layers.operations.table import Writer, operation
from modelfmt.layers.operations.values import Ops
from modelfmt.layers.registry import codec_for
from modelfmt.layers.spatial import spread
from modelfmt.network import Layer


def _as_layer(ops: Ops, kind: str, x: Any, **config: Any) -> TensorName:
    """What a layer without weights computes, over as many axes as the tensor has."""
    x = ops.tensor(x)
    layer = Layer(f"{kind}{ops.rank(x) - 2}D", "operation", config)
    codec = codec_for(layer)
    layer.config = codec.completed(config, {})
    return TensorName(codec.write(layer, [x], ops.graph)[0])


def _pool(kind: str) -> Writer:
    def write(ops: Ops, x: Any, size: Any, strides: Any, padding: Any, form: Any) -> TensorName:
        return _as_layer(ops, kind, x, pool_size=size, strides=strides, padding=padding,
                         data_format=form or "channels_last")  # fmt: skip

    return write


_POOL = "(inputs, pool_size, strides=None, padding='valid', data_format=None)"
operation(f"MaxPool{_POOL}")(_pool("MaxPooling"))
operation(f"AveragePool{_POOL}")(_pool("AveragePooling"))


def _adaptive(kind: str) -> Writer:
    return lambda ops, x, size, form: _as_layer(
        ops, kind, x, output_size=size, data_format=form or "channels_last"
    )


operation("AdaptiveMaxPool(inputs, output_size, data_format=None)")(_adaptive("AdaptiveMaxPooling"))
operation("AdaptiveAveragePool(inputs, output_size, data_format=None)")(
    _adaptive("AdaptiveAveragePooling")
)


def _inner(value: Any, rank: int) -> list[int]:
    """TensorFlow's sizes of a window: one, one per axis, or with 1 for batch and channels."""
    sizes = [int(v) for v in listed(value)]
    return (
        sizes[1:-1]
        if len(sizes) == rank + 2
        else spread(sizes[0] if len(sizes) == 1 else sizes, rank)
    )


def _tf_pool(op: str) -> Writer:
    def write(ops: Ops, x: Any, size: Any, strides: Any, padding: Any, form: Any) -> TensorName:
        x = ops.tensor(x)
        rank = ops.rank(x) - 2
        if form is not None and str(form)[1:2] == "C":
            raise ConversionError("pooling with channels first cannot be written", found=form)
        kind = {"MaxPool": "MaxPooling", "AvgPool": "AveragePooling"}[op]
        return _as_layer(
            ops,
            kind,
            x,
            pool_size=_inner(size, rank),
            strides=_inner(strides, rank),
            padding=str(padding).lower(),
        )

    return write


for tf_op, function in (("MaxPool", "max_pool"), ("AvgPool", "avg_pool")):
    arguments = "(input, ksize, strides, padding, data_format=None)"
    operation(*(f"nn.{function}{suffix}{arguments}" for suffix in ("", "1d", "2d", "3d")))(
        _tf_pool(tf_op)
    )


def _alone(sizes: list[int]) -> int | list[int]:
    """One number for all axes where it will do: some of Keras' operations want no list."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


#: Of windows over two and three axes.
_LAYOUTS = {"NHWC", "NCHW", "NDHWC", "NCDHW"}


def _window(r: Reading, name: str) -> tuple[list[int], bool]:
    """A window or stride along the axes in between, and whether channels come first."""
    sizes = [int(v) for v in r.attr(name)]
    if r.attr("data_format") not in _LAYOUTS:
        raise Unread
    first = str(r.attr("data_format"))[1:2] == "C"
    batch, channels = sizes[0], sizes[1 if first else -1]
    if (batch, channels) != (1, 1):
        raise Unread
    return sizes[2:] if first else sizes[1:-1], first


@reads("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D")
def _read_pool(r: Reading) -> Said:
    size, first = _window(r, "ksize")
    strides, _ = _window(r, "strides")
    padding = str(r.attr("padding"))
    kind = "MaxPool" if r.op.startswith("Max") else "AveragePool"
    function = "nn.max_pool" if r.op.startswith("Max") else "nn.avg_pool"
    x = r.x(0)
    made = r.say(kind, x, size, strides, padding.lower(),
                 "channels_first" if first else None)  # fmt: skip
    if first:
        return made
    return r.any_of(r.say(function, x, size, strides, padding), made)


def _last(ops: Ops, x: TensorName, form: Any) -> tuple[TensorName, bool]:
    """The tensor with its channels last, and whether they came first."""
    first = form == "channels_first" or (isinstance(form, str) and form[1:2] == "C")
    return (ops.moved(x, [1], [-1]) if first else x), first


@operation(
    "Conv(inputs, kernel, strides=1, padding='valid', data_format=None, dilation_rate=1)",
    "nn.conv1d(input, filters, stride, padding, data_format=None, dilations=1)",
    "nn.conv2d(input, filters, strides, padding, data_format=None, dilations=1)",
    "compat.v1.nn.conv2d(input, filter, strides, padding, data_format=None, dilations=1)",
    "nn.conv3d(input, filters, strides, padding, data_format=None, dilations=1)",
    "nn.convolution(input, filters, strides=1, padding='VALID', data_format=None, dilations=1)",
)
def _conv(ops: Ops, x: Any, kernel: Any, strides: Any, padding: Any, form: Any, dilation: Any
          ) -> TensorName:  # fmt: skip
    x, kernel = ops.floats(x, kernel)
    x, first = _last(ops, x, form)
    rank = ops.rank(x) - 2
    channels, taken = ops.dims(x)[-1], ops.dims(kernel)[-2]
    groups = channels // taken if channels and taken and channels % taken == 0 else 1
    if not isinstance(padding, str):
        raise ConversionError("explicit padding of a convolution", found=padding)
    made = convolve(
        x, kernel, ops.graph, strides=_inner(strides, rank), padding=padding.upper(),
        dilation=_inner(dilation, rank), groups=groups,
    )  # fmt: skip
    return ops.moved(made, [-1], [1]) if first else TensorName(made)


@operation(
    "DepthwiseConv(inputs, kernel, strides=1, padding='valid', data_format=None, dilation_rate=1)",
    "nn.depthwise_conv2d(input, filter, strides, padding, data_format=None, dilations=1)",
)
def _depthwise(ops: Ops, x: Any, kernel: Any, strides: Any, padding: Any, form: Any, dilation: Any
               ) -> TensorName:  # fmt: skip
    x, kernel = ops.floats(x, kernel)
    x, first = _last(ops, x, form)
    rank = ops.rank(x) - 2
    made = convolve_each(
        x, kernel, ops.graph, strides=_inner(strides, rank), padding=str(padding).upper(),
        dilation=_inner(dilation, rank),
    )  # fmt: skip
    return ops.moved(made, [-1], [1]) if first else TensorName(made)


@reads("Conv2D", "Conv3D", "DepthwiseConv2dNative")
def _read_conv(r: Reading) -> Said:
    """With a kernel that is computed, or in a graph that is no layer's."""
    strides, first = _window(r, "strides")
    dilation, _ = _window(r, "dilations")
    x, kernel = r.operands()
    padding = str(r.attr("padding"))
    if padding == "EXPLICIT":
        flat = [int(v) for v in r.attr("explicit_paddings")]
        pairs = [flat[k : k + 2] for k in range(0, len(flat), 2)]
        x, padding = r.say("Pad", x, None, pairs), "VALID"
    deep = r.op == "DepthwiseConv2dNative"
    form = "channels_first" if first else None
    made = r.say("DepthwiseConv" if deep else "Conv", x, kernel, _alone(strides), padding.lower(),
                 form, _alone(dilation))  # fmt: skip
    if first:
        return made
    function = {
        "Conv2D": "nn.conv2d", "Conv3D": "nn.conv3d", "DepthwiseConv2dNative": "nn.depthwise_conv2d"
    }[r.op]  # fmt: skip
    outer = [1, *strides, 1]
    inner = dilation if deep else [1, *dilation, 1]
    return r.any_of(r.exactly(function, x, kernel, outer, padding, None, inner), made)


@operation(
    "SeparableConv(inputs, depthwise_kernel, pointwise_kernel, strides=1, padding='valid', "
    "data_format=None, dilation_rate=1)"
)
def _separable(ops: Ops, x: Any, depthwise: Any, pointwise: Any, strides: Any, padding: Any,
               form: Any, dilation: Any) -> TensorName:  # fmt: skip
    x, first = _last(ops, ops.tensor(x), form)
    made = _depthwise(ops, x, depthwise, strides, padding, None, dilation)
    made = _conv(ops, made, pointwise, 1, "valid", None, 1)
    return ops.moved(made, [-1], [1]) if first else made


def _blocks(op: str) -> Writer:
    def write(ops: Ops, x: Any, size: Any, form: Any) -> TensorName:
        x, first = _last(ops, ops.tensor(x), form)
        made = ops.op(op, x, block_size=int(size))
        return ops.moved(made, [-1], [1]) if first else made

    return write


for op, keras, function in (
    ("DepthToSpace", "DepthToSpace", "depth_to_space"),
    ("SpaceToDepth", "SpaceToDepth", "space_to_depth"),
):
    operation(
        f"{keras}(x, block_size, data_format='channels_last')",
        f"nn.{function}(input, block_size, data_format=None)",
        f"{function}(input, block_size, data_format=None)",
    )(_blocks(op))


@reads("DepthToSpace", "SpaceToDepth")
def _read_blocks(r: Reading) -> Said:
    if r.attr("data_format") != "NHWC":
        raise Unread
    function = "nn.depth_to_space" if r.op == "DepthToSpace" else "nn.space_to_depth"
    x, size = r.x(0), int(r.attr("block_size"))
    return r.any_of(r.exactly(function, x, size), r.say(r.op, x, size))


# -- images -----------------------------


def _colours(op: str) -> Writer:
    def write(ops: Ops, x: Any, form: Any) -> TensorName:
        x, first = _last(ops, ops.floats(x)[0], form)
        made = ops.op(op, x)
        return ops.moved(made, [-1], [1]) if first else made

    return write


operation("RGBToHSV(images, data_format=None)",
          "image.rgb_to_hsv(images, _format=None)")(_colours("RGBToHSV"))  # fmt: skip
operation("HSVToRGB(images, data_format=None)",
          "image.hsv_to_rgb(images, _format=None)")(_colours("HSVToRGB"))  # fmt: skip


reads_as("RGBToHSV", "RGBToHSV")
reads_as("HSVToRGB", "HSVToRGB")


@operation(
    "RGBToGrayscale(images, data_format=None)", "image.rgb_to_grayscale(images, _format=None)"
)
def _grey(ops: Ops, x: Any, form: Any) -> TensorName:
    """0.2989 red + 0.587 green + 0.114 blue."""
    x, first = _last(ops, ops.tensor(x), form)
    if not ops.is_float(x):
        raise ConversionError("grey of integers is scaled, and cannot be written")
    weights = ops.tensor([0.2989, 0.587, 0.114], ops.dtype(x))
    made = ops.op("Sum", ops.op("Mul", x, weights), [-1], keep_dims=True)
    return ops.moved(made, [-1], [1]) if first else made


@operation(
    "Resize(images, size, interpolation='bilinear', data_format=None, antialias=False, "
    "crop_to_aspect_ratio=False, pad_to_aspect_ratio=False, fill_mode=None, fill_value=None)",
    "image.resize(images, size, method='bilinear', _format=None, antialias=False, "
    "*, preserve_aspect_ratio=False)",
)
def _resize(ops: Ops, x: Any, size: Any, method: Any, form: Any, antialias: Any,
            *aspects: Any) -> TensorName:  # fmt: skip
    """Bilinear or nearest, centres of pixels at halves."""
    table = {
        "bilinear": "ResizeBilinear",
        "nearest": "ResizeNearestNeighbor",
        "bicubic": "ResizeBicubic",
    }
    if antialias or any(aspects[:2]) or method not in table:
        raise ConversionError("a resize of this kind cannot be written", found=f"{method}")
    if method == "bicubic":
        raise ConversionError("a bicubic resize cannot be written")
    x, first = _last(ops, ops.tensor(x), form)
    single = ops.rank(x) == 3
    x = ops.op("ExpandDims", x, 0) if single else x
    kind = ops.dtype(x)
    made = ops.op(table[method], x, ops.vector(size), half_pixel_centers=True)
    if ops.keras and method == "bilinear":
        made = ops.cast(made, kind)
    made = ops.op("Squeeze", made, squeeze_dims=[0]) if single else made
    return ops.moved(made, [-1], [-3]) if first else made


@reads("ResizeBilinear", "ResizeNearestNeighbor")
def _read_resize(r: Reading) -> Said:
    """With centres of pixels at halves Keras' own; else by the rows and columns that are taken."""
    x, size = r.x(0), r.ints(1)
    method = "bilinear" if r.op == "ResizeBilinear" else "nearest"
    if r.attr("half_pixel_centers"):
        return r.any_of(
            r.say("Resize", x, size, method), r.say("image.resize", x, size, method=method)
        )
    made: Any = x if r.dtype(0) == r.output_dtype() else r.say("Cast", x, r.output_dtype())
    aligned = bool(r.attr("align_corners"))
    for axis in (2, 1) if method == "bilinear" else (1, 2):
        before = r.dims(0)[axis]
        if before is None:
            raise Unread
        made = _resized(r, made, axis, before, size[axis - 1], method, aligned)
    return made if isinstance(made, Said) else r.say("Copy identity", made)


def _resized(
    r: Reading, x: Any, axis: int, before: int, after: int, method: str, aligned: bool
) -> Any:
    """One axis of images made longer or shorter.

    Source: TensorFlow core/kernels/image/resize_bilinear_op.cc and
    resize_nearest_neighbor_op.cc, LegacyScaler.
    """
    import numpy as np

    if before == after:
        return x
    corners = aligned and after > 1
    scale = np.float32((before - 1) / (after - 1) if corners else before / after)
    places = np.arange(after, dtype=np.float32) * scale
    if method == "nearest":
        found = np.floor(places + np.float32(0.5)) if aligned else np.floor(places)
        return _taken(r, x, np.minimum(found, before - 1), axis)
    low = np.floor(places)
    high = np.minimum(low + 1, before - 1)
    share = (places - low).astype(r.output_dtype())
    share = share.reshape([-1 if k == axis else 1 for k in range(4)])
    first, second = _taken(r, x, low, axis), _taken(r, x, high, axis)
    return r.say("Add", first, r.say("Multiply", r.say("Subtract", second, first), share))


def _taken(r: Reading, x: Any, places: Any, axis: int) -> Said:
    indices = places.astype("int32")
    return r.any_of(r.say("gather", x, indices, axis=axis), r.say("Take", x, indices, axis=axis))
