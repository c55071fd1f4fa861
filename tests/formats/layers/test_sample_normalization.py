"""Normalization by statistics of the sample: shapes, weights, errors."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import codec_for, write_network
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
