"""convert: kinds, names, refusals, and that nothing is written unless all is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import ConversionError, ModelFormatError, UnrecognisedGraphError
from modelfmt.keras.archive import write_archive_model
from modelfmt.layers import infer_specs
from modelfmt.network import Call, Layer, Network, Ref
from modelfmt.storage.files import OutputExistsError
from modelfmt.surgery.convert import Conversion, UsageError, convert, kind_of_output, network_of
from modelfmt.tensor import Tensor

GOLDEN = Path(__file__).parents[3] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"
TEXT = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-linear_regression_text/model.pbtxt"
H5 = GOLDEN / "keras-h5/keras2.1.2-tf1.4.1-nested/model.h5"
ARCHIVE = GOLDEN / "keras/keras3.0.5-tf2.16.2-multi_output/model.keras"


def network(path: Path) -> Network:
    with modelfmt.open(path) as container:
        found = network_of(container)
        for layer in found.walk():  # read while the file is open
            for name, tensor in layer.weights.items():
                layer.weights[name] = modelfmt.Tensor.from_numpy(name, tensor.numpy().copy())
        return found


def weights(path: Path) -> dict[tuple[str, str], Any]:
    return {
        (layer.name, name): tensor.numpy()
        for layer in network(path).walk()
        for name, tensor in layer.weights.items()
    }


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("a.pb", "graphdef"), ("a.pbtxt", "graphdef"), ("a.h5", "keras-h5"),
        ("a.hdf5", "keras-h5"), ("a.keras", "keras"), ("a.meta", "metagraph"),
        ("a.meta.pbtxt", "metagraph"),
        ("a.ckpt", "checkpoint"), ("a.index", "checkpoint"), ("folder", "savedmodel"),
        ("a.weights.h5", "keras-weights"), ("x.y/a.b.pb", "graphdef"),
    ],
)  # fmt: skip
def test_the_extension_tells_the_kind(path: str, kind: str) -> None:
    assert kind_of_output(path) == kind


@pytest.mark.parametrize("path", ["a.onnx", "a.PB", "a.h5.zip"])
def test_an_extension_that_tells_none(path: str) -> None:
    with pytest.raises(UsageError, match="Pass --to KIND") as caught:
        kind_of_output(path)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("source", [GRAPH, TEXT, H5, ARCHIVE], ids=lambda p: p.parent.name)
@pytest.mark.parametrize("end", [".pb", ".pbtxt", ".h5", ".keras"])
def test_every_pair_keeps_the_weights(source: Path, end: str, tmp_path: Path) -> None:
    out = tmp_path / f"out{end}"
    done = convert(source, out)
    assert isinstance(done, Conversion) and done.destination == str(out)
    first, second = weights(source), weights(out)
    assert sorted(a.tobytes() for a in first.values()) == sorted(
        a.tobytes() for a in second.values()
    )
    assert {name for name, _ in first} >= {name for name, _ in second}


def test_the_summary() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = convert(H5, f"{folder}/out.pb")
    assert (done.source_kind, done.kind) == ("keras-h5", "graphdef")
    assert (done.layers, done.weights, done.weight_bytes) == (6, 10, 4 * (131 + 18))


@pytest.mark.parametrize(("major", "version"), [(2, "2."), (3, "3.")])
def test_the_keras_major(major: int, version: str, tmp_path: Path) -> None:
    convert(GRAPH, tmp_path / "out.h5", keras=major)
    report = modelfmt.dump(tmp_path / "out.h5")
    assert report["versions"]["keras_version"].startswith(version)


@pytest.mark.parametrize(("end", "keras"), [(".h5", 1), (".h5", 4), (".keras", 2)])
def test_a_major_that_there_is_not(tmp_path: Path, end: str, keras: int) -> None:
    with pytest.raises(UsageError, match="no such target") as caught:
        convert(GRAPH, tmp_path / f"out{end}", keras=keras)
    assert caught.value.exit_status == 2 and not list(tmp_path.iterdir())


def test_the_kind_may_be_said(tmp_path: Path) -> None:
    convert(H5, tmp_path / "out.bin", to="graphdef", from_kind="keras-h5")
    assert modelfmt.dump(tmp_path / "out.bin")["kind"] == "graphdef"


@pytest.mark.parametrize(("name", "to"), [("m.pbtxt", "metagraph"), ("m.meta.pbtxt", None)])
def test_a_metagraph_in_text(tmp_path: Path, name: str, to: str | None) -> None:
    done = convert(H5, tmp_path / name, to=to)
    assert done.kind == "metagraph" and (tmp_path / "m.index").exists()
    assert (tmp_path / name).read_text().startswith("meta_info_def")
    convert(H5, tmp_path / "other.meta")
    with modelfmt.open(tmp_path / name) as a, modelfmt.open(tmp_path / "other.meta") as b:
        assert list(a.graph) == list(b.graph) and list(a.tensors) == list(b.tensors)
        for key in a.tensors:
            np.testing.assert_array_equal(a.tensors[key].numpy(), b.tensors[key].numpy())


def test_inputs_and_outputs_cut_a_graph(tmp_path: Path) -> None:
    out = tmp_path / "out.keras"
    convert(GRAPH, out, outputs=["conv_same/Relu"])
    report = modelfmt.dump(out)
    assert [row["name"] for row in report["outputs"]] == ["conv_same"]
    assert [row["class_name"] for row in report["layers"]] == ["InputLayer", "Conv2D"]
    inner = tmp_path / "inner.keras"
    convert(GRAPH, inner, inputs=["conv_same/Relu"], outputs=["out/Softmax:0"])
    assert len(modelfmt.dump(inner)["layers"]) < len(network(GRAPH).layers)


def test_a_graph_between_text_and_binary_keeps_its_nodes(tmp_path: Path) -> None:
    convert(GRAPH, tmp_path / "g.pbtxt")
    convert(tmp_path / "g.pbtxt", tmp_path / "g.pb")
    with modelfmt.open(GRAPH) as a, modelfmt.open(tmp_path / "g.pb") as b:
        assert list(a.graph) == list(b.graph)
        for name, tensor in a.tensors.items():
            np.testing.assert_array_equal(tensor.numpy(), b.tensors[name].numpy())


def test_an_existing_output(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    out.write_text("precious")
    with pytest.raises(OutputExistsError):
        convert(H5, out)
    assert out.read_text() == "precious"
    convert(H5, out, force=True)
    assert modelfmt.dump(out)["kind"] == "graphdef"


def test_an_existing_output_is_noticed_before_the_source_is_read(tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    out.touch()
    with pytest.raises(OutputExistsError):
        convert(tmp_path / "nowhere.h5", out)


@pytest.mark.parametrize("end", [".h5", ".keras"])
def test_what_cannot_be_converted_leaves_nothing(tmp_path: Path, end: str) -> None:
    source = GOLDEN / "graphdef/rawtf1.15.5-raw_strings/model.pb"
    with pytest.raises(UnrecognisedGraphError) as caught:
        convert(source, tmp_path / f"out{end}")
    assert caught.value.where.path == str(source) and caught.value.nodes
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import modelfmt.keras.archive as archive

    def fail(*_: Any) -> None:
        raise ModelFormatError("the disk is full")

    monkeypatch.setattr(archive, "write_archive", fail)
    with pytest.raises(ModelFormatError, match="disk is full"):
        convert(GRAPH, tmp_path / "out.keras")
    assert list(tmp_path.iterdir()) == []


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"d"]
        file.create_group("d").attrs["weight_names"] = []
    with pytest.raises(ConversionError, match="weights only"):
        convert(path, tmp_path / "out.pb")


def test_inference_parts_of_a_training_graph_only(tmp_path: Path) -> None:
    """Frozen with the learning phase: the same layers as without it."""
    phase = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn_lp/model.pb"
    for source, name in ((GRAPH, "a.keras"), (phase, "b.keras")):
        convert(source, tmp_path / name)
    first, second = (modelfmt.dump(tmp_path / name, digest=True) for name in ("a.keras", "b.keras"))
    assert first["layers"] == second["layers"]
    assert [t["sha256"] for t in first["tensors"]] == [t["sha256"] for t in second["tensors"]]


@pytest.mark.parametrize("source", [GRAPH, H5], ids=lambda p: p.parent.name)
def test_a_savedmodel_for_keras_2_states_layers_of_any_source(
    source: Path, tmp_path: Path
) -> None:
    """Even where a graph could stay a graph: its layers are recognised, and stated beside it."""
    done = convert(source, tmp_path / "m", keras=2)
    assert done.kind == "savedmodel" and done.layers > 0
    assert (tmp_path / "m/keras_metadata.pb").is_file()
    assert weights(tmp_path / "m").keys() == weights(source).keys()
    convert(source, tmp_path / "plain")
    assert not (tmp_path / "plain/keras_metadata.pb").exists()


def recurrent(**config: Any) -> Network:
    """x -> Bidirectional(SimpleRNN), as a file states it."""
    shapes = {"kernel": (3, 2), "recurrent_kernel": (2, 2), "bias": (2,)}
    weights = {
        f"{way}/{name}": Tensor.from_numpy(name, np.ones(shape, "f4"))
        for way in ("forward_layer", "backward_layer")
        for name, shape in shapes.items()
    }
    inner = {"class_name": "SimpleRNN", "config": {"units": 2, **config}}
    layers = [
        Layer("InputLayer", "x", {"batch_shape": [2, 4, 3], "dtype": "float32"}),
        Layer("Bidirectional", "both", {"layer": inner}, weights, calls=[Call([Ref("x")])]),
    ]
    network = Network("m", layers=layers, inputs=[Ref("x")], outputs=[Ref("both")])
    infer_specs(network)
    return network


@pytest.mark.parametrize("stateful", [True, False])
def test_what_forgets_its_state_is_told(tmp_path: Path, stateful: bool) -> None:
    write_archive_model(recurrent(stateful=stateful), str(tmp_path / "m.keras"))
    notes = convert(tmp_path / "m.keras", tmp_path / "m.pb").notes
    assert [note.endswith(": both") for note in notes] == [True] * stateful
    assert not convert(tmp_path / "m.keras", tmp_path / "again.keras").notes
