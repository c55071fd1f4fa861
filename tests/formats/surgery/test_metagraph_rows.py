"""What dump says of MetaGraphs and of a SavedModel's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelfmt import proto
from modelfmt.surgery.metagraph_rows import (
    file_rows,
    metagraph_rows,
    object_rows,
    odd_in_folder,
    signature_rows,
)
from modelfmt.tf.saved_objects import read_saved_objects
from modelfmt.tf.savedmodel import SavedModel

MODEL = Path(__file__).parents[3] / "golden/savedmodel/rawtf2.21.0-module_lookup/saved_model"


def test_all_metagraphs_by_their_tags(tmp_path: Path) -> None:
    message = proto.SavedModel.FromString((MODEL / "saved_model.pb").read_bytes())
    message.meta_graphs.add().meta_info_def.tags.extend(["train", "gpu"])
    (tmp_path / "saved_model.pb").write_bytes(message.SerializeToString())
    with SavedModel(str(tmp_path)) as model:
        rows = metagraph_rows(model)
        assert [row["tags"] for row in rows] == [["serve"], ["train", "gpu"]]
        assert rows[0]["nodes"] > 0 == rows[1]["nodes"]


def test_signatures_tell_their_method() -> None:
    with SavedModel(str(MODEL)) as model:
        found = signature_rows(model.metagraph)["serving_default"]
        assert found["method"] == "tensorflow/serving/predict"
        assert all(row["dtype"] for row in found["inputs"])


def test_objects_as_deep_as_asked() -> None:
    with SavedModel(str(MODEL)) as model:
        objects = read_saved_objects(model.metagraph)
        assert object_rows(objects, 0)["rows"] == []
        counts = object_rows(objects, 1)
        assert sum(counts["kinds"].values()) == counts["count"] == len(objects.nodes)
        assert all("/" not in row["path"] for row in counts["rows"])
        assert len(object_rows(objects, 9)["rows"]) > len(counts["rows"])


def test_files_and_what_is_odd(tmp_path: Path) -> None:
    copy = Path(shutil.copytree(MODEL, tmp_path / "m"))
    with SavedModel(str(copy)) as model:
        names = [row["name"] for row in file_rows(model)]
        assert "fingerprint.pb" in names and not any("variables/" in name for name in names)
        assert list(odd_in_folder(model)) == []
        shutil.rmtree(copy / "assets")
        index = copy / "variables/variables.index"
        index.write_bytes(index.read_bytes() + b"\0")
        odd = list(odd_in_folder(model))
        assert "stale" in odd[0] and "does not exist" in odd[1]
