"""Up-sampling: repetition over any axes, interpolation over two."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import from_name
from modelfmt.errors import ConversionError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import write_network

OPS = {
    "nearest": "ResizeNearestNeighbor", "bilinear": "ResizeBilinear", "bicubic": "ResizeBicubic",
    "area": "ResizeArea", "lanczos3": "ScaleAndTranslate", "gaussian": "ScaleAndTranslate",
}  # fmt: skip


def written(network: Any) -> tuple[Any, GraphBuilder]:
    graph = GraphBuilder()
    (out,) = write_network(network, graph)
    return graph.shape(out), graph


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("size", [9, None])
def test_shapes(single: Any, rank: int, size: int | None) -> None:
    name, three = f"UpSampling{rank}D", None if size is None else 3 * size
    shape, _ = written(single(name, {"size": 3}, [(None, *[size] * rank, 2)]))
    assert shape == (None, *[three] * rank, 2)
    if rank > 1:
        config = {"size": 3, "data_format": "channels_first"}
        shape, _ = written(single(name, config, [(None, 2, *[size] * rank)]))
        assert shape == (None, 2, *[three] * rank)


@pytest.mark.parametrize(("method", "op"), OPS.items())
def test_interpolations(single: Any, method: str, op: str) -> None:
    config = {"size": (2, 3), "interpolation": method}
    shape, graph = written(single("UpSampling2D", config, [(None, 4, None, 2)]))
    assert shape == (None, 8, None, 2)
    (node,) = [node for node in graph.values() if node.op == op]
    if "Scale" not in op and method != "area":
        assert node.attrs["half_pixel_centers"] is True


def test_an_unknown_interpolation_is_named(single: Any) -> None:
    network = single("UpSampling2D", {"interpolation": "cubic"}, [(None, 4, 4, 2)])
    with pytest.raises(ConversionError, match=r"unknown interpolation.*found cubic"):
        written(network)


def test_an_interpolation_keeps_the_dtype(single: Any) -> None:
    network = single("UpSampling2D", {"interpolation": "bilinear"}, [(None, 4, 4, 2)])
    network.layers[0].config["dtype"] = "float16"
    graph = GraphBuilder()
    (out,) = write_network(network, graph)
    assert graph.dtype(out) == from_name("float16")


def test_a_factor_of_one_is_nothing(single: Any) -> None:
    _, graph = written(single("UpSampling1D", {"size": 1}, [(None, 4, 2)]))
    assert [node.op for node in graph.values()] == ["Placeholder", "Identity"]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [2, 3])
def test_what_is_written_is_recognised(law: Any, rank: int, known: bool, size: int) -> None:
    (form,) = law(f"UpSampling{rank}D", {"size": size}, [(None, *[4 if known else None] * rank, 3)])
    assert form.class_name == f"UpSampling{rank}D"
    assert form.config["size"] == (size if rank == 1 else [size] * rank)
