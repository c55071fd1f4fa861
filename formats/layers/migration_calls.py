"""Calls, as the other Keras takes them.

    recurrent layers   [x, state, ...] of Keras 2 is x, initial_state=[...] in Keras 3
    training           Keras 3 records the default of a call, and lets the model's argument decide;
                       in Keras 2 what is recorded decides, so that it would flip images forever

Source: Keras layers/rnn/rnn.py and models/functional.py; tf_keras engine/functional.py.
"""

from __future__ import annotations

from modelfmt.network import Layer, Network

_RECURRENT = frozenset(
    {"SimpleRNN", "LSTM", "GRU", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional"}
)


def settle_calls(network: Network, layer: Layer, major: int) -> None:
    """Say the calls of a layer, in place, as Keras ``major`` takes them."""
    for call in layer.calls:
        if major == 2 and network.keras_major == 3:
            call.kwargs.pop("training", None)
        if major == 3 and layer.class_name in _RECURRENT and call.structure and (
            len(call.inputs) > 1
        ):
            call.kwargs = {**call.kwargs, "initial_state": call.inputs[1:]}
            call.inputs, call.structure = call.inputs[:1], False
