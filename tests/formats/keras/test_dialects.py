"""One layer's config in the dialects of all majors."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from modelfmt.errors import ConversionError, UnknownLayerError
from modelfmt.keras.dialects import (
    is_multi_backend,
    normalise,
    settle_multi_backend,
    specialise,
)


@pytest.mark.parametrize(
    ("class_name", "config", "wanted"),
    [
        ("InputLayer", {"batch_input_shape": [None, 3]}, {"batch_shape": [None, 3]}),
        ("Dense", {"batch_input_shape": [None, 3], "units": 1}, {"units": 1}),
        ("BatchNormalization", {"axis": [3]}, {"axis": 3}),
        ("BatchNormalization", {"axis": [1, 2]}, {"axis": [1, 2]}),
        ("LeakyReLU", {"alpha": 0.1}, {"negative_slope": 0.1}),
        ("ELU", {"alpha": 0.1}, {"alpha": 0.1}),
        ("ThresholdedReLU", {"theta": 0.5}, {"theta": 0.5}),
        ("Dense", {"activation": "swish"}, {"activation": "silu"}),
        ("Dense", {"activation": "hard_sigmoid"}, {"activation": "hard_sigmoid_keras2"}),
        ("LSTM", {"recurrent_activation": "hard_sigmoid", "implementation": 1},
         {"recurrent_activation": "hard_sigmoid_keras2"}),
        ("LocallyConnected1D", {"implementation": 2}, {"implementation": 2}),
        ("Dense", {"activation": {"class_name": "function", "config": "relu",
                                  "module": "builtins"}}, {"activation": "relu"}),
        ("Dense", {"activation": {"class_name": "ReLU", "config": {}}},
         {"activation": {"class_name": "ReLU", "config": {}}}),
        ("Dense", {"activation": "custom>mine"}, {"activation": "custom>mine"}),
        ("Dense", {"dtype": {"class_name": "Policy", "config": {"name": "mixed_float16"}}},
         {"dtype": "mixed_float16"}),
        ("GRU", {"units": 2}, {"units": 2, "reset_after": False}),
        ("GRU", {"reset_after": True}, {"reset_after": True}),
        ("LSTM", {"time_major": False}, {}),
        ("LSTM", {"time_major": True}, {"time_major": True}),
        ("Conv2D", {"groups": 1}, {"groups": 1}),
        ("DepthwiseConv2D", {"groups": 1, "kernel_initializer": "zeros"}, {}),
        ("DepthwiseConv2D", {"groups": 2}, {"groups": 2}),
    ],
)
def test_normalise_keras_2(class_name: str, config: Any, wanted: Any) -> None:
    before = copy.deepcopy(config)
    assert normalise(class_name, config, 2) == (class_name, wanted)
    assert config == before


def test_hard_sigmoid_of_keras_3_keeps_its_name() -> None:
    assert normalise("Dense", {"activation": "hard_sigmoid"}, 3)[1]["activation"] == "hard_sigmoid"


def test_wrapped_layers_are_normalised_too() -> None:
    inner = {"class_name": "LSTM", "config": {"recurrent_activation": "hard_sigmoid"}}
    found = normalise("Bidirectional", {"layer": inner}, 2)[1]["layer"]["config"]
    assert found == {"recurrent_activation": "hard_sigmoid_keras2"}


@pytest.mark.parametrize(
    ("class_name", "config", "major", "wanted"),
    [
        ("InputLayer", {"batch_shape": [None, 3], "optional": False}, 2,
         {"batch_input_shape": [None, 3]}),
        ("LeakyReLU", {"negative_slope": 0.1}, 2, {"alpha": 0.1}),
        ("Dense", {"activation": "silu", "lora_rank": None}, 2, {"activation": "swish"}),
        ("Dense", {"activation": "hard_sigmoid_keras2"}, 2, {"activation": "hard_sigmoid"}),
        ("SpatialDropout2D", {"rate": 0.5, "trainable": True, "noise_shape": None}, 3,
         {"rate": 0.5}),
        ("LSTM", {"units": 2, "zero_output_for_mask": False}, 2, {"units": 2}),
        (
            "LSTM", {"units": 2, "zero_output_for_mask": True}, 2,
            {"units": 2, "zero_output_for_mask": True},
        ),
        ("Dense", {"kernel_initializer": {"module": "keras.initializers", "class_name": "Zeros",
                                          "config": {"input_axes": None}}}, 2,
         {"kernel_initializer": {"class_name": "Zeros", "config": {}}}),
        ("Dense", {"kernel_initializer": {"class_name": "Zeros", "config": {"dtype": "float32"}}},
         3, {"kernel_initializer": {"class_name": "Zeros", "config": {}}}),
        ("Whatever", {"anything": 1}, 3, {"anything": 1}),
    ],
)
def test_specialise(class_name: str, config: Any, major: int, wanted: Any) -> None:
    assert specialise(class_name, config, major) == wanted


@pytest.mark.parametrize(
    ("class_name", "config", "major"),
    [
        ("LSTM", {"time_major": True}, 3),
        ("DepthwiseConv2D", {"groups": 2}, 3),
        ("Dense", {"activation": "hard_sigmoid_keras2"}, 3),
        ("Dense", {"activation": "hard_sigmoid"}, 2),
        ("Resizing", {"pad_to_aspect_ratio": True}, 2),
    ],
)
def test_what_a_major_cannot_say_is_refused(class_name: str, config: Any, major: int) -> None:
    with pytest.raises(ConversionError):
        specialise(class_name, config, major)


def test_a_class_of_the_other_major_is_named() -> None:
    with pytest.raises(UnknownLayerError, match="Keras 3 has no layer ThresholdedReLU"):
        specialise("ThresholdedReLU", {"theta": 1.0}, 3)


@pytest.mark.parametrize(
    ("version", "major", "wanted"),
    [("1.2.2", 1, True), (None, 1, True), ("2.1.2", 2, True), ("2.3.1", 2, True),
     ("2.2.4-tf", 2, False), ("2.4.0", 2, False), ("2.15.0", 2, False), (None, 2, False),
     ("3.0.5", 3, False)],
)  # fmt: skip
def test_the_keras_of_many_backends(version: str | None, major: int, wanted: bool) -> None:
    assert is_multi_backend(version, major) is wanted


def test_what_the_keras_of_many_backends_meant() -> None:
    config: Any = {"layer": {"class_name": "LSTM", "config": {"units": 2}}}
    settle_multi_backend("Bidirectional", config)
    assert config["layer"]["config"] == {"units": 2, "zero_output_for_mask": False}
    config = {"layer": {"class_name": "UpSampling2D", "config": {"interpolation": "bilinear"}}}
    settle_multi_backend("TimeDistributed", config)
    assert config["layer"]["config"]["half_pixel_centers"] is False
    config = {"interpolation": "nearest"}
    settle_multi_backend("UpSampling2D", config)
    assert config == {"interpolation": "nearest"}
    with pytest.raises(ConversionError, match="half_pixel_centers"):
        specialise("UpSampling2D", {"half_pixel_centers": False}, 3)


@pytest.mark.parametrize("class_name", ["MaxoutDense", "Highway", "SReLU", "Merge"])
@pytest.mark.parametrize("major", [2, 3])
def test_layers_of_keras_1_alone(class_name: str, major: int) -> None:
    with pytest.raises(UnknownLayerError, match=f"Keras {major} has no layer {class_name}"):
        specialise(class_name, {}, major)


@pytest.mark.parametrize("major", [1, 2, 3])
def test_unknown_keys_are_carried(major: int) -> None:
    assert normalise("Dense", {"of_the_future": [1]}, major)[1] == {"of_the_future": [1]}
