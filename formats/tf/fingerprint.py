"""fingerprint.pb of a SavedModel, from TensorFlow 2.12 on: hashes that tell one from another.

    FingerprintDef {1 saved_model_checksum  2 graph_def_program_hash  3 signature_def_hash
                    4 saved_object_graph_hash  5 checkpoint_hash  6 version  7 uuid}

Field 5 is the Fingerprint64 (storage/farmhash.py) of variables/variables.index as it stands; a test
compares it with genuine files. The others are hashes of messages that TensorFlow rewrites first
and serialises in an order of its own; we don't compute them, so what we edit loses the file rather
than keep a false one. Readers do without. Source: tensorflow/core/protobuf/fingerprint.proto,
cc/saved_model/fingerprinting.cc.
"""

from __future__ import annotations

import os

from modelfmt import proto
from modelfmt.errors import CorruptFileError, Where
from modelfmt.storage.farmhash import fingerprint64
from modelfmt.storage.files import SourceFile

FILE = "fingerprint.pb"
_INDEX = ("variables", "variables.index")


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
    with SourceFile(path) as file:
        try:
            message = proto.FingerprintDef.FromString(file.read(0, file.size))
        except proto.DecodeError as error:
            raise CorruptFileError(f"not a FingerprintDef ({error})", where=Where(path)) from None
    return bool(message.checkpoint_hash) and message.checkpoint_hash != checkpoint_hash(folder)
