"""The file ``checkpoint``: as TensorFlow writes it, both directions, paths of other machines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from modelfmt.errors import CorruptFileError, MissingError
from modelfmt.storage.files import OutputExistsError
from modelfmt.tf.checkpoint_state import (
    CheckpointState,
    is_checkpoint_state,
    latest_prefix,
    read_checkpoint_state,
    write_checkpoint_state,
)

TEXT = """model_checkpoint_path: "model.ckpt-2"
all_model_checkpoint_paths: "model.ckpt-1"
all_model_checkpoint_paths: "model.ckpt-2"
"""


def test_both_directions(tmp_path: Path) -> None:
    write_checkpoint_state(tmp_path, "model.ckpt-2", all_names=["model.ckpt-1"])
    assert (tmp_path / "checkpoint").read_text() == TEXT
    state = CheckpointState("model.ckpt-2", ("model.ckpt-1", "model.ckpt-2"))
    assert read_checkpoint_state(str(tmp_path)) == state
    assert is_checkpoint_state(str(tmp_path / "checkpoint"))
    with pytest.raises(OutputExistsError):
        write_checkpoint_state(tmp_path, "x")
    write_checkpoint_state(tmp_path, "x", force=True)
    assert read_checkpoint_state(str(tmp_path)) == CheckpointState("x", ("x",))


@pytest.mark.oracle
def test_tensorflow_writes_the_same(tmp_path: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf: Any = pytest.importorskip("tensorflow")
    from tensorflow.python.checkpoint import checkpoint_management

    checkpoint_management.update_checkpoint_state_internal(
        str(tmp_path), str(tmp_path / "model.ckpt-2"), [str(tmp_path / "model.ckpt-1")],
        save_relative_paths=True,
    )  # fmt: skip
    theirs = (tmp_path / "checkpoint").read_text()
    write_checkpoint_state(tmp_path, "model.ckpt-2", all_names=["model.ckpt-1"], force=True)
    assert (tmp_path / "checkpoint").read_text() == theirs == TEXT
    assert tf.train.latest_checkpoint(str(tmp_path)) is None  # it looks for the files
    for end in ("index", "data-00000-of-00001"):
        (tmp_path / f"model.ckpt-2.{end}").touch()
    assert tf.train.latest_checkpoint(str(tmp_path)) == latest_prefix(str(tmp_path))


@pytest.mark.parametrize("stated, found", [
    ("model.ckpt-7", "model.ckpt-7"), ("sub/c", "sub/c"),
    ("/no/such/folder/model.ckpt-7", "model.ckpt-7"),
    ("C:\\\\runs\\\\model.ckpt-7", "model.ckpt-7"),
])
def test_latest(tmp_path: Path, stated: str, found: str) -> None:
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{stated}"')
    assert latest_prefix(str(tmp_path)) == str(tmp_path / found)


def test_an_absolute_path_that_exists(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{tmp_path}/a/c"')
    assert latest_prefix(str(tmp_path)) == f"{tmp_path}/a/c"


def test_damaged(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_checkpoint_state(str(tmp_path))
    state = tmp_path / "checkpoint"
    for data in (b"\xff\xfe", b"model_checkpoint_path: ", b"what: 3"):
        state.write_bytes(data)
        with pytest.raises(CorruptFileError, match="not a text CheckpointState"):
            read_checkpoint_state(str(tmp_path))
    assert not is_checkpoint_state(str(state))
    state.write_bytes(b"")
    with pytest.raises(MissingError, match="no latest"):
        latest_prefix(str(tmp_path))
