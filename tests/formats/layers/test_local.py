"""Locally connected layers: three implementations that hold the same numbers differently."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import codec_for, write_network

#: x (7, 6, 2), window (3, 2), 4 filters: 5 x 5 positions.
KERNELS = {1: (25, 12, 4), 2: (7, 6, 2, 5, 5, 4), 3: (25 * 12 * 4,)}
BASE = {"filters": 4, "kernel_size": (3, 2)}


def written(network: Any) -> tuple[Any, GraphBuilder]:
    graph = GraphBuilder()
    (out,) = write_network(network, graph)
    return graph.shape(out), graph


@pytest.mark.parametrize("way", KERNELS)
def test_every_implementation(single: Any, way: int) -> None:
    network = single(
        "LocallyConnected2D", BASE, [(None, 7, 6, 2)], kernel=KERNELS[way], bias=(5, 5, 4)
    )
    shape, graph = written(network)
    assert shape == (None, 5, 5, 4)
    op = {1: "BatchMatMulV2", 2: "Mul", 3: "ScatterNd"}[way]
    assert op in [node.op for node in graph.values()]
    it = network.layers[-1]
    assert codec_for(it).completed(it.config, it.weights)["implementation"] == way


@pytest.mark.parametrize(("way", "kernel"), [(2, (7, 2, 4, 4)), (3, (11 * 2 * 4,))])
def test_same_padding_reaches_over_the_edges(single: Any, way: int, kernel: Any) -> None:
    # Strides of 2 and a window of 3: positions 0, 2, 4, 6 reach 2, 3, 3 and 2 elements, and one
    # more than that of two windows is no entry of the sparse matrix.
    config = {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}
    if way == 3:
        kernel = (10 * 2 * 4,)
    network = single("LocallyConnected1D", config, [(None, 7, 2)], kernel=kernel, bias=(4, 4))
    assert written(network)[0] == (None, 4, 4)


def test_channels_first_needs_no_transpose_of_x(single: Any) -> None:
    config = {**BASE, "data_format": "channels_first"}
    network = single("LocallyConnected2D", config, [(None, 2, 7, 6)], kernel=(2, 7, 6, 4, 5, 5),
                     bias=(5, 5, 4))  # fmt: skip
    shape, graph = written(network)
    assert shape == (None, 4, 5, 5)
    assert "Transpose" not in [node.op for node in graph.values()]


@pytest.mark.parametrize("kernel", [(24, 12, 4), (7, 6, 2, 5, 4, 4), (77,)])
def test_a_kernel_of_another_shape_is_named(single: Any, kernel: Any) -> None:
    network = single("LocallyConnected2D", BASE, [(None, 7, 6, 2)], kernel=kernel, bias=(5, 5, 4))
    with pytest.raises(MismatchError, match="kernel of LocallyConnected2D has another shape"):
        written(network)


def test_unknown_sizes_and_paddings_are_named(single: Any) -> None:
    given = {"kernel": KERNELS[1], "bias": (5, 5, 4)}
    with pytest.raises(ConversionError, match="whose sizes are known"):
        written(single("LocallyConnected2D", BASE, [(None, None, 6, 2)], **given))
    with pytest.raises(ConversionError, match="unknown padding"):
        written(
            single("LocallyConnected2D", {**BASE, "padding": "full"}, [(None, 7, 6, 2)], **given)
        )
