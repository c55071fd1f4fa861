"""Layers that move elements: what is written is recognised."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.errors import ConversionError, MismatchError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.layers import write_network

FLATTENED = [(None, 4), (None, 3, 4), (None, 2, 3, 4), (None, None, 4), (None, None, None, 4),
             (5, 3, 4), (5, None, 4), (None, 1, 1, 8), (None, 2, None, 3)]


@pytest.mark.parametrize("shape", FLATTENED, ids=str)
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_flatten(law: Any, shape: Any, data_format: str) -> None:
    form = law("Flatten", {"data_format": data_format}, [shape])
    turned = data_format == "channels_first" and len(shape) > 2
    assert [layer.class_name for layer in form] == ["Permute"] * turned + ["Flatten"]


@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ((None, 12), (3, 4)), ((None, 12), (-1, 4)), ((None, 12), (3, -1, 2)), ((None, 12), (12,)),
        ((None, 2, 6), (-1,)), ((None, 2, 6), (6, 2)), ((None, 2, 6), (1, 12)),
        ((None, None, 6), (-1, 3)), ((None, None, 6), (3, 2, -1)), ((None, None, None, 4), (-1, 4)),
        ((None, None, None, 4), (-1, 2)), ((7, 12), (3, 4)), ((7, None), (3, -1)),
        ((None, 1), (1, 1, 1)), ((None, 2, 6), (2, 6)),
    ],
    ids=str,
)
def test_reshape(law: Any, shape: Any, target: Any) -> None:
    form = law("Reshape", {"target_shape": target}, [shape])
    if len(target) == 1:
        assert form[0].class_name == "Flatten"
    elif None not in shape[1:]:
        assert -1 not in form[0].config["target_shape"]
    else:
        assert form[0].config["target_shape"] == list(target)


@pytest.mark.parametrize("dims", [(2, 1), (1, 3, 2), (3, 1, 2), (3, 2, 1), (1, 2), (1, 2, 3)])
@pytest.mark.parametrize("sized", [True, False])
def test_permute(law: Any, dims: Any, sized: bool) -> None:
    form = law("Permute", {"dims": dims}, [(None, *(4 + k if sized else None for k in dims))])
    assert [layer.config for layer in form] == (
        [] if list(dims) == sorted(dims) else [{"dims": list(dims)}]
    )


@pytest.mark.parametrize("padding", [1, (1, 2), ((1, 0), (0, 3)), [[0, 1], [0, 1]]])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("shape", [(None, 5, 6, 7), (None, None, None, None)], ids=str)
def test_zero_padding(law: Any, padding: Any, data_format: str, shape: Any) -> None:
    law("ZeroPadding2D", {"padding": padding, "data_format": data_format}, [shape])


def test_a_reshape_to_another_size_is_refused(single: Any) -> None:
    for target in ((5,), (5, -1)):
        with pytest.raises((ConversionError, MismatchError), match=r'layer "it"'):
            write_network(single("Reshape", {"target_shape": target}, [(None, 12)]),
                          GraphBuilder())


@pytest.mark.parametrize("shape", [(None, 4), (3, 4), (None, 1)], ids=str)
@pytest.mark.parametrize("n", [1, 3])
def test_repeat_vector(law: Any, shape: Any, n: int) -> None:
    form = law("RepeatVector", {"n": n}, [shape])
    assert [(layer.class_name, layer.config) for layer in form] == [("RepeatVector", {"n": n})]


def test_repeat_vector_takes_vectors(single: Any) -> None:
    with pytest.raises(MismatchError, match=r'layer "it": RepeatVector takes vectors'):
        write_network(single("RepeatVector", {"n": 2}, [(None, 3, 4)]), GraphBuilder())


def test_flatten_of_numbers(single: Any) -> None:
    graph = GraphBuilder()
    assert graph.shape(write_network(single("Flatten", {}, [(None,)]), graph)[0]) == (None, 1)
