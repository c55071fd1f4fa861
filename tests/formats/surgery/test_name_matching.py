"""Variables by name -> weights of layers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import MissingError
from modelfmt.layers import bind
from modelfmt.network import Layer, Network
from modelfmt.surgery.convert import convert
from modelfmt.surgery.name_matching import give_by_name
from modelfmt.tensor import Tensor

GOLDEN = Path(__file__).parents[3] / "golden"


def given(layer: Layer, *names: str) -> dict[str, str]:
    tensors = {n: Tensor.from_numpy(n, np.full(1, k, "f4")) for k, n in enumerate(names)}
    give_by_name(Network("m", layers=[layer]), tensors)
    return {name: names[int(t.numpy()[0])] for name, t in layer.weights.items()}


def dense(name: str = "fc") -> Layer:
    return Layer("Dense", name, {"units": 2})


@pytest.mark.parametrize("names", [
    ("fc/kernel", "fc/bias"),
    ("model/tower/fc/kernel:0", "model/tower/fc/bias:0"),
    ("fc/weights", "fc/biases"),
    ("fc/fc_W", "fc/fc_b"),
    ("fc_W", "fc_b"),
    ("fc/fc/kernel", "fc/fc/bias"),
])  # fmt: skip
def test_spellings(names: tuple[str, str]) -> None:
    others = ("fc_1/kernel", "fc/kernel/Adam", "Adam/fc2/kernel", "beta1_power", "xfc/bias")
    assert given(dense(), *others, *names) == dict(zip(("kernel", "bias"), names, strict=True))


def test_a_shorter_way_is_the_layers_own() -> None:
    names = ("copy/fc/kernel", "fc/kernel", "copy/fc/bias", "fc/bias")
    assert given(dense(), *names) == {"kernel": "fc/kernel", "bias": "fc/bias"}


def test_slots_are_nobodys() -> None:
    with pytest.raises(MissingError, match=r'layer "fc".*bias'):
        given(dense(), "fc/kernel", "fc/bias/Adam")


def test_cells() -> None:
    names = [f"rnn/lstm_cell_3/{n}" for n in ("kernel", "recurrent_kernel", "bias")]
    assert list(given(Layer("LSTM", "rnn", {"units": 2}), *names).values()) == names
    plain = [f"lstm/{n}" for n in ("kernel", "recurrent_kernel", "bias")]
    assert list(given(Layer("LSTM", "lstm", {"units": 2}), *plain).values()) == plain


def test_both_ways() -> None:
    inner: Any = {"class_name": "LSTM", "config": {"name": "l", "units": 2}}
    layer = Layer("Bidirectional", "bi", {"layer": inner})
    names = [f"bi/{way}_l/{n}" for way in ("forward", "backward")
             for n in ("kernel", "recurrent_kernel", "bias")]  # fmt: skip
    assert list(given(layer, *reversed(names)).values()) == names


def test_batch_normalization_of_slim() -> None:
    layer = Layer("BatchNormalization", "bn", {})
    names = ("net/bn/beta", "net/bn/moving_mean", "net/bn/gamma", "net/bn/moving_variance")
    assert given(layer, *names) == {n.rpartition("/")[2]: n for n in names}


def test_a_genuine_checkpoint_of_a_session(tmp_path: Path) -> None:
    """Keras 2.1.2 in TensorFlow 1.4: the Saver's checkpoint, with an optimizer's variables."""
    prefix = GOLDEN / "metagraph" / "keras2.1.2-tf1.4.1-linear_regression" / "model.ckpt"
    arch = tmp_path / "arch.json"
    config = {"name": "line", "units": 1, "batch_input_shape": [None, 4]}
    arch.write_text(json.dumps({
        "class_name": "Sequential", "config": [{"class_name": "Dense", "config": config}],
    }))  # fmt: skip
    convert(prefix, tmp_path / "made.h5", config=arch)
    with modelfmt.open(prefix) as stored, modelfmt.open(tmp_path / "made.h5") as made:
        layer = next(one for one in bind(made.network).layers if one.weights)
        kernel = stored.tensors[f"{layer.name}/kernel"].numpy()
        assert (layer.weight("kernel").numpy() == kernel).all()
