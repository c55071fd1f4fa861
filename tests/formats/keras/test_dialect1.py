"""Keras 1 configs in the dialect of Keras 2."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from modelfmt.errors import ConversionError, CorruptFileError
from modelfmt.keras.config import read_config
from modelfmt.keras.dialect1 import modern
from modelfmt.network import Call, Ref


def row(class_name: str, name: str = "it", **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}}


def sequential(*rows: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": list(rows)}


def one(class_name: str, **config: Any) -> tuple[str, dict[str, Any]]:
    """A layer's class and config after the change, without its name."""
    made = modern(sequential(row(class_name, **config)))["config"][-1]
    return made["class_name"], {k: v for k, v in made["config"].items() if k != "name"}


@pytest.mark.parametrize(
    ("class_name", "config", "wanted", "made"),
    [
        ("Dense", {"output_dim": 3, "bias": False, "init": "zero", "input_dim": 2}, "Dense",
         {"units": 3, "use_bias": False, "kernel_initializer": "zeros"}),
        ("TimeDistributedDense", {"output_dim": 3}, "Dense", {"units": 3}),
        ("Convolution1D", {"nb_filter": 2, "filter_length": 3, "subsample_length": 2,
                           "border_mode": "same"},
         "Conv1D", {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same"}),
        ("AtrousConvolution1D", {"atrous_rate": 2}, "Conv1D", {"dilation_rate": 2}),
        ("Convolution2D", {"nb_row": 2, "nb_col": 3, "dim_ordering": "th", "subsample": [1, 1]},
         "Conv2D", {"kernel_size": [2, 3], "data_format": "channels_first", "strides": [1, 1]}),
        ("Convolution3D", {"kernel_dim1": 1, "kernel_dim2": 2, "kernel_dim3": 3}, "Conv3D",
         {"kernel_size": [1, 2, 3]}),
        ("SeparableConvolution2D", {"depthwise_regularizer": None, "init": "one"},
         "SeparableConv2D", {"depthwise_regularizer": None, "depthwise_initializer": "ones"}),
        ("Deconvolution2D", {"dim_ordering": "tf", "output_shape": [None, 7, 8, 3]},
         "Conv2DTranspose", {"data_format": "channels_last", "output_size": [7, 8]}),
        ("Deconvolution2D", {"dim_ordering": "th", "output_shape": [None, 3, 7, 8]},
         "Conv2DTranspose", {"data_format": "channels_first", "output_size": [7, 8]}),
        ("MaxPooling1D", {"pool_length": 2, "stride": 1, "border_mode": "valid"}, "MaxPooling1D",
         {"pool_size": 2, "strides": 1, "padding": "valid"}),
        ("LSTM", {"output_dim": 2, "inner_activation": "sigmoid", "forget_bias_init": "one",
                  "consume_less": "cpu", "dropout_W": 0.1, "dropout_U": 0.2},
         "LSTM", {"units": 2, "recurrent_activation": "sigmoid", "unit_forget_bias": True,
                  "dropout": 0.1, "recurrent_dropout": 0.2}),
        ("Dropout", {"p": 0.3}, "Dropout", {"rate": 0.3}),
        ("GaussianNoise", {"sigma": 0.3}, "GaussianNoise", {"stddev": 0.3}),
        ("UpSampling1D", {"length": 3}, "UpSampling1D", {"size": 3}),
        ("ZeroPadding1D", {"padding": {"left_pad": 2}}, "ZeroPadding1D", {"padding": [2, 0]}),
        ("ZeroPadding2D", {"padding": [1, 2, 3, 4]}, "ZeroPadding2D",
         {"padding": [[1, 2], [3, 4]], "data_format": "channels_last"}),
        ("ZeroPadding2D", {"padding": [1, 2]}, "ZeroPadding2D",
         {"padding": [1, 2], "data_format": "channels_last"}),
        ("Embedding", {"input_dim": 4, "output_dim": 2, "init": "uniform", "dropout": 0.1},
         "Embedding",
         {"input_dim": 4, "output_dim": 2, "embeddings_initializer": "random_uniform"}),
        ("BatchNormalization", {"mode": 0, "axis": 1}, "BatchNormalization", {"axis": 1}),
        ("BatchNormalization", {"mode": 2}, "BatchNormalizationOfKeras1", {"mode": 2}),
        ("Dense", {"W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.1},
                   "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0}}, "Dense",
         {"kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.1}},
          "kernel_constraint": {"class_name": "MaxNorm", "config": {"max_value": 2, "axis": 0}}}),
        ("Merge", {"mode": "sum", "mode_type": "raw"}, "Add", {}),
        ("Mine", {"output_dim": 3, "p": 1}, "Mine", {"output_dim": 3, "p": 1}),
        ("Dense", {"whatever": [1]}, "Dense", {"whatever": [1]}),
    ],
)
def test_layers(class_name: str, config: Any, wanted: str, made: Any) -> None:
    before = copy.deepcopy(config)
    if class_name == "Merge":
        found = modern(sequential(row("Dense"), row(class_name, **config)))["config"][-1]
        assert found["class_name"] == wanted
    else:
        assert one(class_name, **config) == (wanted, made)
    assert config == before


@pytest.mark.parametrize(
    ("config", "wanted", "made"),
    [
        ({"mode": "mul"}, "Multiply", {}), ({"mode": "ave"}, "Average", {}),
        ({"mode": "max"}, "Maximum", {}),
        ({"mode": "concat", "concat_axis": 1}, "Concatenate", {"axis": 1}),
        ({"mode": "dot", "dot_axes": [1, 2]}, "Dot", {"axes": [1, 2]}),
    ],
)  # fmt: skip
def test_modes_of_merge(config: Any, wanted: str, made: Any) -> None:
    found = modern(sequential(row("Dense"), row("Merge", **config)))["config"][-1]
    assert (found["class_name"], found["config"]) == (wanted, {"name": "it", **made})


@pytest.mark.parametrize("config", [{"mode": "cos"}, {"mode": "f", "mode_type": "function"}])
def test_other_merges_stay(config: Any) -> None:
    found = modern(sequential(row("Dense"), row("Merge", **config)))["config"][-1]
    assert (found["class_name"], found["config"]) == ("Merge", {"name": "it", **config})


def test_what_says_no_ordering_has_that_of_the_layer_before() -> None:
    rows = [row("Convolution2D", "a", dim_ordering="th"), row("Cropping2D", "b"),
            row("Convolution2D", "c", dim_ordering="tf"), row("UpSampling2D", "d")]
    made = modern(sequential(row("ZeroPadding2D", "z"), *rows))["config"]
    assert [r["config"].get("data_format") for r in made] == [
        "channels_first", "channels_first", "channels_first", "channels_last", "channels_last"]


def test_a_sequential_gets_its_input_layer() -> None:
    first = row("Embedding", "e", batch_input_shape=[None, 4], input_dtype="int32")
    network = read_config(sequential(first), keras_version="1.2.2")
    assert network.keras_major == 1
    assert network.layers[0].config == {"batch_shape": [None, 4], "dtype": "int32"}
    assert network.layers[1].config == {}


def test_wrapped_layers_are_changed_too() -> None:
    inner = row("GRU", "g", output_dim=2)
    made = one("Bidirectional", layer=inner)[1]["layer"]
    assert made == {"class_name": "GRU", "config": {"name": "g", "units": 2}}
    network = read_config(sequential(row("Bidirectional", layer=inner)), keras_version="1.2.2")
    config = network.layers[-1].config["layer"]["config"]
    assert config["reset_after"] is False and config["zero_output_for_mask"] is False


def branch(name: str) -> dict[str, Any]:
    return sequential(row("Dense", name, output_dim=2, batch_input_shape=[None, 3]))


def test_a_merge_at_the_start_becomes_a_model() -> None:
    merge = row("Merge", "m", mode="concat", concat_axis=-1, layers=[branch("a"), branch("b")])
    network = read_config(sequential(merge, row("Dense", "d", output_dim=1)),
                          keras_version="1.2.2")
    assert network.kind == "Functional"
    assert [layer.name for layer in network.layers] == ["a_input", "a", "b_input", "b", "m", "d"]
    assert network.layer("m").calls == [Call([Ref("a"), Ref("b")], structure=True)]
    assert network.layer("d").calls == [Call([Ref("m")])]
    assert network.inputs == [Ref("a_input"), Ref("b_input")] and network.outputs == [Ref("d")]
    assert "nameless" not in network.extras


def test_a_model_of_several_inputs_may_come_first() -> None:
    merge = row("Merge", "m", mode="sum", layers=[branch("a"), branch("b")])
    whole = sequential(sequential(merge, row("Dense", "c", output_dim=2)), row("Dense", "d"))
    network = read_config(whole, keras_version="1.2.2")
    assert network.inputs == [Ref("a_input"), Ref("b_input")]
    assert network.layers[2].network is not None
    assert network.layers[2].calls == [Call([Ref("a_input"), Ref("b_input")], structure=True)]


@pytest.mark.parametrize("layers", [None, []])
def test_a_merge_of_nothing(layers: Any) -> None:
    with pytest.raises(CorruptFileError, match="merges nothing"):
        read_config(sequential(row("Merge", mode="sum", layers=layers)), keras_version="1.2.2")


def test_a_merge_of_what_is_no_model() -> None:
    with pytest.raises(ConversionError, match="no models"):
        read_config(sequential(row("Merge", mode="sum", layers=[row("Dense")])),
                    keras_version="1.2.2")


@pytest.mark.parametrize(
    "body", [{}, {"layers": 3}, [{"class_name": "Merge"}], [3], [{"class_name": "Dense"}],
             [{"class_name": "Merge", "config": []}], [row("Merge", layers=[3])],
             [row("Merge", layers=[{"class_name": "Model", "config": {"layers": []}}])]],
)  # fmt: skip
def test_a_broken_config(body: Any) -> None:
    with pytest.raises(CorruptFileError):
        read_config({"class_name": "Sequential", "config": body}, keras_version="1.2.2")


def test_an_empty_model_is_read() -> None:
    assert read_config(sequential(), keras_version="1.2.2").layers == []
