"""Recurrent layers written as graphs, to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.conditionals import look
from modelfmt.graphs.view import View
from modelfmt.layers import write_network

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


@pytest.fixture
def looked(single: Any) -> Callable[..., View]:
    """A layer of 3 units on sequences of 4 features, as a View of the graph it is written as."""

    def look_at(class_name: str, steps: int | None = 5, **config: Any) -> View:
        columns = GATES[class_name] * 3
        after = class_name == "GRU" and config.get("reset_after", True)
        graph = GraphBuilder()
        network = single(
            class_name, config, [(None, steps, 4)], kernel=(4, columns),
            recurrent_kernel=(3, columns), bias=(2, columns) if after else (columns,),
        )  # fmt: skip
        write_network(network, graph)
        return look(graph)

    return look_at
