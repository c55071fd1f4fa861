"""Run in a child by an oracle test: do the attributes that we state lead to a layer's weights?

Prints one line a layer of tf_keras that has weights: its class, and what went wrong.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from modelfmt.keras.dialects import normalise
from modelfmt.keras.metadata import attribute_paths

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_USE_LEGACY_KERAS="1", CUDA_VISIBLE_DEVICES="-1")
keras: Any = importlib.import_module("tf_keras")
L = keras.layers


def layers() -> list[tuple[Any, list[tuple[int, ...]]]]:
    line, image, volume = (6, 4), (6, 6, 4), (6, 6, 6, 4)
    rows: list[tuple[Any, Any]] = [
        (L.Dense(3), line), (L.Dense(3, use_bias=False), line), (L.PReLU(), line),
        (L.EinsumDense("abc,cd->abd", (None, 5), bias_axes="d"), line),
        (L.BatchNormalization(), line), (L.BatchNormalization(scale=False), line),
        (L.LayerNormalization(), line), (L.LayerNormalization(center=False), line),
        (L.GroupNormalization(2), line), (L.Normalization(), line),
        (L.Conv1D(3, 2), line), (L.Conv2D(3, 2), image),
        (L.Conv3D(3, 2), volume), (L.Conv1DTranspose(3, 2), line),
        (L.Conv2DTranspose(3, 2), image), (L.Conv3DTranspose(3, 2), volume),
        (L.DepthwiseConv1D(2), line), (L.DepthwiseConv2D(2), image),
        (L.SeparableConv1D(3, 2), line), (L.SeparableConv2D(3, 2, use_bias=False), image),
        (L.LocallyConnected1D(3, 2), line), (L.Embedding(5, 3), (6,)),
        (L.SimpleRNN(3), line), (L.LSTM(3), line), (L.LSTM(3, use_bias=False), line),
        (L.GRU(3), line), (L.GRU(3, reset_after=False), line),
        (L.ConvLSTM1D(3, 2), (5, *line)), (L.ConvLSTM2D(3, 2), (5, *image)),
        (L.Bidirectional(L.LSTM(3)), line), (L.Bidirectional(L.GRU(3, use_bias=False)), line),
        (L.RNN(L.LSTMCell(3)), line), (L.RNN([L.LSTMCell(3), L.GRUCell(2)]), line),
        (L.TimeDistributed(L.Dense(3)), line), (L.TimeDistributed(L.DepthwiseConv2D(2)),
                                                (5, *image)),
        (L.TimeDistributed(L.BatchNormalization()), line),
        (L.MultiHeadAttention(2, 3), [line, line]),
        (L.MultiHeadAttention(2, 3, use_bias=False), [line, line]),
        (L.Attention(use_scale=True), [line, line]), (L.AdditiveAttention(), [line, line]),
    ]  # fmt: skip
    return [(layer, shapes if isinstance(shapes, list) else [shapes]) for layer, shapes in rows]


def attribute(layer: Any, path: str) -> Any:
    """What tf.keras' loader finds at the end of a way of attributes."""
    for name in path.split("/"):
        layer = layer._lookup_dependency(name)
        assert layer is not None, f"no attribute {name} of {path}"
    return layer


def judge(layer: Any, shapes: list[tuple[int, ...]]) -> str:
    inputs = [keras.Input(shape) for shape in shapes]
    if type(layer).__name__ == "MultiHeadAttention":
        layer(*inputs)
    else:
        layer(inputs if len(inputs) > 1 else inputs[0])
    names = [weight.name.split(":")[0].rpartition("/")[2] for weight in layer.weights]
    class_name, config = normalise(type(layer).__name__, layer.get_config(), 2)
    paths = attribute_paths(class_name, config, names)
    if len(paths) != len(names):
        return f"{len(paths)} ways to {len(names)} weights"
    for path, weight in zip(paths, layer.weights, strict=True):
        if attribute(layer, path) is not weight:
            return f"{path} is not {weight.name}"
    return "good"


if __name__ == "__main__":
    for layer, shapes in layers():
        try:
            found = judge(layer, shapes)
        except Exception as error:  # the parent reports it
            found = f"{type(error).__name__}: {error}".replace("\n", " ")
        print(f"LAYER {type(layer).__name__} {found}", flush=True)
