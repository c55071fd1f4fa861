"""verify: model files run in the real frameworks, beside each other or beside a recording."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.dtypes import DType, float32, from_name
from modelfmt.errors import MismatchError, UnsupportedError
from modelfmt.graphs.builder import GraphBuilder
from modelfmt.surgery import verify as verifying
from modelfmt.surgery.verify import FrameworkError, verify
from modelfmt.tf.graphdef import write_graphdef

GOLDEN = Path(__file__).parents[3] / "golden"


@pytest.mark.parametrize(
    ("a", "b", "agrees"),
    [
        ([1.0, 100.0], [1.0, 100.009], True),
        ([1.0, 100.0], [1.0, 100.02], False),
        ([0.0], [9e-6], True),
        ([0.0], [2e-5], False),
        ([np.nan, 1.0], [np.nan, 1.0], True),
        ([np.nan, 1.0], [0.0, 1.0], False),
        ([0.0, 1.0], [np.nan, 1.0], False),
        ([], [], True),
    ],
)
def test_outputs_agree_relative_to_the_largest(a: Any, b: Any, agrees: bool) -> None:
    one, two = {"y": np.array(a)}, {"z": np.array(b)}
    (found,) = verifying._compare(one, two, 1e-4, 1e-5)
    assert found.agrees is agrees and (found.name_a, found.name_b) == ("y", "z")


def test_outputs_are_paired_by_name_else_by_order() -> None:
    one: Any = {"y": np.zeros(2), "z": np.ones(3)}
    found = verifying._compare(one, {"z": np.ones(3), "y": np.zeros(2)}, 0, 0)
    assert [(c.name_a, c.name_b) for c in found] == [("y", "y"), ("z", "z")]
    found = verifying._compare(one, {"p": np.zeros(2), "q": np.ones(3)}, 0, 0)
    assert [(c.name_a, c.name_b) for c in found] == [("y", "p"), ("z", "q")]


def test_other_shapes_and_other_numbers_of_outputs_are_refused() -> None:
    with pytest.raises(MismatchError, match='"y" has another shape'):
        verifying._compare({"y": np.zeros(2)}, {"y": np.zeros(3)}, 1, 1)
    with pytest.raises(MismatchError, match="another number of outputs"):
        verifying._compare({"y": np.zeros(2)}, {}, 1, 1)


def test_a_framework_that_fails_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = graph(tmp_path / "a.pb", 1.0)
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'tensorflow'\" >&2\n"
                      "exit 1\n")  # fmt: skip
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(FrameworkError, match=r"No module named.*pip install 'modelfmt\[verify\]'"):
        verify(path, path)


def test_a_framework_that_hangs_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = graph(tmp_path / "a.pb", 1.0)
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(verifying, "_TIMEOUT", 0.2)
    with pytest.raises(FrameworkError, match="no answer"):
        verify(path, path)


def graph(path: Path, factor: float, dtype: DType = float32, text: bool = False) -> Path:
    built = GraphBuilder()
    x = built.placeholder("x", dtype, (None, 3))
    built.op("Mul", x, np.asarray(factor, dtype.numpy), name="y")
    write_graphdef(built, str(path), text=text)
    return path


# -- with TensorFlow ------------------------------------------------------------------------------


@pytest.mark.oracle
def test_a_conversion_agrees(tmp_path: Path) -> None:
    source = GOLDEN / "graphdef/tfkeras-tf2.3.4-mlp_activations/model.pb"
    out = tmp_path / "out.keras"
    modelfmt.convert(source, out)
    outcome = verify(source, out)
    assert outcome.agrees and outcome.outputs[0].max_value > 0


@pytest.mark.oracle
def test_another_model_does_not_agree_on_inputs_from_a_file(tmp_path: Path) -> None:
    a, b = graph(tmp_path / "a.pb", 2.0), graph(tmp_path / "b.pbtxt", 2.001, text=True)
    inputs = str(tmp_path / "in.npz")
    np.savez(inputs, x=np.array([[1, 2, 7]], "f4"))
    outcome = verify(a, b, inputs=inputs)
    assert not outcome.agrees and outcome.outputs[0].max_value == 14
    assert outcome.outputs[0].max_difference == pytest.approx(0.007, rel=1e-3)


@pytest.mark.oracle
def test_a_file_that_the_framework_refuses(tmp_path: Path) -> None:
    path = graph(tmp_path / "a.pb", 1.0, from_name("float32"))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x12\x03Mul", b"\x12\x03Mux"))
    with pytest.raises(FrameworkError, match="cannot run it"):
        verify(path, path)


def recorded(path: Path, factor: float) -> Path:
    x = np.array([[1, 2, 3]], "f4")
    np.savez(path, in_x=x, out_y=x * np.float32(factor))
    return path


@pytest.mark.oracle
def test_beside_a_recording(tmp_path: Path) -> None:
    path = graph(tmp_path / "a.pb", 2.0)
    assert verify(path, recorded(tmp_path / "io.npz", 2.0)).agrees
    assert not verify(path, recorded(tmp_path / "io.npz", 2.1)).agrees


def test_a_recording_without_outputs(tmp_path: Path) -> None:
    np.savez(tmp_path / "io.npz", in_x=np.zeros(3))
    with pytest.raises(MismatchError, match="no recorded outputs; expected out_NAME"):
        verify(graph(tmp_path / "a.pb", 1.0), tmp_path / "io.npz")


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    path = GOLDEN / "checkpoint/tfkeras-tf2.12.1-linear_regression/weights"
    with pytest.raises(UnsupportedError, match="a checkpoint file holds no model to run"):
        verify(path, path)


@pytest.mark.oracle
def test_every_kind_runs(tmp_path: Path) -> None:
    source = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"
    for out in ("m.meta", "m.keras", "saved", "m.pb"):
        modelfmt.convert(source, tmp_path / out, to="savedmodel" if out == "saved" else None)
        assert verify(source, tmp_path / out).agrees


@pytest.mark.oracle
def test_the_first_layer_that_differs(tmp_path: Path) -> None:
    source = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"
    with modelfmt.open(source) as file:
        names = [name for name in file.tensors if "bn_b" in name and "gamma" in name]
        file.tensors[names[0]] = file.tensors[names[0]].numpy() * np.float32(3)
        file.save(tmp_path / "changed.h5")
    outcome = verify(source, tmp_path / "changed.h5")
    first = outcome.first_divergence
    assert not outcome.agrees and first is not None and first.name_a.startswith("bn_b")
    assert all(layer.agrees for layer in outcome.layers[: outcome.layers.index(first)])


def test_texts_are_compared_as_such() -> None:
    one, two = {"y": np.array(["a", "b"])}, {"y": np.array(["a", "c"])}
    (found,) = verifying._compare(one, two, 0, 0)
    assert not found.agrees and found.max_difference == 1
