"""What is asked of SavedModels and of names in HDF5; test_check.py has the rest."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt import proto

GOLDEN = Path(__file__).parents[3] / "golden"
LOOKUP = GOLDEN / "savedmodel/rawtf2.21.0-module_lookup/saved_model"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LOOKUP, tmp_path / "model"))


def changed(model: Path) -> proto.SavedModel:
    return proto.SavedModel.FromString((model / "saved_model.pb").read_bytes())


def findings(model: Path, message: proto.SavedModel | None = None) -> str:
    if message is not None:
        (model / "saved_model.pb").write_bytes(message.SerializeToString())
    return "\n".join(str(error) for error in modelfmt.check(model))


def test_objects_that_there_are_not(model: Path) -> None:
    message = changed(model)
    message.meta_graphs[0].object_graph_def.nodes[0].children[0].node_id = 999
    assert "leads to objects that there are not" in findings(model, message)


def test_functions_that_there_are_not(model: Path) -> None:
    message = changed(model)
    objects = message.meta_graphs[0].object_graph_def
    name = sorted(objects.concrete_functions)[0]
    objects.concrete_functions["ghost"].CopyFrom(objects.concrete_functions[name])
    objects.concrete_functions["ghost"].bound_inputs.append(999)
    del objects.concrete_functions[name]
    found = findings(model, message)
    assert 'concrete function "ghost": the library has no such function' in found
    assert "captures objects that there are not" in found
    assert f"no concrete function {name!r}" in found


def test_another_dtype_than_the_signature_says(model: Path) -> None:
    message = changed(model)
    for signature in message.meta_graphs[0].signature_def.values():
        for info in signature.inputs.values():
            info.dtype = 7 if info.dtype != 7 else 1
    assert "yields another dtype; expected" in findings(model, message)


def test_a_stale_fingerprint_and_assets_that_lack(model: Path) -> None:
    index = model / "variables/variables.index"
    if index.exists():
        fingerprint = proto.FingerprintDef.FromString((model / "fingerprint.pb").read_bytes())
        fingerprint.checkpoint_hash ^= 1
        (model / "fingerprint.pb").write_bytes(fingerprint.SerializeToString())
        assert "checkpoint_hash is not that of variables.index" in findings(model)
    assets = list((model / "assets").iterdir())
    for asset in assets:
        asset.unlink()
    assert findings(model).count("no such asset file") == len(assets)


def test_a_dataset_that_no_list_names(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"d"]
        file["d/d/kernel:0"] = np.zeros((2, 3), "f4")
        file["d/d/stray:0"] = np.zeros(2, "f4")
        file["d"].attrs["weight_names"] = [b"d/kernel:0"]
    (found,) = modelfmt.check(tmp_path / "w.h5")
    assert 'dataset "d/d/stray:0": no weight_names list it' in str(found)
