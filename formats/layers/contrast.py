"""Contrast of images, as each image asks for: these layers compute at inference as well.

Source: Keras, layers/preprocessing/image_preprocessing/{auto_contrast,clahe}.py.
"""

from __future__ import annotations

from typing import Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.encoding import cast
from modelfmt.layers.extents import Extent, calculated, extent, packed, packed_rows
from modelfmt.layers.image import ImageCodec
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import known_shape, reshaped
from modelfmt.network import Layer

_BYTES = [0, 255]


def _ranged(x: str, before: Any, after: Any, graph: GraphBuilder) -> str:
    """Values between two bounds, brought between two others; float32 where they differ."""
    for pair in (before, after):
        if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
            raise ConversionError("a value_range is two numbers", found=f"{pair!r:.80}")
    if before == after:
        return x
    x = cast(x, dtypes.float32, graph)
    (a, b), (c, d) = ([float(v) for v in pair] for pair in (before, after))
    unit = graph.op("RealDiv", graph.op("Sub", x, a), b - a)
    return graph.op("AddV2", graph.op("Mul", unit, d - c), c)


@register_layer
class AutoContrast(LayerCodec):
    """AutoContrast.  Each channel of an image stretched over the whole range of values

    Shapes: x and y (batch, rows, cols, channels); whatever data_format says, the extremes are
            those along axes 1 and 2
    Nodes:  Min, Max; a channel of one value only (NaN after the division) stays
    Source: Keras, AutoContrast.transform_images
    """

    class_name = "AutoContrast"
    config = {"value_range": _BYTES, "data_format": "channels_last"}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        rank = len(known_shape(inputs[0], graph, "AutoContrast"))
        if rank not in (3, 4):
            raise ConversionError("AutoContrast takes images", expected="rank 3 or 4", found=rank)
        x = graph.op("ExpandDims", inputs[0], 0) if rank == 3 else inputs[0]
        own = layer.config["value_range"]
        images = cast(_ranged(x, own, _BYTES, graph), dtypes.float32, graph)
        low = graph.op("Min", images, [1, 2], keep_dims=True)
        high = graph.op("Max", images, [1, 2], keep_dims=True)
        scale = graph.op(
            "RealDiv", graph.const(255.0, dtypes.float32, "range"), graph.op("Sub", high, low)
        )
        offset = graph.op("Mul", graph.op("Neg", low), scale)
        y = graph.op("AddV2", graph.op("Mul", images, scale), offset)
        y = graph.op("Maximum", graph.op("Minimum", y, 255.0), 0.0)
        y = _ranged(y, _BYTES, own, graph)
        kept = cast(x, dtypes.float32, graph)
        y = graph.op("SelectV2", graph.op("IsNan", y), kept, y)
        return [graph.op("Squeeze", y, squeeze_dims=[0]) if rank == 3 else y]


@register_layer
class ContrastLimitedAdaptiveHistogramEqualization(ImageCodec):
    """CLAHE.  Each pixel by how many of its surroundings are darker, the count being limited

    The image is cut into tiles, each with a histogram of 256 values; what exceeds clip_limit times
    the average is spread over all values. The sums of four tiles around a pixel are interpolated.

    Shapes: x and y (batch, rows, cols, channels), or channels before rows
    Nodes:  MirrorPad, UnsortedSegmentSum (the histograms), Cumsum, GatherV2 of four sums
    Source: Keras, ContrastLimitedAdaptiveHistogramEqualization._clahe
    """

    class_name = "ContrastLimitedAdaptiveHistogramEqualization"
    config = {
        "value_range": _BYTES, "clip_limit": 4.0, "tile_grid_size": [8, 8],
        "data_format": "channels_last",
    }  # fmt: skip

    def written(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        config, (x, *_) = layer.config, inputs
        shape = known_shape(x, graph, self.class_name)
        grid = config["tile_grid_size"]
        if None in shape[1:] or not isinstance(grid, list) or len(grid) != 2:
            raise ConversionError(
                f"{self.class_name} needs to know the size of its images and two sizes of its grid",
                found=f"{list(shape)}, {grid!r:.40}",
            )  # fmt: skip
        images = cast(_ranged(x, config["value_range"], _BYTES, graph), dtypes.float32, graph)
        y = self._equalised(images, float(config["clip_limit"]), grid, graph)
        y = _ranged(y, _BYTES, config["value_range"], graph)
        return [cast(y, graph.dtype(x), graph)]

    def _equalised(self, x: str, most: float, grid: list[int], graph: GraphBuilder) -> str:
        _, height, width, channels = (extent(x, axis, graph) for axis in range(4))
        if not (isinstance(height, int) and isinstance(width, int) and isinstance(channels, int)):
            raise ConversionError(f"{self.class_name} needs to know the size of its images")
        tiles = [-(-size // count) for size, count in zip((height, width), grid, strict=True)]
        whole = [size * count for size, count in zip(tiles, grid, strict=True)]
        margins = [[0, 0], [0, whole[0] - height], [0, whole[1] - width], [0, 0]]
        padded = x
        if whole != [height, width]:
            padded = graph.op("MirrorPad", x, margins, mode="SYMMETRIC")
        pixels = graph.op("Maximum", graph.op("Minimum", padded, 255.0), 0.0)
        pixels = graph.op("Cast", pixels, DstT=dtypes.int32)
        batch = extent(x, 0, graph)
        sums = self._sums(pixels, batch, tiles, grid, channels, most, graph)
        y = self._interpolated(sums, pixels, batch, tiles, grid, channels, graph)
        return graph.op("Slice", y, [0, 0, 0, 0], [-1, height, width, -1])

    def _sums(
        self, pixels: str, batch: Extent, tiles: list[int], grid: list[int], channels: int,
        most: float, graph: GraphBuilder,
    ) -> str:  # fmt: skip
        """(batch * rows + 2 * cols + 2 * channels * 256,): for each tile, one more around them,
        and each value what becomes of it.
        """
        (high, wide), (rows, cols), area = tiles, grid, tiles[0] * tiles[1]
        cut = reshaped(pixels, [batch, rows, high, cols, wide, channels], graph)
        turned = graph.op("Transpose", cut, [0, 1, 3, 5, 2, 4])
        flat = graph.op("Reshape", turned, [-1, area])
        tile = calculated("Mul", batch, rows * cols * channels, graph)
        starts = graph.op("Mul", graph.op("Range", 0, tile, 1), 256)
        places = graph.op("AddV2", flat, graph.op("ExpandDims", starts, -1))
        ones = graph.op("Cast", graph.op("GreaterEqual", places, 0), DstT=dtypes.float32)
        total = calculated("Mul", tile, 256, graph)
        counts = graph.op("Reshape", graph.op("UnsortedSegmentSum", ones, places, total), [-1, 256])
        if most > 0:
            limited = graph.op("Minimum", counts, most * area / 256.0)
            excess = graph.op("Sum", graph.op("Sub", counts, limited), [-1], keep_dims=True)
            counts = graph.op("AddV2", limited, graph.op("RealDiv", excess, 256.0))
        sums = graph.op("Cumsum", counts, -1)
        least = graph.op("Min", sums, [-1], keep_dims=True)
        above = graph.op("Mul", graph.op("Sub", sums, least), 255.0)
        left = graph.op("Sub", graph.const(float(area), dtypes.float32, "area"), least)
        one = graph.const(1.0, dtypes.float32, "one")
        left = graph.op("SelectV2", graph.op("Equal", left, 0.0), one, left)
        norm = graph.op("Minimum", graph.op("RealDiv", above, left), 255.0)
        norm = graph.op("Maximum", norm, 0.0)
        whole = reshaped(norm, [batch, rows, cols, channels, 256], graph)
        around = packed_rows([[0, 0], [1, 1], [1, 1], [0, 0], [0, 0]], graph)
        return graph.op("Reshape", graph.op("MirrorPad", whole, around, mode="SYMMETRIC"), [-1])

    def _interpolated(
        self, sums: str, pixels: str, batch: Extent, tiles: list[int], grid: list[int],
        channels: int, graph: GraphBuilder,
    ) -> str:  # fmt: skip
        import numpy as np

        first, second, share = [], [], []
        for size, count in zip(tiles, grid, strict=True):
            steps = np.arange(size * count, dtype=np.float32)
            place = (steps - np.float32(size / 2)) / np.float32(size) + np.float32(1)
            low = np.floor(place)
            first.append(np.clip(low, 0, count + 1).astype(np.int32))
            second.append(np.clip(low + 1, 0, count + 1).astype(np.int32))
            share.append((place - low).astype(np.float32))
        across = 256 * channels
        down = across * (grid[1] + 2)
        images = graph.op("Mul", graph.op("Range", 0, batch, 1), down * (grid[0] + 2))
        images = graph.op("Reshape", images, packed([-1, 1, 1, 1], graph))
        colours = (np.arange(channels, dtype=np.int32) * 256)[None, None, None, :]
        base = graph.op("AddV2", graph.op("AddV2", pixels, images), colours)

        def at(y: Any, x: Any) -> str:
            tile = y[None, :, None, None] * down + x[None, None, :, None] * across
            return graph.op("GatherV2", sums, graph.op("AddV2", base, tile), 0)

        def between(a: str, b: str, part: Any) -> str:
            return graph.op(
                "AddV2", graph.op("Mul", a, np.float32(1) - part), graph.op("Mul", b, part)
            )

        right, lower = share[1][None, None, :, None], share[0][None, :, None, None]
        upper_row = between(at(first[0], first[1]), at(first[0], second[1]), right)
        lower_row = between(at(second[0], first[1]), at(second[0], second[1]), right)
        return between(upper_row, lower_row, lower)
