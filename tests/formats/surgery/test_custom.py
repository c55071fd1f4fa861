"""A user's own layer, in both directions: the ChannelScale of the README."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import ModelFormatError, UnknownFormatError
from modelfmt.keras.archive import write_archive_model
from modelfmt.keras.h5 import write_h5
from modelfmt.layers import infer_specs, registry
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.surgery.convert import network_of
from modelfmt.surgery.custom import load_custom
from modelfmt.tensor import Tensor

TEMPLATE = '''
import modelfmt
from modelfmt.layers import X, Weight, Field, op

@modelfmt.register_layer
class ChannelScale(modelfmt.LayerCodec):
    class_name = "ChannelScale"
    module = "my_project.layers"
    weights = ("scale", "offset")
    config = {}
    template = op("AddV2", op("Mul", X, Weight("scale")), Weight("offset"))
'''
METHODS = '''
import modelfmt
from modelfmt.layers import Claim

@modelfmt.register_layer
class ChannelScale(modelfmt.LayerCodec):
    class_name = "ChannelScale"
    module = "my_project.layers"
    weights = ("scale", "offset")
    root_ops = frozenset({"AddV2"})

    def write(self, layer, inputs, graph):
        product = graph.op("Mul", inputs[0], layer.weight("scale"))
        return [graph.op("AddV2", product, layer.weight("offset"))]

    def recognise(self, tensor, graph):
        root = graph.producer(tensor)
        product = graph.producer(root.inputs[0])
        offset = graph.constant(root.inputs[1])
        if product is None or product.op != "Mul" or offset is None:
            return None
        scale = graph.constant(product.inputs[1])
        if scale is None:
            return None
        weights = {"scale": scale.root, "offset": offset.root}
        return Claim((product.inputs[0],), {}, weights, (product.name, root.name))
'''


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = dict(registry._CODECS)
    yield
    registry._CODECS.clear()
    registry._CODECS.update(before)


@pytest.fixture(params=[TEMPLATE, METHODS], ids=["template", "methods"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "custom.py"
    path.write_text(request.param)
    return path


SCALE, OFFSET = np.array([1, 2, 3], "f4"), np.array([0.5, 0, -1], "f4")


def model() -> Network:
    """x -> Dense(3) -> ChannelScale -> softmax, as a file would state it."""
    random = np.random.default_rng(0)
    dense = {
        "kernel": Tensor.from_numpy("kernel", random.standard_normal((4, 3)).astype("f4")),
        "bias": Tensor.from_numpy("bias", random.standard_normal(3).astype("f4")),
    }
    scale = {"scale": Tensor.from_numpy("scale", SCALE),
             "offset": Tensor.from_numpy("offset", OFFSET)}  # fmt: skip
    extras = {"module": "my_project.layers", "registered_name": "my_project>ChannelScale"}
    layers = [
        Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"}),
        Layer("Dense", "d", {"units": 3, "activation": "linear", "use_bias": True}, dense,
              calls=[Call([Ref("x")])]),
        Layer("ChannelScale", "cs", {}, scale, calls=[Call([Ref("d")])], extras=extras),
        Layer("Activation", "out", {"activation": "softmax"}, calls=[Call([Ref("cs")])]),
    ]  # fmt: skip
    network = Network("m", layers=layers, inputs=[Ref("x")], outputs=[Ref("out")])
    infer_specs(network)
    return network


def written(path: Path) -> Path:
    if path.suffix == ".h5":
        write_h5(model(), str(path), major=2 if "2" in path.name else 3)
    else:
        write_archive_model(model(), str(path))
    return path


@pytest.mark.parametrize("name", ["keras2.h5", "keras3.h5", "model.keras"])
def test_both_directions(file: Path, name: str, tmp_path: Path) -> None:
    assert load_custom(file) == ["ChannelScale"]
    source = written(tmp_path / name)
    graph, again = tmp_path / "g.pb", tmp_path / f"again{source.suffix}"
    modelfmt.convert(source, graph)
    modelfmt.convert(graph, again)
    for path in (source, graph, again):
        with modelfmt.open(path) as container:
            layer = network_of(container).layer("cs")
            assert layer.class_name == "ChannelScale"
            assert list(layer.weights) == ["scale", "offset"]
            np.testing.assert_array_equal(layer.weights["scale"].numpy(), SCALE)
            np.testing.assert_array_equal(layer.weights["offset"].numpy(), OFFSET)
            if path != source:
                assert layer.extras["registered_name"] == "my_project>ChannelScale"


def test_without_the_file_the_layer_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "custom.py").write_text(TEMPLATE)
    load_custom(tmp_path / "custom.py")
    source, graph = written(tmp_path / "m.keras"), tmp_path / "g.pb"
    modelfmt.convert(source, graph)
    registry._CODECS.pop("ChannelScale")
    with pytest.raises(ModelFormatError, match=r"ChannelScale.*--custom FILE.py"):
        modelfmt.convert(source, tmp_path / "out.pb")
    modelfmt.convert(graph, tmp_path / "out.keras")  # as layers that compute the same
    classes = {layer["class_name"] for layer in modelfmt.dump(tmp_path / "out.keras")["layers"]}
    assert "ChannelScale" not in classes and "Rescaling" in classes


def test_on_the_command_line(file: Path, tmp_path: Path) -> None:
    load_custom(file)
    source = written(tmp_path / "m.h5")
    for a, b in ((source, tmp_path / "g.pb"), (tmp_path / "g.pb", tmp_path / "back.keras")):
        command = [sys.executable, "-m", "modelfmt", "convert", a, b, "--custom", file]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    rows = modelfmt.dump(tmp_path / "back.keras")["layers"]
    assert {"name": "cs", "class_name": "ChannelScale", "weights": 2, "parameters": 6} in rows


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def", "SyntaxError"), ("1 / 0", "ZeroDivisionError"), ("import zzz_nothing", "zzz_"),
        ("raise KeyError('k')", "KeyError"), ("undefined", "NameError"),
        ("import modelfmt\nmodelfmt.register_layer(int)", "LayerCodec"),
    ],
)  # fmt: skip
def test_a_file_that_fails_is_an_error_of_ours(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "custom.py"
    path.write_text(text)
    with pytest.raises(ModelFormatError, match=words) as caught:
        load_custom(path)
    assert caught.value.where.path == str(path) and caught.value.__cause__ is not None


def test_a_file_that_registers_nothing(tmp_path: Path) -> None:
    path = tmp_path / "custom.py"
    path.write_text("x = 1")
    with pytest.raises(UnknownFormatError, match="registers no layer"):
        load_custom(path)
    with pytest.raises(ModelFormatError, match="cannot be run"):
        load_custom(tmp_path / "nowhere.py")


def test_the_example_goes_both_ways(tmp_path: Path) -> None:
    """Config entries come from the weight; the class is found by its name alone."""
    example = Path(__file__).parents[3] / "examples" / "codecs" / "MatMulLayer.py"
    assert load_custom(example) == ["MatMulLayer"]
    w = Tensor.from_numpy("w", np.arange(8, dtype="f4").reshape(4, 2))
    layers = [
        Layer("InputLayer", "x", {"batch_shape": [None, 4], "dtype": "float32"}),
        Layer("MatMulLayer", "mm", {"rows": 4, "cols": 2}, {"w": w}, calls=[Call([Ref("x")])]),
    ]
    network = Network("m", layers=layers, inputs=[Ref("x")], outputs=[Ref("mm")])
    infer_specs(network)
    write_archive_model(network, str(tmp_path / "m.keras"))
    modelfmt.convert(tmp_path / "m.keras", tmp_path / "m.pb")
    modelfmt.convert(tmp_path / "m.pb", tmp_path / "back.keras")
    with modelfmt.open(tmp_path / "back.keras") as container:
        layer = network_of(container).layer("mm")
        assert layer.class_name == layer.extras["registered_name"] == "MatMulLayer"
        assert (layer.config["rows"], layer.config["cols"]) == (4, 2)
        np.testing.assert_array_equal(layer.weight("w").numpy(), w.numpy())


KERAS = '''
import os, sys
import numpy as np
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras

@keras.saving.register_keras_serializable("my_project")
class ChannelScale(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(name="scale", shape=(shape[-1],))
        self.offset = self.add_weight(name="offset", shape=(shape[-1],))

    def call(self, x):
        return x * self.scale + self.offset

folder = sys.argv[1]
x = np.random.default_rng(1).standard_normal((5, 4)).astype("f4")
if sys.argv[2] == "make":
    i = keras.Input((4,), name="x")
    y = keras.layers.Dense(3, activation="relu", name="d")(i)
    model = keras.Model(i, keras.layers.Dense(2, name="out")(ChannelScale(name="cs")(y)))
    rng = np.random.default_rng(2)
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])
    model.save(f"{folder}/a.h5"), model.save(f"{folder}/a.keras")
    np.save(f"{folder}/wanted.npy", model(x))
else:
    wanted = np.load(f"{folder}/wanted.npy")
    for name in sys.argv[3:]:
        got = np.asarray(keras.models.load_model(f"{folder}/{name}", compile=False)(x))
        assert np.abs(got - wanted).max() < 1e-5, name
    print("equal")
'''


@pytest.mark.oracle
def test_kerass_own_files_there_and_back(tmp_path: Path) -> None:
    file = tmp_path / "custom.py"
    file.write_text(TEMPLATE)

    def keras(*arguments: str) -> str:
        command = [sys.executable, "-c", KERAS, str(tmp_path), *arguments]
        environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    keras("make")
    load_custom(file)
    made = []
    for source in ("a.h5", "a.keras"):
        graph = tmp_path / f"{source}.pb"
        modelfmt.convert(tmp_path / source, graph)
        for end in (".h5", ".keras"):
            made.append(f"{source}.back{end}")
            modelfmt.convert(graph, tmp_path / made[-1])
    assert "equal" in keras("check", *made)
