"""Convolutions of tensors, channels last, in the ops that TensorFlow runs on a CPU.

    over one axis     over two, of which the first has size 1
    groups            in parts, as in ``grouping``
    dilation          of Conv2D an attr; else as in ``blocks``

How all this is read again stands in ``peeling``. Source: tensorflow/python/ops/nn_ops.py; Keras
backend/tensorflow/nn.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.blocks import in_blocks
from modelfmt.layers.extents import packed_rows
from modelfmt.layers.grouping import in_groups
from modelfmt.layers.pads import same_sides


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

        def part(share: str, kernel: str) -> str:
            return convolve(
                share, kernel, graph, strides=strides, padding=padding, dilation=dilation
            )

        return in_groups(x, kernel, rank - 1, groups, graph, part)
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
        x = graph.op("Pad", x, packed_rows(same_sides(x, window, strides, dilation, graph), graph))
    y = in_blocks(x, window, dilation, "VALID", graph, plain) if dilated else plain(x)
    return graph.op(
        "StridedSlice", y, [0, 0, 0, 0], [0, 0, 0, 0], [1, *strides, 1], begin_mask=15, end_mask=15
    )


def _window(kernel: str, graph: GraphBuilder) -> list[int]:
    """The sizes of a kernel's window."""
    shape = graph.shape(kernel) or ()
    return [size for size in shape[:-2] if size is not None]
