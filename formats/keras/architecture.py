"""A model's config in a file of its own, as ``model.to_json()`` and ``to_yaml()`` write it.

    {"class_name": ..., "config": ..., "keras_version": "2.15.0", "backend": "tensorflow"}

It states layers and holds no weights. A .keras archive's config.json is one as well. Source: Keras
models/model.py; Keras 1 and 2 up to 2.4 also wrote YAML, with tuples of Python.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from modelfmt.container import Container
from modelfmt.errors import CorruptFileError, Where, located
from modelfmt.keras.config import read_config, write_config
from modelfmt.keras.h5 import KERAS_VERSION, parse_json
from modelfmt.network import Network
from modelfmt.storage.files import SourceFile, atomic_output
from modelfmt.storage.yaml_text import read_yaml
from modelfmt.tensor import Tensor


class KerasConfig(Container):
    """A model's config without weights. Kind ``keras-config``."""

    kind = "keras-config"

    @cached_property
    def model_config(self) -> dict[str, Any]:
        """The parsed file.

        Raises:
            CorruptFileError: neither JSON nor YAML, or no object.
            UnsupportedError: YAML, and PyYAML is not installed.
        """
        with SourceFile(self.path) as file:
            text = file.read(0, file.size)
        if text.lstrip()[:1] == b"{":
            return parse_json(text, self.path, "")
        with located(path=self.path):
            value = read_yaml(text)
        if not isinstance(value, dict):
            raise CorruptFileError(
                "no object", where=Where(self.path), found=type(value).__name__
            )
        return value

    def _text(self, name: str) -> str | None:
        value = self.model_config.get(name)
        return value if isinstance(value, str) else None

    @property
    def keras_version(self) -> str | None:
        return self._text("keras_version")

    @property
    def backend(self) -> str | None:
        return self._text("backend")

    @property
    def training_config(self) -> dict[str, Any] | None:
        """The config of ``compile``, which Keras 3 states here too."""
        found = self.model_config.get("compile_config")
        return found if isinstance(found, dict) and found else None

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """There are none."""
        return {}

    @cached_property
    def _network(self) -> Network:
        stated = {"keras_version": self.keras_version, "backend": self.backend}
        with located(path=self.path):
            network = read_config(self.model_config, keras_version=self.keras_version)
        network.extras.update({k: v for k, v in stated.items() if v is not None})
        return network

    @property
    def network(self) -> Network:
        return self._network

    def close(self) -> None:
        """The file is open only while it is read."""


def write_architecture(
    network: Network, path: str, *, major: int = 3, force: bool = False
) -> None:
    """Write a model's config as ``model.to_json()`` of Keras ``major``: the twin of
    ``KerasConfig.network``.

    Raises:
        ConversionError: ``major`` cannot express the model.
        OutputExistsError: something stands there, and not ``force``.
    """
    config = write_config(network, major=major)
    if major == 2:
        config |= {"keras_version": KERAS_VERSION[2], "backend": "tensorflow"}
    with atomic_output(path, force=force) as out:
        out.file.write(json.dumps(config, allow_nan=True).encode())
