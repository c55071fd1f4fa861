"""Variables of a checkpoint by name -> the weights of layers.

    dense/kernel                     the layer's name, the weight's; any scope before them
    lstm/lstm_cell_1/kernel          scopes between that only tell of cells
    conv/weights, conv/biases        as tf.contrib.slim and Keras 1 (dense_W) call them
    dense/kernel/Adam                an optimizer's slots belong to nobody here

Where the layer's name leads to nothing, its place does: variables that no layer has claimed are
taken in the order of the file by layers that ask for the same ends and number. Source:
tf.layers, tf.contrib.layers, Keras 1 to 2.3, and their checkpoints.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from modelfmt.errors import MissingError, located
from modelfmt.layers.registry import codec_for
from modelfmt.network import Layer, Network
from modelfmt.tensor import Tensor

#: Other names of weights, by the newest one.
_ALIASES: dict[str, tuple[str, ...]] = {
    "kernel": ("weights", "w", "W"),
    "bias": ("biases", "b"),
    "depthwise_kernel": ("depthwise_weights",),
    "pointwise_kernel": ("pointwise_weights",),
    "recurrent_kernel": ("U",),
    "moving_mean": ("running_mean",),
    "moving_variance": ("running_std",),
    "embeddings": ("embedding", "weights", "W"),
    "alpha": ("alphas",),
}
#: Scopes between a layer's and its weight's name that say nothing of their own.
_CELL = re.compile(r"(basic_)?(simple_rnn|rnn|lstm|gru)_cell(_\d+)?|cell_\d+|multi_rnn_cell|rnn")


def give_by_name(network: Network, tensors: Mapping[str, Tensor]) -> None:
    """Give every layer its weights, in place, by canonical names.

    Args:
        network: without weights.
        tensors: by the variables' names.

    Raises:
        MissingError: a layer's weight that no name tells.
    """
    words = {name: name.split(":")[0].split("/") for name in tensors}
    for layer in _leaves(network):
        codec = codec_for(layer)
        names = codec.weight_names(codec.completed(layer.config, {}))
        with located(key=f'layer "{layer.name}"'):
            for name in names:
                found = _find(layer.name, name, words)
                if found is None:
                    from difflib import get_close_matches

                    raise MissingError(
                        f"no variable of the checkpoint is called as its {name!r}",
                        close_matches=get_close_matches(f"{layer.name}/{name}", words, 3, 0.4),
                    )
                layer.weights[name] = tensors[found].renamed(name)


def _leaves(network: Network) -> Iterator[Layer]:
    for layer in network.walk():
        if layer.network is None and layer.class_name != "InputLayer" and not layer.is_operation:
            yield layer


def _find(layer: str, weight: str, words: Mapping[str, Sequence[str]]) -> str | None:
    """The shortest name that is the layer's and, as its end, the weight's."""
    *inner, last = weight.split("/")
    own = layer.split("/")
    ranked: list[tuple[int, int, str]] = []
    for name, parts in words.items():
        end = _matches(parts, own, inner, last)
        if end is not None:
            ranked.append((end, len(parts), name))
    return min(ranked)[2] if ranked else None


def _matches(
    parts: Sequence[str], own: Sequence[str], inner: Sequence[str], last: str
) -> int | None:
    """How well a variable's name fits: 0 its very own, more for others; None: it does not."""
    spelled = (last, *_ALIASES.get(last, ()))
    *scopes, end = parts
    if end in spelled:
        for start in range(len(scopes) - len(own), -1, -1):
            if list(scopes[start : start + len(own)]) != list(own):
                continue
            between = scopes[start + len(own) :]
            if _fits(between, inner, own[-1]):
                return spelled.index(end)
    joined = [f"{own[-1]}_{one}" for one in spelled]
    return len(spelled) + joined.index(end) if end in joined and not inner else None


def _fits(between: Sequence[str], inner: Sequence[str], layer: str) -> bool:
    """Whether what stands between the layer and the weight leads to the same part of it."""
    left = [part for part in between if not _CELL.fullmatch(part)]
    left = left[1:] if left[:1] == [layer] else left  # dense/dense/kernel
    want = [part for part in inner if part not in ("layer", "cell", "cells")]
    sides = {"forward_layer": "forward", "backward_layer": "backward"}
    want = [part for part in want if not part.isdecimal()]
    if len(left) != len(want):
        return (not want and len(left) == 0) or (not left and not any(w in sides for w in want))
    return all(
        got == wanted or got.startswith(f"{sides.get(wanted, wanted)}_") or got == f"_{wanted}"
        for got, wanted in zip(left, want, strict=True)
    )
