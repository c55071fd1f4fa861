"""Padding and cropping."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.dtypes import float32
from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise, write_network

SIDES: list[tuple[int, Any, list[int]]] = [
    (1, 1, [2]), (1, (1, 2), [3]), (1, (0, 2), [2]),
    (2, (1, 2), [2, 4]), (2, ((1, 2), (0, 3)), [3, 3]),
    (3, 1, [2, 2, 2]), (3, ((1, 2), (0, 3), (1, 1)), [3, 3, 2]),
]  # fmt: skip


def shapes(rank: int, first: bool) -> tuple[Any, ...]:
    return (None, 2, *[9] * rank) if first else (None, *[9] * rank, 2)


@pytest.mark.parametrize(("rank", "sides", "more"), SIDES)
@pytest.mark.parametrize("first", [True, False])
def test_padding_is_recognised(law: Any, rank: int, sides: Any, more: Any, first: bool) -> None:
    config = {"padding": sides, "data_format": f"channels_{'first' if first else 'last'}"}
    (form,) = law(f"ZeroPadding{rank}D", config, [shapes(rank, first)])
    found = form.config["padding"]
    assert [sum(row) for row in ([found] if rank == 1 else found)] == more


@pytest.mark.parametrize(("rank", "sides", "less"), SIDES)
@pytest.mark.parametrize("first", [True, False])
def test_cropping(single: Any, rank: int, sides: Any, less: Any, first: bool) -> None:
    config = {"cropping": sides, "data_format": f"channels_{'first' if first else 'last'}"}
    graph = GraphBuilder()
    (out,) = write_network(single(f"Cropping{rank}D", config, [shapes(rank, first)]), graph)
    left = [9 - n for n in less]
    assert graph.shape(out) == ((None, 2, *left) if first else (None, *left, 2))


def test_the_defaults_of_keras(single: Any) -> None:
    for name, rank, size in (("Cropping1D", 1, 7), ("Cropping2D", 2, 9), ("Cropping3D", 3, 7)):
        graph = GraphBuilder()
        (out,) = write_network(single(name, {}, [shapes(rank, False)]), graph)
        assert graph.shape(out) == (None, *[size] * rank, 2)


def test_what_leaves_nothing_is_named(single: Any) -> None:
    network = single("Cropping1D", {"cropping": (4, 5)}, [(None, 9, 2)])
    with pytest.raises(MismatchError, match="leaves nothing of its input"):
        write_network(network, GraphBuilder())


def test_sides_for_another_count_of_axes_are_named(single: Any) -> None:
    network = single("ZeroPadding3D", {"padding": (1, 2)}, [(None, 9, 9, 9, 2)])
    with pytest.raises(ConversionError, match="two sides for each spatial axis"):
        write_network(network, GraphBuilder())


@pytest.mark.parametrize("name", ["ZeroPadding", "Cropping"])
@pytest.mark.parametrize(("rank", "sides", "_"), SIDES)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_what_is_written_is_recognised(
    law: Any, name: str, rank: int, sides: Any, _: Any, first: bool, known: bool
) -> None:
    key = "padding" if name == "ZeroPadding" else "cropping"
    config = {key: sides, "data_format": f"channels_{'first' if first else 'last'}"}
    shape = shapes(rank, first)
    shape = shape if known else tuple(None if size == 9 else size for size in shape)
    law(f"{name}{rank}D", config, [shape])


@pytest.mark.parametrize(("value", "wanted"), [(0.0, ["ZeroPadding1D"]), (1.0, ["Pad"])])
def test_only_zeros_are_a_layer(value: float, wanted: list[str]) -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, 9, 2))
    graph.op("PadV2", x, [[0, 0], [1, 2], [0, 0]], value, name="out")
    found = recognise(View(graph)).layers[1:]
    assert [layer.class_name for layer in found] == wanted


def test_parts_of_any_spelling_are_cropped() -> None:
    graph = GraphBuilder()
    x = graph.placeholder("x", float32, (None, None, 7, 2))
    graph.op("Slice", x, [0, 0, 2, 0], [-1, -1, 4, -1], name="out")
    (layer,) = recognise(View(graph)).layers[1:]
    assert layer.class_name == "Cropping2D"
    assert layer.config["cropping"] == [[0, 0], [2, 1]]
