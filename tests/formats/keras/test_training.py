"""What a model is compiled with, and its optimizer's state, in each Keras' spelling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelfmt.keras.training import (
    Training,
    compile_config,
    optimizer_state,
    read_training,
    trained_weights,
    training_config,
)
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

ADAM_2 = {"class_name": "Custom>Adam", "config": {
    "name": "Adam", "weight_decay": None, "jit_compile": False, "is_legacy_optimizer": False,
    "learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": False,
}}  # fmt: skip
KEPT = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": False}


def tensor(value: float, *shape: int) -> Tensor:
    return Tensor.from_numpy("t", np.full(shape, value, np.float32))


def network() -> Network:
    def dense(name: str, before: str, **config: Any) -> Layer:
        weights = {"kernel": tensor(0, 3, 3), "bias": tensor(0, 3)}
        return Layer("Dense", name, config, weights, calls=[Call([Ref(before)])])

    inner = Network("inner", "Sequential", [
        Layer("InputLayer", "y", {"batch_shape": [None, 3]}), dense("deep", "y"),
    ], [Ref("y")], [Ref("deep")])  # fmt: skip
    return Network("m", "Functional", [
        Layer("InputLayer", "x", {"batch_shape": [None, 3]}), dense("a", "x"),
        dense("fixed", "a", trainable=False),
        Layer("Sequential", "inner", calls=[Call([Ref("fixed")])], network=inner),
    ], [Ref("x")], [Ref("inner")])  # fmt: skip


def read(optimizer: Any, state: list[Tensor] = [], version: str = "2.15.0", **more: Any) -> Any:  # noqa: B006
    stated = {"optimizer_config": optimizer, **more}
    return read_training(stated, {str(k): t for k, t in enumerate(state)}, network(), version)


PLACES = [("a", "kernel"), ("a", "bias"), ("inner", "deep", "kernel"), ("inner", "deep", "bias")]
SHAPES = [(3, 3), (3,), (3, 3), (3,)]


def test_weights_that_are_trained() -> None:
    assert [place for place, _ in trained_weights(network())] == PLACES


@pytest.mark.parametrize("spelled", [
    "adam", ADAM_2, {"class_name": "Adam", "config": {"lr": 0.01}},
    {"module": "keras.optimizers", "class_name": "Adam", "config": KEPT, "registered_name": None},
])  # fmt: skip
def test_an_optimizer_in_any_spelling(spelled: Any) -> None:
    training, notes = read(spelled)
    assert (training.optimizer, notes) == ("Adam", [])
    assert set(training.config.items()) <= set(KEPT.items())
    made = training_config(training, 2)["optimizer_config"]
    assert made == {"class_name": "Adam", "config": {"name": "Adam", **training.config}}
    assert compile_config(training)["optimizer"]["module"] == "keras.optimizers"


def test_losses_and_metrics_in_any_spelling() -> None:
    wrapper = {"class_name": "MeanMetricWrapper", "config": {
        "name": "mse", "dtype": "float32", "fn": "mean_squared_error"}}  # fmt: skip
    accuracy = {"class_name": "MeanMetricWrapper", "config": {
        "name": "accuracy", "dtype": "float32", "fn": "binary_accuracy"}}  # fmt: skip
    loss = {"class_name": "BinaryCrossentropy", "config": {
        "reduction": "auto", "name": "b", "from_logits": True, "fn": "binary_crossentropy",
    }}  # fmt: skip
    training, _ = read("sgd", loss={"p": "mse", "q": loss}, metrics=[[wrapper, accuracy, "AUC"]],
                       weighted_metrics=["acc"], loss_weights=[1.0, 2.0])  # fmt: skip
    stated = training_config(training, 3)
    kept = {"reduction": "sum_over_batch_size", "name": "b", "from_logits": True}
    assert stated["loss"] == {"p": "mean_squared_error", "q": {
        "module": "keras.losses", "class_name": "BinaryCrossentropy", "config": kept,
        "registered_name": None,
    }}  # fmt: skip
    assert stated["metrics"][:2] == ["mean_squared_error", "accuracy"]
    assert stated["metrics"][2]["class_name"] == "AUC"
    assert (stated["weighted_metrics"], stated["loss_weights"]) == (["accuracy"], [1.0, 2.0])


@pytest.mark.parametrize(("stated", "what"), [
    ({"optimizer": {"class_name": "Mine", "config": {}}}, "no optimizer 'Mine'"),
    ({"optimizer": "sgd", "loss": "my_loss"}, "no loss or metric 'my_loss'"),
    ({"optimizer": "sgd", "metrics": [{"class_name": "My>Metric", "config": {}}]}, "Metric"),
    ({"optimizer": {"class_name": "SGD", "config": {
        "learning_rate": {"class_name": "Made", "config": None}}}}, "a learning rate by code"),
])  # fmt: skip
def test_what_has_no_spelling_is_named(stated: Any, what: str) -> None:
    training, notes = read_training(stated, {}, network(), "2.15.0")
    assert training is None and len(notes) == 1 and what in notes[0]


def test_a_model_that_was_never_compiled() -> None:
    assert read_training({"optimizer": None}, {}, network(), "3.3.3") == (None, [])


def test_a_schedule() -> None:
    rate = {"class_name": "ExponentialDecay", "config": {"initial_learning_rate": 0.1}}
    training, _ = read({"class_name": "SGD", "config": {"learning_rate": rate}})
    made = compile_config(training)["optimizer"]["config"]["learning_rate"]
    assert made == {"module": "keras.optimizers.schedules", **rate, "registered_name": None}


ITERATION = Tensor.from_numpy("iteration", np.array(7, np.int64))
#: Slot k of weight w has the value 10 w + k.
IN_TURN = [tensor(10 * w + k, *SHAPES[w]) for w in range(4) for k in range(2)]
GROUPED = [tensor(10 * w + k, *SHAPES[w]) for k in range(2) for w in range(4)]
RATE = Tensor.from_numpy("learning_rate", np.array(0.01, np.float32))


@pytest.mark.parametrize(("state", "version"), [
    ([ITERATION, *GROUPED], "2.4.0"), ([ITERATION, *GROUPED], "2.2.4-tf"),
    ([ITERATION, *GROUPED, *GROUPED[:4]], "2.3.1"),
    ([ITERATION, *IN_TURN], "2.15.0"), ([ITERATION, RATE, *IN_TURN], "3.15.1"),
])  # fmt: skip
def test_the_order_of_every_keras(state: list[Tensor], version: str) -> None:
    training, notes = read(ADAM_2, state, version)
    assert not notes and training.iterations.numpy() == 7
    found = {p: [int(s.numpy().flat[0]) for s in row] for p, row in training.slots.items()}
    assert found == {place: [10 * w, 10 * w + 1] for w, place in enumerate(PLACES)}
    old = optimizer_state(training, network(), 2)
    assert [int(t.numpy().flat[0]) for _, t in old[1:]] == [0, 10, 20, 30, 1, 11, 21, 31]
    assert [name for name, _ in old][:3] == [
        "Adam/iter:0", "Adam/a/kernel/momentum:0", "Adam/a/bias/momentum:0",
    ]  # fmt: skip
    new = optimizer_state(training, network(), 3)
    assert [name for name, _ in new][:4] == [
        "iteration", "learning_rate", "a_kernel_momentum", "a_kernel_velocity",
    ]  # fmt: skip
    assert new[1][1].numpy() == np.float32(0.01)


@pytest.mark.parametrize("state", [
    [ITERATION, *IN_TURN[:-1]], [ITERATION, *GROUPED[:4], *reversed(GROUPED[4:])],
])  # fmt: skip
def test_state_that_does_not_fit_is_left_out(state: list[Tensor]) -> None:
    training, notes = read(ADAM_2, state, "2.4.0")
    assert training.iterations is None and not training.slots
    assert notes[0].startswith("the state of the optimizer is left out")
    assert optimizer_state(training, network(), 2) == []


def test_a_weight_without_slots_makes_none() -> None:
    training, _ = read(ADAM_2, [ITERATION, *IN_TURN])
    del training.slots[PLACES[0]]
    assert optimizer_state(training, network(), 2) == []


def test_decay_is_told() -> None:
    _, notes = read({"class_name": "SGD", "config": {"lr": 0.1, "decay": 0.5}})
    assert "decay=0.5" in notes[0]


def test_without_momentum_there_is_no_slot() -> None:
    training, _ = read("sgd", [ITERATION, *GROUPED[:4]], "1.2.2")
    assert [n for n, _ in optimizer_state(training, network(), 2)] == ["SGD/iter:0"]
    assert isinstance(training, Training)
