"""BatchNormalization: what is written is recognised."""

from __future__ import annotations

from typing import Any

import pytest

from modelfmt.builder import GraphBuilder
from modelfmt.errors import ConversionError
from modelfmt.layers import write_network

CASES = [
    ((None, 4), -1), ((None, 4), 1), ((None, 5, 4), -1), ((None, 5, 4), 1), ((None, None, 4), 2),
    ((None, 5, 6, 4), -1), ((None, 5, 6, 4), 3), ((None, 5, 6, 4), 1), ((None, 5, 6, 4), 2),
    ((None, 5, 6, 4), -2), ((None, None, None, 4), -1), ((None, 4, None, None), 1),
    ((None, 2, 5, 6, 4), -1), ((None, 2, 5, 6, 4), 1), ((None, 1), -1), ((3, 4), -1),
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


def test_several_axes_are_refused(single: Any) -> None:
    sizes = dict.fromkeys(["gamma", "beta", "moving_mean", "moving_variance"], (4,))
    network = single("BatchNormalization", {"axis": [1, 2]}, [(None, 4, 4)], **sizes)
    with pytest.raises(ConversionError, match=r'layer "it": BatchNormalization over several axes'):
        write_network(network, GraphBuilder())
