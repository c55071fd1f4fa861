"""Dense and Rescaling: what is written is recognised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MismatchError, UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import codec_for, recognise, write_network
from modelfmt.layers.activations import FUNCTIONS
from modelfmt.network import Layer

SHAPES = [(None, 4), (2, 4), (None, 3, 4), (None, None, 4), (None, 2, 3, 4), (None, None, 3, 4),
          (None, None, None, 4), (5, 3, 4), (None, 2, 3, 2, 4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", ["linear", "relu", "softmax"])
def test_dense(law: Any, shape: Any, use_bias: bool, activation: str) -> None:
    weights = {"kernel": (4, 3), "bias": (3,)} if use_bias else {"kernel": (4, 3)}
    form = law("Dense", {"use_bias": use_bias, "activation": activation}, [shape], **weights)
    assert form[0].config == {"units": 3, "use_bias": use_bias}
    assert [f.class_name for f in form[1:]] == ["Activation"] * (activation != "linear")


@pytest.mark.parametrize("activation", sorted(FUNCTIONS))
def test_dense_with_every_activation(law: Any, activation: str) -> None:
    law("Dense", {"activation": activation}, [(None, 4)], kernel=(4, 3), bias=(3,))


@pytest.mark.parametrize("units", [1, 4])
def test_dense_of_equal_and_single_sizes(law: Any, units: int) -> None:
    law("Dense", {}, [(None, 4)], kernel=(4, units), bias=(units,))
    law("Dense", {}, [(None, 4, 4)], kernel=(4, units), bias=(units,))
    law("Dense", {}, [(1, 1)], kernel=(1, units), bias=(units,))


@pytest.mark.parametrize(("scale", "offset"), [(0.5, 0.0), (1 / 255, -1.0), (1.0, 0.1), (2, 1),
                                               ([0.5, 2.0, 1.5], [1.0, 2.0, 3.0])])
def test_rescaling(law: Any, scale: Any, offset: Any) -> None:
    law("Rescaling", {"scale": scale, "offset": offset}, [(None, 2, 3)])


def test_dense_names_a_kernel_that_does_not_fit(single: Any) -> None:
    with pytest.raises(MismatchError, match=r'layer "it".*kernel does not fit'):
        write_network(single("Dense", {}, [(None, 5)], kernel=(4, 3), bias=(3,)), GraphBuilder())


def test_an_unknown_activation_is_named(single: Any) -> None:
    network = single("Dense", {"activation": "warp"}, [(None, 4)], kernel=(4, 3), bias=(3,))
    with pytest.raises(ConversionError, match=r"unknown activation function.*warp"):
        write_network(network, GraphBuilder())


@pytest.mark.parametrize("swapped", [False, True])
def test_a_product_of_rows_must_keep_the_other_axes(swapped: bool) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 4))
    kernel = graph.const(np.ones((4, 3), "float32"))
    rows = graph.op("MatMul", graph.op("Reshape", x, [-1, 4]), kernel)
    shape = graph.op("Shape", x)
    leading = graph.op("GatherV2", shape, [1, 0] if swapped else [0, 1], 0)
    y = graph.op("Reshape", rows, graph.op("ConcatV2", leading, [3], 0))
    graph.op("Identity", y, name="out")
    if swapped:
        with pytest.raises(UnrecognisedGraphError):
            recognise(View(graph), layers_only=True)
    else:
        assert [layer.class_name for layer in recognise(View(graph)).layers[1:]] == ["Dense"]


def test_identity_leaves_nothing(law: Any) -> None:
    assert law("Identity", {}, [(None, 4)]) == []


def test_the_code_of_a_lambda_is_not_run(single: Any) -> None:
    network = single("Lambda", {"function": ["4wEAAA", None, None]}, [(None, 4)])
    with pytest.raises(ConversionError, match=r'layer "it": a Lambda layer holds code.*--custom'):
        write_network(network, GraphBuilder())


def test_dense_casts_integers(single: Any) -> None:
    network = single("Dense", {}, [(None, 4)], kernel=(4, 3), bias=(3,))
    network.layers[0].config["dtype"] = "int32"
    graph = GraphBuilder()
    write_network(network, graph)
    assert [node.op for node in graph.values()].count("Cast") == 1


PASSING = [
    "Dense", "Activation", "Masking", "Identity", "LeakyReLU", "ReLU", "ThresholdedReLU", "ELU",
    "PReLU", "Softmax", "BatchNormalization", "LayerNormalization", "GroupNormalization",
    "UnitNormalization", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
    "AlphaDropout", "GaussianDropout", "GaussianNoise", "ActivityRegularization", "Add", "Multiply",
    "Maximum", "Minimum", "Subtract", "Average",
]  # fmt: skip
STOPPING = [
    "EinsumDense", "RMSNormalization", "SpectralNormalization", "Flatten", "Reshape", "Permute",
    "RepeatVector", "Dot",
]  # fmt: skip


@pytest.mark.parametrize("class_name", [*PASSING, *STOPPING])
def test_which_layers_hand_masks_on(class_name: str) -> None:
    """Source: supports_masking of each class, in keras 3.15.1 and tf_keras 2.21."""
    codec = codec_for(Layer(class_name, "it"))
    assert codec.supports_masking is (class_name in PASSING)


# -- Dense by other words -------------------------------------------------------------------------


def matrix(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("bias", [None, (3,), (1, 3)])
@pytest.mark.parametrize("spelling", ["plain", "by rows", "half", "scaled"])
def test_dense_however_its_kernel_comes(spelling: str, bias: Any) -> None:
    """As rows, in half precision, or with a scale of its own."""
    graph = GraphBuilder()
    x, array = graph.placeholder("x", float32, (None, 4)), matrix(4, 3)
    wanted, attrs = array, {}
    kernel: Any = graph.const(array)
    if spelling == "by rows":
        kernel, attrs = graph.const(array.T), {"transpose_b": True}
    elif spelling == "half":
        half = array.astype("float16")
        kernel, wanted = graph.op("Cast", graph.const(half), DstT=float32), half.astype("float32")
    elif spelling == "scaled":
        scale = matrix(3)
        kernel, wanted = graph.op("Mul", kernel, graph.const(scale)), array * scale
    y = graph.op("MatMul", x, kernel, **attrs)
    if bias is not None:
        y = graph.op("AddV2", y, graph.const(matrix(*bias)))
    graph.op("Identity", y, name="out")
    (found,) = recognise(View(graph), layers_only=True).layers[1:]
    assert found.class_name == "Dense" and found.config["use_bias"] is (bias is not None)
    assert found.weights["kernel"].numpy().tolist() == wanted.tolist()
    if bias is not None:
        assert found.weights["bias"].numpy().tolist() == matrix(3).tolist()


def test_a_kernel_by_rows_of_two_layers_is_shared() -> None:
    graph = GraphBuilder()
    kernel = graph.const(matrix(4, 4))
    y = graph.placeholder("x", float32, (None, 4))
    for _ in range(2):
        y = graph.op("MatMul", y, kernel, transpose_b=True)
    found = recognise(View(graph, outputs=[y]), layers_only=True).layers[1:]
    assert [len(layer.calls) for layer in found] == [2]
