"""One layer's config: the dialects of Keras 1, 2 and 3 <-> the vocabulary of the newest.

What is normalised, key by key (Keras 2 -> newest; ``dialect1`` makes Keras 2 of Keras 1 before):

    InputLayer     batch_input_shape -> batch_shape
    any layer      dtype {"class_name": "Policy"|"DTypePolicy", ...} -> the policy's name;
                   activation {"class_name": "function", "config": name} -> name; axis [3] -> 3
    activations    hard_sigmoid -> hard_sigmoid_keras2 (clip(0.2x + 0.5)); swish -> silu
    LeakyReLU      alpha -> negative_slope
    GRU            reset_after absent -> False

and a few keys that say nothing are dropped. Initializers, regularizers and constraints stay as
they are until a config is written. Source: get_config of keras 3.15.1, tf_keras 2.21, and the
files of every writer from Keras 1.0.8 on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelfmt.errors import ConversionError, UnknownLayerError
from modelfmt.keras.accepted import accepted, is_built_in, words
from modelfmt.network import Config

#: Class names that older writers use -> the newest.
RENAMED = {
    "Model": "Functional",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "SeparableConvolution2D": "SeparableConv2D",
    "GroupQueryAttention": "GroupedQueryAttention",
}
#: Classes whose public name in Keras 3, which its configs state, is another than their own.
EXPORTED = {"GroupedQueryAttention": "GroupQueryAttention"}

_KERAS2_ACTIVATIONS = words(
    "elu exponential gelu hard_sigmoid linear mish relu selu sigmoid softmax softplus softsign "
    "swish tanh"
)
_KERAS3_ACTIVATIONS = words(
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear "
    "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus "
    "softsign sparse_plus sparse_sigmoid sparsemax squareplus tanh tanh_shrink threshold"
)
_BUILT_IN_ACTIVATIONS = _KERAS2_ACTIVATIONS | _KERAS3_ACTIVATIONS | {"hard_swish"}
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}

_UNGROUPED = words(
    "DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D Conv1DTranspose "
    "Conv2DTranspose Conv3DTranspose"
)
_DEPTHWISE = words("DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D")
#: Keys without a meaning for what a layer computes, wherever they appear.
_IDLE = words(
    "implementation input_length input_dim use_cudnn seed flash_attention lora_rank lora_alpha "
    "quantization_config renorm_momentum query_shape key_shape value_shape _attention_axes "
    "gptq_unpacked_column_size autocast dynamic build_input_shape experimental_autocast rng_type "
    "vocabulary_size fused virtual_batch_size"
)
_ATTENTION_SHAPES = ("query_shape", "key_shape", "value_shape")
#: Initializers that Keras 3 has under another name than Keras 2.
_INITIALIZERS_2 = {"OrthogonalInitializer": "Orthogonal", "IdentityInitializer": "Identity"}
_LAMBDA = words("module function_type output_shape_type output_shape_module")
#: Values that say the same as leaving the key out.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "groups": (1,),
    "dropout": (0,),
    "data_format": ("channels_last",),
    "fill_mode": ("constant", "reflect"),
    "fill_value": (0,),
    "value_range": ([0, 255], (0, 255)),
    "oov_method": ("floormod",),
    "trainable": (True,),
    "arguments": ({},),
}
_LOOKUPS = words("StringLookup IntegerLookup TextVectorization")
#: Keys that came late in Keras 2, with their defaults: an earlier tf.keras would not take them.
_LATE = {
    "synchronized": False, "keepdims": False, "invert": False, "mean": None, "variance": None,
    "zero_output_for_mask": False,
}  # fmt: skip
#: The keys under which a wrapper keeps other layers.
WRAPPED = ("layer", "backward_layer", "forward_layer", "cell", "cells")


def normalise(class_name: str, config: Config, major: int) -> tuple[str, Config]:
    """A layer's class name and config in the newest vocabulary; ``config`` is left alone."""
    class_name = RENAMED.get(class_name, class_name)
    result: Config = {}
    for key, value in config.items():
        if class_name == "InputLayer":
            key = {"batch_input_shape": "batch_shape"}.get(key, key)
        elif key == "batch_input_shape":
            continue
        if class_name == "LeakyReLU" and key == "alpha":
            key = "negative_slope"
        if not _idle(class_name, key, value):
            result[key] = _normal_value(key, value, major)
    if class_name in ("GRU", "GRUCell") and major < 3:
        result.setdefault("reset_after", False)
    return class_name, result


def is_multi_backend(keras_version: str | None, major: int) -> bool:
    """Whether a version is of the Keras that was no part of TensorFlow: 1.x, and 2.0 to 2.3."""
    if major != 2 or keras_version is None:
        return major == 1
    parts = keras_version.split(".")
    return parts[0] == "2" and parts[1:2] in (["0"], ["1"], ["2"], ["3"]) and (
        not keras_version.endswith("-tf")
    )


def settle_multi_backend(class_name: str, config: Config) -> None:
    """Say in ``config``, in place, where the Keras of many backends meant another thing:

        Bidirectional      hidden steps of a sequence repeat the output before, and are not zero
        UpSampling2D       bilinear interpolation from the corners of the pixels

    Source: Keras 2.3.1, wrappers.py and tensorflow_backend.py, resize_images; tf.keras of
    TensorFlow 1.15, the same.
    """
    if class_name == "Bidirectional":
        for key in ("layer", "backward_layer"):
            if _is_wrapped(config.get(key)) and isinstance(config[key]["config"], dict):
                config[key]["config"].setdefault("zero_output_for_mask", False)
    if class_name == "UpSampling2D" and config.get("interpolation") == "bilinear":
        config["half_pixel_centers"] = False
    for key in WRAPPED:
        if _is_wrapped(config.get(key)) and isinstance(config[key]["config"], dict):
            settle_multi_backend(config[key]["class_name"], config[key]["config"])


#: What recurrent layers of tf.keras read from their kwargs; their configs have it where it is true.
_UNSIGNED = ("zero_output_for_mask",)


def specialise(class_name: str, config: Config, major: int, *, module: str | None = None) -> Config:
    """The twin of ``normalise``: the config that ``major``'s layer of this class accepts.

    Raises:
        UnknownLayerError: that major of Keras has no such layer.
        ConversionError: a key or a value that matters cannot be said in that major.
    """
    layered = module is None or ".layers" in module
    known = accepted(class_name, major) if layered else None
    if known is None and layered and is_built_in(class_name):
        raise UnknownLayerError(f"Keras {major} has no layer {class_name}")
    result: Config = {}
    for key, value in config.items():
        if class_name == "InputLayer" and key == "batch_shape" and major == 2:
            key = "batch_input_shape"
        if class_name == "LeakyReLU" and key == "negative_slope" and major == 2:
            key = "alpha"
        if known is not None and key not in known:
            if _says_nothing(class_name, key, value):
                continue
            if key in _UNSIGNED:
                result[key] = value
                continue
            raise ConversionError(
                f"{class_name} of Keras {major} has no {key!r}", found=f"{key}={value!r}"
            )
        if class_name in _LOOKUPS and key == "dtype" and major == 2:
            continue  # what is looked up there has a dtype of its own, which follows
        if major == 3 or key not in _LATE or value != _LATE[key]:
            result[key] = _special_value(key, value, major)
    if class_name == "MultiHeadAttention" and major == 2:
        result.update(dict.fromkeys(_ATTENTION_SHAPES))  # from_config asks; None: built by the call
    return result


def _idle(class_name: str, key: str, value: Any) -> bool:
    """Whether the newest Keras would not write this entry of an older config."""
    if key in ("time_major", "ragged", "robust_masking", "softmax_robust_masking"):
        return value is False
    if key == "groups":
        return class_name in _UNGROUPED and value == 1
    if key in ("kernel_initializer", "kernel_regularizer", "kernel_constraint"):
        return class_name in _DEPTHWISE
    if key in (*_ATTENTION_SHAPES, "_attention_axes"):
        return class_name == "MultiHeadAttention"
    if key in ("implementation", "input_length"):
        # Which implementation it is settles the shape of a locally connected layer's kernel.
        return is_built_in(class_name) and not class_name.startswith("LocallyConnected")
    return False


def _says_nothing(class_name: str, key: str, value: Any) -> bool:
    if key == "half_pixel_centers":
        return value is True
    if value is None or value is False or key in _IDLE or value in _NEUTRAL.get(key, ()):
        return True
    return key == "trainable" or (class_name == "Lambda" and key in _LAMBDA)


def _is_activation(key: str) -> bool:
    return key == "activation" or key.endswith("_activation")


def _is_wrapped(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("config"), dict | list) and isinstance(
        value.get("class_name"), str
    )


def _normal_value(key: str, value: Any, major: int) -> Any:
    if isinstance(value, dict) and value.get("class_name") in ("__numpy__", "__tensor__"):
        held = value.get("config")
        return held.get("value") if isinstance(held, dict) else value
    if key == "dtype":
        return _policy_name(value)
    if _is_activation(key):
        return _normal_activation(value, major)
    if key == "axis" and isinstance(value, list | tuple) and len(value) == 1:
        return value[0]
    if key in WRAPPED:
        return _each_wrapped(value, lambda inner: _normal_wrapped(inner, major))
    return value


def _each_wrapped(value: Any, change: Callable[[Config], Config]) -> Any:
    if isinstance(value, list):
        return [_each_wrapped(inner, change) for inner in value]
    return change(value) if _is_wrapped(value) else value


def _normal_wrapped(value: Config, major: int) -> Config:
    if isinstance(value["config"], list) or "layers" in value["config"]:
        return value  # a whole model in a wrapper: config.py reads it when it is written
    class_name, config = normalise(value["class_name"], value["config"], major)
    return {**value, "class_name": class_name, "config": config}


def _special_value(key: str, value: Any, major: int) -> Any:
    if key == "dtype" and major == 2 and isinstance(value, dict):
        held = value.get("config")
        if isinstance(held, dict) and "mode" in held:
            raise ConversionError("Keras 2 has no quantized layers", found=f"{held['mode']}")
    if _is_activation(key):
        return _special_activation(value, major)
    if key in WRAPPED:
        return _each_wrapped(value, lambda inner: special_object(inner, major))
    if key.endswith(("_initializer", "_regularizer", "_constraint")):
        return _special_helper(value, major)
    if key == "dtype" and major == 2 and str(value).startswith("mixed_"):
        return {"class_name": "Policy", "config": {"name": value}}
    return value


def special_object(value: Config, major: int) -> Config:
    """A wrapped layer's serialised form in ``major``'s spelling. Raises as ``specialise``."""
    if isinstance(value["config"], list) or "layers" in value["config"]:
        return value
    config = specialise(value["class_name"], value["config"], major, module=value.get("module"))
    if major == 2:
        return {"class_name": value["class_name"], "config": config}
    return {
        "module": value.get("module") or layer_module(value["class_name"]),
        "class_name": value["class_name"],
        "config": config,
        "registered_name": value.get("registered_name"),
    }


def layer_module(class_name: str) -> str | None:
    """The module that Keras 3 states for a class: ``keras.layers``, or None for a custom one."""
    if class_name in ("Functional", "Sequential"):
        return "keras"
    return "keras.layers" if is_built_in(class_name) else None


def _special_helper(value: Any, major: int) -> Any:
    """An initializer, regularizer or constraint without the keys that ``major`` lacks."""
    if not _is_wrapped(value) or not isinstance(value["config"], dict):
        return value
    module = value.get("module")
    if module is not None and not str(module).startswith(("keras.", "tf_keras.", "tensorflow.")):
        return value
    if major == 3:
        config = {k: v for k, v in value["config"].items() if k != "dtype"}
        return {**value, "config": config}
    config = {
        k: v for k, v in value["config"].items() if k not in ("input_axes", "output_axes")
    }
    class_name = value["class_name"]
    return {"class_name": _INITIALIZERS_2.get(class_name, class_name), "config": config}


def _policy_name(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("config"), dict):
        name = value["config"].get("name")
        if isinstance(name, str) and set(value["config"]) <= {"name", "loss_scale"}:
            return name
    return value


def _normal_activation(value: Any, major: int) -> Any:
    if _is_wrapped(value) and isinstance(value["config"], dict):
        return _normal_wrapped(value, major)
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        if value["config"] not in _BUILT_IN_ACTIVATIONS:
            return value
        value = value["config"]
    if value == "hard_sigmoid" and major < 3:
        return "hard_sigmoid_keras2"
    return _ALIASES.get(value, value) if isinstance(value, str) else value


def _special_activation(value: Any, major: int) -> Any:
    """Raises ConversionError where the function does not exist in ``major``."""
    if _is_wrapped(value) and isinstance(value["config"], dict):
        return special_object(value, major)
    if not isinstance(value, str):
        return value
    if major == 2:
        name = {"silu": "swish", "hard_sigmoid_keras2": "hard_sigmoid"}.get(value, value)
        exists = name in _KERAS2_ACTIVATIONS and value != "hard_sigmoid"
        missing = value in _BUILT_IN_ACTIVATIONS and not exists and value != "relu6"
    else:
        name, missing = value, value == "hard_sigmoid_keras2"
    if missing:
        raise ConversionError(
            f"Keras {major} has no activation function {value!r}",
            hint="Convert the model's activations first.",
        )
    return name
