"""Lengths: how many steps are seen of each sample, as a mask that Keras takes.

TensorFlow 1 tells a loop the length of each sample; Keras takes a mask (batch, time), of which
what is not zero is seen. Layers that every Keras has make it of the lengths, in whatever file:

    Reshape (1,) -> Dense: n, n - 1, ..., relu                where the number of steps is known
    Reshape (1,) -> Dense: n + 1 -> state of a SimpleRNN that counts down: relu(h - 1)
                 -> Reshape (-1,)                             where it is not

(.h5 files of Keras 3 hold no operations, which would say it shorter.)
Source: TensorFlow, python/ops/rnn.py, dynamic_rnn; Keras, backend rnn (a mask becomes bool).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelfmt.network import Call, Config, Layer, Ref, Spec
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt


def mask_of_lengths(
    x: Ref, lengths: Ref, steps: int | None, features: int, name: str
) -> tuple[list[Layer], Ref]:
    """The layers that make the mask of samples of so many steps, and what stands for it.

    Args:
        x: the sequence (batch, time, features).
        lengths: (batch,), integers.
        steps: of the sequence; None where they differ from call to call.
        features: of the sequence.
        name: of the layer that heeds the mask; unique among the layers, and so are the new names.
    """
    import numpy as np

    one, count = np.ones((1, 1), np.float32), np.arange(steps or 0, dtype=np.float32)
    rows = _called("Reshape", f"{name}_lengths", {"target_shape": [1]}, lengths, (None, 1))
    if steps is not None:
        left = _called(
            "Dense", f"{name}_steps", {"units": steps, "activation": "relu"}, Ref(rows.name),
            (None, steps), kernel=np.ones((1, steps), np.float32), bias=-count,
        )  # fmt: skip
        return [rows, left], Ref(left.name)
    start = _called(
        "Dense", f"{name}_start", {"units": 1}, Ref(rows.name), (None, 1), kernel=one, bias=one[0],
    )  # fmt: skip
    down = _called(
        "SimpleRNN", f"{name}_countdown",
        {"units": 1, "activation": "relu", "return_sequences": True}, x, (None, None, 1),
        kernel=np.zeros((features, 1), np.float32), recurrent_kernel=one, bias=-one[0],
    )  # fmt: skip
    down.calls[0].kwargs["initial_state"] = [Ref(start.name)]
    mask = _called(
        "Reshape", f"{name}_steps", {"target_shape": [-1]}, Ref(down.name), (None, None)
    )
    return [rows, start, down, mask], Ref(mask.name)


def _called(
    class_name: str, name: str, config: Config, x: Ref, shape: tuple[int | None, ...],
    **weights: npt.NDArray[Any],
) -> Layer:  # fmt: skip
    """A layer called on ``x``, whose weights are no model's to train."""
    from modelfmt.layers.registry import codec_for

    tensors = {key: Tensor.from_numpy(key, value) for key, value in weights.items()}
    layer = Layer(class_name, name, config, tensors, calls=[Call([x], outputs=[Spec(shape)])])
    layer.config = codec_for(layer).completed({**config, "trainable": False}, tensors)
    layer.non_trainable = tuple(tensors)
    return layer
