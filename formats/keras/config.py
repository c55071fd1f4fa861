"""Keras model configs <-> Network: what every layered file holds as JSON.

    {"class_name": "Functional"|"Model"|"Sequential", "config": {"name", "layers": [...], ...}}
    layer: {"class_name", "config", "name", "inbound_nodes"}, in Keras 3 also "module",
           "registered_name", "build_config"; Keras 1 and 2.1 write a Sequential's config as a list

Node indices. In a Network each layer's calls count from 0. Keras 1 and 2 count a nested model's
from 1 (its own input node is number 0); Keras 3 does so in ``input_layers`` and
``output_layers`` only, and for Functional only. Calls outside of the model are not counted, in
any of them. Source: Keras models/functional.py, tf_keras engine/functional.py, and files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from modelfmt.errors import CorruptFileError, located
from modelfmt.keras import dialect1, dialects, nodes, operations
from modelfmt.keras.writing import write_config
from modelfmt.network import Call, Config, Layer, Network, Ref, Spec, map_refs, refs_in

__all__ = ["major_of", "read_config", "write_config"]

_NETWORKS = frozenset({"Model", "Functional", "Sequential"})
_KERAS_1_KEYS = frozenset({"border_mode", "dim_ordering", "W_regularizer", "input_dtype"})
_SIBLINGS = ("class_name", "config", "name", "inbound_nodes")


def read_config(config: Config, *, keras_version: str | None) -> Network:
    """The Network that a model's config describes, in the newest vocabulary.

    Args:
        config: the parsed JSON, of any Keras from 1 on.
        keras_version: as the file states it (``2.2.4-tf``); None: told from the config.

    Raises:
        CorruptFileError: not a model's config, or one that refers to what it does not hold.
    """
    major = major_of(config, keras_version)
    try:
        with located(key="model_config"):
            class_name, body = _object(config)
            if major == 1:
                config = dialect1.modern(config)
                class_name, body = _object(config)
            if not _is_network(class_name, body):
                raise CorruptFileError("not the config of a model", found=class_name)
            network = _read_network(class_name, body, major)
    except RecursionError:
        raise CorruptFileError("a config nested too deeply") from None
    if dialects.is_multi_backend(keras_version, major):
        for model in (network, *(n.network for n in network.walk() if n.network is not None)):
            model.extras["multi_backend"] = True
        _settle(network)
    beside = {k: v for k, v in config.items() if k not in (*_SIBLINGS, "nameless")}
    network.extras.update(beside)
    return network


def _settle(network: Network) -> None:
    for layer in network.walk():
        dialects.settle_multi_backend(layer.class_name, layer.config)
        for model in layer.models.values():
            _settle(model)


def major_of(config: Any, keras_version: str | None) -> int:
    """The Keras major (1, 2 or 3) that wrote a config."""
    head = (keras_version or "").split(".")[0]
    if head in ("0", "1"):
        return 1
    if head.isdigit():
        return min(int(head), 3)
    words: set[str] = set()
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            words.update(value)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
    if words & {"batch_shape", "keras_history"}:
        return 3
    return 1 if words & _KERAS_1_KEYS else 2


def _object(value: Any) -> tuple[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
        raise CorruptFileError("no serialised object", expected="class_name and config",
                               found=f"{value!r:.80}")
    body = value.get("config")
    if not isinstance(body, dict | list):
        raise CorruptFileError(f"{value['class_name']} has no config", found=f"{body!r:.80}")
    return value["class_name"], body


def _is_network(class_name: str, body: Any) -> bool:
    if class_name in _NETWORKS:
        return isinstance(body, list) or "layers" in body
    return isinstance(body, dict) and "layers" in body and "output_layers" in body


def _read_network(class_name: str, body: Any, major: int) -> Network:
    rows = body if isinstance(body, list) else body.get("layers")
    if not isinstance(rows, list):
        raise CorruptFileError("a model without a list of layers", found=f"{rows!r:.80}")
    own = {} if isinstance(body, list) else body
    name = own.get("name")
    network = Network(name=str(name) if name else class_name.lower(), keras_major=major)
    rest = {k: v for k, v in own.items() if k not in _FUNCTIONAL_KEYS}
    if rest:
        network.extras["config"] = rest
    if isinstance(body, list) or "output_layers" not in body:
        network.kind = "Sequential"
        _read_sequential(network, rows, own)
    else:
        _Functional(network, rows, body).read()
    return network


_FUNCTIONAL_KEYS = frozenset({"name", "layers", "input_layers", "output_layers"})


def _read_layer(row: Any, major: int) -> Layer:
    class_name, body = _object(row)
    name = row.get("name") or (body.get("name") if isinstance(body, dict) else None)
    extras = {k: v for k, v in row.items() if k not in _SIBLINGS}
    package, _, short = class_name.rpartition(">")
    if package:
        class_name, extras = short, {"registered_name": class_name, **extras}
    if _is_network(class_name, body):
        network = _read_network(class_name, body, major)
        if not name and isinstance(body, list):
            extras["nameless"] = True
        layer = Layer(dialects.RENAMED.get(class_name, class_name), str(name or network.name),
                      network=network, extras=extras)
        network.name = layer.name
        layer.config = {k: v for k, v in network.extras.get("config", {}).items()
                        if k == "trainable"}
        return layer
    if major == 3 and row.get("inbound_nodes") and operations.is_unmarked(row):
        extras["module"] = operations.module_of(class_name)
    if not isinstance(body, dict) or not isinstance(name, str):
        raise CorruptFileError(f"a {class_name} layer without a name", found=f"{row!r:.80}")
    with located(key=f'layer "{name}"'):
        class_name, config = dialects.normalise(class_name, body, major)
    if config.get("name") == name:
        del config["name"]
    layer = Layer(class_name, name, config, extras=extras)
    layer.models = dict(_models_within(config, major, ""))
    return layer


def _models_within(config: Config, major: int, start: str) -> Iterator[tuple[str, Network]]:
    """The whole models that wrappers hold in their config, by place."""
    for key in dialects.WRAPPED:
        value = config.get(key)
        if not isinstance(value, dict) or "config" not in value:
            continue
        class_name, body = _object(value)
        if _is_network(class_name.rpartition(">")[2], body):
            yield f"{start}{key}", _read_network(class_name, body, major)
        elif isinstance(body, dict):
            yield from _models_within(body, major, f"{start}{key}/")


# -- Sequential ---------------------------------------------------------------------------------


def _read_sequential(network: Network, rows: list[Any], own: Config) -> None:
    """Layers in a row; where no InputLayer stands first, one is added as Keras names it."""
    layers = [_read_layer(row, network.keras_major) for row in rows]
    _name_apart(layers)
    if layers and layers[0].class_name != "InputLayer":
        layers.insert(0, _input_for(layers[0], rows[0], own))
    previous: Layer | None = None
    for layer in layers:
        if previous is not None:
            layer.calls = [Call([Ref(previous.name)])]
        previous = layer
    network.layers = layers
    if previous is not None:
        network.inputs, network.outputs = [Ref(layers[0].name)], [Ref(previous.name)]


def _name_apart(layers: list[Layer]) -> None:
    """Number the models of one name: up to Keras 2.1 a model in a Sequential states none."""
    taken = {layer.name for layer in layers if layer.network is None}
    for layer in layers:
        if layer.network is not None:
            name, count = layer.name, 0
            while layer.name in taken:
                count += 1
                layer.name = layer.network.name = f"{name}_{count}"
            taken.add(layer.name)


def _input_for(first: Layer, row: Config, own: Config) -> Layer:
    """The InputLayer that Keras puts before ``first``; without batch_shape where unknown."""
    body = row["config"] if isinstance(row["config"], dict) else {}
    shape, dtype = body.get("batch_input_shape"), first.config.get("dtype")
    inner = first.network
    if inner is not None and inner.inputs:
        source = inner.layer(inner.inputs[0].layer)
        shape, dtype = source.config.get("batch_shape"), source.config.get("dtype")
    config: Config = {} if shape is None else {"batch_shape": shape}
    if shape is None and isinstance(own.get("build_input_shape"), list):
        config = {"batch_shape": own["build_input_shape"]}
    plain = isinstance(dtype, str) and not dtype.startswith("mixed_")
    return Layer("InputLayer", f"{first.name}_input",
                 {**config, "dtype": dtype if plain else "float32"})


# -- Functional ---------------------------------------------------------------------------------


class _Functional:
    """Reads one Functional model's layers, calls and ends into ``network``."""

    def __init__(self, network: Network, rows: list[Any], body: Config) -> None:
        self.network = network
        self.rows = rows
        self.body = body
        self.specs: dict[Ref, Spec] = {}
        self.major = network.keras_major

    def read(self) -> None:
        layers = self.network.layers = [_read_layer(row, self.major) for row in self.rows]
        self.by_name = {layer.name: layer for layer in layers}
        if len(self.by_name) != len(layers):
            names_found = [layer.name for layer in layers]
            twice = next(name for name in names_found if names_found.count(name) > 1)
            raise CorruptFileError(f'the layer name "{twice}" is used twice')
        names = frozenset(self.by_name)
        for row, layer in zip(self.rows, layers, strict=True):
            found = row.get("inbound_nodes") or []
            if not isinstance(found, list):
                raise CorruptFileError("inbound_nodes is no list", found=f"{found!r:.80}")
            with located(key=f'layer "{layer.name}"'):
                layer.calls = [nodes.read_call(node, names, self._seen) for node in found]
        ends = {key: _ends(self.body.get(key)) for key in ("input_layers", "output_layers")}
        self._settle(ends)
        for key, attribute in (("input_layers", "input_names"), ("output_layers", "output_names")):
            if ends[key][1] is not None:
                self.network.extras[attribute] = ends[key][1]

    def _seen(self, ref: Ref, spec: Spec) -> None:
        self.specs.setdefault(ref, spec)

    def _settle(self, ends: dict[str, tuple[list[Ref], list[str] | None]]) -> None:
        """Count every layer's calls from 0, check all Refs, and hand out the Specs."""
        used: dict[str, set[int]] = {}
        for ref in self._all_refs():
            used.setdefault(ref.layer, set()).add(ref.call)
        ends_used: dict[str, set[int]] = {}
        for refs, _ in ends.values():
            for ref in refs:
                ends_used.setdefault(ref.layer, set()).add(ref.call)
        together = {n: used.get(n, set()) | ends_used.get(n, set()) for n in {*used, *ends_used}}
        if self.major < 3:
            inner = outer = {n: self._first(n, indices) for n, indices in together.items()}
        else:
            inner = {n: self._first(n, indices) for n, indices in used.items()}
            outer = {n: self._first(n, indices) for n, indices in ends_used.items()}
        for layer in self.network.layers:
            with located(key=f'layer "{layer.name}"'):
                for call in layer.calls:
                    call.inputs = [self._moved(ref, inner) for ref in call.inputs]
                    call.kwargs = map_refs(call.kwargs, lambda r: self._moved(r, inner))
        self.network.inputs = [self._moved(ref, outer) for ref in ends["input_layers"][0]]
        self.network.outputs = [self._moved(ref, outer) for ref in ends["output_layers"][0]]
        for ref, spec in self.specs.items():
            self._note(self._moved(ref, inner), spec)

    def _all_refs(self) -> Iterator[Ref]:
        for layer in self.network.layers:
            for call in layer.calls:
                yield from call.inputs
                yield from refs_in(call.kwargs)

    def _first(self, name: str, indices: set[int]) -> int:
        """What a layer's node indices count from: 0, or 1 for a model with a node of its own."""
        layer = self.by_name.get(name)
        if layer is None or layer.network is None or 0 in indices:
            return 0
        if max(indices) >= max(1, len(layer.calls)):
            return 1
        return int(self.major < 3 or layer.network.kind == "Functional")

    def _moved(self, ref: Ref, first: dict[str, int]) -> Ref:
        layer = self.by_name.get(ref.layer)
        if layer is None:
            raise CorruptFileError(f'a call refers to "{ref.layer}", and no layer is called so')
        call = ref.call - first.get(ref.layer, 0)
        if not 0 <= call < max(1, len(layer.calls)):
            raise CorruptFileError(
                f'no call {ref.call} of layer "{ref.layer}"',
                expected=f"at most {len(layer.calls)} calls",
            )
        return dataclasses.replace(ref, call=call)

    def _note(self, ref: Ref, spec: Spec) -> None:
        """Keep a recorded Spec with the call that made the tensor."""
        calls = self.by_name[ref.layer].calls
        if calls and 0 <= ref.index < 4096:
            outputs = calls[ref.call].outputs
            outputs.extend(Spec(None) for _ in range(ref.index + 1 - len(outputs)))
            outputs[ref.index] = spec


def _ends(value: Any) -> tuple[list[Ref], list[str] | None]:
    """The Refs of input_layers or output_layers, and the names where they stand in a dict."""
    if isinstance(value, dict):
        refs: list[Ref] = []
        names: list[str] = []
        for key, inner in value.items():
            found = _ends(inner)[0]
            refs += found
            names += [str(key)] * len(found)
        return refs, names
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [nodes.read_ref(value)], None
    if isinstance(value, list):
        return [ref for inner in value for ref in _ends(inner)[0]], None
    raise CorruptFileError("a model without inputs or outputs", found=f"{value!r:.80}")
