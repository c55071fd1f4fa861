"""Spectrograms of sound. Source: Keras, layers/preprocessing/{stft,mel}_spectrogram.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.codec import LayerCodec
from modelfmt.layers.encoding import cast
from modelfmt.layers.extents import Extent, calculated, extent
from modelfmt.layers.registry import register_layer
from modelfmt.layers.sizing import known_shape, product, reshaped
from modelfmt.network import Config, Layer
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

#: Keras' ``backend.epsilon()``.
_EPSILON = 1e-7
#: Of HTK's mel scale: mel(f) = 1127 ln(1 + f / 700).
_MEL_BREAK, _MEL_Q = 700.0, 1127.0


@register_layer
class STFTSpectrogram(LayerCodec):
    """STFTSpectrogram.  A Fourier transform of each frame, as a convolution with its waves

    Shapes:  x (batch, time, channels), kernels (frame_length, 1, bins); y (batch, frames,
             channels * bins), or with expand_dims (batch, frames, bins, channels); with
             channels_first, channels before frames
    Weights: real_kernel unless mode is imag, imag_kernel unless it is real
    Nodes:   Conv2D with each kernel; Square, AddV2, Sqrt, Log as mode asks
    Source:  Keras, STFTSpectrogram.call
    """

    class_name = "STFTSpectrogram"
    weights = ("real_kernel", "imag_kernel")
    config = {
        "mode": "log", "frame_length": 256, "frame_step": None, "padding": "valid",
        "expand_dims": False, "data_format": "channels_last",
    }  # fmt: skip

    def weight_names(self, config: Config) -> tuple[str, ...]:
        unused = {"imag": "real_kernel", "real": "imag_kernel"}.get(config["mode"])
        return tuple(name for name in self.weights if name != unused)

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        x, mode = cast(inputs[0], dtypes.float32, graph), layer.config["mode"]
        if len(known_shape(x, graph, "STFTSpectrogram")) != 3:
            raise ConversionError("STFTSpectrogram takes sound of three axes")
        parts = [self._waves(layer, name, x, graph) for name in layer.weights]
        if mode in ("real", "imag"):
            return [self._arranged(layer, parts[0], graph)]
        real, imag = parts
        if mode == "angle":
            return [self._arranged(layer, graph.op("Atan2", imag, real), graph)]
        if mode == "stft":
            return [self._arranged(layer, graph.op("ConcatV2", real, imag, 2), graph)]
        power = graph.op("AddV2", graph.op("Square", real), graph.op("Square", imag))
        if mode == "psd":
            inner = graph.op(
                "StridedSlice", power, [0, 0, 1, 0], [0, 0, -1, 0], [1, 1, 1, 1],
                begin_mask=11, end_mask=11,
            )  # fmt: skip
            twice = graph.op("Pad", inner, [[0, 0], [0, 0], [1, 1], [0, 0]])
            return [self._arranged(layer, graph.op("AddV2", power, twice), graph)]
        if mode not in ("magnitude", "log"):
            raise ConversionError("STFTSpectrogram has no such mode", found=mode)
        root = graph.op("Sqrt", graph.op("Maximum", power, _EPSILON))
        y = self._arranged(layer, root, graph)
        if mode == "log":
            y = graph.op("Log", graph.op("Maximum", y, _EPSILON))
        return [y]

    def _waves(self, layer: Layer, name: str, x: str, graph: GraphBuilder) -> str:
        """(batch, channels, bins, frames) of the sound with one of the kernels."""
        config, kernel = layer.config, layer.weight(name)
        last = config["data_format"] != "channels_first"
        if last:
            x = graph.op("Transpose", x, [0, 2, 1])
        batch, channels, time = (extent(x, axis, graph) for axis in (0, 1, 2))
        rows = reshaped(x, [product([batch, channels], graph), 1, time, 1], graph)
        wide = graph.op("Reshape", graph.weight(kernel, name), [1, *kernel.shape])
        step = config["frame_step"] or config["frame_length"] // 2
        if config["padding"] not in ("valid", "same"):
            raise ConversionError("unknown padding", found=config["padding"])
        y = graph.op(
            "Conv2D", rows, wide, strides=[1, 1, step, 1], padding=config["padding"].upper()
        )
        frames = extent(y, 2, graph)
        y = reshaped(y, [batch, channels, frames, kernel.shape[-1]], graph)
        return graph.op("Transpose", y, [0, 1, 3, 2])

    def _arranged(self, layer: Layer, y: str, graph: GraphBuilder) -> str:
        """From (batch, channels, bins, frames) to the order that the config asks for."""
        last = layer.config["data_format"] != "channels_first"
        if layer.config["expand_dims"]:
            return graph.op("Transpose", y, [0, 3, 2, 1] if last else [0, 1, 3, 2])
        batch, channels, bins, frames = (extent(y, axis, graph) for axis in range(4))
        y = reshaped(y, [batch, product([channels, bins], graph), frames], graph)
        return graph.op("Transpose", y, [0, 2, 1]) if last else y


@register_layer
class MelSpectrogram(LayerCodec):
    """MelSpectrogram.  The power of each frame of sound in bands of the mel scale, in decibels

    Shapes: x (batch, time), y (batch, num_mel_bins, frames)
    Nodes:  MirrorPad, GatherV2 (the frames), Mul (the window), RFFT, then a MatMul with the bands
    Source: Keras, MelSpectrogram.call and ops.stft
    """

    class_name = "MelSpectrogram"
    config = {
        "fft_length": 2048, "sequence_stride": 512, "sequence_length": None, "window": "hann",
        "sampling_rate": 16000, "num_mel_bins": 128, "min_freq": 20.0, "max_freq": None,
        "power_to_db": True, "top_db": 80.0, "mag_exp": 2.0, "min_power": 1e-10,
        "ref_power": 1.0,
    }  # fmt: skip

    def completed(self, config: Config, weights: Mapping[str, Tensor]) -> Config:
        """As any config; that there is no window means something."""
        whole = super().completed(config, weights)
        return {**whole, "window": config.get("window", "hann")}

    def write(self, layer: Layer, inputs: list[str], graph: GraphBuilder) -> list[str]:
        config, x = layer.config, cast(inputs[0], dtypes.float32, graph)
        rank, size = len(known_shape(x, graph, "MelSpectrogram")), config["fft_length"]
        frames = self._frames(config, x, graph)
        waves = graph.op("RFFT", graph.op("Mul", frames, _window(config)), [size])
        real, imag = graph.op("Real", waves), graph.op("Imag", waves)
        power = graph.op("AddV2", graph.op("Square", real), graph.op("Square", imag))
        spectrum = graph.op("Pow", graph.op("Sqrt", power), float(config["mag_exp"]))
        bands = graph.const(_bands(config), dtypes.float32, "bands")
        sizes = [extent(spectrum, axis, graph) for axis in range(rank)]
        flat = graph.op("Reshape", spectrum, [-1, size // 2 + 1])
        y = reshaped(graph.op("MatMul", flat, bands), [*sizes, config["num_mel_bins"]], graph)
        if config["power_to_db"]:
            y = self._decibels(config, y, rank + 1, graph)
        return [graph.op("Transpose", y, [*range(rank - 1), rank, rank - 1])]

    def _frames(self, config: Config, x: str, graph: GraphBuilder) -> str:
        """(batch, frames, fft_length), the sound mirrored at its ends."""
        size, step = config["fft_length"], config["sequence_stride"]
        rank = len(graph.shape(x) or ())
        margins = [*[[0, 0]] * (rank - 1), [size // 2, size // 2]]
        x = graph.op("MirrorPad", x, margins, mode="REFLECT")
        length = calculated("Sub", extent(x, rank - 1, graph), size, graph)
        count: Extent = calculated("FloorDiv", length, step, graph)
        count = calculated("Maximum", calculated("AddV2", count, 1, graph), 0, graph)
        starts = graph.op("Mul", graph.op("Range", 0, count, 1), step)
        places = graph.op("AddV2", graph.op("ExpandDims", starts, -1), list(range(size)))
        return graph.op("GatherV2", x, places, rank - 1)

    def _decibels(self, config: Config, y: str, rank: int, graph: GraphBuilder) -> str:
        import numpy as np

        def level(power: str) -> str:
            ten = float(np.log(np.float32(10)))
            return graph.op("Mul", graph.op("RealDiv", graph.op("Log", power), ten), 10.0)

        least = float(config["min_power"])
        reference = max(abs(float(config["ref_power"])), least)
        y = level(graph.op("Maximum", y, least))
        y = graph.op("Sub", y, float(10.0 * np.log10(np.float32(reference))))
        loudest = graph.op("Max", y, list(range(rank)))
        return graph.op("Maximum", y, graph.op("Sub", loudest, float(config["top_db"])))


def _window(config: Config) -> npt.NDArray[Any]:
    """(fft_length,), float32: the window in the middle of a frame."""
    import numpy as np

    size, length, kind = config["fft_length"], config["sequence_length"], config["window"]
    length = length or size
    if kind in ("hann", "hamming"):
        # TensorFlow's periodic windows: periodic of an even length, symmetric of an odd one.
        turns = np.arange(length) / max(length - length % 2, 1)
        mean, wave = (0.5, 0.5) if kind == "hann" else (0.54, 0.46)
        window = mean - wave * np.cos(2 * np.pi * turns)
        window = np.ones(1) if length == 1 else window
    elif isinstance(kind, list) and len(kind) == length:
        window = np.asarray(kind)
    elif kind is None:
        return np.ones(size, np.float32)
    else:
        raise ConversionError("unknown window", expected="hann or hamming", found=f"{kind!r:.40}")
    before = (size - length) // 2
    return np.pad(window, (before, size - length - before)).astype(np.float32)


def _bands(config: Config) -> npt.NDArray[Any]:
    """(fft_length // 2 + 1, num_mel_bins), float32: triangles that overlap by half."""
    import numpy as np

    def mel(hertz: Any) -> Any:
        return np.float32(_MEL_Q) * np.log(np.float32(1.0) + hertz / np.float32(_MEL_BREAK))

    count, rate = config["num_mel_bins"], config["sampling_rate"]
    top = config["max_freq"] or int(rate / 2)
    bins = config["fft_length"] // 2 + 1
    steps = mel(np.linspace(0, np.float32(rate / 2), bins, dtype=np.float32)[1:])[:, None]
    edges = np.linspace(
        mel(np.float32(config["min_freq"])), mel(np.float32(top)), count + 2, dtype=np.float32
    )
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    slopes = np.minimum((steps - low) / (middle - low), (high - steps) / (high - middle))
    return np.pad(np.maximum(slopes, np.float32(0)), [[1, 0], [0, 0]]).astype(np.float32)
