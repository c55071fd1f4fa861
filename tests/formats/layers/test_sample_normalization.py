"""Normalization by statistics of the sample: shapes, weights, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MismatchError, UnrecognisedGraphError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import codec_for, recognise, write_network
from modelfmt.network import Layer


def ops_of(network: Any, shape: Any) -> list[str]:
    graph = GraphBuilder()
    ends = write_network(network, graph)
    assert graph.shape(ends[0]) == shape
    return [node.op for node in graph.values()]


@pytest.mark.parametrize(
    ("shape", "axis", "stored", "turned"),
    [((None, 4), -1, (4,), 0), ((None, None, 4), -1, (4,), 0), ((None, 3, 4), 1, (3,), 2),
     ((None, 3, 4), [1, 2], (3, 4), 2), ((None, None, 3, 4), [3, 2], (4, 3), 2),
     ((None, 3, 4), [2], (4,), 0)],
)  # fmt: skip
def test_layer_normalization(single: Any, shape: Any, axis: Any, stored: Any, turned: int) -> None:
    network = single("LayerNormalization", {"axis": axis}, [shape], gamma=stored, beta=stored)
    assert ops_of(network, shape).count("Reshape") == turned


def test_rms_scaling_has_a_gamma_only(single: Any) -> None:
    codec = codec_for(Layer("LayerNormalization", "it"))
    whole = codec.completed({"rms_scaling": True, "center": True, "scale": False}, {})
    assert codec.weight_names(whole) == ("gamma",)
    network = single("LayerNormalization", {"rms_scaling": True}, [(None, 4)], gamma=(4,))
    assert "Neg" not in ops_of(network, (None, 4))


def test_unknown_sizes_along_the_axis(single: Any) -> None:
    plain = {"axis": [1, 2], "scale": False, "center": False}
    ops_of(single("LayerNormalization", plain, [(None, None, 4)]), (None, None, 4))
    network = single("LayerNormalization", {"axis": [1, 2]}, [(None, None, 4)], gamma=(3, 4))
    with pytest.raises(ConversionError, match="sizes along the axis must be known"):
        write_network(network, GraphBuilder())


def test_weights_that_do_not_fit(single: Any) -> None:
    for class_name in ("LayerNormalization", "GroupNormalization"):
        network = single(class_name, {"groups": 2}, [(None, 4)], gamma=(3,), beta=(3,))
        with pytest.raises(MismatchError, match=r'layer "it": gamma does not fit'):
            write_network(network, GraphBuilder())


@pytest.mark.parametrize("shape", [(None, 4), (None, 3, 4), (None, None, None, 4)], ids=str)
@pytest.mark.parametrize("groups", [1, 2, 4, -1])
def test_group_normalization(single: Any, shape: Any, groups: int) -> None:
    network = single("GroupNormalization", {"groups": groups}, [shape], gamma=(4,), beta=(4,))
    ops_of(network, shape)


@pytest.mark.parametrize("axis", [1, 2, -1, -2])
def test_group_normalization_along_any_axis(single: Any, axis: int) -> None:
    config = {"groups": 2, "axis": axis, "scale": False, "center": False}
    network = single("GroupNormalization", config, [(None, 4, 6)])
    graph = GraphBuilder()
    write_network(network, graph)
    means = [node for node in graph.values() if node.op == "Mean"]
    place = axis % 3
    reduced = [k for k in range(1, 4) if k != place]
    assert [graph.static(node.inputs[1]).value.tolist() for node in means] == [reduced] * 2


def test_groups_that_do_not_share_evenly(single: Any) -> None:
    for groups in (3, 0, 8):
        network = single("GroupNormalization", {"groups": groups}, [(None, 4)])
        with pytest.raises(MismatchError, match="share the channels evenly"):
            write_network(network, GraphBuilder())
    for axis in (0, [1, 2]):
        network = single("GroupNormalization", {"groups": 2, "axis": axis}, [(None, 4, 4)])
        with pytest.raises(ConversionError, match="over this axis"):
            write_network(network, GraphBuilder())


@pytest.mark.parametrize("axis", [-1, [2], [1, 2]], ids=str)
def test_rms_normalization(single: Any, axis: Any) -> None:
    stored = (3, 4) if axis == [1, 2] else (4,)
    ops = ops_of(single("RMSNormalization", {"axis": axis}, [(None, 3, 4)], scale=stored),
                 (None, 3, 4))  # fmt: skip
    assert ops.count("Mean") == 1 and "Square" in ops


@pytest.mark.parametrize("axis", [-1, 1, [1, 2], [-1, -2]], ids=str)
def test_unit_normalization(single: Any, axis: Any) -> None:
    ops = ops_of(single("UnitNormalization", {"axis": axis}, [(None, 3, 4)]), (None, 3, 4))
    assert ops.count("Sum") == 1


@pytest.mark.parametrize("class_name", ["LayerNormalization", "GroupNormalization",
                                        "RMSNormalization", "UnitNormalization"])  # fmt: skip
def test_an_unknown_rank_is_named(class_name: str) -> None:
    graph = GraphBuilder()
    layer = Layer(class_name, "it", dict(codec_for(Layer(class_name, "it")).config))
    with pytest.raises(ConversionError, match=f"{class_name} needs an input of known rank"):
        codec_for(layer).write(layer, [graph.placeholder("x", float32, None)], graph)


# -- recognising ----------------------------------------------------------------------------------

SHAPES: list[Any] = [(None, 4), (None, 3, 4), (None, None, 4), (2, 3, 5, 4), (None, None, None, 4)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("names", [(), ("gamma",), ("beta",), ("gamma", "beta")], ids=str)
@pytest.mark.parametrize(
    ("class_name", "config"),
    [("LayerNormalization", {}), ("GroupNormalization", {"groups": 2}),
     ("GroupNormalization", {"groups": 1}), ("GroupNormalization", {"groups": -1})],
    ids=str,
)  # fmt: skip
def test_what_is_written_is_recognised(
    law: Any, class_name: str, config: Any, names: tuple[str, ...], shape: Any
) -> None:
    config = {**config, "scale": "gamma" in names, "center": "beta" in names, "epsilon": 0.002}
    form = law(class_name, config, [shape], **dict.fromkeys(names, (4,)))
    assert form[0].config["epsilon"] == 0.002


@pytest.mark.parametrize(
    ("axis", "stored"),
    [(1, (3,)), ([1, 2], (3, 5)), ([2, 3], (5, 4)), ([3, 2], (4, 5)), ([-1, 1], (4, 3)),
     ([1, 2, 3], (3, 5, 4))],
)  # fmt: skip
@pytest.mark.parametrize("rms", [True, False])
def test_several_axes_are_recognised(law: Any, axis: Any, stored: Any, rms: bool) -> None:
    weights = {"gamma": stored} if rms else {"gamma": stored, "beta": stored}
    form = law("LayerNormalization", {"axis": axis, "rms_scaling": rms}, [(None, 3, 5, 4)],
               **weights)  # fmt: skip
    assert form[0].weights[0].shape in (stored, stored[::-1])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rms_and_unit_are_recognised(law: Any, shape: Any) -> None:
    assert law("RMSNormalization", {"epsilon": 0.01}, [shape], scale=(4,))[0].config == {
        "axis": -1, "epsilon": 0.01
    }
    assert law("UnitNormalization", {}, [shape])[0].config == {"axis": -1}
    if len(shape) > 2:
        assert law("UnitNormalization", {"axis": [-1, 1]}, [shape])[0].config["axis"][0] == 1


def test_large_images_are_tried_small(law: Any) -> None:
    """Of (512, 512, 64) no number is computed, only of a few; groups need the sizes themselves."""
    law("LayerNormalization", {}, [(None, 512, 512, 64)], gamma=(64,), beta=(64,))
    law("GroupNormalization", {"groups": -1}, [(None, None, None, 64)], gamma=(64,), beta=(64,))


@pytest.mark.parametrize("spelling", ["squares", "product", "divided"])
def test_other_spellings(spelling: str) -> None:
    """As TF1 code has it: the variance as mean of squares less square of the mean, and so on."""
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 3, 4))
    gamma, beta = (graph.const(np.array(v, "f4")) for v in ([1, 2, 3, 4], [5, 6, 7, 8]))
    mean = graph.op("Mean", x, [-1], keep_dims=True)
    apart = graph.op("Sub", x, mean)
    if spelling == "squares":
        squares = graph.op("Mean", graph.op("Square", x), [-1], keep_dims=True)
        variance = graph.op("Sub", squares, graph.op("Square", mean))
    else:
        variance = graph.op("Mean", graph.op("Mul", apart, apart), [-1], keep_dims=True)
    spread = graph.op("Sqrt", graph.op("AddV2", variance, 1e-5))
    if spelling == "divided":
        y = graph.op("RealDiv", graph.op("Mul", gamma, apart), spread)
    else:
        y = graph.op("Mul", graph.op("RealDiv", apart, spread), gamma)
    graph.op("Identity", graph.op("AddV2", y, beta), name="out")
    found = recognise(View(graph)).layers[-1]
    assert (found.class_name, found.config["epsilon"]) == ("LayerNormalization", 1e-5)
    assert found.weights["gamma"].numpy().tolist() == [1, 2, 3, 4]
    assert found.weights["beta"].numpy().tolist() == [5, 6, 7, 8]


def test_what_is_read_elsewhere_is_no_inside() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 4))
    length = graph.op("Rsqrt", graph.op("Sum", graph.op("Square", x), [-1], keep_dims=True))
    graph.op("Identity", graph.op("Mul", x, length), name="out")
    assert recognise(View(graph, outputs=["out"])).layers[-1].class_name == "UnitNormalization"
    with pytest.raises(UnrecognisedGraphError):
        recognise(View(graph, outputs=["out", length]), layers_only=True)
