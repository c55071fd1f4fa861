"""Images cut and resized to a size that the layer says.

Source: Keras, layers/preprocessing/image_preprocessing and backend/tensorflow/image.py; tf_keras,
layers/preprocessing/image_preprocessing.py and utils/image_utils.py; TensorFlow, image.resize.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import ConversionError
from modelfmt.graph import Dims
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers.codec import Claim, LayerCodec
from modelfmt.layers.encoding import cast
from modelfmt.layers.extents import Extent, extent, packed, packed_rows
from modelfmt.layers.registry import codec_for, register_layer
from modelfmt.layers.resizing import ENDS, resized, resizing
from modelfmt.layers.sizing import known_shape
from modelfmt.layers.spatial import canonical_channels_last, channels_last
from modelfmt.network import Layer


class _Sides:
    """The size of images, and what of it has the shape of another size."""

    def __init__(self, x: str, height: int, width: int, graph: GraphBuilder) -> None:
        self.graph, self.size = graph, (height, width)
        self.rows, self.cols = (extent(x, axis, graph) for axis in (1, 2))

    def fitting(self) -> tuple[Extent, Extent]:
        """(cols * height / width, rows * width / height), rounded towards zero."""
        height, width = self.size
        return self._scaled(self.cols, height, width), self._scaled(self.rows, width, height)

    def half(self, a: Extent, b: Extent) -> Extent:
        """(a - b) / 2, rounded towards zero."""
        if isinstance(a, int) and isinstance(b, int):
            return int((a - b) / 2)
        return self._floored(self.graph.op("Sub", a, b), 2.0)

    def least(self, a: Extent, b: Extent) -> Extent:
        return self._of("Minimum", min, a, b)

    def most(self, a: Extent, b: Extent) -> Extent:
        return self._of("Maximum", max, a, b)

    def _of(self, op: str, number: Callable[..., int], a: Extent, b: Extent) -> Extent:
        if isinstance(a, int) and isinstance(b, int):
            return number(a, b)
        return self.graph.op(op, a, b)

    def _scaled(self, size: Extent, factor: int, divisor: int) -> Extent:
        if isinstance(size, int):
            import numpy as np

            return int(np.float32(size * factor) / np.float32(divisor))
        return self._floored(self.graph.op("Mul", size, factor), float(divisor))

    def _floored(self, size: str, divisor: float) -> str:
        graph = self.graph
        share = graph.op("RealDiv", graph.op("Cast", size, DstT=dtypes.float32), divisor)
        return graph.op("Cast", share, DstT=dtypes.int32)


def cropped_alike(x: str, height: int, width: int, graph: GraphBuilder) -> str:
    """The largest part in the middle of the images that has the form of ``height`` x ``width``."""
    sides = _Sides(x, height, width, graph)
    rows, cols = sides.fitting()
    rows, cols = sides.least(sides.rows, rows), sides.least(sides.cols, cols)
    if graph.keras_major == 3:
        rows, cols = sides.most(rows, 1), sides.most(cols, 1)
    top, left = sides.half(sides.rows, rows), sides.half(sides.cols, cols)
    return cut(x, top, left, rows, cols, graph)


def padded_alike(x: str, height: int, width: int, value: float, graph: GraphBuilder) -> str:
    """The images with a margin that gives them the form of ``height`` x ``width``."""
    sides = _Sides(x, height, width, graph)
    rows, cols = sides.fitting()
    rows, cols = sides.most(sides.rows, rows), sides.most(sides.cols, cols)
    top, left = sides.half(rows, sides.rows), sides.half(cols, sides.cols)
    margins: list[list[Extent]] = [[0, 0], [top, top], [left, left], [0, 0]]
    pads = packed_rows(margins, graph)
    fill = graph.const(value, graph.dtype(x), "fill_value")
    return graph.op("PadV2", x, pads, fill)


def cut(
    x: str, top: Extent, left: Extent, rows: Extent, cols: Extent, graph: GraphBuilder
) -> str:
    """A rectangle of the images."""
    return graph.op(
        "Slice", x, packed([0, top, left, 0], graph), packed([-1, rows, cols, -1], graph)
    )


def batched(layer: Layer, inputs: list[str], graph: GraphBuilder, write: Any) -> list[str]:
    """``write`` for images, channels last, a batch of them; a lone one becomes a batch.

    Raises:
        ConversionError: another rank.
    """
    rank = len(known_shape(inputs[0], graph, layer.class_name))
    if rank == 3:
        lone = graph.op("ExpandDims", inputs[0], 0)
        (y,) = channels_last(write, layer, [lone], graph)
        return [graph.op("Squeeze", y, squeeze_dims=[0])]
    if rank != 4:
        raise ConversionError(
            f"{layer.class_name} takes images", expected="rank 3 or 4", found=rank
        )
    return channels_last(write, layer, inputs, graph)


class ImageCodec(LayerCodec):
    """A layer over images (batch, rows, cols, channels), or channels before rows."""

    config = {"height": None, "width": None, "data_format": "channels_last"}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        for key in ("height", "width"):
            size = layer.config.get(key)
            if key in self.config and (type(size) is not int or size < 1):
                raise ConversionError(f"{layer.class_name} has no {key}", found=size)
        return batched(layer, inputs, graph, self.written)

    def written(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        """The nodes, for a batch of images, channels last."""
        raise NotImplementedError


def _saturated(x: str, dtype: DType, graph: GraphBuilder) -> str:
    """Floats rounded to integers, as close as the dtype comes to them."""
    if graph.dtype(x) == dtype:
        return x
    if dtype.is_integer:
        import numpy as np

        info = np.iinfo(dtype.numpy)
        x = graph.op("Round", x)
        x = graph.op("Maximum", graph.op("Minimum", x, float(info.max)), float(info.min))
    return graph.op("Cast", x, DstT=dtype)


@register_layer
class Resizing(ImageCodec):
    """Resizing.  Images of another size, by any interpolation; cut or padded to its form first

    Shapes: x (batch, rows, cols, channels), y (batch, height, width, channels)
    Nodes:  Slice or PadV2; ResizeBilinear and its kin, or ScaleAndTranslate
    Source: Keras, Resizing.call
    """

    class_name = "Resizing"
    config = {
        **ImageCodec.config, "interpolation": "bilinear", "crop_to_aspect_ratio": False,
        "pad_to_aspect_ratio": False, "fill_mode": "constant", "fill_value": 0.0,
        "antialias": False,
    }  # fmt: skip

    def written(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        config, (x, *_) = layer.config, inputs
        method = str(config["interpolation"]).lower()
        size = config["height"], config["width"]
        if graph.keras_major == 2:
            x = cast(x, dtypes.float32, graph)
        if config["crop_to_aspect_ratio"] and config["pad_to_aspect_ratio"]:
            raise ConversionError("Resizing cannot both crop and pad to the aspect ratio")
        y = x
        if config["crop_to_aspect_ratio"]:
            y = cropped_alike(x, *size, graph)
        elif config["pad_to_aspect_ratio"]:
            if config["fill_mode"] != "constant":
                raise ConversionError("unknown fill_mode", found=config["fill_mode"])
            y = padded_alike(x, *size, config["fill_value"], graph)
        y = resized(y, *size, method, graph, antialias=bool(config["antialias"]))
        return [_saturated(y, graph.dtype(x), graph)]

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """Channels first between two Permutes; to a multiple of the size it is an UpSampling2D."""
        (plain,), shape, config = super().canonical(layer, shapes), shapes[0], layer.config
        if shape is None or len(shape) != 4:
            return [plain]
        sizes = list(shape[2:] if config["data_format"] == "channels_first" else shape[1:3])
        wanted = [config["height"], config["width"]]
        whole = not (config["crop_to_aspect_ratio"] or config["pad_to_aspect_ratio"])
        if whole and sizes == wanted:
            return []
        factors = [
            0 if size is None or w % size else w // size
            for w, size in zip(wanted, sizes, strict=True)
        ]
        if whole and min(factors) > 0 and not config["antialias"]:
            kept = {key: config[key] for key in ("data_format", "interpolation")}
            plain = Layer("UpSampling2D", "", {
                **kept, "size": factors, "half_pixel_centers": True,
            })  # fmt: skip
        return canonical_channels_last(plain, 2)

    def roots(self) -> frozenset[str]:
        return ENDS

    def recognise(self, tensor: str, graph: View) -> Claim | None:
        found = resizing(tensor, graph)
        if found is None or found.size is None:
            return None
        config = {
            "height": found.size[0], "width": found.size[1], "interpolation": found.method,
            "antialias": found.antialias,
        }  # fmt: skip
        return Claim((found.source,), config, {}, found.nodes)


@register_layer
class CenterCrop(ImageCodec):
    """CenterCrop.  The middle of the images; of smaller ones, resized, the most that has its form

    Shapes: x (batch, rows, cols, channels), y (batch, height, width, channels), float32
    Nodes:  Slice; for images that are smaller, or may be, ResizeBilinear
    Source: Keras, CenterCrop.call
    """

    class_name = "CenterCrop"

    def canonical(self, layer: Layer, shapes: Sequence[Dims]) -> list[Layer]:
        """A Cropping2D, where the images are known to be large enough."""
        config, shape = layer.config, shapes[0]
        if shape is None or len(shape) != 4:
            return super().canonical(layer, shapes)
        first = config["data_format"] == "channels_first"
        sizes = shape[2:] if first else shape[1:3]
        spare = [
            None if size is None or size < wanted else size - wanted
            for size, wanted in zip(sizes, (config["height"], config["width"]), strict=True)
        ]
        if None in spare:
            return super().canonical(layer, shapes)
        cropping = [[s // 2, s - s // 2] for s in spare if s is not None]
        crop = Layer("Cropping2D", "", {
            "cropping": cropping, "data_format": config["data_format"],
        })  # fmt: skip
        return codec_for(crop).canonical(crop, shapes)

    def written(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = cast(inputs[0], dtypes.float32, graph)
        height, width = layer.config["height"], layer.config["width"]
        rows, cols = known_shape(x, graph, "CenterCrop")[1:3]
        small = (rows is not None and rows < height) or (cols is not None and cols < width)
        if small:
            return [_upsized(x, height, width, graph)]
        if None in (rows, cols):
            return [_either(x, height, width, graph)]
        return [_middle(x, height, width, graph)]


def _upsized(x: str, height: int, width: int, graph: GraphBuilder) -> str:
    return resized(cropped_alike(x, height, width, graph), height, width, "bilinear", graph)


def _middle(x: str, height: int, width: int, graph: GraphBuilder) -> str:
    """The middle, of images that are known to be as large at least."""
    sides = _Sides(x, height, width, graph)
    top, left = sides.half(sides.rows, height), sides.half(sides.cols, width)
    return cut(x, top, left, height, width, graph)


def _either(x: str, height: int, width: int, graph: GraphBuilder) -> str:
    """Of images of unknown size the middle, or of smaller ones the most that has the form.

    No branch is needed: both are a part of the images, resized to where it is to go, and a part
    that has the size already is not changed by that. (Traced, Keras 3 takes images of unknown size
    for large ones and cuts nonsense out of smaller ones; called eagerly, it does the same as here.)
    """
    sides = _Sides(x, height, width, graph)
    rows, cols = sides.fitting()
    most = sides.least(sides.rows, rows), sides.least(sides.cols, cols)
    if graph.keras_major == 3:
        most = sides.most(most[0], 1), sides.most(most[1], 1)
    large = graph.op(
        "LogicalAnd", graph.op("GreaterEqual", sides.rows, height),
        graph.op("GreaterEqual", sides.cols, width),
    )  # fmt: skip
    chosen = [
        graph.op("SelectV2", large, graph.const(size, dtypes.int32, "size"), each)
        for size, each in zip((height, width), most, strict=True)
    ]
    top, left = (
        sides.half(old, new) for old, new in zip((sides.rows, sides.cols), chosen, strict=True)
    )
    part = cut(x, top, left, chosen[0], chosen[1], graph)
    return resized(part, height, width, "bilinear", graph)


@register_layer
class RandomCrop(ImageCodec):
    """RandomCrop.  Keras 2: resized, the most that has its form; Keras 3: y = x, but in training

    Source: Keras, RandomCrop.call
    """

    class_name = "RandomCrop"

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        return list(inputs) if graph.keras_major == 3 else super().write(layer, inputs, graph)

    def written(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x = cast(inputs[0], dtypes.float32, graph)
        return [_upsized(x, layer.config["height"], layer.config["width"], graph)]
