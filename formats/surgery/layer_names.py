"""Layers renamed in what Keras states of a model: its config, and what is told by layers' names.

    config           name, config.name, inbound_nodes, keras_history, input_layers, output_layers;
                     in nested models as well. What a wrapper holds keeps its name
    training         loss, metrics and loss_weights by the names of the output layers
    weight_names     dense/kernel:0, below the names of nested models; dense_W of Keras 1
    optimizer        training/Adam/dense/kernel/m:0, adam/dense_kernel_momentum

Source: Keras models/functional.py, trainers/compile_utils.py, legacy_h5_format.py.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from modelfmt.errors import MismatchError, MissingError, Where
from modelfmt.surgery.renaming import Renaming, within

Config = dict[str, Any]
_ENDS = ("input_layers", "output_layers")
_BY_OUTPUT = ("loss", "metrics", "weighted_metrics", "loss_weights", "sample_weight_mode")


class LayerNames:
    """The layers of a config, of all nested models, with their new names."""

    def __init__(self, config: Any, renaming: Renaming, where: Where) -> None:
        self.changed: dict[str, str] = {}
        self.models: set[str] = set()
        for rows, _ in models(config):
            listed = [name_of(row) for row in rows]
            if listed:
                self.changed |= renaming.map(dict.fromkeys(listed), where)
            self.models |= {name_of(row) for row in rows if rows_of(row) is not None}
        own = name_of(config)
        if own:
            self.models.add(own)
            self.changed |= renaming.map([own], where) if own not in self.changed else {}

    def name(self, text: str) -> str:
        """A layer's new name."""
        return self.changed.get(text, text)

    def config(self, config: Any) -> Any:
        """The config of a model with other names; the one given is left alone."""
        config = copy.deepcopy(config)
        self._object(config)
        return config

    def training(self, config: Any) -> Any:
        """The config of ``compile`` with other names of outputs."""
        if not isinstance(config, dict):
            return config
        out = dict(config)
        for key in _BY_OUTPUT:
            if key in out:
                out[key] = self._keyed(out[key])
        return out

    def weight(self, text: str, owner: str) -> str:
        """A weight's new name, within the group of a layer."""
        steps = text.split("/")
        start = 0
        while start < len(steps) - 1 and steps[start] in self.models:
            steps[start] = self.name(steps[start])
            start += 1
        for length in range(len(steps) - start, 0, -1):
            part = "/".join(steps[start : start + length])
            if part in self.changed and length < len(steps) - start:
                tail = steps[start + length :]
                return "/".join([*steps[:start], self.changed[part], *tail])
        if len(steps) == 1 and owner in self.changed and text.startswith(f"{owner}_"):
            return self.changed[owner] + text[len(owner) :]
        return "/".join(steps)

    def slot(self, text: str, weights: dict[str, str]) -> str:
        """The new name of an optimizer's tensor, which has the name of a weight in it."""
        bare, colon, number = text.partition(":")
        plain = {a.partition(":")[0]: b.partition(":")[0] for a, b in weights.items() if a != b}
        new = within(bare, plain)
        if new == bare:
            flat = {a.replace("/", "_"): b.replace("/", "_") for a, b in plain.items()}
            for old in sorted(flat, key=len, reverse=True):
                found = re.search(rf"(?<![A-Za-z0-9]){re.escape(old)}(?![A-Za-z0-9])", bare)
                if found:
                    return bare[: found.start()] + flat[old] + bare[found.end() :] + colon + number
        return new + colon + number

    def _object(self, row: Config) -> None:
        rows = rows_of(row)
        name = name_of(row)
        if "name" in row:
            row["name"] = self.name(row["name"])
        body = row.get("config")
        if isinstance(body, dict) and body.get("name") == name:
            body["name"] = self.name(name)
        if row.get("inbound_nodes"):
            row["inbound_nodes"] = self._refs(row["inbound_nodes"])
        if rows is None:
            return
        for inner in rows:
            self._object(inner)
        if isinstance(body, dict):
            for key in _ENDS:
                if key in body:
                    body[key] = self._refs(body[key])

    def _refs(self, value: Any) -> Any:
        """[layer, call, tensor, ...], wherever it stands."""
        if isinstance(value, list):
            if len(value) >= 3 and isinstance(value[0], str) and all(
                type(number) is int for number in value[1:3]
            ):
                return [self.name(value[0]), *(self._refs(v) for v in value[1:])]
            return [self._refs(inner) for inner in value]
        if isinstance(value, dict):
            return {key: self._refs(inner) for key, inner in value.items()}
        return value

    def _keyed(self, value: Any) -> Any:
        """A dict by output; a serialised object is none."""
        if not isinstance(value, dict):
            return value
        if "class_name" in value and "config" in value:
            return value
        return {self.name(key): inner for key, inner in value.items()}


def rows_of(row: Any) -> list[Config] | None:
    """The layers of a model's config; None for what is no model."""
    body = row.get("config") if isinstance(row, dict) else None
    rows = body.get("layers") if isinstance(body, dict) else body
    if not isinstance(rows, list) or not all(isinstance(inner, dict) for inner in rows):
        return None
    return rows


def models(config: Any) -> Iterator[tuple[list[Config], Config]]:
    """The layers of a model and of those nested in it, each with the model's own row."""
    rows = rows_of(config)
    if rows is not None:
        yield rows, config
        for row in rows:
            yield from models(row)


def name_of(row: Config) -> str:
    """A layer's name, where it has one."""
    body = row.get("config")
    name = row.get("name") or (body.get("name") if isinstance(body, dict) else None)
    return name if isinstance(name, str) else ""


def set_in_config(config: Any, layer: str, key: str, value: Any, where: Where) -> Any:
    """A model's config with another value under a key of a layer's config.

    Raises:
        MissingError: no such layer, or its config has no such key.
        MismatchError: the layer's name, which is renamed.
    """
    from difflib import get_close_matches

    config = copy.deepcopy(config)
    found = [row for rows, _ in models(config) for row in rows if name_of(row) == layer]
    if not found:
        names = [name_of(row) for rows, _ in models(config) for row in rows]
        raise MissingError(
            f"no layer {layer!r}", where=where, close_matches=get_close_matches(layer, names, 3)
        )
    if key == "name":
        raise MismatchError("a layer's name is changed with --rename", where=where)
    for row in found:
        body = row.get("config")
        if not isinstance(body, dict) or key not in body:
            known = list(body) if isinstance(body, dict) else []
            raise MissingError(
                f'the config of "{layer}" has no key {key!r}', where=where,
                close_matches=get_close_matches(key, known, 3) or sorted(known),
            )
        body[key] = value
    return config
