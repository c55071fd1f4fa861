"""Standardising: Normalization told from what it looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelfmt.dtypes import float32, int32
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.graphs.view import View
from modelfmt.layers import recognise
from modelfmt.layers.inference import inference_form
from modelfmt.layers.writer import infer_specs, write_network
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.tensor import Tensor

Spelling = Callable[[Any, str, Any, Any], str]
MEAN, VARIANCE = np.array([1, 2, 3, 4], "f4"), np.array([0, 0.5, 1, 2], "f4")


def limited(op: Any, variance: Any) -> Any:
    return op("Maximum", op("Sqrt", variance), 1e-7)


def divided(op: Any, x: str, mean: Any, variance: Any) -> str:
    return str(op("RealDiv", op("Sub", x, mean), limited(op, variance)))


def inverted(op: Any, x: str, mean: Any, variance: Any) -> str:
    return str(op("AddV2", mean, op("Mul", x, limited(op, variance))))


def folded(op: Any, x: str, mean: Any, deviation: Any) -> str:
    return str(op("RealDiv", op("Sub", x, mean), deviation))


def multiplied(op: Any, x: str, mean: Any, factor: Any) -> str:
    return str(op("Mul", factor, op("Sub", x, mean)))


def read(
    spell: Spelling, shape: Any, mean: Any, variance: Any, dtype: Any = float32
) -> list[Layer]:
    graph = GraphBuilder()
    x = graph.placeholder("x", dtype, shape)
    if dtype is not float32:
        x = graph.op("Cast", x, DstT=float32)
    stored = [
        graph.const(np.asarray(each, "f4"), name=name)
        for name, each in (("mean", mean), ("variance", variance))
    ]
    graph.op("Identity", spell(graph.op, x, *stored), name="out")
    return recognise(View(graph, outputs=["out"]), layers_only=True).layers[1:]


@pytest.mark.parametrize("spell", [divided, inverted])
@pytest.mark.parametrize(
    ("shape", "seen", "axis", "size"),
    [
        ((None, 4), (1, 4), -1, (4,)), ((None, None, 4), (4,), -1, (4,)),
        ((None, 4, 3), (1, 4, 1), 1, (4,)), ((None, 2, 3, 2), (1, 2, 1, 2), [1, 3], (2, 2)),
    ],
)  # fmt: skip
def test_stored_statistics(spell: Spelling, shape: Any, seen: Any, axis: Any, size: Any) -> None:
    (layer,) = read(spell, shape, MEAN.reshape(seen), VARIANCE.reshape(seen))
    assert layer.class_name == "Normalization"
    assert (layer.config["axis"], layer.config["invert"]) == (axis, spell is inverted)
    found = {name: weight.numpy() for name, weight in layer.weights.items()}
    assert [*found] == ["mean", "variance", "count"] and found["count"] == 0
    assert found["mean"].tobytes() == MEAN.tobytes() and found["mean"].shape == size
    assert found["variance"].tobytes() == VARIANCE.tobytes()


@pytest.mark.parametrize("seen", [(1, 1, 1), (1, 1, 4)])
def test_one_number_for_all_is_stated(seen: Any) -> None:
    (layer,) = read(divided, (None, 3, 4), np.full(seen, 3.0), np.zeros(seen))
    assert layer.class_name == "Normalization" and not layer.weights
    assert (layer.config["mean"], layer.config["variance"]) == (3.0, 0.0)
    assert layer.config["axis"] == ([] if seen[-1] == 1 else -1)


def test_integers_are_its_own_matter() -> None:
    (layer,) = read(divided, (None, 4), MEAN, VARIANCE, int32)
    assert layer.class_name == "Normalization"


@pytest.mark.parametrize(("spell", "spread"), [(folded, 1.0), (multiplied, -1.0)])
def test_constants_that_are_folded(spell: Spelling, spread: float) -> None:
    deviation = np.array([0.1, 3.0, 1e-7, 1e7], "f4")
    (layer,) = read(spell, (None, 4), MEAN, deviation**spread)
    assert layer.class_name == "Normalization"
    root = np.maximum(np.sqrt(layer.weights["variance"].numpy()), np.float32(1e-7))
    np.testing.assert_allclose(root, deviation, rtol=3e-7)


@pytest.mark.parametrize("spread", [[1, -2, 3, 4], [1, 2, 3, 1e-9], [1, 2, 3, 1e30]])
def test_what_no_variance_is_the_square_of(spread: Any) -> None:
    """A negative scale, one that Keras would not go below, one too large."""
    layers = read(folded, (None, 4), MEAN, spread)
    assert "Normalization" not in [layer.class_name for layer in layers]


def test_with_an_epsilon_it_is_a_batch_normalization() -> None:
    def spell(op: Any, x: str, mean: Any, variance: Any) -> str:
        return str(op("RealDiv", op("Sub", x, mean), op("Sqrt", op("AddV2", variance, 0.01))))

    (layer,) = read(spell, (None, 4), MEAN, VARIANCE)
    assert (layer.class_name, layer.config["epsilon"]) == ("BatchNormalization", 0.01)


def test_what_is_scaled_before_and_after_stays_by_itself() -> None:
    def spell(op: Any, x: str, mean: Any, variance: Any) -> str:
        return str(op("Mul", divided(op, op("Mul", x, 0.5), mean, variance), mean))

    found = [layer.class_name for layer in read(spell, (None, 8), [*MEAN] * 2, [*VARIANCE] * 2)]
    assert found == ["Rescaling", "Normalization", "BatchNormalization"]


def stated(config: dict[str, Any], weights: Any = ()) -> Network:
    given = {"mean": None, "variance": None, "axis": -1, "invert": False, **config}
    layer = Layer("Normalization", "n", given, dict(weights))
    layer.calls = [Call([Ref("x")])]
    fed = Layer("InputLayer", "x", {"batch_shape": [None, 3, 4], "dtype": "float32"})
    network = Network("m", layers=[fed, layer], inputs=[Ref("x")], outputs=[Ref("n")])
    infer_specs(network)
    return network


def test_what_is_written_is_read_back_in_inference_form() -> None:
    """Whether the statistics are stated or stored, they are the same."""
    tensors = [(n, Tensor.from_numpy(n, a)) for n, a in (("mean", MEAN), ("variance", VARIANCE))]
    stored = stated({}, [*tensors, ("count", Tensor.from_numpy("count", np.int64(7)))])
    listed = stated({"mean": MEAN.tolist(), "variance": VARIANCE.tolist()})
    forms = []
    for network in (stored, listed):
        graph = GraphBuilder()
        write_network(network, graph)
        again = recognise(View(graph))
        infer_specs(again)
        forms += [inference_form(network), inference_form(again)]
    rows = [(row.class_name, row.config, row.weights) for form in forms for row in form]
    assert len(rows) == 4 and all(row == rows[0] for row in rows)
    assert rows[0][0] == "Normalization"
