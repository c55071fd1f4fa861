"""SavedModel folders, writing: one MetaGraph tagged ``serve``, as TensorFlow 1 or 2 writes it.

    saved_model.pb                 SavedModel {1 schema version, 2 meta_graphs}
    variables/variables.*          a checkpoint, where there are variables
    keras_metadata.pb              with objects of Keras 2 only

Without objects there is no object graph: ``tf.saved_model.load`` shows the signatures without one,
and of an object graph only the signatures in it. The signature stands there twice, as
``serving_default`` and as ``serve``, which is what ``keras.layers.TFSMLayer`` calls. Its input keys
become parameters of a Python function, so one that is a word of Python's own (``in``) gets an
underscore. There is no fingerprint.pb: it is optional, and tells one writing from another, which a
deterministic file does by its bytes.
Source: tensorflow/core/protobuf/saved_model.proto, python/saved_model/builder_impl.py.
"""

from __future__ import annotations

import dataclasses
import keyword
import os
from collections.abc import Iterator, Sequence

from modelfmt import dtypes
from modelfmt.storage import wire
from modelfmt.storage.files import write_pieces
from modelfmt.storage.output import atomic_folder
from modelfmt.storage.splice import delimited
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle_writer import write_bundle
from modelfmt.tf.graphdef import check_size
from modelfmt.tf.keras_metadata import FILE
from modelfmt.tf.metagraph import Signature
from modelfmt.tf.metagraph_writer import SERVING, Model, metagraph_pieces, stored
from modelfmt.tf.objects import KEY
from modelfmt.tf.saved_object_writer import (
    SavedThing,
    SavedVariable,
    variable_keys,
    write_saved_objects,
    write_trackables,
)
from modelfmt.tf.savedmodel import SERVE

_VERSION, _META_GRAPH, _OBJECT_GRAPH = 1, 2, 7
_NAME = "saved_model.pb"


@dataclasses.dataclass(frozen=True)
class Objects:
    """The objects of a model that is written as TensorFlow 2 writes it.

    Attributes:
        things: the object graph.
        metadata: the content of keras_metadata.pb.
    """

    things: Sequence[SavedThing]
    metadata: bytes


def write_savedmodel(
    model: Model, path: str, *, force: bool = False, objects: Objects | None = None
) -> None:
    """Write a SavedModel folder, atomically.

    Args:
        model: the graph; the keys of its variables are those of ``objects``, if there are any.
        path: the folder.
        force: replace an existing one.
        objects: what tf.keras rebuilds the model from.

    Raises:
        OutputExistsError: it exists, and not ``force``.
        OutputError: a folder with other things in it is not replaced.
        UnsupportedError: saved_model.pb would pass protobuf's limit of 2 GiB.

    Read by: ``savedmodel.SavedModel``.
    """
    model = dataclasses.replace(model, signature=callable_signature(model.signature))
    metagraph = metagraph_pieces(model, tags=[SERVE], keys=[SERVING, SERVE])
    if objects is not None:
        graph = write_saved_objects(objects.things)
        metagraph.append(wire.length_delimited(_OBJECT_GRAPH, graph))
    pieces = [wire.varint_field(_VERSION, 1), *delimited(_META_GRAPH, metagraph)]
    check_size(pieces, path, "SavedModel")
    with atomic_folder(path, force=force, markers=(_NAME, f"{_NAME}txt")) as folder:
        with open(os.path.join(folder, _NAME), "xb") as file:
            write_pieces(file, pieces)
        os.mkdir(os.path.join(folder, "variables"))
        prefix = os.path.join(folder, "variables", "variables")
        if objects is not None:
            write_bundle(prefix, stored_objects(objects.things))
            with open(os.path.join(folder, FILE), "xb") as file:
                file.write(objects.metadata)
        elif model.variables:
            write_bundle(prefix, stored(model.variables))


def stored_objects(things: Sequence[SavedThing]) -> Iterator[Tensor]:
    """The tensors of the bundle in order of their keys, and the object graph, as tf.train does."""
    keys = variable_keys(things)
    for key, number in sorted((key, number) for number, key in keys.items()):
        what = things[number].what
        if isinstance(what, SavedVariable):
            yield what.value.renamed(key)
    trackables = write_trackables(things)
    yield Tensor(KEY, dtypes.string, (), strings=lambda: [trackables])


def callable_signature(signature: Signature) -> Signature:
    """The signature with input keys that Python takes as parameters of a function.

    TensorFlow replaces other characters itself, but fails at a keyword.
    """
    inputs = {
        f"{key}_" if keyword.iskeyword(key) else key: info for key, info in signature.inputs.items()
    }
    return dataclasses.replace(signature, inputs=inputs)
