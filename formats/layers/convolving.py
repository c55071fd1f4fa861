"""Convolutions of tensors, channels last, in the ops that TensorFlow runs on a CPU.

    over one axis     over two, of which the first has size 1
    groups            Split(x), Split(kernel), a convolution of each, ConcatV2: no CPU kernel of
                      TensorFlow before 2.12 knows groups
    dilation          of Conv2D an attr; else SpaceToBatchND, the convolution, BatchToSpaceND

Source: tensorflow/python/ops/nn_ops.py, with_space_to_batch and required_space_to_batch_paddings;
Keras backend/tensorflow/nn.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.extents import Extent, calculated, extent, packed_rows


def convolve(
    x: str, kernel: str, graph: GraphBuilder, *, strides: Sequence[int], padding: str,
    dilation: Sequence[int], groups: int = 1,
) -> str:  # fmt: skip
    """A convolution over as many axes as there are strides.

    Args:
        x: (batch, *sizes, in).
        kernel: (*window, in / groups, out).
        padding: "VALID" or "SAME".

    Raises:
        ConversionError: a dilation of three axes with strides, which Keras has not either.
    """
    if len(strides) == 1:
        y = convolve(
            graph.op("ExpandDims", x, 1), graph.op("ExpandDims", kernel, 0), graph,
            strides=[1, *strides], padding=padding, dilation=[1, *dilation], groups=groups,
        )  # fmt: skip
        return graph.op("Squeeze", y, squeeze_dims=[1])
    rank = len(strides) + 2
    if groups > 1:
        return _in_groups(x, kernel, graph, strides, padding, dilation, groups)
    if rank == 5 and max(dilation) > 1:
        if max(strides) > 1:
            raise ConversionError(
                "strides and dilation together over three axes", found=[*strides, *dilation]
            )

        def plain(blocks: str) -> str:
            return convolve(
                blocks, kernel, graph, strides=strides, padding="VALID", dilation=[1, 1, 1]
            )

        return in_blocks(x, _window(kernel, graph), dilation, padding, graph, plain)
    return graph.op(
        "Conv2D" if rank == 4 else "Conv3D", x, kernel, strides=[1, *strides, 1], padding=padding,
        dilations=[1, *dilation, 1],
    )  # fmt: skip


def _in_groups(
    x: str, kernel: str, graph: GraphBuilder, strides: Sequence[int], padding: str,
    dilation: Sequence[int], groups: int,
) -> str:  # fmt: skip
    axis = len(strides) + 1
    shares = graph.ops("Split", axis, x, num_split=groups)
    kernels = graph.ops("Split", axis, kernel, num_split=groups)
    parts = [
        convolve(share, part, graph, strides=strides, padding=padding, dilation=dilation)
        for share, part in zip(shares, kernels, strict=True)
    ]
    return graph.op("ConcatV2", *parts, axis, N=groups)


def convolve_each(
    x: str, kernel: str, graph: GraphBuilder, *, strides: Sequence[int], padding: str,
    dilation: Sequence[int],
) -> str:  # fmt: skip
    """A depthwise convolution: every channel with kernels of its own.

    The kernel op takes equal strides only, and none with a dilation: where they are not so, all
    positions are computed, and those between the strides left out.

    Args:
        x: (batch, *sizes, in), one or two sizes.
        kernel: (*window, in, multiplier); the result has in * multiplier channels.
        padding: "VALID" or "SAME".
    """
    if len(strides) == 1:
        y = convolve_each(
            graph.op("ExpandDims", x, 1), graph.op("ExpandDims", kernel, 0), graph,
            # The first axis has one position whatever its stride.
            strides=[*strides, *strides], padding=padding, dilation=[1, *dilation],
        )  # fmt: skip
        return graph.op("Squeeze", y, squeeze_dims=[1])

    def plain(blocks: str, stride: int = 1, padding: str = "VALID") -> str:
        return graph.op(
            "DepthwiseConv2dNative", blocks, kernel, strides=[1, stride, stride, 1],
            padding=padding,
        )  # fmt: skip

    dilated = max(dilation) > 1
    if not dilated and strides[0] == strides[1]:
        return plain(x, strides[0], padding)
    window = _window(kernel, graph)
    if max(strides) == 1:
        return in_blocks(x, window, dilation, padding, graph, plain)
    if padding == "SAME":
        x = _padded(x, window, strides, dilation, graph)
    y = in_blocks(x, window, dilation, "VALID", graph, plain) if dilated else plain(x)
    return graph.op(
        "StridedSlice", y, [0, 0, 0, 0], [0, 0, 0, 0], [1, *strides, 1], begin_mask=15, end_mask=15
    )


def in_blocks(
    x: str, window: Sequence[int], dilation: Sequence[int], padding: str, graph: GraphBuilder,
    plain: Callable[[str], str],
) -> str:  # fmt: skip
    """A dilated convolution as plain ones of the blocks that a dilation picks out.

    Args:
        window: the kernel's sizes, without dilation.
        plain: the convolution without dilation, of stride 1 and valid padding.
    """
    paddings: list[list[Extent]] = []
    crops: list[list[Extent]] = []
    for k, (size, rate) in enumerate(zip(window, dilation, strict=True)):
        reach = (size - 1) * rate if padding == "SAME" else 0
        whole = calculated("AddV2", extent(x, k + 1, graph), reach, graph)
        filled = calculated("FloorMod", calculated("Sub", 0, whole, graph), rate, graph)
        after = calculated("AddV2", filled, reach - reach // 2, graph)
        paddings.append([reach // 2, after])
        crops.append([0, filled])
    blocks = graph.op("SpaceToBatchND", x, list(dilation), packed_rows(paddings, graph))
    return graph.op("BatchToSpaceND", plain(blocks), list(dilation), packed_rows(crops, graph))


def _padded(
    x: str, window: Sequence[int], strides: Sequence[int], dilation: Sequence[int],
    graph: GraphBuilder,
) -> str:  # fmt: skip
    """``x`` with the zeros around it that padding SAME means."""
    rows: list[list[Extent]] = [[0, 0]]
    for k, (size, stride, rate) in enumerate(zip(window, strides, dilation, strict=True)):
        before = extent(x, k + 1, graph)
        count = calculated(
            "FloorDiv", calculated("AddV2", before, stride - 1, graph), stride, graph
        )
        last = calculated("Mul", calculated("Sub", count, 1, graph), stride, graph)
        reach = calculated("AddV2", last, (size - 1) * rate + 1, graph)
        total = calculated("Maximum", calculated("Sub", reach, before, graph), 0, graph)
        half = calculated("FloorDiv", total, 2, graph)
        rows.append([half, calculated("Sub", total, half, graph)])
    rows.append([0, 0])
    return graph.op("Pad", x, packed_rows(rows, graph))


def _window(kernel: str, graph: GraphBuilder) -> list[int]:
    """The sizes of a kernel's window."""
    shape = graph.shape(kernel) or ()
    return [size for size in shape[:-2] if size is not None]
