"""Image augmentation: nothing at inference but a cast of integers, where Keras makes one."""

from __future__ import annotations

import pytest

from modelfmt import dtypes
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.keras.accepted import accepted, is_built_in
from modelfmt.layers import codecs
from modelfmt.layers.augmentation import AugmentationCodec
from modelfmt.layers.binding import prepared
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer

NAMES = [codec.class_name for codec in codecs() if isinstance(codec, AugmentationCodec)]


def kept(name: str, dtype: str, major: int) -> bool:
    graph = GraphBuilder()
    graph.keras_major = major
    x = graph.placeholder("x", dtypes.from_name(dtype), (None, 4, 4, 3))
    it = prepared(Layer(name, "it", {"factor": 0.5}))
    (y,) = codec_for(it).write(it, [x], graph)
    assert y == x or graph.dtype(y) is dtypes.float32
    return y == x


@pytest.mark.parametrize("name", NAMES)
def test_images_pass(name: str) -> None:
    assert is_built_in(name)
    for major in (2, 3):
        if accepted(name, major) is not None:
            assert kept(name, "float32", major)
    it = Layer(name, "it")
    assert codec_for(it).canonical(it, []) == []


def test_integers_become_floats_where_keras_makes_them() -> None:
    assert kept("RandomHeight", "uint8", 2) and not kept("RandomFlip", "uint8", 2)
    assert kept("RandomHue", "uint8", 3) and not kept("RandomFlip", "uint8", 3)
    assert not kept("RandomHue", "float16", 3)
