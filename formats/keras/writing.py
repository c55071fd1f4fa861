"""Network -> a model's config, as Keras 3.15 or tf.keras 2.15 would write it.

The twin of ``config.read_config``. Layers stand in the order of Keras' ``model.layers``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelfmt.errors import ConversionError, MissingError, UnknownLayerError, located
from modelfmt.keras import dialects, nodes
from modelfmt.keras.accepted import is_built_in
from modelfmt.keras.operations import is_operation, module_of
from modelfmt.network import Config, Layer, Network, Ref, Spec, model_order

_KERAS2_ONLY_OPS = frozenset({"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"})


def write_config(network: Network, *, major: int) -> Config:
    """The config of a model in the spelling of Keras ``major`` (2 or 3).

    Raises:
        ConversionError: ``major`` cannot say it, or the shape of a tensor is not known.
        UnknownLayerError: ``major`` has no such layer.
    """
    if major not in (2, 3):
        raise ConversionError("Keras configs are written for", expected="2 or 3", found=major)
    written: Config = {} if major == 2 else {"module": _module(network)}
    written["class_name"] = network.kind
    written["config"] = _write_network(network, major)
    if major == 3:
        written["registered_name"] = network.kind if network.kind == "Functional" else None
    return written


def _module(network: Network) -> str:
    return "keras.src.models.functional" if network.kind == "Functional" else "keras"


def _write_network(network: Network, major: int) -> Config:
    config: Config = {"name": network.name}
    trainable = network.extras.get("config", {}).get("trainable")
    if trainable is not None:
        config["trainable"] = trainable
    if network.kind == "Sequential":
        config["layers"] = [
            _write_layer(layer, network, major)
            for layer in network.layers
            if layer.class_name != "InputLayer" or layer.config.get("batch_shape") is not None
        ]
        return config
    rows = []
    for layer in model_order(network):
        row = _write_layer(layer, network, major)
        with located(key=f'layer "{layer.name}"'):
            rows.append({**row, "name": layer.name,
                         "inbound_nodes": _write_calls(layer, network, major)})
    config["layers"] = rows
    config["input_layers"] = _write_ends(network, network.inputs, "input_names", major)
    config["output_layers"] = _write_ends(network, network.outputs, "output_names", major)
    return config


def _write_layer(layer: Layer, network: Network, major: int) -> Config:
    """One layer's entry, without its calls."""
    with located(key=f'layer "{layer.name}"'):
        if layer.network is not None:
            return _write_nested(layer, layer.network, major)
        module = layer.extras.get("module")
        custom = not is_built_in(layer.class_name) or is_operation(layer)
        if module == "keras.ops":  # of ours, not yet told apart
            module = module_of(layer.class_name)
        _refuse_foreign(layer, network, major)
        config = dialects.specialise(layer.class_name, layer.config, major, module=module)
        config = {"name": layer.name, **_whole_models(config, layer.models, network, major)}
        registered = layer.extras.get("registered_name")
        if major == 2:
            named = registered if custom and registered and ">" in registered else None
            return {"class_name": named or layer.class_name, "config": config}
        row: Config = {
            "module": module if custom else dialects.layer_module(layer.class_name),
            "class_name": dialects.EXPORTED.get(layer.class_name, layer.class_name),
            "config": config,
            "registered_name": registered or layer.class_name if custom else None,
        }
        if custom and "build_config" in layer.extras:
            row["build_config"] = layer.extras["build_config"]
        return row


def _write_nested(layer: Layer, inner: Network, major: int) -> Config:
    config = {**_write_network(inner, major), "name": layer.name}
    class_name = layer.class_name if layer.extras.get("module") else inner.kind
    if major == 2:
        return {"class_name": inner.kind, "config": config}
    if class_name in ("Functional", "Sequential"):
        return {"module": _module(inner), "class_name": class_name, "config": config,
                "registered_name": class_name if class_name == "Functional" else None}
    return {"module": layer.extras["module"], "class_name": class_name, "config": config,
            "registered_name": layer.extras.get("registered_name")}


def _refuse_foreign(layer: Layer, network: Network, major: int) -> None:
    """Raise where a layer's config is meant for the other major and cannot be carried over."""
    module = str(layer.extras.get("module") or "")
    if major == 3 and layer.class_name in _KERAS2_ONLY_OPS:
        raise UnknownLayerError(f"Keras 3 has no layer {layer.class_name}")
    if major == 2 and is_operation(layer):
        raise UnknownLayerError(f"Keras 2 has no layer {layer.class_name} ({module})")
    code = layer.config.get("function")
    if layer.class_name == "Lambda" and not isinstance(code, str) and (
        network.keras_major != major
    ):
        raise ConversionError(
            f"a Lambda holds Python bytecode that only its writer's Keras {network.keras_major} "
            f"can load, not Keras {major}"
        )


def _whole_models(
    config: Config, models: Mapping[str, Network], network: Network, major: int, start: str = ""
) -> Config:
    """Rewrite the whole models that stand inside a wrapper's config for ``major``.

    ``models`` are those of the layer, by their place, which ``start`` begins.
    """
    from modelfmt.keras.config import read_config

    def change(place: str, value: Any) -> Any:
        if place in models:
            return write_config(models[place], major=major)
        if not isinstance(value, dict) or not isinstance(value.get("config"), dict):
            return value
        if value.get("class_name") in ("Model", "Functional", "Sequential"):
            version = f"{network.keras_major}."
            return write_config(read_config(value, keras_version=version), major=major)
        inner = _whole_models(value["config"], models, network, major, f"{place}/")
        return {**value, "config": inner}

    return {
        k: change(f"{start}{k}", v) if k in dialects.WRAPPED else v for k, v in config.items()
    }


# -- calls and ends -----------------------------------------------------------------------------


def _write_calls(layer: Layer, network: Network, major: int) -> list[Any]:
    if major == 3:
        return [nodes.write_call_3(call, lambda ref: spec_of(network, ref))
                for call in layer.calls]
    return [nodes.write_call_2(call, layer.class_name, lambda ref: _counted(network, ref, 2))
            for call in layer.calls]


def _counted(network: Network, ref: Ref, major: int) -> list[Any]:
    """``[layer, node, tensor]``, the node counted as ``major`` counts a nested model's."""
    inner = _layer(network, ref).network
    own_node = inner is not None and (
        inner.kind == "Functional" or (major == 2 and _has_input(inner))
    )
    return [ref.layer, ref.call + int(own_node), ref.index]


def _has_input(inner: Network) -> bool:
    first = inner.layers[0] if inner.layers else None
    return first is not None and first.config.get("batch_shape") is not None


def _layer(network: Network, ref: Ref) -> Layer:
    try:
        return network.layer(ref.layer)
    except KeyError:
        raise MissingError(
            f'no layer "{ref.layer}"', close_matches=[n.name for n in network.layers][:3]
        ) from None


def _write_ends(network: Network, refs: list[Ref], names: str, major: int) -> Any:
    ends = [_counted(network, ref, major) for ref in refs]
    keys = network.extras.get(names)
    if major == 3 and keys and len(set(keys)) == len(keys) == len(ends):
        return dict(zip(keys, ends, strict=True))
    return ends[0] if major == 3 and len(ends) == 1 else ends


def spec_of(network: Network, ref: Ref) -> Spec:
    """The Spec of a tensor: recorded by its call, or an InputLayer's, or a nested model's own.

    Raises:
        ConversionError: nobody knows its shape.
    """
    layer = _layer(network, ref)
    if layer.class_name == "InputLayer" and layer.config.get("batch_shape") is not None:
        dtype = layer.config.get("dtype")
        return Spec(tuple(layer.config["batch_shape"]), dtype if isinstance(dtype, str)
                    else "float32")
    if ref.call < len(layer.calls):
        outputs = layer.calls[ref.call].outputs
        if ref.index < len(outputs) and outputs[ref.index].shape is not None:
            return outputs[ref.index]
    inner = layer.network
    if inner is not None and ref.index < len(inner.outputs):
        return spec_of(inner, inner.outputs[ref.index])
    raise ConversionError(
        f'the shape of output {ref.index} of layer "{layer.name}" is not known, and a Keras 3 '
        "config states it",
        hint="Infer the shapes first.",
    )
