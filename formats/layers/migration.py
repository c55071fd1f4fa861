"""Layers that the target has not, or has otherwise, taken apart into layers that it has.

    MaxoutDense  max over k of x @ kernel[k] + bias[k]    Dense, Reshape, GlobalMaxPooling1D
    Highway      t h(x) + (1 - t) x                       two Dense, Multiply, Rescaling, Add
    Merge        by cosine                                Dot with normalize, Reshape
    SpectralNormalization   vector_u (units,) in Keras 2    (1, units)
    RandomCrop   of Keras 2 in Keras 3                    RandomCrop, Resizing

A maxout's kernels come to stand side by side, (k, in, units) -> (in, k * units); all other weights
keep their bytes. Source: Keras 1.2.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modelfmt.errors import ConversionError
from modelfmt.layers.rewiring import INPUT, Step, add_after
from modelfmt.network import Config, Layer, Network

if TYPE_CHECKING:
    import numpy.typing as npt

#: Config entries that mean the same in a Dense as in what is made of one.
_KEPT = ("dtype", "trainable")


def migrate(network: Network, layer: Layer, major: int) -> None:
    """Take ``layer`` apart, in place, if it is of such a class.

    Raises:
        ConversionError: it cannot be said by other layers.
    """
    change = _CHANGES.get(layer.class_name)
    if change is not None:
        change(network, layer)
    vector = layer.weights.get("vector_u")
    if layer.class_name == "SpectralNormalization" and vector is not None and major == 3:
        layer.weights["vector_u"] = vector.reshaped((1, vector.size))
    if layer.class_name == "RandomCrop" and (network.keras_major == 3) != (major == 3):
        if major == 2:
            raise ConversionError("RandomCrop of Keras 2 resizes at inference, and Keras 3's not")
        _random_crop(network, layer)


def _kept(layer: Layer) -> Config:
    return {key: layer.config[key] for key in _KEPT if key in layer.config}


def _maxout(network: Network, layer: Layer) -> None:
    kernel = layer.weights["kernel"]
    count, size, units = kernel.shape
    wide = count * units

    def beside(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return array.transpose(1, 0, 2).reshape(size, wide)

    layer.weights["kernel"] = kernel.changed(beside, (size, wide))
    if "bias" in layer.weights:
        layer.weights["bias"] = layer.weights["bias"].reshaped((wide,))
    layer.class_name = "Dense"
    layer.config = {
        **_kept(layer), "units": wide, "activation": "linear",
        "use_bias": "bias" in layer.weights,
    }  # fmt: skip
    add_after(network, layer, [
        Step("Reshape", {"target_shape": [count, units]}),
        Step("GlobalMaxPooling1D", {"data_format": "channels_last", "keepdims": False},
             name="_max"),
    ])  # fmt: skip


def _highway(network: Network, layer: Layer) -> None:
    biased = "bias" in layer.weights
    config: Config = {
        **_kept(layer), "units": layer.weights["kernel"].shape[-1], "use_bias": biased,
    }  # fmt: skip
    carry = {
        name.removesuffix("_carry"): layer.weights.pop(name).renamed(name.removesuffix("_carry"))
        for name in list(layer.weights)
        if name.endswith("_carry")
    }
    activation = layer.config.get("activation", "linear")
    layer.class_name = "Dense"
    layer.config = {**config, "activation": "linear"}
    add_after(network, layer, [
        Step("Activation", {"activation": activation}, name="_activation"),
        Step("Dense", {**config, "activation": "sigmoid"}, (INPUT,), weights=carry, name="_carry"),
        Step("Multiply", {}, (0, 1), name="_changed"),
        Step("Rescaling", {"scale": -1.0, "offset": 1.0}, (1,), name="_rest"),
        Step("Multiply", {}, (INPUT, 3), name="_kept"),
        Step("Add", {}, (2, 4)),
    ])  # fmt: skip


def _cosine(network: Network, layer: Layer) -> None:
    if layer.config.get("mode") != "cos" or layer.config.get("mode_type", "raw") != "raw":
        raise ConversionError("a Merge by a function holds Python code, which is never run")
    shapes = [spec.shape for call in layer.calls for spec in call.outputs[:1]]
    shape = shapes[0] if shapes else None
    if shape is None or len([size for size in shape[1:] if size is None]) > 1:
        raise ConversionError("a Merge by cosine of unknown sizes cannot be said by other layers")
    target = [-1 if size is None else size for size in shape[1:]]
    layer.class_name = "Dot"
    layer.config = {**_kept(layer), "axes": layer.config.get("dot_axes", -1), "normalize": True}
    add_after(network, layer, [Step("Reshape", {"target_shape": target})])


def _random_crop(network: Network, layer: Layer) -> None:
    """At inference Keras 2 resizes what it would crop in training; Keras 3 leaves it alone."""
    size = {key: layer.config[key] for key in ("height", "width")}
    add_after(network, layer, [
        Step("Resizing", {**size, "interpolation": "bilinear", "crop_to_aspect_ratio": True}),
    ])  # fmt: skip


_CHANGES = {"MaxoutDense": _maxout, "Highway": _highway, "Merge": _cosine}
