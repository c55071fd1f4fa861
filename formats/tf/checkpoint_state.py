"""The text file ``checkpoint`` of a folder, both directions: which checkpoint is the latest.

    model_checkpoint_path: "model.ckpt-1000"             a prefix, absolute or from the folder
    all_model_checkpoint_paths: "model.ckpt-1000"        oldest first

Source: tensorflow/python/training/checkpoint_state.proto, checkpoint_management.py.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence

from modelfmt.errors import CorruptFileError, MissingError, Where
from modelfmt.storage.files import SourceFile, atomic_output

NAME = "checkpoint"
_STATE = re.compile(rb"\s*(#[^\n]*\n\s*)*(all_)?model_checkpoint_paths?\s*:")


@dataclasses.dataclass(frozen=True)
class CheckpointState:
    """The prefixes as they stand in the file; ``latest`` may be empty."""

    latest: str
    all: tuple[str, ...] = ()


def is_checkpoint_state(path: str) -> bool:
    """Whether a file is a CheckpointState by its content."""
    with SourceFile(path) as file:
        return _STATE.match(file.read(0, min(file.size, 1 << 12))) is not None


def read_checkpoint_state(folder: str) -> CheckpointState:
    """The state of a folder.

    Raises:
        MissingError: it has no file ``checkpoint``.
        CorruptFileError: which is no text, or no CheckpointState.

    Written by: ``write_checkpoint_state``.
    """
    from modelfmt import proto

    path = os.path.join(folder, NAME)
    with SourceFile(path) as file:
        try:
            state = proto.parse_text(file.read(0, file.size).decode(), proto.CheckpointState)
        except (UnicodeDecodeError, proto.ParseError) as error:
            raise CorruptFileError(
                f"not a text CheckpointState ({error})", where=Where(path)
            ) from None
    return CheckpointState(state.model_checkpoint_path, tuple(state.all_model_checkpoint_paths))


def write_checkpoint_state(
    folder: str | os.PathLike[str], name: str, *, all_names: Sequence[str] = (),
    force: bool = False,
) -> None:
    """Say that ``name`` is the latest checkpoint of a folder, as TensorFlow's Saver does.

    Args:
        folder: where the file ``checkpoint`` goes.
        name: a prefix, from the folder.
        all_names: those before it, oldest first; ``name`` is added at the end where it lacks.
        force: replace an existing file.

    Read by: ``read_checkpoint_state``.
    """
    from modelfmt import proto

    names = [*all_names] if name in all_names else [*all_names, name]
    state = proto.CheckpointState(
        model_checkpoint_path=name, all_model_checkpoint_paths=names
    )
    with atomic_output(os.path.join(os.fspath(folder), NAME), force=force) as out:
        out.file.write(proto.format_text(state).encode())


def latest_prefix(folder: str) -> str:
    """The prefix of a folder's latest checkpoint.

    A path from another machine is looked up in the folder itself.

    Raises:
        MissingError: the file names none.
    """
    latest = read_checkpoint_state(folder).latest
    if not latest:
        raise MissingError(
            "the file names no latest checkpoint", where=Where(os.path.join(folder, NAME))
        )
    if os.path.isabs(latest) and os.path.isdir(os.path.dirname(latest)):
        return latest
    if os.path.isabs(latest) or "\\" in latest:
        latest = re.split(r"[\\/]", latest)[-1]
    return os.path.join(folder, latest)
