"""What one Keras major has and another has not, said in layers that the other has too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from modelfmt.layers.gate_scaling import scale_gates
from modelfmt.network import Call, Layer, Network, Ref

#: Activation functions that a major lacks: the layers that compute the same, by class and config.
#: hard_sigmoid changed its meaning: clip(0.2 x + 0.5) up to Keras 2, relu6(x + 3) / 6 from 3 on.
SPELLED: Mapping[int, Mapping[str, list[tuple[str, dict[str, float]]]]] = {
    3: {
        "hard_sigmoid_keras2": [
            ("Rescaling", {"scale": 0.2, "offset": 0.5}),
            ("ReLU", {"max_value": 1.0, "negative_slope": 0.0, "threshold": 0.0}),
        ],
    },
    2: {
        "hard_sigmoid": [
            ("Rescaling", {"scale": 1 / 6, "offset": 0.5}),
            ("ReLU", {"max_value": 1.0, "negative_slope": 0.0, "threshold": 0.0}),
        ],
    },
}


def legalise(network: Network, major: int) -> Network:
    """Replace, in place, what Keras ``major`` cannot say; returns ``network``.

    A bound network with specs goes in; what is added has specs as well. Weights keep their
    layers and names.
    """
    for layer in list(network.layers):
        if layer.network is not None:
            legalise(layer.network, major)
            continue
        scale_gates(layer, major)
        spelled = SPELLED[major].get(str(layer.config.get("activation")))
        if spelled is not None:
            _spell(network, layer, spelled)
        if layer.class_name == "ThresholdedReLU" and major == 3:
            theta = float(layer.config.get("theta", 1.0))
            layer.class_name = "ReLU"
            layer.config = {"max_value": None, "negative_slope": 0.0, "threshold": theta}
    return network


def _spell(network: Network, layer: Layer, spelled: list[tuple[str, dict[str, float]]]) -> None:
    """Put ``spelled`` after ``layer`` in place of its activation."""
    layer.config["activation"] = "linear"
    taken = {other.name for other in network.layers}
    before = layer
    place = network.layers.index(layer) + 1
    added: list[Layer] = []
    for class_name, config in spelled:
        name = f"{layer.name}_{class_name.lower()}"
        while name in taken:
            name += "_"
        taken.add(name)
        calls = [
            Call([Ref(before.name, k)], outputs=list(call.outputs))
            for k, call in enumerate(layer.calls)
        ]
        before = Layer(class_name, name, dict(config), calls=calls)
        added.append(before)

    def follow(ref: Ref) -> Ref:
        return dataclasses.replace(ref, layer=before.name) if ref.layer == layer.name else ref

    for other in network.layers:
        for call in other.calls:
            call.inputs = [follow(ref) for ref in call.inputs]
    network.outputs = [follow(ref) for ref in network.outputs]
    network.layers[place:place] = added
