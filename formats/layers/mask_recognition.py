"""Masks recognised: what a recurrent layer skips, traced to the layer that says so.

    Masking     Any(NotEqual(x, mask_value), -1)
    Embedding   NotEqual(ids, 0), with mask_zero

A graph shows a mask where it is used. In Keras it goes along with the tensors from the layer that
makes it, so a layer gets it without being told: what the graph shows and what Keras would hand
over must be one, or the model would compute something else.
Source: Keras, Masking.compute_mask, Embedding.compute_mask.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graph import parse_input
from modelfmt.graphs.view import View

if TYPE_CHECKING:
    from modelfmt.layers.recogniser import Recognised

#: Classes that hand their input's mask on, besides those that say so: sequence to sequence.
_RECURRENT = {"SimpleRNN", "LSTM", "GRU"}
#: Classes that compute something else where a mask comes along, and whose claims show none.
_HEEDING = {
    "GlobalAveragePooling1D", "Attention", "AdditiveAttention", "MultiHeadAttention", "Softmax",
    "GroupQueryAttention", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "RNN",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Source:
    """What a mask is made of: ``class_name`` would make it of ``tensor``, hiding ``value``."""

    class_name: str
    tensor: str
    value: float


def mask_source(mask: str, view: View) -> Source | None:
    """What makes a mask (batch, time), or None."""
    reduced = False
    node = view.producer(mask)
    while node is not None and node.op in ("Cast", "Squeeze", "ExpandDims", "Reshape"):
        node = view.producer(node.inputs[0])
    if node is not None and node.op == "Any":
        shape = view.shape(node.inputs[0])
        axes = view.ints(node.inputs[1])
        if axes is None or len(axes) != 1 or axes[0] not in (-1, len(shape or ()) - 1):
            return None
        reduced, node = True, view.producer(node.inputs[0])
    if node is None or node.op != "NotEqual":
        return None
    value = view.scalar(node.inputs[1])
    if value is None or not (reduced or value == 0):
        return None
    return Source("Masking" if reduced else "Embedding", view.resolve(node.inputs[0]), float(value))


def mask_nodes(mask: str, view: View) -> set[str]:
    """The nodes that make a mask of a layer's input, and yield nothing else."""
    found: set[str] = set()
    node = view.producer(mask)
    while node is not None:
        found.add(node.name)
        if node.op not in ("Cast", "Squeeze", "ExpandDims", "Reshape", "Any"):
            break
        node = view.producer(node.inputs[0])
    return found


def settle_masks(found: Sequence[Recognised], view: View) -> None:
    """Make the layers that masks come from say so, in place.

    Raises:
        UnrecognisedGraphError: a mask that no layer hands to the one that heeds it, or one that
            Keras would hand to a layer which shows none.
    """
    by_tensor = {
        tensor: item for item in found for tensor, index in item.yields().items() if not index
    }
    for item in found:
        mask = item.claim.mask
        if mask is None:
            continue
        source = mask_source(mask, view)
        maker = _maker(item.claim.inputs[0], by_tensor, view)
        if source is None or maker is None or not _makes(maker, source, view):
            raise UnrecognisedGraphError(
                f'no layer makes the mask "{mask}" and hands it on',
                nodes=[parse_input(mask).node],
            )
        if source.class_name == "Embedding":
            config = {**maker.claim.config, "mask_zero": True}
            maker.claim = dataclasses.replace(maker.claim, config=config)
    for item in found:
        if item.claim.mask is None and item.claim.lengths is None and _heeds(item):
            if "mask" in item.claim.arguments:
                continue
            for tensor in item.claim.inputs:
                maker = _maker(tensor, by_tensor, view)
                if maker is not None and _masks(maker):
                    raise UnrecognisedGraphError(
                        f'Keras would hand the mask of "{maker.tensor}" to the '
                        f'{item.codec.class_name} at "{item.tensor}", which heeds none',
                        nodes=item.claim.nodes,
                    )


def _heeds(item: Recognised) -> bool:
    return item.codec.class_name in _HEEDING | _RECURRENT | {"Bidirectional"}


def _maker(tensor: str, by_tensor: Mapping[str, Recognised], view: View) -> Recognised | None:
    """The layer whose mask comes along with a tensor, if one makes any."""
    for _ in range(len(by_tensor) + 1):
        item = by_tensor.get(view.resolve(tensor))
        if item is None:
            return None
        if item.codec.class_name in ("Masking", "Embedding"):
            return item
        if not _hands_on(item):
            return None
        tensor = item.claim.inputs[0]
    return None


def _hands_on(item: Recognised) -> bool:
    config = item.claim.config
    if item.codec.class_name in _RECURRENT:
        return bool(config.get("return_sequences"))
    if item.codec.class_name == "Bidirectional":
        return bool(config["layer"]["config"].get("return_sequences"))
    return item.codec.supports_masking


def _masks(maker: Recognised) -> bool:
    return maker.codec.class_name == "Masking" or bool(maker.claim.config.get("mask_zero"))


def _makes(maker: Recognised, source: Source, view: View) -> bool:
    """Whether a layer makes that mask of what it is applied to."""
    if maker.codec.class_name != source.class_name:
        return False
    if source.class_name == "Masking" and maker.claim.config.get("mask_value") != source.value:
        return False
    return _uncast(maker.claim.inputs[0], view) == _uncast(source.tensor, view)


def _uncast(tensor: str, view: View) -> str:
    """Indices in whatever dtype."""
    while (node := view.producer(tensor)) is not None and node.op == "Cast":
        tensor = view.resolve(node.inputs[0])
    return view.resolve(tensor)
