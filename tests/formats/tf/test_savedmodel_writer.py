"""SavedModels written: the folder, the message, and what TensorFlow and Keras do with it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt import proto
from modelfmt.dtypes import float32
from modelfmt.errors import MismatchError
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.storage.files import OutputExistsError
from modelfmt.storage.output import OutputError
from modelfmt.tensor import Tensor
from modelfmt.tf.metagraph import Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model
from modelfmt.tf.savedmodel import SavedModel
from modelfmt.tf.savedmodel_writer import callable_signature, write_savedmodel

KERNEL = np.arange(6, dtype="f4").reshape(3, 2)


def model(key: str = "x", payload: bytes = KERNEL.tobytes()) -> Model:
    graph = VariableGraphBuilder()
    x = graph.placeholder("x", float32, (None, 3))
    y = graph.op("MatMul", x, Tensor("kernel", float32, (3, 2), payload))
    signature = Signature(
        {key: TensorInfo(x, float32, (None, 3))}, {"out": TensorInfo(y, float32, (None, 2))}
    )
    return Model(graph, graph.variables(), signature)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_the_folder(tmp_path: Path) -> None:
    write_savedmodel(model(), str(tmp_path / "m"))
    assert sorted(files(tmp_path / "m")) == [
        "saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index",
    ]  # fmt: skip
    with modelfmt.open(str(tmp_path / "m")) as file:
        assert isinstance(file, SavedModel) and file.metagraph.tags == ("serve",)
        np.testing.assert_array_equal(file.values["kernel"].numpy(), KERNEL)


def test_the_signature_stands_there_twice(tmp_path: Path) -> None:
    write_savedmodel(model(), str(tmp_path / "m"))
    found = proto.SavedModel.FromString((tmp_path / "m" / "saved_model.pb").read_bytes())
    (metagraph,) = found.meta_graphs
    assert found.saved_model_schema_version == 1
    assert sorted(metagraph.signature_def) == ["serve", "serving_default"]
    assert metagraph.signature_def["serve"] == metagraph.signature_def["serving_default"]
    assert not metagraph.HasField("object_graph_def")
    assert metagraph.saver_def.restore_op_name == "save/restore_all"


def test_the_same_model_is_the_same_bytes(tmp_path: Path) -> None:
    write_savedmodel(model(), str(tmp_path / "a"))
    write_savedmodel(model(), str(tmp_path / "b"))
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_without_variables_there_is_no_checkpoint(tmp_path: Path) -> None:
    graph = VariableGraphBuilder()
    x = graph.placeholder("x", float32, (2,))
    y = graph.op("Relu", x)
    ends = {"x": TensorInfo(x, float32, (2,))}, {"y": TensorInfo(y, float32, (2,))}
    write_savedmodel(Model(graph, [], Signature(*ends)), str(tmp_path / "m"))
    assert sorted(files(tmp_path / "m")) == ["saved_model.pb"]


def test_a_folder_is_replaced_only_when_asked_and_only_a_savedmodel(tmp_path: Path) -> None:
    write_savedmodel(model(), str(tmp_path / "m"))
    before = files(tmp_path / "m")
    with pytest.raises(OutputExistsError):
        write_savedmodel(model("other"), str(tmp_path / "m"))
    assert files(tmp_path / "m") == before
    write_savedmodel(model("other"), str(tmp_path / "m"), force=True)
    assert files(tmp_path / "m") != before
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters").write_text("dear")
    with pytest.raises(OutputError):
        write_savedmodel(model(), str(tmp_path / "home"), force=True)
    assert (tmp_path / "home" / "letters").exists()


def test_what_fails_on_the_way_leaves_the_old_folder(tmp_path: Path) -> None:
    write_savedmodel(model(), str(tmp_path / "m"))
    before = files(tmp_path / "m")
    with pytest.raises(MismatchError):
        write_savedmodel(model(payload=b"1234"), str(tmp_path / "m"), force=True)
    assert files(tmp_path / "m") == before and os.listdir(tmp_path) == ["m"]


@pytest.mark.parametrize(
    ("key", "named"), [("x", "x"), ("in", "in_"), ("class", "class_"), ("a/b", "a/b")]
)
def test_input_keys_are_no_keywords_of_python(key: str, named: str) -> None:
    given = model(key).signature
    found = callable_signature(dataclasses.replace(given, outputs={"in": given.inputs[key]}))
    assert (list(found.inputs), list(found.outputs)) == ([named], ["in"])


@pytest.fixture(scope="module")
def tf() -> Any:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return pytest.importorskip("tensorflow")


@pytest.mark.oracle
@pytest.mark.parametrize("key", ["x", "in", "a/b"])
def test_tensorflow_loads_both_signatures(tf: Any, tmp_path: Path, key: str) -> None:
    write_savedmodel(model(key), str(tmp_path / "m"))
    given = np.array([[1, 2, 3]], "f4")
    loaded = tf.saved_model.load(str(tmp_path / "m"))
    assert sorted(loaded.signatures) == ["serve", "serving_default"]
    for endpoint in loaded.signatures.values():
        (name,) = endpoint.structured_input_signature[1]
        found = endpoint(**{name: tf.constant(given)})
        np.testing.assert_allclose(found["out"], given @ KERNEL, rtol=1e-6)


@pytest.mark.oracle
def test_keras_takes_it_as_a_layer_with_its_default_endpoint(tf: Any, tmp_path: Path) -> None:
    import keras

    write_savedmodel(model(), str(tmp_path / "m"))
    given = np.array([[1, 2, 3]], "f4")
    layer = keras.layers.TFSMLayer(str(tmp_path / "m"))
    np.testing.assert_allclose(layer(given)["out"], given @ KERNEL, rtol=1e-6)


@pytest.mark.oracle
def test_a_session_of_tensorflow_1_loads_it(tf: Any, tmp_path: Path) -> None:
    write_savedmodel(model(), str(tmp_path / "m"))
    given = np.array([[1, 2, 3]], "f4")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "m"))
        out = loaded.signature_def["serve"].outputs["out"].name
        np.testing.assert_allclose(session.run(out, {"x:0": given}), given @ KERNEL, rtol=1e-6)
