"""The vocabularies of lookup layers, in the folder ``assets`` of a .keras archive.

    assets/layers/string_lookup/vocabulary.txt      one token a line, special ones among them

The path below ``assets`` is the layer's in the weights tree (tree.py). A vocabulary that was given
to the layer as a list stands in the config instead. Only members of the archive are read: what a
config calls a file is none. Source: Keras, IndexLookup.save_assets and load_assets.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelfmt.errors import CorruptFileError, located
from modelfmt.keras.accepted import words
from modelfmt.keras.tree import layer_paths
from modelfmt.network import Network
from modelfmt.storage.archive import ArchiveReader
from modelfmt.storage.files import piece_bytes
from modelfmt.tensor import Tensor

_LOOKUPS = words("StringLookup IntegerLookup TextVectorization")


def read_vocabularies(
    network: Network, tensors: Mapping[str, Tensor], archive: ArchiveReader
) -> None:
    """Bring the vocabularies that stand in the archive into the layers' configs, in place.

    Args:
        network: as config.json states it.
        tensors: of model.weights.h5, by path.
        archive: the .keras file.

    Raises:
        CorruptFileError: a file that is no vocabulary.
    """
    members = {name for name in archive.names() if name.startswith("assets/")}
    if not members:
        return
    for layer, path in layer_paths(network, tensors):
        member = f"assets/{path}/vocabulary.txt"
        wanted = layer.class_name in _LOOKUPS and layer.config.get("vocabulary") is None
        if wanted and member in members:
            with located(key=f'member "{member}"'):
                lines = _lines(piece_bytes(archive.member(member)))
                whole = layer.class_name == "IntegerLookup"
                layer.config["vocabulary"] = _numbers(lines) if whole else lines


def _lines(data: bytes) -> list[str]:
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise CorruptFileError(
            "a vocabulary that is no UTF-8", found=repr(data[error.start : error.start + 8])
        ) from None
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _numbers(lines: list[str]) -> list[int]:
    try:
        return [int(line) for line in lines]
    except ValueError as error:
        raise CorruptFileError("a vocabulary of integers with another line in it",
                               found=str(error)) from None  # fmt: skip
