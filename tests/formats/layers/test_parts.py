"""The layers within a layer: their names, their weights, and what is no layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.errors import MismatchError, UnknownLayerError
from modelfmt.layers.parts import names_of_parts, part, parts_of, untrained_of_parts
from modelfmt.network import Layer
from modelfmt.tensor import Tensor


def wrapped(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": config}


def test_weights_are_named_by_their_place() -> None:
    config = {"layer": wrapped("Dense", units=3)}
    assert names_of_parts(config, ["layer"]) == ("layer/kernel", "layer/bias")


def test_layers_in_a_list_are_counted() -> None:
    cells = [wrapped("LSTMCell", units=3, use_bias=False), wrapped("GRUCell", units=2)]
    assert names_of_parts({"cells": cells}, ["cells"]) == (
        "cells/0/kernel", "cells/0/recurrent_kernel",
        "cells/1/kernel", "cells/1/recurrent_kernel", "cells/1/bias",
    )  # fmt: skip


def test_wrappers_nest() -> None:
    config = {"layer": wrapped("TimeDistributed", layer=wrapped("BatchNormalization"))}
    assert names_of_parts(config, ["layer"]) == tuple(
        f"layer/layer/{name}" for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    assert untrained_of_parts(config, ["layer"]) == {
        "layer/layer/moving_mean", "layer/layer/moving_variance",
    }  # fmt: skip


def test_a_part_gets_its_share_of_the_weights() -> None:
    weights = {
        f"cells/{k}/kernel": Tensor.from_numpy("", np.zeros((4, 3 + k), np.float32))
        for k in range(2)
    }
    cells = [wrapped("SimpleRNNCell", name="first"), wrapped("SimpleRNNCell", use_bias=False)]
    layer = Layer("StackedRNNCells", "stack", {"cells": cells}, weights)
    inner = part(layer, "cells/1")
    assert inner.name == "cells"
    assert inner.config["units"] == 4
    assert list(inner.weights) == ["kernel"]
    assert inner.weights["kernel"] is weights["cells/1/kernel"]
    assert part(layer, "cells/0").name == "first"


def test_a_place_without_a_layer() -> None:
    layer = Layer("RNN", "rnn", {"cell": wrapped("LSTMCell")})
    with pytest.raises(MismatchError, match="wraps no layer at 'cells/0'"):
        part(layer, "cells/0")


@pytest.mark.parametrize("value", ["Dense", {"class_name": "Dense"}, 3])
def test_what_is_no_layer(value: Any) -> None:
    with pytest.raises(MismatchError, match="holds no layer"):
        list(parts_of({"layer": value}, ["layer"]))


def test_nothing_is_wrapped() -> None:
    assert names_of_parts({"backward_layer": None}, ["backward_layer", "layer"]) == ()


def test_a_class_without_a_codec() -> None:
    with pytest.raises(UnknownLayerError):
        names_of_parts({"layer": wrapped("NoSuchLayer")}, ["layer"])
