"""dump: the first questions about a file, answered as plain data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt import dump, proto

GOLDEN = Path(__file__).parents[3] / "golden"
GRAPH = GOLDEN / "graphdef/keras2.1.2-tf1.4.1-cnn/model.pb"
H5 = GOLDEN / "keras-h5/keras2.1.2-tf1.4.1-nested/model.h5"
ARCHIVE = GOLDEN / "keras/keras3.0.5-tf2.16.2-multi_output/model.keras"
MODELS = sorted(
    min(path.parent.glob("model.*"))
    for kind in ("graphdef", "keras-h5", "keras")
    for path in (GOLDEN / kind).glob("*/provenance.toml")
)
SHARED = {"path", "kind", "versions", "inputs", "outputs", "tensors", "oddities"}


@pytest.fixture(params=MODELS, ids=lambda p: f"{p.parents[1].name}/{p.parent.name}")
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_the_schema(path: Path) -> None:
    report = dump(path)
    assert set(report) >= SHARED and report["kind"] == path.parents[1].name
    assert ("ops" in report) == (report["kind"] == "graphdef")
    assert ("layers" in report) == (report["kind"] != "graphdef")
    for row in (*report["inputs"], *report["outputs"]):
        assert set(row) == {"name", "dtype", "shape"}
    for row in report["tensors"]:
        assert set(row) - {"layer"} == {"name", "path", "dtype", "shape", "nbytes"}
    assert json.loads(json.dumps(report)) == report  # plain data
    assert report["inputs"] and report["outputs"] and report["tensors"]


def test_genuine_files_are_not_odd(path: Path) -> None:
    assert dump(path)["oddities"] == []


def test_names_select_tensors(path: Path) -> None:
    rows = dump(path)["tensors"]
    with modelfmt.open(path) as container:
        for row in rows:
            tensor = container.tensors[row["name"]]
            assert (row["dtype"], row["shape"]) == (tensor.dtype.name, list(tensor.shape))
            if tensor.strings is None:
                assert row["nbytes"] == tensor.nbytes


def test_digests(path: Path) -> None:
    rows = dump(path, digest=True)["tensors"]
    with modelfmt.open(path) as container:
        for row in rows:
            tensor = container.tensors[row["name"]]
            if tensor.strings is not None:
                assert row["sha256"] is None
                continue
            raw = np.ascontiguousarray(tensor.numpy()).tobytes()
            assert row["sha256"] == hashlib.sha256(raw).hexdigest()


def test_a_graph() -> None:
    report = dump(GRAPH)
    assert report["ops"]["Conv2D"] == 4 and list(report["ops"]) == sorted(report["ops"])
    assert report["functions"] == {}
    assert report["inputs"] == [
        {"name": "conv_same_input", "dtype": "float32", "shape": [None, 20, 18, 3]}
    ]
    assert [row["name"] for row in report["outputs"]] == ["out/Softmax"]
    assert [row["dtype"] for row in report["outputs"]] == ["float32"]
    assert sum(report["ops"].values()) == len(list(modelfmt.open(GRAPH).graph))


def test_functions() -> None:
    report = dump(GOLDEN / "graphdef/rawtf2.21.0-module_control_v2cf/model.pb")
    assert len(report["functions"]) == 4 and all(n > 0 for n in report["functions"].values())


def test_an_old_placeholder_of_unknown_shape() -> None:
    """GraphDef versions below 24: shape [] of a Placeholder means unknown."""
    report = dump(GOLDEN / "graphdef/rawtf1.0.1-raw_convnet_text/model.pbtxt")
    assert {row["name"]: row["shape"] for row in report["inputs"]}["x"] is None


def test_layers() -> None:
    report = dump(H5)
    rows = {row["name"]: row for row in report["layers"]}
    assert rows["outer_dense"] == {
        "name": "outer_dense", "class_name": "Dense", "weights": 2, "parameters": 18,
    }  # fmt: skip
    assert rows["middle/inner_seq/inner_dense"]["class_name"] == "Dense"
    assert report["versions"] == {"keras_version": "2.1.2", "backend": "tensorflow"}
    assert dump(ARCHIVE)["versions"]["keras_version"] == "3.0.5"


def test_select() -> None:
    every = [row["name"] for row in dump(GRAPH)["tensors"]]
    chosen = [row["name"] for row in dump(GRAPH, select=["*/kernel", "out/bias"])["tensors"]]
    assert chosen == [n for n in every if n.endswith("/kernel") or n == "out/bias"]
    assert chosen and dump(GRAPH, select=["nothing*"])["tensors"] == []


# -- what is odd ----------------------------------------------------------------------------------


def h5(path: Path, **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        file["d/kernel"] = np.zeros((2, 3), "f4")
        file.attrs.update(attributes)
    return path


def test_a_part_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    report = dump(h5(tmp_path / "m.h5", model_config="{"))
    assert len(report["oddities"]) == 1 and "not JSON" in report["oddities"][0]
    assert [row["name"] for row in report["tensors"]] == ["d/kernel"]


def test_one_bad_constant_does_not_hide_the_others(tmp_path: Path) -> None:
    from modelfmt import proto

    text = """
    node { name: "bad" op: "Const" attr { key: "value" value { tensor { dtype: DT_FLOAT
      tensor_shape { dim { size: 9 } } tensor_content: "1234" } } } }
    node { name: "good" op: "Const" attr { key: "value" value { tensor { dtype: DT_FLOAT
      tensor_shape { } float_val: 1 } } } }
    """
    path = tmp_path / "m.pb"
    path.write_bytes(proto.parse_text(text, proto.GraphDef).SerializeToString())
    report = dump(path)
    assert [row["name"] for row in report["tensors"]] == ["good"]
    assert any('node "bad"' in sentence for sentence in report["oddities"])
    assert report["ops"] == {"Const": 2}


def test_weights_only_is_a_remark(tmp_path: Path) -> None:
    report = dump(h5(tmp_path / "w.h5", layer_names=[b"d"]))
    assert report["kind"] == "keras-weights" and report["oddities"] == []
    assert "weights only" in report["remarks"][0]
    odd = dump(h5(tmp_path / "p.h5"))["oddities"]
    assert len(odd) == 1 and "weights of no layout that is known" in odd[0]


def test_a_broken_checkpoint_does_not_hide_the_graph(tmp_path: Path) -> None:
    source = GOLDEN / "metagraph/keras1.2.2-tf1.2.1-k1_linear"
    for path in source.glob("model.ckpt*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.ckpt.index").write_bytes(b"no table at all")
    report = dump(tmp_path / "model.ckpt.meta")
    assert report["ops"] and report["outputs"] and report["collections"]
    assert any("model.ckpt.index" in sentence for sentence in report["oddities"])


def test_a_savedmodel_counts_its_own_nodes() -> None:
    report = dump(GOLDEN / "savedmodel/tfkeras-tf2.15.1-linear_regression/saved_model", depth=1)
    assert sum(report["ops"].values()) == 23 and report["ops"]["StatefulPartitionedCall"] == 3
    assert sum(report["function_ops"].values()) == sum(report["functions"].values())
    assert report["tags"] == ["serve"] and len(report["metagraphs"]) == 1
    assert report["signatures"]["serving_default"]["method"] == "tensorflow/serving/predict"
    assert report["objects"]["kinds"]["variable"] == 8
    assert all("/" not in row["path"] for row in report["objects"]["rows"])
    assert {row["name"] for row in report["files"]} >= {"fingerprint.pb", "keras_metadata.pb"}
    assert report["checkpoint"]["version"] == 2 and report["oddities"] == []


def test_variables_that_keras_exported_twice() -> None:
    report = dump(GOLDEN / "savedmodel/keras3.15.1-tf2.21.0-lstm_text/saved_model")
    assert any("_all_variables/" in sentence for sentence in report["oddities"])


def test_values_and_strings() -> None:
    path = GOLDEN / "checkpoint/rawtf1.4.1-raw_partitioned"
    rows = {row["name"]: row for row in dump(path / "checkpoint", values=True)["tensors"]}
    assert len(rows["words"]["values"]) == 4 and rows["words"]["nbytes"] > 0
    assert rows["emb/table"]["slices"] == ["0,7:0,5", "14,6:0,5", "7,7:0,5"]
    assert "values" not in rows["emb/table"]


def test_layers_as_deep_as_asked() -> None:
    assert not any("/" in row["name"] for row in dump(H5, depth=1)["layers"])
    assert any(row["name"].count("/") == 2 for row in dump(H5)["layers"])


def test_the_kind_may_be_said(tmp_path: Path) -> None:
    path = tmp_path / "odd"
    path.write_bytes(b"\xca\x03\x02hi")
    assert dump(path, kind="graphdef")["ops"] == {}


def test_a_metagraph(tmp_path: Path) -> None:
    text = """
    graph_def { node { name: "x" op: "Placeholder" } }
    saver_def { restore_op_name: "save/restore_all" version: V2 }
    collection_def { key: "train_op" value { node_list { value: "Adam" } } }
    collection_def { key: "variables" value { bytes_list { value: "\\n\\tbroken" } } }
    asset_file_def { tensor_info { name: "Const:0" } filename: "v.txt" }
    """
    path = tmp_path / "m.meta"
    path.write_text(text)
    report = dump(path)
    assert json.loads(json.dumps(report)) == report and report["ops"] == {"Placeholder": 1}
    assert report["collections"]["train_op"] == {
        "kind": "node_list", "type": None, "count": 1, "rows": [{"name": "Adam"}],
    }  # fmt: skip
    assert report["collections"]["variables"]["count"] == 1
    assert report["saver"]["restore_op"] == "save/restore_all"
    assert report["assets"] == [{"tensor": "Const:0", "filename": "v.txt"}]
    (sentence,) = report["oddities"]
    assert sentence.startswith(f'{path}, collection "variables", entry 0: 1 of 1 entries')


def test_the_layers_of_tensors() -> None:
    def told(name: str) -> list[tuple[str, str | None]]:
        rows = dump(GOLDEN / name)["tensors"]
        return [(row["name"], row.get("layer")) for row in rows]

    nested = told("keras/tfkeras-tf2.12.1-nested/model.keras")
    assert nested[0][1] == "outer_dense" and nested[-1] == ("optimizer/vars/16", None)
    assert nested[9][1] == "middle/inner_seq/inner_dense"
    weights = told("keras-weights/keras3.15.1-tf2.21.0-mini_transformer/model.weights.h5")
    assert weights[0] == ("layers/dense/vars/0", "ff1") and weights[-1][1] == "attention_output"
    h5 = told("keras-h5/keras3.15.1-tf2.21.0-gru_pair/model.h5")
    assert {layer for _, layer in h5} == {"gru_before", "gru_after", "gru_nobias"}


def test_values_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    message = proto.GraphDef()
    value = message.node.add(name="x", op="Const").attr["value"].tensor
    value.dtype, value.tensor_content = 1, np.float32([0.1, np.inf]).tobytes()
    value.tensor_shape.dim.add(size=2)
    (tmp_path / "a.pb").write_bytes(message.SerializeToString())
    assert dump(tmp_path / "a.pb", values=True)["tensors"][0]["values"] == [0.1, "inf"]
