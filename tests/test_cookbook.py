"""The cookbook can't lie: its scripts are run, one a test, and did what they say."""

from __future__ import annotations

import csv
import json
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import modelfmt

ROOT = pathlib.Path(__file__).parent.parent
GOLDEN = ROOT / "golden"
COOKBOOK = (ROOT / "docs" / "cookbook.md").read_text()
SCRIPTS = dict(re.findall(r"^## (.*?)\n.*?```python\n(.*?)```", COOKBOOK, re.DOTALL | re.MULTILINE))


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with the files that most scripts speak of."""
    shutil.copy(GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5", tmp_path / "model.h5")
    shutil.copy(GOLDEN / "graphdef/keras3.15.1-tf2.21.0-cnn/model.pb", tmp_path / "frozen.pb")
    return tmp_path


def run(title: str, folder: pathlib.Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPTS[title]], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    with modelfmt.open(path) as f:
        return {n: t.numpy().copy() for n, t in f.tensors.items() if t.strings is None}


def test_every_heading_has_a_script_and_a_test() -> None:
    titles = re.findall(r"^## (.*)$", COOKBOOK, re.MULTILINE)
    assert len(titles) == 10 and list(SCRIPTS) == titles
    source = pathlib.Path(__file__).read_text()
    assert [title for title in titles if f'run("{title}"' not in source] == []


def test_replace_a_head(folder: pathlib.Path) -> None:
    kernel = np.arange(36, dtype="f4").reshape(9, 4)
    np.savez(folder / "head.npz", kernel=kernel, bias=np.ones(4, "f4"))
    said = run("Replace a classifier head", folder)
    assert len(said.splitlines()) == 2 and "out" in said
    before, after = arrays(folder / "model.h5"), arrays(folder / "new_head.h5")
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    assert changed == [f"model_weights/out/out/{w}:0" for w in ("kernel", "bias")]
    np.testing.assert_array_equal(after[changed[0]], kernel)


def test_graft_an_encoder(folder: pathlib.Path) -> None:
    assert "conv_same" in run("Graft an encoder", folder)
    before, after = arrays(folder / "model.h5"), arrays(folder / "grafted.h5")
    changed = {n.split("/")[1] for n in before if not np.array_equal(before[n], after[n])}
    assert {"conv_same", "conv_stride", "conv_dil", "conv_rect"} <= changed
    assert not changed & {"fc", "out", "RMSprop"}
    donor = arrays(folder / "frozen.pb")["cnn_1/conv_same_1/convolution/ReadVariableOp/resource"]
    np.testing.assert_array_equal(after["model_weights/conv_same/conv_same/kernel:0"], donor)


def test_average_checkpoints(folder: pathlib.Path) -> None:
    (folder / "average").mkdir()
    (folder / "train").mkdir()
    key = "model/layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    source = GOLDEN / "checkpoint/tfkeras-tf2.3.4-linear_regression_train/ckpt-1"
    for number in (1, 2, 3):
        with modelfmt.open(source) as f:
            f.tensors[key] = np.full((4, 1), number**2, "f4")
            f.save(str(folder / f"train/ckpt-{number}"))
    run("Average checkpoints", folder)
    found, last = arrays(folder / "average/ckpt"), arrays(folder / "train/ckpt-3")
    np.testing.assert_allclose(found[key], np.full((4, 1), 14 / 3), rtol=1e-6)
    assert list(found) == list(last) and not modelfmt.check(folder / "average/ckpt")
    assert [n for n in found if not np.array_equal(found[n], last[n])] == [key]


def test_prune_the_optimizer(folder: pathlib.Path) -> None:
    before, after = map(int, run("Prune the optimizer", folder).splitlines()[0].split(" -> "))
    assert after < before
    assert [n for n in arrays(folder / "pruned.h5") if n.startswith("optimizer")] == []


def test_rename_a_scope(folder: pathlib.Path) -> None:
    assert "encoder/conv_same_1" in run("Rename a scope", folder)
    with modelfmt.open(folder / "renamed.pb") as f:
        assert not [n for n in f.graph if n.startswith("cnn_1/")]
    assert not modelfmt.check(folder / "renamed.pb")


def test_extract_a_subgraph(folder: pathlib.Path) -> None:
    assert "cnn_1/act_1/Relu" in run("Extract a subgraph", folder)
    with modelfmt.open(folder / "features.pb") as f:
        assert "cnn_1/act_1/Relu" in f.graph
        assert not [n for n in f.graph if n.startswith("cnn_1/out_1")]


def test_cast(folder: pathlib.Path) -> None:
    for line in run("Cast to float16 or bfloat16", folder).splitlines():
        dtype, before, _, after = line.split()
        assert int(after) < int(before)
        kernel = "cnn_1/conv_same_1/convolution/ReadVariableOp/resource"
        row = modelfmt.dump(folder / f"{dtype}.pb", select=[f"{kernel}*"])["tensors"][0]
        assert row["dtype"] == dtype


def test_inspect_a_large_file(folder: pathlib.Path) -> None:
    """5 GB by its header; the file is one hole, but for the tensor that is read."""
    size = 5 * 10**9
    header = json.dumps({
        "encoder/kernel": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]},
        "head/bias": {"dtype": "F32", "shape": [2], "data_offsets": [size, size + 8]},
    }).encode()  # fmt: skip
    with (folder / "big.safetensors").open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.seek(size, 1)
        file.write(np.array([1.5, -2], "<f4").tobytes())
    said = run("Inspect a 5 GB checkpoint", folder)
    assert said.splitlines()[0] == "   5.000 GB  encoder"
    assert said.splitlines()[-1] == "[ 1.5 -2. ]"


def test_convert_a_folder(folder: pathlib.Path) -> None:
    models = folder / "models"
    models.mkdir()
    shutil.copy(folder / "model.h5", models / "a.h5")
    shutil.copy(folder / "frozen.pb", models / "b.pb")
    (models / "c.pb").write_bytes(b"no model")
    run("Convert a folder of models, with a report", folder)
    rows = list(csv.reader((folder / "report.csv").open()))
    assert [row[:2] for row in rows[1:]] == [["a.h5", "a.keras"], ["b.pb", "b.keras"], ["c.pb", ""]]
    assert rows[1][2] == rows[2][2] == "" and "c.pb" in rows[3][2]
    assert (folder / "converted/b.md").stat().st_size
    assert modelfmt.dump(folder / "converted/b.keras")["layers"]


def test_a_custom_codec(folder: pathlib.Path) -> None:
    shutil.copytree(
        GOLDEN / "savedmodel/tfkeras-tf2.3.4-custom_layer/saved_model", folder / "custom"
    )
    assert "MatMulLayer" in run("Write a custom layer codec", folder)
    with modelfmt.open(folder / "custom.pb") as f:
        assert "MatMul" in {node.op for node in f.graph.values()}
