"""Lengths: how many steps are seen of each sample, as a mask that Keras takes.

TensorFlow 1 tells a loop the length of each sample; Keras takes a mask (batch, time). Where the
number of steps is known, layers of every Keras make it, in whatever file:

    Reshape((1,)) -> Dense, kernel 1, bias 0, -1, -2 ..., relu: length - step, 0 where none is left

else operations do, which only .keras files hold:

    LessEqual(Cumsum(OnesLike(Sum(x, -1)), 1), ExpandDims(lengths, -1))

Source: TensorFlow, python/ops/rnn.py, dynamic_rnn; Keras, backend rnn (a mask becomes bool).
"""

from __future__ import annotations

from modelfmt.network import OPERATIONS, Call, Config, Layer, Ref, Spec
from modelfmt.tensor import Tensor


def mask_of_lengths(
    x: Ref, lengths: Ref, steps: int | None, name: str
) -> tuple[list[Layer], Ref]:
    """The layers that make the mask of samples of so many steps, and what stands for it.

    Args:
        x: the sequence.
        lengths: (batch,), integers.
        steps: of the sequence; None where they differ from call to call.
        name: of the layer that heeds the mask; unique among the layers, and so are the new names.
    """
    if steps is None:
        return _operations(x, lengths, name)
    import numpy as np

    rows = _called("Reshape", f"{name}_lengths", {"target_shape": [1]}, [lengths], (None, 1))
    left = _called(
        "Dense", f"{name}_steps", {"units": steps, "activation": "relu", "trainable": False},
        [Ref(rows.name)], (None, steps),
    )  # fmt: skip
    left.weights = {
        "kernel": Tensor.from_numpy("kernel", np.ones((1, steps), np.float32)),
        "bias": Tensor.from_numpy("bias", -np.arange(steps, dtype=np.float32)),
    }
    left.non_trainable = ("kernel", "bias")
    return [rows, left], Ref(left.name)


def _operations(x: Ref, lengths: Ref, name: str) -> tuple[list[Layer], Ref]:
    any_steps = (None, None)
    made = [
        _called("Sum", f"{name}_sum", {"axis": -1, "keepdims": False}, [x], any_steps),
        _called("OnesLike", f"{name}_ones", {"dtype": None}, [Ref(f"{name}_sum")], any_steps),
        _called("Cumsum", f"{name}_steps", {"axis": 1, "dtype": None}, [Ref(f"{name}_ones")],
                any_steps),
        _called("ExpandDims", f"{name}_lengths", {"axis": -1}, [lengths], (None, 1), "int32"),
        _called("LessEqual", f"{name}_mask", {}, [Ref(f"{name}_steps"), Ref(f"{name}_lengths")],
                any_steps, "bool"),
    ]  # fmt: skip
    for layer in made:
        layer.extras = {"module": f"{OPERATIONS}numpy", "registered_name": layer.class_name}
    return made, Ref(made[-1].name)


def _called(
    class_name: str, name: str, config: Config, inputs: list[Ref],
    shape: tuple[int | None, ...], dtype: str = "float32",
) -> Layer:  # fmt: skip
    call = Call(inputs, outputs=[Spec(shape, dtype)])
    return Layer(class_name, name, config, calls=[call])
