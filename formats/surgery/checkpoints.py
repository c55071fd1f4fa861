"""A model's weights as an object-based checkpoint, as TensorFlow 2 saves one.

    root    layer-<n>, layer_with_weights-<n>   for tf.keras' model.load_weights(prefix)
            model                               the same layers again, for
                                                tf.train.Checkpoint(model=model).restore(prefix)
            save_counter                        which restore() asks for
    model   _operations/<n>                     how Keras 3 holds its layers; a Sequential below
                                                _functional
    layer   kernel, bias, cell/kernel, ...      its variables; _kernel as well, as in Keras 3

A variable stands once, under the shortest way to it; the objects lead there by all. No optimizer:
the next one starts anew. Source: tf_keras engine/training.py, load_weights; TensorFlow
python/checkpoint/checkpoint.py; Keras models/functional.py.
"""

from __future__ import annotations

import os

from modelfmt.keras.h5 import saved_layers
from modelfmt.keras.metadata import LIST, SavedObject, SavedWeight, objects_of
from modelfmt.network import Network, model_order
from modelfmt.storage.output import check_output
from modelfmt.tensor import Tensor

_COUNTER = "save_counter"
#: Lists that only a SavedModel's loader asks for.
_LISTS = ("variables", "trainable_variables", "non_trainable_variables", "keras_api")
_GENERIC = "_generic_user_object"


def write_checkpoint_of(network: Network, path: str, *, force: bool = False) -> None:
    """Write a network's weights as a checkpoint that tf.keras 2 and Keras 3 restore.

    Args:
        network: bound, legalised for the Keras that is to read it, with all shapes.
        path: the prefix; an ending ``.index`` is left off.
        force: replace an existing one.

    Raises:
        ConversionError: where a layer keeps its weights is not known.
        OutputExistsError: something stands there, and not ``force``.

    Read by: ``object_weights.give_by_objects``.
    """
    import numpy as np

    from modelfmt.surgery.serving import number_objects
    from modelfmt.tf.bundle_writer import write_bundle
    from modelfmt.tf.metagraph_writer import note_latest, other_checkpoints
    from modelfmt.tf.savedmodel_writer import stored_objects

    prefix = path.removesuffix(".index")
    for end in (".index", ".data-00000-of-00001"):
        check_output(prefix + end, force=force)
    earlier = other_checkpoints(os.path.dirname(prefix), force=force)
    root = objects_of(network)
    _settle(network, root)
    model = SavedObject(root.identifier, {}, dict(root.children))
    counter = Tensor.from_numpy(_COUNTER, np.array(1, np.int64))
    root.children["model"] = model
    root.children[_COUNTER] = SavedWeight(counter, _COUNTER)
    things, _, _ = number_objects(root)
    write_bundle(prefix, stored_objects(things), force=force)
    note_latest(prefix, earlier)


def _settle(network: Network, model: SavedObject) -> None:
    """Leave out what only a SavedModel needs, and add Keras 3's ways, in place."""
    _drop_lists(model)
    by_name: dict[str, SavedObject] = {}
    for place, layer in enumerate(saved_layers(network)):
        child = model.children[f"layer-{place}"]
        assert isinstance(child, SavedObject)
        by_name[layer.name] = child
        if layer.network is not None:
            _settle(layer.network, child)
        else:
            _add_underscores(child)
    operations = SavedObject(LIST, {})
    for place, layer in enumerate(model_order(network)):
        operations.children[str(place)] = by_name.get(layer.name) or SavedObject(_GENERIC, {})
    if network.kind == "Sequential":
        inner = SavedObject(_GENERIC, {}, {"_operations": operations})
        model.children["_functional"] = inner
    else:
        model.children["_operations"] = operations


def _drop_lists(item: SavedObject) -> None:
    for name in _LISTS:
        item.children.pop(name, None)
    for child in item.children.values():
        if isinstance(child, SavedObject):
            _drop_lists(child)


def _add_underscores(item: SavedObject) -> None:
    """Keras 3 calls some variables so that another may be put in their place: _kernel."""
    for name, child in list(item.children.items()):
        if isinstance(child, SavedObject):
            _add_underscores(child)
        elif name in ("kernel", "embeddings"):
            item.children[f"_{name}"] = child
        elif name == "depthwise_kernel":
            item.children.setdefault("kernel", child)
