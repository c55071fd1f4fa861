"""Layers with their channels first, as layers with them last, between permutations.

The Keras of many backends (1, and 2 to 2.3) turned such images around by itself where TensorFlow
ran on a CPU, or Theano computed: its models ran anywhere. TensorFlow alone refuses them on a CPU.
So a model of that Keras is made to run anywhere again; kernels lie alike in both. What tf.keras
wrote never ran on a CPU, and stays. Source: Keras 2.3.1, tensorflow_backend.py,
_preprocess_conv2d_input.
"""

from __future__ import annotations

from modelfmt.layers.rewiring import Step, add_after, add_before
from modelfmt.network import Layer, Network

#: Classes that TensorFlow computes with channels last only, and how many axes they slide along.
_AXES = {
    "Conv2D": 2, "SeparableConv2D": 2, "DepthwiseConv2D": 2, "Conv2DTranspose": 2,
    "MaxPooling2D": 2, "AveragePooling2D": 2, "Conv3D": 3, "Conv3DTranspose": 3,
    "MaxPooling3D": 3, "AveragePooling3D": 3,
}  # fmt: skip
#: Functions along the last axis, which is another one when channels are.
_ALONG = frozenset({"softmax", "log_softmax", "sparsemax", "glu"})


def put_channels_last(network: Network) -> None:
    """Rewrite, in place, the layers of a model of the Keras of many backends."""
    if not network.extras.get("multi_backend"):
        return
    for layer in list(network.layers):
        if layer.class_name in _AXES and layer.config.get("data_format") == "channels_first":
            _turn(network, layer)


def _turn(network: Network, layer: Layer) -> None:
    axes = _AXES[layer.class_name]
    layer.config = {**layer.config, "data_format": "channels_last"}
    to_last, to_first = [*range(2, axes + 2), 1], [axes + 1, *range(1, axes + 1)]
    steps = [Step("Permute", {"dims": to_first}, name="_channels_first")]
    activation = layer.config.get("activation")
    if activation in _ALONG:
        layer.config["activation"] = "linear"
        steps.append(Step("Activation", {"activation": activation}, name="_activation"))
    add_before(network, layer, Step("Permute", {"dims": to_last}, name="_channels_last"))
    add_after(network, layer, steps)
