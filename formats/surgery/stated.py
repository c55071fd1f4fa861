"""The layers that a tf.keras SavedModel states: Keras' metadata, joined with TensorFlow's objects.

    metadata of the root      class_name and config of the model, as an .h5 has them (Keras 2)
    root -> layer-<n>         the objects of its layers, also layer_with_weights-<n>; which layer an
                              object is, its own metadata's name tells; nested models likewise
    layer -> variables -> <n> its weights in the order of an .h5: trainable ones first
    variable -> bundle        the object of the same number has the checkpoint key

The config is believed, the graph only confirms: the signature that is served, where its inputs are
called as the model's, must not contradict the shapes that the layers have. Where it does, and where
nothing is stated (a subclassed model, what Keras 3 or no Keras saved), the layers are to be
recognised in the graph. Source: tf_keras saving/legacy/saved_model/{load,serialized_attributes}.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelfmt.container import Container
from modelfmt.errors import (
    MismatchError,
    MissingError,
    ModelFormatError,
    UnsupportedError,
    Where,
    located,
)
from modelfmt.graph import Dims
from modelfmt.network import Config, Network, Ref
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    from modelfmt.tf.keras_metadata import KerasObject
    from modelfmt.tf.savedmodel import SavedModel

#: What a model's own metadata has that an .h5 has as attributes.
_ATTRIBUTES = ("keras_version", "backend", "training_config")


def stated_or_recognised(container: Container, recognise: Callable[[], Network]) -> Network:
    """The bound layers that a SavedModel states, else those that ``recognise`` finds.

    Stated layers that cannot be used (one is unknown to us, say) are looked for in the graph, where
    they may stand in terms of others; if that fails as well, the first obstacle is the one to know.

    Raises:
        CorruptFileError: keras_metadata.pb or the object graph is damaged.
        ModelFormatError: of the stated layers; of ``recognise`` only where none are stated.
    """
    reader = _reader(container)
    if reader is None or reader.config is None:
        return recognise()
    try:
        with located(path=container.path):
            return _confirmed(reader.read(reader.config), reader.model)
    except ModelFormatError as obstacle:
        try:
            return recognise()
        except ModelFormatError:
            raise obstacle from None


def network_of_savedmodel(container: Container) -> Network | None:
    """The layers that a SavedModel of tf.keras states, each with its weights as an .h5 names them.

    Not bound yet: a layer's weights are keyed ``dense/kernel:0``, in the file's order. A nested
    model's stand with its layers.

    Returns:
        None where nothing but the graph tells what the model does.

    Raises:
        CorruptFileError: the metadata, its config or the object graph is damaged.
        MissingError: the checkpoint lacks a weight.
        MismatchError: a weight is stored with another shape than the object graph states.
    """
    reader = _reader(container)
    if reader is None or reader.config is None:
        return None
    with located(path=container.path):
        return reader.read(reader.config)


def _reader(container: Container) -> _Reader | None:
    if container.kind != "savedmodel":  # protobuf need not be loaded to tell
        return None
    from modelfmt.tf.savedmodel import SavedModel

    if not isinstance(container, SavedModel):
        return None
    with located(path=container.path):
        return _Reader(container)


class _Reader:
    """Reads one SavedModel's metadata into a Network.

    Attributes:
        config: the model's, as an .h5 would state it; None where none states its layers.
    """

    def __init__(self, model: SavedModel) -> None:
        from modelfmt.tf.keras_metadata import read_keras_metadata
        from modelfmt.tf.saved_objects import read_saved_objects

        self.model = model
        self.objects = read_saved_objects(model.metagraph)
        self.keras = read_keras_metadata(model, self.objects)
        self.config = _model_config(self.keras[0]) if 0 in self.keras else None

    def read(self, config: Config) -> Network:
        """The Network of ``config`` with its weights."""
        from modelfmt.keras.config import read_config

        root = self.keras[0]
        stated = {key: root.metadata.get(key) for key in _ATTRIBUTES}
        version = stated["keras_version"]
        with located(path=root.origin.path, key=root.origin.key):
            network = read_config(
                config, keras_version=version if isinstance(version, str) else None
            )
        network.extras.update({k: v for k, v in stated.items() if v is not None})
        self._give_weights(network, 0)
        return network

    def _give_weights(self, network: Network, node: int) -> None:
        found = dict(self._layers_of(node))
        for layer in network.layers:
            if layer.name not in found:
                continue
            with located(key=f'layer "{layer.name}"'):
                if layer.network is not None:
                    self._give_weights(layer.network, found[layer.name])
                else:
                    layer.weights = dict(self._weights(found[layer.name]))

    def _layers_of(self, node: int) -> Iterator[tuple[str, int]]:
        """Name and node id of each layer of a model."""
        for name, child in self.objects.nodes[node].children.items():
            head, dash, number = name.rpartition("-")
            if dash and number.isdecimal() and head in ("layer", "layer_with_weights"):
                known = self.keras.get(child)
                if known is not None and known.name is not None:
                    yield known.name, child

    def _weights(self, node: int) -> Iterator[tuple[str, Tensor]]:
        """The weights of a layer; one whose name stands there already is numbered."""
        listed = self.objects.nodes[node].children.get("variables")
        taken: set[str] = set()
        for child in () if listed is None else self.objects.items(listed):
            tensor = self._value(child)
            name, count = tensor.name, 0
            while name in taken:
                count += 1
                name = f"{tensor.name}_{count}"
            taken.add(name)
            yield f"{name}:0", tensor.renamed(f"{name}:0")

    @cached_property
    def _keys(self) -> list[str | None]:
        """The checkpoint key of each object that is a variable."""
        from modelfmt.tf.objects import VALUE, read_objects

        graph = read_objects(self.model.tensors)
        return [] if graph is None else [node.keys.get(VALUE) for node in graph.nodes]

    def _value(self, node: int) -> Tensor:
        """A variable's value, named as the variable."""
        saved = self.objects.nodes[node]
        variable = saved.message.variable
        if saved.kind != "variable":
            raise UnsupportedError(
                f"object {node} among the weights is no plain variable", found=saved.kind
            )
        key = self._keys[node] if node < len(self._keys) else None
        if key is None:
            raise MissingError(
                f'the checkpoint has no value of the variable "{variable.name}"',
                where=Where(self.model.path, f"object {node}"),
            )
        tensor = self.model.tensors[key]
        shape = _shape_of(variable.shape)
        if not _compatible(tensor.shape, shape):
            raise MismatchError(
                f'the variable "{variable.name}" is stored with another shape',
                expected=shape, found=tensor.shape,
            )
        return tensor.renamed(variable.name or "Variable")


def _model_config(root: KerasObject) -> Config | None:
    """The root's config as an .h5 would state it; None where it holds no list of layers.

    A class derived from Functional or Sequential counts as that: so its identifier says.
    """
    class_name, config = root.metadata.get("class_name"), root.metadata.get("config")
    if isinstance(config, dict) and isinstance(config.get("layers"), list):
        class_name = "Functional" if "output_layers" in config else "Sequential"
        if class_name == "Sequential" and not root.identifier.endswith("sequential"):
            return None
    elif not (isinstance(config, list) and class_name == "Sequential"):
        return None
    return {"class_name": class_name, "config": config}


def _confirmed(network: Network, model: SavedModel) -> Network:
    """``network``, bound, its tensors' shapes inferred. Raises where the signature contradicts."""
    from modelfmt.layers import bind, infer_specs

    infer_specs(bind(network))
    signature = model.metagraph.signature()
    if signature is None or set(signature.inputs) != {ref.layer for ref in network.inputs}:
        return network  # nothing, or another function than the model's own
    for what, refs, infos in (
        ("input", network.inputs, signature.inputs),
        ("output", network.outputs, signature.outputs),
    ):
        for name, ref in _named(refs):
            stated = _shape(network, ref)
            if name in infos and not _compatible(stated, infos[name].shape):
                raise MismatchError(
                    f'the signature gives the {what} "{name}" another shape than the layers do',
                    expected=stated, found=infos[name].shape,
                )
    return network


def _named(refs: list[Ref]) -> Iterator[tuple[str, Ref]]:
    """Each end of a model with its name in a signature: its layer's, numbered where that repeats.

    Source: tf_keras, ``_set_output_names``.
    """
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for ref in refs:
        name = ref.layer
        while name in taken:
            counts[ref.layer] = counts.get(ref.layer, 0) + 1
            name = f"{ref.layer}_{counts[ref.layer]}"
        taken.add(name)
        yield name, ref


def _shape(network: Network, ref: Ref) -> Dims:
    layer = network.layer(ref.layer)
    if layer.class_name == "InputLayer":
        shape = layer.config.get("batch_shape")
        return None if shape is None else tuple(shape)
    return layer.calls[ref.call].outputs[ref.index].shape


def _shape_of(message: Any) -> Dims:
    if message.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in message.dim)


def _compatible(a: Dims, b: Dims) -> bool:
    if a is None or b is None:
        return True
    return len(a) == len(b) and all(
        x is None or y is None or x == y for x, y in zip(a, b, strict=True)
    )
