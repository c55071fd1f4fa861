"""fingerprint.pb of a SavedModel, from TensorFlow 2.12 on: hashes that tell one from another.

    FingerprintDef {1 saved_model_checksum  2 graph_def_program_hash  3 signature_def_hash
                    4 saved_object_graph_hash  5 checkpoint_hash  6 version  7 uuid}

Field 5 is the Fingerprint64 (storage/farmhash.py) of variables/variables.index as it stands; a test
compares it with genuine files, and writes it anew when variables are edited. The others are hashes
of messages that TensorFlow rewrites first and serialises in an order of its own; we don't compute
them. Edited elements of constants make the first two 0, which is "not told"; a graph of another
structure loses the file rather than keep a false one. Readers do without. Source:
tensorflow/core/protobuf/fingerprint.proto, cc/saved_model/fingerprinting.cc.
"""

from __future__ import annotations

import os
from typing import Any

from modelfmt import proto
from modelfmt.errors import CorruptFileError, Where
from modelfmt.storage import wire
from modelfmt.storage.farmhash import fingerprint64
from modelfmt.storage.files import SourceFile

FILE = "fingerprint.pb"
_INDEX = ("variables", "variables.index")
_OF_CONSTANTS, _OF_VARIABLES = (1, 2), 5


def checkpoint_hash(folder: str) -> int:
    """The hash of a SavedModel's variables.index; 0 where it has none."""
    path = os.path.join(folder, *_INDEX)
    if not os.path.exists(path):
        return 0
    with SourceFile(path) as file:
        return fingerprint64(file.read(0, file.size))


def stale(folder: str) -> bool:
    """Whether a SavedModel has a fingerprint that is of other variables.

    Raises:
        CorruptFileError: it is no FingerprintDef.
    """
    path = os.path.join(folder, FILE)
    if not os.path.exists(path):
        return False
    stored = _read(path)[1].checkpoint_hash
    return bool(stored) and stored != checkpoint_hash(folder)


def renew(folder: str, *, graph: bool, structure: bool) -> list[str]:
    """Make the fingerprint of an edited SavedModel tell the truth; remarks on what it lost.

    Every hash stays in the room that it has, so that nothing moves.

    Args:
        folder: as it was written, its fingerprint.pb unchanged, if there is one.
        graph: saved_model.pb was edited.
        structure: and more than the elements of its constants.

    Raises:
        CorruptFileError: it is no FingerprintDef.
    """
    path = os.path.join(folder, FILE)
    if not os.path.exists(path):
        return []
    if structure:
        os.unlink(path)
        return [f"{FILE} is left out: it told of the model before the edits"]
    data, message = _read(path)
    hashes = {_OF_VARIABLES: checkpoint_hash(folder)} if message.checkpoint_hash else {}
    if graph:
        hashes |= dict.fromkeys(_OF_CONSTANTS, 0)
    made = bytearray(data)
    lost = graph
    for span in wire.scan(data):
        if span.field not in hashes or span.wire_type != wire.VARINT:
            continue
        number = hashes[span.field]
        if len(wire.varint(number)) > span.length:
            number, lost = 0, True
        made[span.offset : span.end] = _padded(number, span.length)
    with open(path, "wb") as file:
        file.write(made)
    return [f"{FILE} leaves hashes out (0) that told of the model before the edits"] * lost


def _padded(number: int, length: int) -> bytes:
    """A varint of so many bytes, the last ones of which may be zeros."""
    digits = [number >> 7 * at & 0x7F for at in range(length)]
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])


def _read(path: str) -> tuple[bytes, Any]:
    with SourceFile(path) as file:
        data = file.read(0, file.size)
    try:
        return data, proto.FingerprintDef.FromString(data)
    except proto.DecodeError as error:
        raise CorruptFileError(f"not a FingerprintDef ({error})", where=Where(path)) from None
