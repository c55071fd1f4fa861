"""Bidirectional layers come back from the two loops that they are written as."""

from __future__ import annotations

from typing import Any

import pytest

IN, UNITS = 4, 3
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}


def weights(class_name: str) -> dict[str, tuple[int, ...]]:
    columns = GATES[class_name] * UNITS
    one = {
        "kernel": (IN, columns), "recurrent_kernel": (UNITS, columns),
        "bias": (2, columns) if class_name == "GRU" else (columns,),
    }  # fmt: skip
    ways = ("forward_layer", "backward_layer")
    return {f"{way}/{name}": shape for way in ways for name, shape in one.items()}


def around(class_name: str, **config: Any) -> dict[str, Any]:
    inner = {"name": "inner", "units": UNITS, **config}
    return {"layer": {"class_name": class_name, "config": inner}}


@pytest.mark.parametrize("class_name", GATES)
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave"])
@pytest.mark.parametrize("sequences", [False, True])
def test_law(law: Any, class_name: str, mode: str, sequences: bool) -> None:
    config = {**around(class_name, return_sequences=sequences), "merge_mode": mode}
    (form,) = law("Bidirectional", config, [(None, 5, IN)], **weights(class_name))
    assert form.config["merge_mode"] == mode
    assert form.config["backward_layer"]["config"]["go_backwards"] is True


def test_two_layers_that_go_the_same_way_are_no_bidirectional(network_law: Any) -> None:
    import numpy as np

    from modelfmt.network import Call, Layer, Network, Ref
    from modelfmt.tensor import Tensor

    def lstm(name: str) -> Layer:
        random = np.random.default_rng(len(name))
        shapes = {"kernel": (4, 12), "recurrent_kernel": (3, 12), "bias": (12,)}
        tensors = {
            key: Tensor.from_numpy(key, random.normal(size=shape).astype("float32"))
            for key, shape in shapes.items()
        }
        return Layer("LSTM", name, {}, tensors, calls=[Call([Ref("x")])])

    x = Layer("InputLayer", "x", {"batch_shape": [None, 5, 4], "dtype": "float32"})
    both = Call([Ref("a"), Ref("bb")], structure=True)
    joined = Layer("Concatenate", "joined", {}, calls=[both])
    form = network_law(
        Network(
            "model", layers=[x, lstm("a"), lstm("bb"), joined], inputs=[Ref("x")],
            outputs=[Ref("joined")],
        )
    )  # fmt: skip
    assert [layer.class_name for layer in form] == ["LSTM", "LSTM", "Concatenate"]
