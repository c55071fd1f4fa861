"""Small files that would unfold into large ones: bounded memory, and a named error or a result."""

from __future__ import annotations

import io
import json
import resource
import struct
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import modelfmt
from modelfmt import ModelFormatError, proto
from modelfmt.errors import CorruptFileError, UnsafeFileError
from modelfmt.storage.sstable import write_table
from modelfmt.storage.wire import length_delimited, varint_field

ROOM = 64 << 20
Exploded = Callable[..., dict[str, ModelFormatError | None]]


def resident(key: str) -> int:
    """VmRSS or VmHWM of this process, in bytes."""
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{key}:")[1].split()[0]) << 10


def walk(path: Path) -> None:
    with modelfmt.open(path) as container:
        if container.has_graph:
            for body in (container.graph, *container.graph.functions.values()):
                for node in body.values():
                    dict(node.attrs)
        for name in container.tensors:
            container.tensors[name].numpy()


@pytest.fixture
def exploded(tmp_path: Path) -> Exploded:
    """What every verb says of a file, each within 2 times the file and 64 MB; None: no error."""

    def explode(path: Path) -> dict[str, ModelFormatError | None]:
        verbs: dict[str, Callable[[], Any]] = {
            "walk": lambda: walk(path),
            "dump": lambda: modelfmt.dump(path, digest=True),
            "check": lambda: modelfmt.check(path),
            "extract": lambda: modelfmt.extract(path, tmp_path / "parts"),
            "to graphdef": lambda: modelfmt.convert(path, tmp_path / "out.pb"),
            "to keras-h5": lambda: modelfmt.convert(path, tmp_path / "out.h5"),
            "to metagraph": lambda: modelfmt.convert(path, tmp_path / "out.meta"),
            "diff": lambda: modelfmt.diff(path, path),
        }
        said: dict[str, ModelFormatError | None] = {}
        for verb, run in verbs.items():
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")
            before = resident("VmRSS")
            said[verb] = None
            try:
                found = run()
                if verb == "check" and found:
                    said[verb] = found[0]
            except ModelFormatError as error:
                said[verb] = error
                assert "\n" not in str(error)
            taken = resident("VmHWM") - before
            assert taken <= 2 * path.stat().st_size + ROOM, f"{verb} took {taken >> 20} MiB"
        return said

    # Imports are no part of what a file takes.
    golden = Path(__file__).parents[2] / "golden"
    for source in ("graphdef/keras2.1.2-tf1.4.1-cnn/model.pb", "keras-h5/tfkeras-tf2.3.4-cnn/model.h5"):
        for number, end in enumerate((".pb", ".h5", ".meta")):
            modelfmt.convert(golden / source, tmp_path / f"warm{number}{end}", force=True)
        modelfmt.check(golden / source)
        modelfmt.diff(golden / source, golden / source)
    return explode
