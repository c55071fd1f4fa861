"""What one Keras major has and another has not, said in layers that the other has too.

    activations   hard_sigmoid, leaky_relu, ...   composed (SPELLED), or scaled weights in gates
    classes       ThresholdedReLU -> ReLU; MaxoutDense, Highway, Merge: see migration.py
    arguments     time_major: see time_major.py
    layouts       channels first, in models that ran so on a CPU: see channels.py
    calls         initial states, training: see migration_calls.py
    operations    keras.ops <-> TFOpLambda: see translating.py

What cannot be said so is refused by name when the config is written (``dialects.specialise``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelfmt.layers.binding import collect
from modelfmt.layers.channels import put_channels_last
from modelfmt.layers.gate_scaling import scale_gates
from modelfmt.layers.migration import migrate
from modelfmt.layers.migration_calls import settle_calls
from modelfmt.layers.rewiring import OUTPUT, Step, add_after
from modelfmt.layers.time_major import put_batch_first
from modelfmt.network import Config, Layer, Network

_LOW = {"max_value": 1.0, "negative_slope": 0.0, "threshold": 0.0}
_CUT = {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}
_NEGATED = Step("Rescaling", {"scale": -1.0, "offset": 0.0}, name="_negated")


def _function(name: str, *sources: int) -> Step:
    return Step("Activation", {"activation": name}, sources or None, name=f"_{name}")


#: Activation functions that a major lacks: the layers that compute the same.
#: hard_sigmoid changed its meaning: clip(0.2 x + 0.5) up to Keras 2, relu6(x + 3) / 6 from 3 on.
SPELLED: Mapping[int, Mapping[str, list[Step]]] = {
    3: {
        "hard_sigmoid_keras2": [
            Step("Rescaling", {"scale": 0.2, "offset": 0.5}), Step("ReLU", _LOW),
        ],
    },
    2: {
        "hard_sigmoid": [
            Step("Rescaling", {"scale": 1 / 6, "offset": 0.5}), Step("ReLU", _LOW),
        ],
        "hard_silu": [
            Step("Rescaling", {"scale": 1 / 6, "offset": 0.5}), Step("ReLU", _LOW),
            Step("Multiply", {}, (OUTPUT, 1)),
        ],
        "leaky_relu": [Step("LeakyReLU", {"negative_slope": 0.2})],
        "celu": [_function("elu")],  # alpha is 1 in both
        "log_sigmoid": [_NEGATED, _function("softplus"), _NEGATED],
        "sparse_sigmoid": [
            Step("Rescaling", {"scale": 0.5, "offset": 0.5}), Step("ReLU", _LOW),
        ],
        "tanh_shrink": [_function("tanh"), Step("Subtract", {}, (OUTPUT, 0))],
        "soft_shrink": [
            Step("Rescaling", {"scale": 1.0, "offset": -0.5}), Step("ReLU", _CUT),
            Step("Rescaling", {"scale": -1.0, "offset": -0.5}, (OUTPUT,)), Step("ReLU", _CUT),
            Step("Subtract", {}, (1, 3)),
        ],
        "hard_tanh": [
            Step("Rescaling", {"scale": 1.0, "offset": 1.0}),
            Step("ReLU", {**_CUT, "max_value": 2.0}),
            Step("Rescaling", {"scale": 1.0, "offset": -1.0}),
        ],
        "log_softmax": [Step("LogSoftmax", {"axis": -1}, module="keras.src.ops.nn")],
    },
}  # fmt: skip
#: Classes whose ``activation`` is not the last thing that they do.
_INNER = ("SimpleRNN", "LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Highway")


def legalise(network: Network, major: int) -> Network:
    """Replace, in place, what Keras ``major`` cannot say; returns ``network``.

    A bound network with specs goes in; the specs of what is added are to be inferred. Weights keep
    their layers and names, but for those of layers that are taken apart.

    Raises:
        ConversionError: what only looks as if it could be said.
    """
    from modelfmt.layers.translating import translate  # which knows the activations, as SPELLED

    if major == 3:
        put_batch_first(network)
    put_channels_last(network)
    for layer in list(network.layers):
        settle_calls(network, layer, major)
        if layer.network is not None:
            legalise(layer.network, major)
            continue
        for model in layer.models.values():
            legalise(model, major)
        collect(layer)
        migrate(network, layer, major)
        scale_gates(layer, major)
        _spell(network, layer, major)
        layer.class_name, layer.config = _renamed(layer.class_name, layer.config, major)
    translate(network, major)
    return network


def _spell(network: Network, layer: Layer, major: int) -> None:
    """Put layers after ``layer`` in place of an activation that ``major`` lacks."""
    config = _last(layer.class_name, layer.config)
    steps = None if config is None else SPELLED[major].get(str(config.get("activation")))
    if steps is not None:
        layer.config = _linear(layer.class_name, layer.config)
        add_after(network, layer, steps)


def _last(class_name: str, config: Config) -> Config | None:
    """The config whose activation a layer ends with: its own, or that of what it distributes."""
    if class_name == "TimeDistributed":
        held = config.get("layer")
        if isinstance(held, dict) and isinstance(held.get("config"), dict):
            return _last(str(held.get("class_name")), held["config"])
        return None
    return None if class_name in _INNER else config


def _linear(class_name: str, config: Config) -> Config:
    if class_name != "TimeDistributed":
        return {**config, "activation": "linear"}
    held = config["layer"]
    inner = _linear(str(held["class_name"]), held["config"])
    return {**config, "layer": {**held, "config": inner}}


def _renamed(class_name: str, config: Config, major: int) -> tuple[str, Config]:
    """Classes that ``major`` has under another name, in wrappers as well."""
    if class_name == "ThresholdedReLU" and major == 3:
        kept: Config = {key: config[key] for key in ("dtype", "trainable") if key in config}
        return "ReLU", {**_CUT, "threshold": float(config.get("theta", 1.0)), **kept}
    held: Any = config.get("layer")
    if class_name == "TimeDistributed" and isinstance(held, dict) and "config" in held:
        inner = _renamed(str(held["class_name"]), held["config"], major)
        if inner[0] != held["class_name"]:
            held = {**held, "class_name": inner[0], "config": inner[1]}
            return class_name, {**config, "layer": held}
    return class_name, config
