"""A .meta and a SavedModel saved: everything that belongs to them comes along."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import modelfmt
from modelfmt.errors import UnsafeFileError, UnsupportedError

GOLDEN = Path(__file__).parents[3] / "golden"
META = GOLDEN / "metagraph/rawtf1.15.5-raw_slim/model.ckpt.meta"
FOLDER = GOLDEN / "savedmodel/rawtf1.15.5-raw_convnet"
SAVED = next(p for p in FOLDER.iterdir() if p.is_dir())
TEXT = GOLDEN / "savedmodel/rawtf1.0.1-raw_strings_text"


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_a_meta_brings_its_checkpoint(tmp_path: Path) -> None:
    with modelfmt.open(META) as source:
        source.save(str(tmp_path / "x.meta"))
    assert sorted(os.listdir(tmp_path)) == ["x.data-00000-of-00001", "x.index", "x.meta"]
    assert (tmp_path / "x.meta").read_bytes() == META.read_bytes()
    assert (tmp_path / "x.index").read_bytes() == META.with_suffix(".index").read_bytes()


def test_a_meta_without_a_name_for_its_checkpoint(tmp_path: Path) -> None:
    with modelfmt.open(META) as source, pytest.raises(UnsupportedError, match="takes its name"):
        source.save(str(tmp_path / "x.pb"))
    assert list(tmp_path.iterdir()) == []


def test_a_node_and_a_variable_of_a_savedmodel(tmp_path: Path) -> None:
    with modelfmt.open(SAVED) as source:
        name = next(n for n, t in source.tensors.items() if t.shape)
        wanted = source.tensors[name].numpy() + np.float32(1)
        source.tensors[name] = wanted  # type: ignore[index]
        node = next(iter(source.graph.values()))
        node.attrs["_note"] = "edited"
        source.save(str(tmp_path / "x"))
    before, after = tree(SAVED), tree(tmp_path / "x")
    assert set(after) == set(before)
    changed = {k for k in before if before[k] != after[k]}
    assert changed == {
        "saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001",
    }  # fmt: skip
    with modelfmt.open(tmp_path / "x") as made:
        assert made.graph[node.name].attrs["_note"] == "edited"
        np.testing.assert_array_equal(made.tensors[name].numpy(), wanted)


def test_a_node_of_a_text_savedmodel(tmp_path: Path) -> None:
    folder = next(p for p in TEXT.iterdir() if p.is_dir())
    with modelfmt.open(folder) as source:
        node = next(iter(source.graph.values()))
        node.attrs["_note"] = "edited"
        source.save(str(tmp_path / "x"))
    with modelfmt.open(tmp_path / "x") as made:
        assert made.graph[node.name].attrs["_note"] == "edited"



def test_a_link_out_of_the_folder(tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(SAVED, tmp_path / "in"))
    (copy / "secret").symlink_to("/etc/hostname")
    with modelfmt.open(copy) as source, pytest.raises(UnsafeFileError):
        source.save(str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_fingerprint_tells_of_what_is_written(tmp_path: Path) -> None:
    """Of edited variables the hash anew, of an edited graph nothing; of no edit the same bytes."""
    source = GOLDEN / "savedmodel/rawtf2.21.0-module_lookup/saved_model"
    before = (source / "fingerprint.pb").read_bytes()
    with modelfmt.open(source) as model:
        model.save(tmp_path / "same")
        name = next(n for n in model.tensors if model.tensors[n].dtype.name == "float32")
        model.tensors[name] = model.tensors[name].numpy() + 1
        model.save(tmp_path / "variables")
        model.graph["NoOp"].device = "/cpu:0"
        model.save(tmp_path / "graph")
    assert (tmp_path / "same/fingerprint.pb").read_bytes() == before
    assert (tmp_path / "variables/fingerprint.pb").read_bytes() != before
    assert not (tmp_path / "graph/fingerprint.pb").exists()
    for folder in ("same", "variables", "graph"):
        assert modelfmt.check(tmp_path / folder) == []
