"""A model with variables, made of layers; and written as a .meta file or a SavedModel."""

from __future__ import annotations

from collections.abc import Iterator

from modelfmt.graph import parse_input
from modelfmt.graphs.variable_builder import VariableGraphBuilder
from modelfmt.layers import write_network
from modelfmt.network import Layer, Network
from modelfmt.tensor import Tensor
from modelfmt.tf.metagraph import Signature, TensorInfo
from modelfmt.tf.metagraph_writer import Model

#: The TensorFlow whose ops and attrs our own graphs are made of.
_TENSORFLOW = "1.15.0"


def model_of_network(network: Network) -> Model:
    """A bound network as a graph with variables, and the signature that Keras' names give it.

    Raises: as ``write_network``.
    """
    graph = VariableGraphBuilder()
    ends = write_network(network, graph)
    graph.not_trained(_not_trained(network))
    outputs: dict[str, str] = {}
    for ref, tensor in zip(network.outputs, ends, strict=True):
        outputs[ref.layer if ref.layer not in outputs else parse_input(tensor).node] = tensor
    inputs = [name for name, node in graph.items() if node.op == "Placeholder"]

    def info(tensor: str) -> TensorInfo:
        return TensorInfo(tensor, graph.dtype(tensor), graph.shape(tensor))

    signature = Signature(
        {ref.layer: info(name) for ref, name in zip(network.inputs, inputs, strict=True)},
        {key: info(tensor) for key, tensor in outputs.items()},
    )
    return Model(graph, graph.variables(), signature, tensorflow=_TENSORFLOW)


def write_model(model: Model, path: str, kind: str, *, force: bool = False) -> None:
    """Write a Model as ``kind``, metagraph or savedmodel."""
    if kind == "metagraph":
        from modelfmt.tf.metagraph_writer import write_metagraph

        write_metagraph(model, path, force=force)
    else:
        from modelfmt.tf.savedmodel_writer import write_savedmodel

        write_savedmodel(model, path, force=force)


def _not_trained(network: Network, frozen: bool = False) -> Iterator[Tensor]:
    """The weights that training does not touch: by their nature, or because a layer is frozen."""
    for layer in network.layers:
        here = frozen or _is_frozen(layer)
        if layer.network is not None:
            yield from _not_trained(layer.network, here)
        for name, tensor in layer.weights.items():
            if here or name in layer.non_trainable:
                yield tensor


def _is_frozen(layer: Layer) -> bool:
    return layer.config.get("trainable", True) is False
