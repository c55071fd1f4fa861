"""Adaptive pooling: one pool where all windows are alike, else a choice among two."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import write_network
from modelfmt.layers.inference import inference_form


def written(network: Any) -> tuple[Any, Counter[str]]:
    graph = GraphBuilder()
    (out,) = write_network(network, graph)
    return graph.shape(out), Counter(node.op for node in graph.values())


@pytest.mark.parametrize("kind", ["Average", "Max"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 9])
def test_shapes(single: Any, kind: str, rank: int, size: int) -> None:
    name = f"Adaptive{kind}Pooling{rank}D"
    shape, _ = written(single(name, {"output_size": size}, [(None, *[6] * rank, 2)]))
    assert shape == (None, *[size] * rank, 2)
    config = {"output_size": size, "data_format": "channels_first"}
    shape, _ = written(single(name, config, [(None, 2, *[6] * rank)]))
    assert shape == (None, 2, *[size] * rank)


@pytest.mark.parametrize(
    ("size", "pools", "gathers"), [(1, 1, 0), (2, 1, 0), (6, 1, 0), (4, 1, 1), (5, 1, 0), (9, 2, 1)]
)
def test_no_more_nodes_than_it_takes(single: Any, size: int, pools: int, gathers: int) -> None:
    network = single("AdaptiveMaxPooling1D", {"output_size": size}, [(None, 6, 2)])
    _, ops = written(network)
    assert (ops["MaxPool"], ops["GatherV2"]) == (pools, gathers)


def test_unknown_sizes_are_refused(single: Any) -> None:
    network = single("AdaptiveMaxPooling1D", {"output_size": 2}, [(None, None, 2)])
    with pytest.raises(ConversionError, match=r'layer "it": .*whose sizes are known'):
        written(network)


def test_the_inference_form_turns_channels_last(single: Any) -> None:
    config = {"output_size": 4, "data_format": "channels_first"}
    network = single("AdaptiveMaxPooling3D", config, [(None, 2, 6, 6, 6)])
    names = [form.class_name for form in inference_form(network)]
    assert names == ["Permute", "AdaptiveMaxPooling3D", "Permute"]


@pytest.mark.parametrize("kind", ["Max", "Average"])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 4, 5, 6, 9])
def test_what_is_written_is_recognised(law: Any, kind: str, rank: int, size: int) -> None:
    law(f"Adaptive{kind}Pooling{rank}D", {"output_size": size}, [(None, *[6] * rank, 2)])
