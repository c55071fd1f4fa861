"""What tf.keras states of a model's objects in a SavedModel: identifier, metadata, attributes.

    model     layer-<n> and layer_with_weights-<n>: its layers, in the order of ``model.layers``
    layer     kernel, bias, ...: its weights, by the attributes of the Keras 2 class, some within
              others (cell/kernel, _query_dense/kernel); variables: a list of them all
    keras_api layers: a list of a model's layers, where tf.keras up to TensorFlow 2.4 finds them
    metadata  {"class_name", "config", "name", "trainable", "dtype", "build_input_shape", ...}

tf.keras makes the layers from their configs, builds them for the input shapes stated, and then
finds each variable by the attributes that lead to it; so it does with what it saves itself with
``save_traces=False``. Source: tf_keras saving/legacy/saved_model/{load,layer_serialization}.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from modelfmt.errors import ConversionError, located
from modelfmt.graph import Dims
from modelfmt.keras.accepted import words
from modelfmt.keras.h5 import KERAS_VERSION, saved_layers
from modelfmt.keras.writing import spec_of, write_config
from modelfmt.network import Config, Layer, Network
from modelfmt.tensor import Tensor

_LAYER, _RNN, _INPUT = "_tf_keras_layer", "_tf_keras_rnn_layer", "_tf_keras_input_layer"
#: The identifier of a list; its children are called "0", "1", ...
LIST = "trackable_list_wrapper"
_GENERIC = "_generic_user_object"
_MODEL = {"Sequential": "_tf_keras_sequential", "Functional": "_tf_keras_network"}
_RECURRENT = words("SimpleRNN LSTM GRU ConvLSTM1D ConvLSTM2D ConvLSTM3D")
_CELL_WEIGHTS = ("kernel", "recurrent_kernel", "bias")
_ATTENTION = ("_query_dense", "_key_dense", "_value_dense", "_output_dense")
#: Attributes of the Keras 2 classes that have other names than the weights of the newest Keras.
_ATTRIBUTES = {
    "DepthwiseConv1D": {"kernel": "depthwise_kernel"},
    "DepthwiseConv2D": {"kernel": "depthwise_kernel"},
    "Normalization": {"mean": "adapt_mean", "variance": "adapt_variance"},
}


@dataclasses.dataclass(frozen=True)
class SavedWeight:
    """A weight: its value, its name (``dense/kernel``), and whether training changes it."""

    value: Tensor
    name: str
    trainable: bool = True


@dataclasses.dataclass
class SavedObject:
    """A Keras object, or a list of them.

    Attributes:
        identifier: as the SavedModel has it; LIST of a list.
        metadata: of a Keras object; others have none.
        children: by attribute name, in the order in which tf.keras lists them.
    """

    identifier: str
    metadata: Config
    children: dict[str, SavedObject | SavedWeight] = dataclasses.field(default_factory=dict)




def describe(network: Network) -> SavedObject:
    """The objects of a model, the root being the model itself.

    Args:
        network: bound, legalised for Keras 2, with the shapes of all tensors.

    Raises:
        ConversionError: Keras 2 cannot express the model, or a shape is not known.
        UnknownLayerError: Keras 2 has no such layer.
    """
    whole = write_config(network, major=2)
    root = _model(network, network.name, whole["config"], trainable=True)
    root.metadata.update(keras_version=KERAS_VERSION[2], backend="tensorflow")
    return root


def objects_of(network: Network) -> SavedObject:
    """As ``describe``, for those who want the objects and their weights, and no configs.

    Args:
        network: bound, with the shapes of all tensors.

    Raises:
        ConversionError: where a layer keeps its weights is not known.
    """
    return _model(network, network.name, {}, trainable=True)


def _model(network: Network, name: str, config: Config, *, trainable: bool) -> SavedObject:
    rows = {row["config"]["name"]: row for row in config.get("layers", ())}
    shapes = [_shape(spec_of(network, ref).shape) for ref in network.inputs]
    made = SavedObject(_MODEL[network.kind], {
        **_common(name, trainable), "dtype": "float32", "expects_training_arg": True,
        "autocast": False, "class_name": network.kind, "config": config,
        "build_input_shape": shapes[0] if len(shapes) == 1 else shapes, "is_graph_network": True,
    })  # fmt: skip
    weighted, layers = 0, SavedObject(LIST, {})
    own = config.get("trainable", True) is not False
    for number, layer in enumerate(saved_layers(network)):
        with located(key=f'layer "{layer.name}"'):
            row = rows.get(layer.name, {"class_name": layer.class_name, "config": {}})
            child = _layer(layer, row, network, trainable=trainable and own)
        if any(True for _ in _weights_in(child)):
            made.children[f"layer_with_weights-{weighted}"] = child
            weighted += 1
        made.children[f"layer-{number}"] = child
        layers.children[str(number)] = child
    made.children["keras_api"] = SavedObject(_GENERIC, {}, {"layers": layers})
    return made


def _layer(layer: Layer, row: Config, network: Network, *, trainable: bool) -> SavedObject:
    config = row["config"]
    here = layer.config.get("trainable", True) is not False
    if layer.network is not None:
        return _model(layer.network, layer.name, config, trainable=here)
    if layer.class_name == "InputLayer":
        return SavedObject(_INPUT, {
            "class_name": "InputLayer", "name": layer.name, "dtype": config.get("dtype"),
            "sparse": config.get("sparse", False), "ragged": config.get("ragged", False),
            "batch_input_shape": config.get("batch_input_shape"), "config": config,
        })  # fmt: skip
    shapes = _input_shapes(layer, network)
    if layer.class_name == "MultiHeadAttention":
        config = {**config, **_attention_shapes(shapes)}
    identifier = _RNN if layer.class_name in _RECURRENT or layer.class_name == "RNN" else _LAYER
    made = SavedObject(identifier, {
        **_common(layer.name, here), "dtype": config.get("dtype"), "autocast": True,
        "expects_training_arg": False,
        # Nothing stands in for a class that cannot be found: there are no functions.
        "must_restore_from_config": True,
        "class_name": row["class_name"], "config": config,
        "build_input_shape": shapes if layer.calls[0].structure else shapes[0],
    })  # fmt: skip
    paths = attribute_paths(layer.class_name, layer.config, list(layer.weights))
    listed: list[SavedWeight] = []
    for path, (name, value) in zip(paths, layer.weights.items(), strict=True):
        weight = SavedWeight(value, f"{layer.name}/{name}", name not in layer.non_trainable)
        _place(made, path, weight)
        listed.append(weight)
    if listed:
        changed = [w for w in listed if w.trainable and here and trainable]
        rest = [w for w in listed if w not in changed]
        for name, weights in (
            ("variables", changed + rest), ("trainable_variables", changed),
            ("non_trainable_variables", rest),
        ):  # fmt: skip
            made.children[name] = SavedObject(
                LIST, {}, {str(k): weight for k, weight in enumerate(weights)}
            )
    return made


def _common(name: str, trainable: bool) -> Config:
    return {
        "name": name, "trainable": trainable, "batch_input_shape": None,
        "must_restore_from_config": False, "preserve_input_structure_in_config": False,
    }  # fmt: skip


def _input_shapes(layer: Layer, network: Network) -> list[Any]:
    if not layer.calls:
        raise ConversionError("the layer is never called")
    return [_shape(spec_of(network, ref).shape) for ref in layer.calls[0].inputs]


def _shape(dims: Dims) -> Config:
    """A TensorShape, as the metadata's JSON spells it."""
    return {"class_name": "TensorShape", "items": None if dims is None else list(dims)}


def _attention_shapes(shapes: Sequence[Config]) -> Config:
    """What MultiHeadAttention is built for: query, value, and key where it is another."""
    query, value = shapes[0], shapes[1] if len(shapes) > 1 else shapes[0]
    key = shapes[2] if len(shapes) > 2 else value
    return {"query_shape": query, "value_shape": value, "key_shape": key}


def _place(layer: SavedObject, path: str, weight: SavedWeight) -> None:
    """Put a weight at the end of a way of attributes; what lies between is a layer as well."""
    *folders, name = path.split("/")
    for folder in folders:
        metadata = {**_common(folder, True), "class_name": "Layer", "dtype": None}
        inner = layer.children.setdefault(folder, SavedObject(_LAYER, metadata))
        if not isinstance(inner, SavedObject):
            raise ConversionError(f"two weights stand at {path}")
        layer = inner
    layer.children[name] = weight


def _weights_in(made: SavedObject) -> Iterator[SavedWeight]:
    for child in made.children.values():
        if isinstance(child, SavedWeight):
            yield child
        else:
            yield from _weights_in(child)


def attribute_paths(class_name: str, config: Config, names: Sequence[str]) -> list[str]:
    """The attributes that lead to a layer's weights in Keras 2: ``kernel``, ``cell/kernel``.

    Args:
        class_name, config: of the layer, or of one within a wrapper.
        names: of its weights, in canonical order.

    Raises:
        ConversionError: the weights are more or fewer than the class has.
    """
    last = [name.rpartition("/")[2] for name in names]
    if class_name in _RECURRENT:
        return _counted(class_name, [f"cell/{name}" for name in _CELL_WEIGHTS], names)
    if class_name == "RNN":
        return [f"cell/{path}" for path in _cells(config.get("cell"), names)]
    if class_name == "MultiHeadAttention":
        each = ("kernel", "bias") if config.get("use_bias", True) else ("kernel",)
        return _counted(class_name, [f"{part}/{name}" for part in _ATTENTION for name in each],
                        names)
    if class_name == "Bidirectional":
        half = len(names) // 2
        sides = (("forward_layer", last[:half]), ("backward_layer", last[half:]))
        return [f"{side}/{path}" for side, own in sides for path in _wrapped(config, own)]
    if class_name == "TimeDistributed":
        return [f"layer/{path}" for path in _wrapped(config, last)]
    if names and isinstance(config.get("layer"), dict):
        raise ConversionError(f"where {class_name} keeps the weights of its layer is not known")
    renamed = _ATTRIBUTES.get(class_name, {})
    return [renamed.get(name, name) for name in last]


def _wrapped(config: Config, names: Sequence[str]) -> list[str]:
    inner = config.get("layer")
    if not isinstance(inner, dict) or not isinstance(inner.get("config"), dict):
        raise ConversionError("a wrapper without the config of what it wraps")
    if "layers" in inner["config"]:
        raise ConversionError("a whole model in a wrapper cannot be written to a SavedModel yet")
    return attribute_paths(str(inner.get("class_name")), inner["config"], names)


def _cells(cell: Any, names: Sequence[str]) -> list[str]:
    """The variables of an RNN's cell, or of the cells stacked in it."""
    if not isinstance(cell, dict) or cell.get("class_name") != "StackedRNNCells":
        return _counted("a cell", list(_CELL_WEIGHTS), names)
    paths: list[str] = []
    for number, inner in enumerate(cell.get("config", {}).get("cells", [])):
        biased = (inner.get("config") or {}).get("use_bias", True)
        paths += [f"cells/{number}/{name}" for name in _CELL_WEIGHTS[: 3 if biased else 2]]
    return _counted("StackedRNNCells", paths, names)


def _counted(what: str, paths: list[str], names: Sequence[str]) -> list[str]:
    """As many of ``paths`` as there are weights; the last, a bias, may be missing."""
    if not len(paths) - 1 <= len(names) <= len(paths):
        raise ConversionError(
            f"{what} has another number of weights than its config asks for",
            expected=len(paths), found=f"{len(names)} ({', '.join(names)})",
        )
    return paths[: len(names)]
