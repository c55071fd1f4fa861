"""Recurrent layers on (time, batch, ...) as ones on (batch, time, ...), between transposes.

Keras 2's ``time_major`` says only how the tensors lie: what comes in, and a sequence that goes out.
States have no time. Source: tf_keras layers/rnn/base_rnn.py, backend.rnn.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from modelfmt.errors import ConversionError, located
from modelfmt.layers.rewiring import Step, add_after, add_before
from modelfmt.network import Config, Network

_RECURRENT = frozenset({"SimpleRNN", "LSTM", "GRU", "RNN"})
#: Layers that may hand on, or make, a mask.
_MASKING = frozenset({"Masking", "Embedding"})


def put_batch_first(network: Network) -> Network:
    """Rewrite every time-major layer, in place; returns ``network``, nested models included.

    Raises:
        ConversionError: a mask, which would have to be transposed as well, or several outputs.
    """
    for layer in list(network.layers):
        for model in layer.models.values():
            put_batch_first(model)
        if layer.network is not None:
            put_batch_first(layer.network)
            continue
        for model in layer.models.values():
            put_batch_first(model)
        with located(key=f'layer "{layer.name}"'):
            if not _is_time_major(layer.class_name, layer.config):
                continue
            if any(other.class_name in _MASKING for other in network.layers):
                raise ConversionError("time_major together with a mask cannot be rewritten")
            if _says(layer.config, "return_state"):
                raise ConversionError("time_major together with return_state cannot be rewritten")
        layer.config = _batch_first(layer.class_name, layer.config)
        add_before(network, layer, _transposed(layer.config, 3, "_batch_first"))
        if _says(layer.config, "return_sequences"):
            add_after(network, layer, [_transposed(layer.config, 3, "_time_first")])
    return network


def _is_time_major(class_name: str, config: Config) -> bool:
    if class_name in ("Bidirectional", "TimeDistributed"):
        held = config.get("layer")
        return isinstance(held, dict) and isinstance(held.get("config"), dict) and (
            _is_time_major(str(held.get("class_name")), held["config"])
        )
    return class_name in _RECURRENT and config.get("time_major") is True


def _says(config: Config, key: str) -> bool:
    held: Any = config.get("layer")
    return bool(_says(held["config"], key) if isinstance(held, dict) else config.get(key))


def _batch_first(class_name: str, config: Config) -> Config:
    if class_name != "Bidirectional":
        return {key: value for key, value in config.items() if key != "time_major"}
    changed = dict(config)
    for key in ("layer", "backward_layer"):
        held = config.get(key)
        if isinstance(held, dict):
            inner = _batch_first(str(held["class_name"]), held["config"])
            changed[key] = {**held, "config": inner}
    return changed


def _transposed(config: Config, rank: int, name: str) -> Step:
    axes = [1, 0, *range(2, rank)]
    return dataclasses.replace(
        Step("Transpose", {"axes": axes}, module="keras.src.ops.numpy"), name=name
    )
