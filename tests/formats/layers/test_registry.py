"""The registry: one codec a class name, the last one counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from modelfmt import layers
from modelfmt.errors import UnknownLayerError
from modelfmt.layers import registry
from modelfmt.layers.codec import LayerCodec
from modelfmt.network import Layer


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = dict(registry._CODECS)
    yield
    registry._CODECS.clear()
    registry._CODECS.update(before)


def test_a_registered_class_is_found_by_its_layers() -> None:
    @registry.register_layer
    class Mine(LayerCodec):
        class_name = "Mine"

    assert isinstance(registry.codec_for(Layer("Mine", "m")), Mine)
    assert list(registry.codecs())[-1].class_name == "Mine"


def test_a_later_one_replaces_an_earlier() -> None:
    @registry.register_layer
    class MyDense(LayerCodec):
        class_name = "Dense"

    count = len(list(registry.codecs()))
    assert isinstance(registry.codec_for(Layer("Dense", "d")), MyDense)
    registry.register_layer(MyDense)
    assert len(list(registry.codecs())) == count


@pytest.mark.parametrize("wrong", [LayerCodec, int, "Dense", LayerCodec(), None])
def test_what_is_no_codec_class(wrong: Any) -> None:
    with pytest.raises(TypeError, match="sets class_name"):
        registry.register_layer(wrong)


def test_an_unknown_class_names_the_layer_and_the_remedy() -> None:
    sentence = r'layer "c": no codec for a layer of class Cauldron.*--custom'
    with pytest.raises(UnknownLayerError, match=sentence) as e:
        registry.codec_for(Layer("Cauldron", "c"))
    assert e.value.exit_status == 4


def test_importing_layers_registers_the_built_in_ones() -> None:
    names = {codec.class_name for codec in layers.codecs()}
    assert {"Dense", "Conv2D", "BatchNormalization", "Flatten", "Add", "Dropout", "ReLU"} <= names


def test_every_codec_says_what_it_is() -> None:
    for codec in registry.codecs():
        assert codec.class_name and codec.__doc__
        assert set(codec.optional_weights) <= set(codec.weights)
        assert set(codec.optional_weights.values()) <= set(codec.config)
        assert set(codec.non_trainable) <= set(codec.weights)
