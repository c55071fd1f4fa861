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

from modelfmt import dtypes
from modelfmt.errors import UnrecognisedGraphError
from modelfmt.graph import parse_input
from modelfmt.graphs.view import View
from modelfmt.layers.products import is_layout

if TYPE_CHECKING:
    from modelfmt.layers.recogniser import Recognised

#: Classes that hand their input's mask on, besides those that say so: sequence to sequence.
_RECURRENT = {"SimpleRNN", "LSTM", "GRU"}
#: Classes that compute something else where a mask comes along, and whose claims show none.
_HEEDING = {
    "GlobalAveragePooling1D", "Attention", "AdditiveAttention", "MultiHeadAttention", "Softmax",
    "GroupQueryAttention", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "RNN",
}  # fmt: skip

#: Of how many inputs they heed the masks, where not of all.
_HEEDED = {"Attention": 2, "AdditiveAttention": 2}


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


def settle_masks(found: Sequence[Recognised], view: View) -> dict[str, list[str]]:
    """Make the layers that masks come from say so, in place.

    Returns:
        For each claim that heeds masks, by its tensor, the tensors of the claims that make them.

    Raises:
        UnrecognisedGraphError: a mask that no layer hands to the one that heeds it, or one that
            Keras would hand to a layer which shows none.
    """
    by_tensor = {
        tensor: item for item in found for tensor, index in item.yields().items() if not index
    }
    heeded: set[tuple[str, str]] = set()
    made_by: dict[str, list[str]] = {}
    for item in found:
        if item.claim.lengths is None and "mask" not in item.claim.kwargs and _heeds(item):
            made_by[item.tensor] = []
        for mask, masked in item.claim.heeded().items():
            source = mask_source(mask, view)
            makers = [
                (tensor, maker) for tensor in masked
                if (maker := _maker(tensor, by_tensor, view)) is not None
                and source is not None and _makes(maker, source, view)
            ]  # fmt: skip
            if source is None or not makers:
                raise UnrecognisedGraphError(
                    f'no layer makes the mask "{mask}" and hands it on',
                    nodes=[parse_input(mask).node],
                )
            for tensor, maker in makers:
                heeded.add((item.tensor, tensor))
                made_by.setdefault(item.tensor, []).append(maker.tensor)
                if source.class_name == "Embedding":
                    config = {**maker.claim.config, "mask_zero": True}
                    maker.claim = dataclasses.replace(maker.claim, config=config)
    for item in found:
        if item.claim.lengths is None and "mask" not in item.claim.kwargs and _heeds(item):
            for tensor in item.claim.inputs[: _HEEDED.get(item.codec.class_name)]:
                if (item.tensor, tensor) in heeded:
                    continue
                maker = _maker(tensor, by_tensor, view)
                if maker is not None and _masks(maker):
                    raise UnrecognisedGraphError(
                        f'Keras would hand the mask of "{maker.tensor}" to the '
                        f'{item.codec.class_name} at "{item.tensor}", which heeds none',
                        nodes=item.claim.nodes,
                    )
    return made_by


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


def shown_steps(tensor: str, view: View) -> tuple[str, str] | None:
    """x and the mask (batch, time), of x with 0 where the mask hides it."""
    node = view.producer(tensor)
    if node is not None and node.op == "SelectV2":
        other = view.producer(node.inputs[2])
        if view.scalar(node.inputs[2]) == 0 or (other is not None and other.op == "ZerosLike"):
            mask = mask_of_steps(node.inputs[0], view)
            return None if mask is None else (view.resolve(node.inputs[1]), mask)
    for x, marked in (node.inputs, node.inputs[::-1]) if node and node.op == "Mul" else ():
        mask = mask_of_steps(marked, view)
        if mask is not None:
            return view.resolve(x), mask
    return None


def mask_of_steps(tensor: str, view: View) -> str | None:
    """The mask (batch, time) that is spread out over the features."""
    node = view.producer(tensor)
    spread = False
    while node is not None and (node.op == "Cast" or is_layout(node, view)):
        spread = spread or node.op != "Cast"
        tensor = view.resolve(node.inputs[0])
        kind = view.dtype(tensor)
        if len(view.shape(tensor) or ()) == 2 and kind is dtypes.bool_:
            return tensor if spread else None
        node = view.producer(tensor)
    return None
