"""Low-rank adaptation of a weight: two thin matrices that a fine-tuned layer adds to its kernel.

    kernel + alpha / rank * lora_kernel_a @ lora_kernel_b
    (..., in, units)        (..., in, rank)  (rank, units)

A .keras file holds the sum as the kernel, and no matrices; a .h5 file holds all three. The config
of both says ``lora_rank``. A quantized kernel stays as it is, and all three are multiplied with.
Source: Keras, Dense.kernel and Dense.save_own_variables.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError
from modelfmt.layers.quantized import scheme
from modelfmt.network import Layer
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

_PART = re.compile(r"(.*?)lora_(\w+)_([ab])((?::0)?)$")


def merge(layer: Layer) -> None:
    """Add a layer's matrices to the weight that they adapt, in place; the config says so no more.

    Args:
        layer: its weights named as in the file.

    Raises:
        MismatchError: a matrix without its pair or its weight, or of another shape.
    """
    if scheme(layer.config) is not None:
        if not any(_PART.fullmatch(name) for name in layer.weights):
            layer.config.pop("lora_rank", None)
        return  # nothing can be added to numbers of few bits
    rank = layer.config.pop("lora_rank", None)
    alpha = layer.config.pop("lora_alpha", None)
    if not rank:
        return
    halves = {name: found for name in layer.weights if (found := _PART.fullmatch(name))}
    for name, found in halves.items():
        start, target, half, end = found.groups()
        if half != "a":
            continue
        other, key = f"{start}lora_{target}_b{end}", f"{start}{target}{end}"
        if other not in layer.weights or key not in layer.weights:
            raise MismatchError(
                "a low-rank matrix without its pair or its weight", expected=f"{other}, {key}",
                found=", ".join(layer.weights),
            )
        layer.weights[key] = _sum(
            layer.weights[key], layer.weights[name], layer.weights[other],
            float(rank if alpha is None else alpha) / float(rank),
        )
    layer.weights = {key: tensor for key, tensor in layer.weights.items() if key not in halves}


def _sum(weight: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    if a.shape[-1:] != b.shape[:1] or (*a.shape[:-1], *b.shape[1:]) != weight.shape:
        raise MismatchError(
            "low-rank matrices that do not fit their weight", expected=list(weight.shape),
            found=f"{list(a.shape)} and {list(b.shape)}",
        )

    def added(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        import numpy as np

        change = np.float32(scale) * np.matmul(a.numpy(), b.numpy())
        total: npt.NDArray[Any] = (array + change).astype(array.dtype)
        return total

    return weight.changed(added)
