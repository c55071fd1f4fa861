"""What tf.keras states of its layers in a SavedModel, whatever TensorFlow wrote it.

    from TensorFlow 2.5 on     keras_metadata.pb = SavedMetadata {1 nodes}
                               SavedObject {2 node_id, 3 node_path "root.layer-0",
                                            4 identifier, 5 metadata: JSON, 6 version}
    before                     SavedUserObject {1 identifier, 2 version, 3 metadata: JSON}
                               in the objects of saved_model.pb themselves

    identifier   _tf_keras_sequential, _tf_keras_network (Functional), _tf_keras_model (subclassed,
                 before TensorFlow 2.2 also functional ones), _tf_keras_layer, _tf_keras_rnn_layer,
                 _tf_keras_input_layer, _tf_keras_metric
    metadata     {"name", "class_name", "config", "trainable", "dtype", "build_input_shape", ...};
                 a model's own also {"keras_version", "backend", "training_config"}

The JSON spells a tuple {"class_name": "__tuple__", "items": [...]} and a shape {"class_name":
"TensorShape", "items": [...]}; both are read as the lists that the config of an .h5 has. Source:
tf_keras saving/legacy/saved_model/{load,constants,json_utils}.py.
"""

from __future__ import annotations

import dataclasses
import json
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelfmt import proto
from modelfmt.errors import NOWHERE, CorruptFileError, Where
from modelfmt.storage.files import SourceFile
from modelfmt.tf.saved_objects import SavedObjects

if TYPE_CHECKING:
    from modelfmt.tf.savedmodel import SavedModel

FILE = "keras_metadata.pb"
#: How the identifiers of all Keras objects begin.
IDENTIFIER = "_tf_keras_"
ROOT = "root"
_LISTS = ("__tuple__", "TensorShape")


@dataclasses.dataclass(frozen=True)
class KerasObject:
    """A layer, model or metric as Keras describes it.

    Attributes:
        node_id: its number in the SavedModel's object graph.
        node_path: the way to it, ``root.layer_with_weights-0``; the shortest one where the file,
            being older, does not say.
        identifier: ``_tf_keras_layer`` and the like.
        text: its metadata, as stored.
        origin: the file, and which entry.
    """

    node_id: int
    node_path: str
    identifier: str
    text: str
    origin: Where = NOWHERE

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The metadata, tuples and shapes as lists.

        Raises:
            CorruptFileError: it is no JSON object.
        """
        try:
            value = json.loads(self.text, object_hook=_plain)
        except (ValueError, RecursionError) as error:
            raise CorruptFileError(f"not JSON ({error})", where=self.origin) from None
        if not isinstance(value, dict):
            raise CorruptFileError(
                "no JSON object", where=self.origin, found=type(value).__name__
            )
        return value

    @property
    def name(self) -> str | None:
        """The layer's name; None where the metadata does not say."""
        name = self.metadata.get("name")
        return name if isinstance(name, str) else None


def read_keras_metadata(model: SavedModel, objects: SavedObjects) -> dict[int, KerasObject]:
    """The Keras objects of a SavedModel by node id; none in what tf.keras did not save.

    Args:
        model: the SavedModel.
        objects: its object graph.

    Raises:
        CorruptFileError: keras_metadata.pb is damaged, or speaks of objects that there are not.
    """
    path = os.path.join(model.folder, FILE)
    if not objects.nodes:
        return {}
    if os.path.exists(path):
        return _read_file(path, len(objects.nodes))
    return _read_user_objects(model, objects)


def _read_file(path: str, count: int) -> dict[int, KerasObject]:
    with SourceFile(path) as file:
        try:
            message = proto.KerasSavedMetadata.FromString(file.read(0, file.size))
        except proto.DecodeError as error:
            raise CorruptFileError(f"not a SavedMetadata ({error})", where=Where(path)) from None
    found: dict[int, KerasObject] = {}
    for row in message.nodes:
        where = Where(path, f'object "{row.node_path}"')
        if not 0 <= row.node_id < count:
            raise CorruptFileError(
                "the object graph has no such node", where=where,
                expected=f"0 to {count - 1}", found=row.node_id,
            )
        found[row.node_id] = KerasObject(
            row.node_id, row.node_path, row.identifier, row.metadata, where
        )
    return found


def _read_user_objects(model: SavedModel, objects: SavedObjects) -> dict[int, KerasObject]:
    found: dict[int, KerasObject] = {}
    for number, node in enumerate(objects.nodes):
        text = node.message.user_object.metadata
        if node.identifier.startswith(IDENTIFIER) and text:
            way = objects.paths.get(number, "")
            path = ".".join([ROOT, *way.split("/")]) if way else ROOT
            where = Where(model.path, f'object "{path}"')
            found[number] = KerasObject(number, path, node.identifier, text, where)
    return found


def _plain(value: dict[str, Any]) -> Any:
    """A JSON object, or the list that it stands for."""
    if value.get("class_name") in _LISTS and isinstance(value.get("items"), list):
        return value["items"]
    return value
