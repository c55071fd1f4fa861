"""Changes in inference form: what a conversion cannot keep is none, everything else is."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt.errors import ConversionError
from modelfmt.layers import infer_specs
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.surgery.changes import Change
from modelfmt.tensor import Tensor

GOLDEN = Path(__file__).parents[3] / "golden"
CNN = GOLDEN / "keras-h5" / "tfkeras-tf2.3.4-cnn" / "model.h5"
MULTI = GOLDEN / "keras" / "keras3.0.5-tf2.16.2-multi_output" / "model.keras"
CONVERTIBLE = [CNN, MULTI, GOLDEN / "keras-h5" / "tfkeras-tf2.15.1-nested" / "model.h5"]


def diff(a: Path, b: Path, **options: float) -> list[Change]:
    return modelfmt.diff(a, b, inference_form=True, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", CONVERTIBLE, ids=lambda p: p.parent.name)
@pytest.mark.parametrize("out", ["x.pb", "x.pbtxt", "x.keras", "x.h5", "x.meta", "saved"])
def test_a_conversion_changes_nothing(source: Path, out: str, tmp_path: Path) -> None:
    modelfmt.convert(source, tmp_path / out)
    assert diff(source, tmp_path / out) == diff(tmp_path / out, source) == []


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["keras-h5", "keras", "graphdef"])
def test_every_conversion_changes_nothing(folder: str, tmp_path: Path) -> None:
    compared = 0
    for source in sorted((GOLDEN / folder).glob("*/model.*")):
        for end in (".pb", ".keras", ".h5", ".meta"):
            out = tmp_path / f"x{end}"
            try:
                modelfmt.convert(source, out, force=True)
                changes = diff(source, out)
            except ConversionError:
                continue
            assert changes == [], f"{source} {end}"
            compared += 1
    assert compared >= 8


def save(path: Path, *layers: Layer) -> Path:
    """A model with an input x, as Keras 3 .h5; a layer takes what the one before it yields."""
    from modelfmt.keras.h5 import write_h5

    before = "x"
    chain = [Layer("InputLayer", "x", {"batch_shape": [None, 2], "dtype": "float32"})]
    for layer in layers:
        layer.calls = layer.calls or [Call([Ref(before)])]
        chain.append(layer)
        before = layer.name
    network = Network("m", layers=chain, inputs=[Ref("x")], outputs=[Ref(before)])
    infer_specs(network)
    write_h5(network, str(path))
    return path


def dense(name: str, activation: str = "linear", value: float = 1) -> Layer:
    kernel = Tensor.from_numpy("kernel", np.full((2, 2), value, np.float32))
    config = {"units": 2, "use_bias": False, "activation": activation}
    return Layer("Dense", name, config, {"kernel": kernel})


def test_activations_are_layers_and_dropout_is_none(tmp_path: Path) -> None:
    inside = save(tmp_path / "a.h5", dense("d", "relu"), dense("e"))
    outside = save(
        tmp_path / "b.h5", dense("d"), Layer("Dropout", "drop", {"rate": 0.5}),
        Layer("Activation", "act", {"activation": "relu"}), dense("e"),
    )  # fmt: skip
    relu = save(tmp_path / "c.h5", dense("d"), Layer("ReLU", "r", {}), dense("e"))
    assert diff(inside, outside) == diff(outside, relu) == []


def rows(changes: list[Change]) -> list[tuple[str, str, str, str]]:
    return [(c.part, c.where, c.what, c.item) for c in changes]


def test_layers_that_come_and_go(tmp_path: Path) -> None:
    a = save(tmp_path / "a.h5", dense("d"), dense("e"))
    b = save(tmp_path / "b.h5", dense("d"), dense("new"), dense("e"))
    assert rows(diff(a, b)) == [
        ("layers", "new", "added", ""), ("layers", "e", "changed", "inputs"),
    ]  # fmt: skip
    assert rows(diff(b, a)) == [
        ("layers", "new", "removed", ""), ("layers", "e", "changed", "inputs"),
    ]  # fmt: skip


def test_another_name(tmp_path: Path) -> None:
    a = save(tmp_path / "a.h5", dense("d"), dense("e"))
    b = save(tmp_path / "b.h5", dense("other"), dense("e"))
    (change,) = diff(a, b)
    assert (change.what, change.a, change.b) == ("renamed", "d", "other")


def test_another_activation_and_other_values(tmp_path: Path) -> None:
    a = save(tmp_path / "a.h5", dense("d", "elu"), dense("e"))
    b = save(tmp_path / "b.h5", dense("d", "tanh"), dense("e", value=1.25))
    changes = diff(a, b)
    assert ("weights", "e/kernel", "changed", "values") in rows(changes)
    assert any(c.part == "layers" for c in changes)
    assert all(c.part == "layers" for c in diff(a, b, rtol=0.5))
    numbers = next(c.numbers for c in changes if c.numbers)
    assert (numbers.differing, numbers.max_abs) == (4, 0.25)


def test_the_outputs_of_a_signature_have_no_order(tmp_path: Path) -> None:
    """In a .meta they come by their keys; a .pb says which is first."""
    modelfmt.convert(MULTI, tmp_path / "m.meta")
    modelfmt.convert(MULTI, tmp_path / "m.pb")
    names = [row["name"] for row in modelfmt.dump(MULTI)["outputs"]]
    assert names != sorted(names)
    assert diff(MULTI, tmp_path / "m.meta") == diff(tmp_path / "m.pb", tmp_path / "m.meta") == []


def test_a_graph_without_layers_cannot_be_compared(tmp_path: Path) -> None:
    strings = GOLDEN / "graphdef" / "rawtf1.15.5-raw_strings" / "model.pb"
    with pytest.raises(ConversionError) as caught:
        diff(CNN, strings)
    assert caught.value.where.path == str(strings)


def test_a_weight_of_the_file(tmp_path: Path) -> None:
    other = shutil.copy(CNN, tmp_path / "other.h5")
    with h5py.File(other, "r+") as file:
        file["model_weights/fc/fc/bias:0"][0] += 1
    assert rows(diff(CNN, Path(other))) == [("weights", "fc/bias", "changed", "values")]
