"""Spectrograms: shapes and errors. The numbers are judged by the frameworks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt import dtypes
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def written(name: str, shape: Any, **config: Any) -> Any:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtypes.float32, shape)
    it = Layer(name, "it", config)
    names = codec_for(it).weight_names({"mode": "log", **config})
    kernel = np.ones((16, 1, 9), np.float32)
    it.weights = {each: Tensor.from_numpy(each, kernel) for each in names}
    it = prepared(it)
    (y,) = codec_for(it).write(it, [x], graph)
    return graph.shape(y)


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({}, (None, 5, 18)), ({"expand_dims": True}, (None, 5, 9, 2)),
        ({"mode": "stft"}, (None, 5, 36)), ({"mode": "real", "padding": "same"}, (None, 6, 18)),
        ({"mode": "imag", "frame_step": 4}, (None, 9, 18)),
    ],
)  # fmt: skip
def test_spectrograms_of_known_length(config: dict[str, Any], shape: Any) -> None:
    assert written("STFTSpectrogram", (None, 48, 2), frame_length=16, **config) == shape


def test_a_spectrogram_of_any_length() -> None:
    shape = written("STFTSpectrogram", (None, None, 2), frame_length=16)
    assert shape is not None and len(shape) == 3


def test_bands_of_known_length() -> None:
    sizes = {"fft_length": 32, "sequence_stride": 8, "num_mel_bins": 5}
    assert written("MelSpectrogram", (None, 200), **sizes) == (None, 5, 26)
    assert len(written("MelSpectrogram", (None, None), **sizes)) == 3


@pytest.mark.parametrize(
    ("name", "shape", "config", "said"),
    [
        ("STFTSpectrogram", (None, 48), {}, "three axes"),
        ("STFTSpectrogram", (None, 48, 2), {"mode": "power"}, "no such mode"),
        ("STFTSpectrogram", (None, 48, 2), {"padding": "causal"}, "unknown padding"),
        ("MelSpectrogram", (None, 4000), {"window": "blackman"}, "unknown window"),
    ],
)
def test_what_cannot_be_written(name: str, shape: Any, config: Any, said: str) -> None:
    with pytest.raises(ConversionError, match=said):
        written(name, shape, **config)
