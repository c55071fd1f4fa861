"""SavedModel folders: which MetaGraph is looked at, and what its variables hold."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelfmt
from modelfmt import proto
from modelfmt.errors import CorruptFileError, MissingError
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.savedmodel import SavedModel

GOLDEN = Path(__file__).parents[3] / "golden"


def saved(folder: Path, *tag_sets: list[str], text: bool = False) -> Path:
    """A SavedModel with a MetaGraph for each set of tags, each with a node named after it."""
    model = proto.SavedModel(saved_model_schema_version=1)
    for tags in tag_sets:
        meta = model.meta_graphs.add()
        meta.meta_info_def.tags.extend(tags)
        meta.graph_def.node.add(name="_".join(tags) or "none", op="NoOp")
    folder.mkdir(exist_ok=True)
    if text:
        (folder / "saved_model.pbtxt").write_text(proto.format_text(model))
    else:
        (folder / "saved_model.pb").write_bytes(model.SerializeToString())
    return folder


@pytest.mark.parametrize("text", [False, True])
def test_the_one_that_serves_is_looked_at(tmp_path: Path, text: bool) -> None:
    folder = saved(tmp_path / "m", ["train"], ["serve"], ["serve", "gpu"], text=text)
    with modelfmt.open(folder) as found:
        assert isinstance(found, SavedModel) and found.is_text == text
        assert len(found.metagraphs) == 3
        assert list(found.graph) == ["serve"]
    with modelfmt.open(folder, tags=["gpu", "serve"]) as found:
        assert list(found.graph) == ["serve_gpu"]


def test_without_serve_the_first(tmp_path: Path) -> None:
    with modelfmt.open(saved(tmp_path / "m", ["train"], ["eval"])) as found:
        assert list(found.graph) == ["train"]


def test_tags_that_there_are_not(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["serve"])
    with pytest.raises(MissingError, match="no MetaGraph tagged tpu") as error:
        modelfmt.open(folder, tags=["tpu"])
    assert error.value.close_matches == ["serve"]
    with pytest.raises(MissingError, match="no MetaGraph tagged serve"):
        modelfmt.open(saved(tmp_path / "empty"), kind="savedmodel")


def test_the_file_in_the_folder_means_the_folder(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["serve"])
    (folder / "variables").mkdir()
    write_bundle(str(folder / "variables/variables"), [Tensor.from_numpy("a", [1.0, 2.0])])
    with modelfmt.open(folder / "saved_model.pb") as found:
        assert found.kind == "savedmodel"
        assert list(found.tensors) == ["a"]


def test_a_damaged_file(tmp_path: Path) -> None:
    folder = saved(tmp_path / "m", ["serve"])
    raw = (folder / "saved_model.pb").read_bytes()
    (folder / "saved_model.pb").write_bytes(raw[:-3])
    with pytest.raises(CorruptFileError, match=r"saved_model\.pb"):
        modelfmt.open(folder)


def test_a_damaged_text_file(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pbtxt").write_text("saved_model_schema_version: x")
    with pytest.raises(CorruptFileError, match="not a text SavedModel"):
        modelfmt.open(tmp_path)


def test_a_written_one_is_read_back(tmp_path: Path) -> None:
    source = GOLDEN / "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"
    modelfmt.convert(source, tmp_path / "served", to="savedmodel")
    with modelfmt.open(tmp_path / "served") as found:
        assert isinstance(found, SavedModel)
        assert set(found.metagraph.signatures) == {"serving_default", "serve"}
        assert len(found.values) == len(found.tensors) == 19
