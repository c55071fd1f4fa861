"""Keras' zipped models (.keras), from tf.keras 2.12 on.

    metadata.json       {"keras_version": ...}; Keras adds a date, we do not
    config.json         the model's config, see config.py
    model.weights.h5    the weights tree, see tree.py; also optimizer/vars/0, metrics/...
    assets/             files of lookup layers

Source: Keras saving_lib.py ``_save_model_to_fileobj``.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import cached_property
from typing import Any

from modelfmt.container import Container, EditedTensors
from modelfmt.errors import UnsupportedError, Where, located
from modelfmt.keras.assets import read_vocabularies
from modelfmt.keras.config import read_config, write_config
from modelfmt.keras.h5 import KERAS_VERSION, parse_json
from modelfmt.keras.stored import StoredTensors, elements_of, put
from modelfmt.keras.training import TRAINING, Training, compile_config, optimizer_state
from modelfmt.keras.tree import read_tree, tree_order, write_tree
from modelfmt.network import Network
from modelfmt.storage.archive import ArchiveReader, write_archive
from modelfmt.storage.files import (
    Piece,
    SourceFile,
    atomic_output,
    piece_bytes,
    write_pieces,
)
from modelfmt.storage.hdf5 import Hdf5Reader, write_hdf5
from modelfmt.storage.output import check_output
from modelfmt.tensor import Tensor

_STEM = "model.weights"
WEIGHTS = f"{_STEM}.h5"
#: JSON takes many times its size once it is parsed; thousands of like layers compress by 50.
_TEXT_BYTES, _TEXT_RATIO = 1 << 20, 200


class KerasArchive(Container):
    """A .keras zip archive; its weights are read in place, without unpacking.

    Raises:
        CorruptFileError: no zip archive, or a damaged one.
        MissingError: config.json or model.weights.h5 is not there.
    """

    kind = "keras"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.oddities: list[str] = []
        self.archive = ArchiveReader(path)
        try:
            others = [n for n in self.archive.names() if n in (f"{_STEM}.json", f"{_STEM}.npz")]
            if WEIGHTS not in self.archive.names() and others:
                raise UnsupportedError(
                    "weights in another form", where=Where(path), expected=WEIGHTS,
                    found=others[0], hint="Have Keras load and save it again.",
                )
            self.reader = Hdf5Reader(self.archive.spilled(WEIGHTS), name=path)
        except BaseException:
            self.archive.close()
            raise
        self._tensors = EditedTensors(StoredTensors(self.reader, path, tree_order), path)

    @property
    def tensors(self) -> EditedTensors:
        """The weights by path within model.weights.h5; assigning replaces the elements of one."""
        return self._tensors

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the archive with its edits; only replaced elements and checksums differ."""
        from modelfmt.storage.archive_edits import with_members
        from modelfmt.storage.hdf5.refill import refilled

        check_output(path, force=force)
        edits = {name: elements_of(tensor) for name, tensor in self._tensors.edits.items()}
        pieces: list[Piece] = [self.archive.file.span()]
        if edits:
            self.verify()  # the new checksum must not make damaged bytes good
            weights = refilled(self.reader, edits, path)
            pieces = with_members(self.archive, {WEIGHTS: weights})
        with atomic_output(path, force=force) as out:
            write_pieces(out.file, pieces)

    def verify(self) -> None:
        """Compare every member's CRC-32, in bounded memory: tensors are read past it, in place."""
        for name in self.archive.names():
            self.archive.check(name)

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The parsed metadata.json; empty where there is none."""
        return self._json("metadata.json") if "metadata.json" in self.archive.names() else {}

    @cached_property
    def model_config(self) -> dict[str, Any]:
        """The parsed config.json."""
        return self._json("config.json")

    def _json(self, name: str) -> dict[str, Any]:
        self.archive.check_ratio(name, _TEXT_BYTES, _TEXT_RATIO)
        return parse_json(piece_bytes(self.archive.member(name)), self.path, f'member "{name}"')

    @property
    def keras_version(self) -> str | None:
        version = self.metadata.get("keras_version")
        return version if isinstance(version, str) else None

    @property
    def training_config(self) -> dict[str, Any] | None:
        """The config of ``compile``; None where the model was not compiled."""
        found = self.model_config.get("compile_config")
        return found if isinstance(found, dict) and found else None

    @cached_property
    def optimizer(self) -> dict[str, Tensor]:
        """The optimizer's tensors by their paths, in order: iteration, then the slots."""
        found = [key for key in self.tensors if key.startswith("optimizer/")]
        found.sort(key=lambda key: (len(key), key))
        return {key: self.tensors[key] for key in found}

    @cached_property
    def _network(self) -> Network:
        with located(path=self.path):
            network = read_config(self.model_config, keras_version=self.keras_version)
        if self.keras_version is not None:
            network.extras["keras_version"] = self.keras_version
        for path in read_tree(network, self.tensors):
            self.oddities.append(f'"{path}" belongs to no layer of the config')
        with located(path=self.path):
            read_vocabularies(network, self.tensors, self.archive)
        return network

    @property
    def network(self) -> Network:
        return self._network

    def close(self) -> None:
        self.reader.close()
        self.archive.close()


def write_archive_model(network: Network, path: str, *, force: bool = False) -> None:
    """Write a .keras archive that Keras 3 loads: the twin of ``KerasArchive.network``.

    Args:
        network: bound; weights by canonical name, in canonical order.
        path: where to; the HDF5 stands beside it until it has moved in.
        force: replace an existing file.

    Raises:
        ConversionError: Keras 3 cannot express the model.
        OutputExistsError: something stands there, and not ``force``.
    """
    stated = write_config(network, major=3)
    training = network.extras.get(TRAINING)
    if isinstance(training, Training):
        stated["compile_config"] = compile_config(training)
    config = json.dumps(stated).encode()
    metadata = json.dumps({"keras_version": KERAS_VERSION[3]}).encode()
    tree = write_tree(network)
    if isinstance(training, Training):
        for number, (_, tensor) in enumerate(optimizer_state(training, network, 3)):
            put(tree, f"optimizer/vars/{number}", tensor)
    with atomic_output(path, force=force) as out:
        beside = f"{out.temporary}.{WEIGHTS}"
        try:
            write_hdf5(beside, tree)
            with SourceFile(beside) as weights:
                members: list[tuple[str, list[Piece]]] = [
                    ("metadata.json", [metadata]),
                    ("config.json", [config]),
                    (WEIGHTS, [weights.span()]),
                ]
                write_archive(out.file, members)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(beside)
