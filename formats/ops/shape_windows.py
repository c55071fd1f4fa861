"""Shape rules of convolution, pooling, normalisation, padding and resizing."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from modelfmt.graph import Dims, Shape
from modelfmt.ops.shape_core import MAX_RANK, Call, Rule, Size, UnknownShapesError, product


def window(
    call: Call, size: Size, kernel: Size, stride: int, dilation: int = 1,
    padding: str = "VALID", explicit: Sequence[int] = (0, 0),
) -> Size:
    """The number of positions of a window along one dimension.

        SAME       ceil(size / stride)
        VALID      ceil((size - (kernel - 1) * dilation) / stride)
        EXPLICIT   VALID, over size + before + after

    Source: GetWindowedOutputSizeVerboseV2 in tensorflow/core/framework/kernel_shape_util.cc.
    """
    if size is None:
        return None
    if stride < 1:
        call.fail("stride", "at least 1", stride)
    if padding == "SAME":
        return ceil(size / stride)
    if kernel is None:
        return None
    reach = (kernel - 1) * dilation + 1
    padded = size + sum(explicit)
    if padded < reach:
        call.fail("window is larger than its input", f"at least {reach}", padded)
    return (padded - reach) // stride + 1


def _channel_axis(call: Call, rank: int) -> int:
    layout = str(call.attr("data_format"))
    if layout == "NCHW_VECT_C":
        raise UnknownShapesError(layout)
    return 1 if layout.startswith("NC") else rank - 1


def _explicit(call: Call, rank: int) -> list[list[int]]:
    """Before and after, per dimension, of padding EXPLICIT."""
    if call.attr("padding") != "EXPLICIT":
        return [[0, 0]] * rank
    flat = call.ints("explicit_paddings", 2 * rank)
    return [flat[2 * d : 2 * d + 2] for d in range(rank)]


def convolution(call: Call) -> Dims:
    """Conv2D, Conv3D: input in data_format, filter (*window, in / groups, out)."""
    rank = 5 if "3D" in call.op else 4
    inputs, kernel = call.ranked(0, rank), call.ranked(1, rank)
    strides, dilations = call.ints("strides", rank), call.ints("dilations", rank)
    channel, explicit = _channel_axis(call, rank), _explicit(call, rank)
    depth, filter_depth = inputs[channel], kernel[-2]
    if depth is not None and filter_depth and depth % filter_depth:
        call.fail("channels of the input", f"a multiple of {filter_depth}", depth)
    result: list[Size] = [inputs[0]] + [None] * (rank - 1)
    result[channel] = kernel[-1]
    for i, axis in enumerate(a for a in range(1, rank) if a != channel):
        result[axis] = window(
            call, inputs[axis], kernel[i], strides[axis], dilations[axis],
            call.attr("padding"), explicit[axis],
        )
    return tuple(result)


def depthwise(call: Call) -> Dims:
    """DepthwiseConv2dNative: filter (height, width, in, multiplier), out in * multiplier."""
    inputs, kernel = call.ranked(0, 4), call.ranked(1, 4)
    strides, dilations = call.ints("strides", 4), call.ints("dilations", 4)
    channel, explicit = _channel_axis(call, 4), _explicit(call, 4)
    depth = call.merge(kernel[2], inputs[channel], "channels of the input")
    result: list[Size] = [inputs[0], None, None, None]
    result[channel] = product([depth, kernel[3]])
    for i, axis in enumerate(a for a in (1, 2, 3) if a != channel):
        result[axis] = window(
            call, inputs[axis], kernel[i], strides[axis], dilations[axis],
            call.attr("padding"), explicit[axis],
        )
    return tuple(result)


def input_sizes(call: Call) -> Dims:
    """Conv*BackpropInput: the shape is the first operand's value.

    Source: Conv2DBackpropInputShape (which also lets input_sizes be just height and width).
    """
    rank = 5 if "3D" in call.op else 4
    shape, out = call.dims(0), call.ranked(2, rank)
    if shape is None:
        shape = (None,) * rank
    if len(shape) == rank - 2:
        channel = _channel_axis(call, rank)
        inside = call.ranked(1, rank)[2 if "Depthwise" in call.op else -2]
        shape = (out[0], inside, *shape) if channel == 1 else (out[0], *shape, inside)
    if len(shape) != rank:
        call.fail("rank of input_sizes", rank, Shape(shape))
    return (call.merge(shape[0], out[0], "batch size"), *shape[1:])


def filter_sizes(call: Call) -> Dims:
    """Conv*BackpropFilter: the shape is the second operand's value."""
    return call.dims(1)


def pool(call: Call) -> Dims | list[Dims]:
    """MaxPool, AvgPool, in two or three dimensions: a window over each dimension."""
    rank = 5 if "3D" in call.op else 4
    shape = call.ranked(0, rank)
    if call.op == "MaxPoolV2":
        kernel, strides = call.known(1), call.known(2)
        if kernel is None or strides is None:
            return (shape[0], None, None, None)
        if len(kernel) != 4 or len(strides) != 4:
            call.fail("length of ksize and strides", 4, (len(kernel), len(strides)))
    else:
        kernel, strides = call.ints("ksize", rank), call.ints("strides", rank)
    if call.op != "MaxPoolWithArgmax":
        _channel_axis(call, rank)
    explicit = _explicit(call, rank) if call.op == "MaxPool" else [[0, 0]] * rank
    result = tuple(
        window(call, shape[d], kernel[d], strides[d], 1, call.attr("padding"), explicit[d])
        for d in range(rank)
    )
    return [result, result] if call.op == "MaxPoolWithArgmax" else result


def batch_norm(call: Call) -> list[Dims]:
    """FusedBatchNorm*: y like x, then mean, variance and what the gradient needs."""
    volume = str(call.attr("data_format")) in ("NDHWC", "NCDHW")
    rank = 5 if volume else 4
    sizes = list(call.ranked(0, rank))
    channel = _channel_axis(call, rank)
    depth = sizes[channel]
    vectors = 3 if call.attr("is_training") else 5
    for index in range(1, min(vectors, len(call.inputs))):
        depth = call.merge(depth, call.ranked(index, 1)[0], "channels of the input")
    sizes[channel] = depth
    result: list[Dims] = [tuple(sizes), *[(depth,)] * 4]
    return [*result, None] if call.op == "FusedBatchNormV3" else result


def bias_add(call: Call) -> Dims:
    """BiasAdd: bias (channels,)."""
    shape, (depth,) = call.shape(0), call.ranked(1, 1)
    if shape is None:
        return None
    if len(shape) < 2:
        call.fail("rank of input 0", "at least 2", Shape(shape))
    nchw = call.op == "BiasAdd" and call.attr("data_format") == "NCHW"
    axis = 1 if nchw else len(shape) - 1
    depth = call.merge(shape[axis], depth, "length of the bias")
    return (*shape[:axis], depth, *shape[axis + 1 :])


def pad(call: Call) -> Dims:
    """Pad, PadV2, MirrorPad: paddings (rank, 2), before and after."""
    shape, table = call.shape(0), call.shape(1)
    if shape is None and table is not None and len(table) == 2:
        shape = None if table[0] is None or table[0] > MAX_RANK else (None,) * table[0]
    if shape is None:
        return None
    result: list[Size] = []
    for size, (before, after) in zip(shape, call.pairs(1, len(shape)), strict=True):
        if size is None or before is None or after is None:
            result.append(None)
        else:
            result.append(_positive(call, size + before + after))
    return tuple(result)


def _positive(call: Call, size: int) -> int:
    if size < 0:
        call.fail("padded or cropped size", "at least 0", size)
    return size


def space_to_batch(call: Call) -> Dims:
    """SpaceToBatchND, BatchToSpaceND: blocks (m,), paddings or crops (m, 2).

        batch * prod(blocks),   (size + before + after) / block     and the inverse

    Source: SpaceToBatchShapeHelper, BatchToSpaceShapeHelper in array_ops.cc.
    """
    shape, blocks = call.shape(0), call.vector(1)
    if shape is None:
        return None
    if blocks is None:
        return (None,) * len(shape)
    if len(shape) < len(blocks) + 1:
        call.fail("rank of input 0", f"at least {len(blocks) + 1}", Shape(shape))
    rows = call.pairs(2, len(blocks))
    into_batch = call.op == "SpaceToBatchND"
    batch, factor = shape[0], product(blocks)
    sizes: list[Size] = []
    for size, block, (before, after) in zip(shape[1:], blocks, rows, strict=False):
        if size is None or block is None or before is None or after is None:
            sizes.append(None)
        elif into_batch:
            sizes.append(_divide(call, size + before + after, block))
        else:
            sizes.append(_positive(call, size * block - before - after))
    if into_batch:
        batch = product([batch, factor])
    else:
        batch = None if batch is None or factor is None else _divide(call, batch, factor)
    return (batch, *sizes, *shape[1 + len(blocks) :])


def _divide(call: Call, size: int, block: int) -> int:
    if block < 1 or size % block:
        call.fail("size to be divided into blocks", f"a multiple of {block}", size)
    return size // block


def depth_to_space(call: Call) -> Dims:
    """DepthToSpace, SpaceToDepth: block_size squared channels against height and width."""
    shape, block = list(call.ranked(0, 4)), call.int_attr("block_size")
    channel = _channel_axis(call, 4)
    for axis in (1, 2, 3):
        size, up = shape[axis], call.op == "DepthToSpace"
        factor = block * block if axis == channel else block
        if size is not None:
            shape[axis] = _divide(call, size, factor) if up is (axis == channel) else size * factor
    return tuple(shape)


def resize(call: Call) -> Dims:
    """ResizeBilinear and kin: images (batch, height, width, channels), size (2,)."""
    batch, _, _, depth = call.ranked(0, 4)
    size = call.dims(2 if call.op.startswith("ImageProjective") else 1)
    height, width = (None, None) if size is None or len(size) != 2 else size
    return (batch, height, width, depth)


def crop_and_resize(call: Call) -> Dims:
    """CropAndResize(image, boxes (n, 4), box_ind (n,), crop_size (2,))."""
    size = call.dims(3)
    height, width = (None, None) if size is None or len(size) != 2 else size
    return (call.ranked(1, 2)[0], height, width, call.ranked(0, 4)[3])


_FAMILIES: dict[Rule, str] = {
    convolution: "Conv2D Conv3D _FusedConv2D",
    depthwise: "DepthwiseConv2dNative",
    input_sizes: "Conv2DBackpropInput Conv3DBackpropInputV2 DepthwiseConv2dNativeBackpropInput",
    filter_sizes: "Conv2DBackpropFilter Conv3DBackpropFilterV2 DepthwiseConv2dNativeBackpropFilter",
    pool: "MaxPool MaxPoolV2 MaxPool3D MaxPoolWithArgmax AvgPool AvgPool3D",
    batch_norm: "FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3",
    bias_add: "BiasAdd BiasAddV1",
    pad: "Pad PadV2 MirrorPad",
    space_to_batch: "SpaceToBatchND BatchToSpaceND",
    depth_to_space: "SpaceToDepth DepthToSpace",
    resize: (
        "ResizeBilinear ResizeNearestNeighbor ResizeBicubic ResizeArea ScaleAndTranslate "
        "ImageProjectiveTransformV2 ImageProjectiveTransformV3"
    ),
    crop_and_resize: "CropAndResize",
}

RULES: dict[str, Rule] = {op: rule for rule, ops in _FAMILIES.items() for op in ops.split()}
