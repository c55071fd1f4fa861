"""SavedModel folders, writing: one MetaGraph tagged ``serve``, as TensorFlow 1 writes it.

    saved_model.pb                 SavedModel {1 schema version, 2 meta_graphs}
    variables/variables.*          a checkpoint, where there are variables

There is no object graph: ``tf.saved_model.load`` shows the signatures without one, and none with
a partial one. The signature stands there twice, as ``serving_default`` and as ``serve``, which is
what ``keras.layers.TFSMLayer`` calls. Its input keys become parameters of a Python function, so
one that is a word of Python's own (``in``) gets an underscore. There is no fingerprint.pb: it is
optional, and tells one writing from another, which a deterministic file does by its bytes.
Source: tensorflow/core/protobuf/saved_model.proto, python/saved_model/builder_impl.py.
"""

from __future__ import annotations

import dataclasses
import keyword
import os

from modelfmt.storage import wire
from modelfmt.storage.files import write_pieces
from modelfmt.storage.output import atomic_folder
from modelfmt.storage.splice import delimited
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.graphdef import check_size
from modelfmt.tf.metagraph import Signature
from modelfmt.tf.metagraph_writer import SERVING, Model, metagraph_pieces, stored
from modelfmt.tf.savedmodel import SERVE

_VERSION, _META_GRAPH = 1, 2
_NAME = "saved_model.pb"


def write_savedmodel(model: Model, path: str, *, force: bool = False) -> None:
    """Write a SavedModel folder, atomically.

    Raises:
        OutputExistsError: it exists, and not ``force``.
        OutputError: a folder with other things in it is not replaced.
        UnsupportedError: saved_model.pb would pass protobuf's limit of 2 GiB.

    Read by: ``savedmodel.SavedModel``.
    """
    model = dataclasses.replace(model, signature=callable_signature(model.signature))
    metagraph = metagraph_pieces(model, tags=[SERVE], keys=[SERVING, SERVE])
    pieces = [wire.varint_field(_VERSION, 1), *delimited(_META_GRAPH, metagraph)]
    check_size(pieces, path, "SavedModel")
    with atomic_folder(path, force=force, markers=(_NAME, f"{_NAME}txt")) as folder:
        with open(os.path.join(folder, _NAME), "xb") as file:
            write_pieces(file, pieces)
        os.mkdir(os.path.join(folder, "variables"))
        if model.variables:
            prefix = os.path.join(folder, "variables", "variables")
            write_bundle(prefix, stored(model.variables))


def callable_signature(signature: Signature) -> Signature:
    """The signature with input keys that Python takes as parameters of a function.

    TensorFlow replaces other characters itself, but fails at a keyword.
    """
    inputs = {
        f"{key}_" if keyword.iskeyword(key) else key: info for key, info in signature.inputs.items()
    }
    return dataclasses.replace(signature, inputs=inputs)
