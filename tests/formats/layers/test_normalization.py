"""BatchNormalization: what is written is recognised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import codec_for, recognise, write_network
from modelfmt.network import Layer
from modelfmt.tensor import Tensor

CASES = [
    ((None, 4), -1), ((None, 4), 1), ((None, 5, 4), -1), ((None, 5, 4), 1), ((None, None, 4), 2),
    ((None, 5, 6, 4), -1), ((None, 5, 6, 4), 3), ((None, 5, 6, 4), 1), ((None, 5, 6, 4), 2),
    ((None, 5, 6, 4), -2), ((None, None, None, 4), -1), ((None, 4, None, None), 1),
    ((None, 2, 5, 6, 4), -1), ((None, 2, 5, 6, 4), 1), ((None, 1), -1), ((3, 4), -1),
    ((None, 1, 2), 1), ((None, 2, 1), -1), ((None, 2, 1), 1), ((None, 3, 1, 4), 2),
]


@pytest.mark.parametrize(("shape", "axis"), CASES, ids=str)
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_batch_normalization(law: Any, shape: Any, axis: int, scale: bool, center: bool) -> None:
    names = ["gamma"] * scale + ["beta"] * center + ["moving_mean", "moving_variance"]
    config = {"axis": axis, "epsilon": 0.0025, "scale": scale, "center": center}
    form = law("BatchNormalization", config, [shape],
               **dict.fromkeys(names, (shape[axis],)))
    rank = len(shape)
    assert form[0].config == {
        **config, "axis": -1 if axis % rank == rank - 1 else axis % rank
    }
    assert [weight.name for weight in form[0].weights] == names


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5, 1.001e-5, 0.1])
def test_epsilon(law: Any, epsilon: float) -> None:
    sizes = dict.fromkeys(["gamma", "beta", "moving_mean", "moving_variance"], (4,))
    for shape in ((None, 4), (None, 5, 5, 4)):
        form = law("BatchNormalization", {"epsilon": epsilon}, [shape], **sizes)
        assert form[0].config["epsilon"] == epsilon


@pytest.mark.parametrize("shape", [(None, 3, 4), (None, 5, 3, 4), (None, None, 3, 4)], ids=str)
def test_several_axes_take_the_weights_as_they_are(single: Any, shape: Any) -> None:
    """tf_keras stores them in the shape in which they broadcast."""
    stored = (*[1] * (len(shape) - 2), 3, 4)
    sizes = dict.fromkeys(["gamma", "beta", "moving_mean", "moving_variance"], stored)
    graph = GraphBuilder()
    ends = write_network(single("BatchNormalization", {"axis": [-2, -1]}, [shape], **sizes), graph)
    assert graph.shape(ends[0]) == shape
    assert not [node for node in graph.values() if node.op == "Reshape"]


def test_virtual_batches_are_refused(single: Any) -> None:
    sizes = dict.fromkeys(["gamma", "beta", "moving_mean", "moving_variance"], (1, 1, 4))
    network = single("BatchNormalization", {"virtual_batch_size": 2}, [(None, 4)], **sizes)
    with pytest.raises(ConversionError, match=r'layer "it".*virtual_batch_size=2'):
        write_network(network, GraphBuilder())


def test_inference_leaves_out_what_renorm_stores(law: Any) -> None:
    names = ["gamma", "beta", "moving_mean", "moving_variance"]
    more = ["moving_stddev", "renorm_mean", "renorm_stddev"]
    form = law("BatchNormalization", {"renorm": True}, [(None, 4)],
               **dict.fromkeys(names + more, (4,)))  # fmt: skip
    assert [weight.name for weight in form[0].weights] == names
    codec = codec_for(Layer("BatchNormalization", "it"))
    whole = codec.completed({"renorm": True}, {})
    assert codec.weight_names(whole) == (*names, *more)
    assert codec.untrained(whole) == {*names[2:], *more}


@pytest.mark.parametrize("read", [True, False])
def test_constants_that_fill_in_are_no_weights(read: bool) -> None:
    """tf.keras gives a fused node Consts for what is missing, and reads its variables."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 5, 5, 3))

    def constant(name: str, value: float, variable: bool) -> str:
        made = graph.weight(Tensor.from_numpy(name, np.full(3, value, "float32")))
        return graph.op("Identity", made) if variable else made

    y = graph.op(
        "FusedBatchNormV3", x, constant("gamma", 1.0, False), constant("beta", 0.0, True),
        constant("mean", 0.5, read), constant("variance", 2.0, read), is_training=False,
    )
    graph.op("Identity", y, name="out")
    found = recognise(View(graph)).layers[-1]
    kept = ["beta", "moving_mean", "moving_variance"]
    assert list(found.weights) == (kept if read else ["gamma", *kept])
    assert found.config["scale"] is not read and found.config["center"]


def test_a_fused_node_of_channels_first_is_read() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3, 5, 5))
    weights = [graph.const(np.full(3, value, "float32")) for value in (1, 2, 3, 4)]
    y = graph.op("FusedBatchNormV3", x, *weights, is_training=False, data_format="NCHW")
    graph.op("Identity", y, name="out")
    assert recognise(View(graph)).layers[-1].config["axis"] == 1
