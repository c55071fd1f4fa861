"""Container: what ``modelfmt.open`` returns, whatever is on disk; and how kinds are recognised.

A container knows one file format. It may offer a ``graph``, ``tensors`` and a ``network``;
what its format does not have, it raises as UnsupportedError.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping
from types import TracebackType

from modelfmt.errors import UnsupportedError, Where
from modelfmt.graph import Graph
from modelfmt.network import Network
from modelfmt.tensor import Tensor


class Container(abc.ABC):
    """An open model file. Opening reads no tensor; ``close`` ends every view into it.

    Attributes:
        kind: graphdef, metagraph, savedmodel, checkpoint, keras-h5, keras-weights or keras.
        path: as given to ``open``.
    """

    kind: str = ""

    def __init__(self, path: str) -> None:
        self.path = path

    @property
    @abc.abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """The named tensors, in file order; nothing is read until one is asked for bytes."""

    @property
    def graph(self) -> Graph:
        """The graph. Raises UnsupportedError where the format has none."""
        raise UnsupportedError(f"a {self.kind} file holds no graph", where=Where(self.path))

    @property
    def network(self) -> Network:
        """The layers as the file states them. Raises UnsupportedError where it states none."""
        raise UnsupportedError(f"a {self.kind} file states no layers", where=Where(self.path))

    @property
    def has_graph(self) -> bool:
        return type(self).graph is not Container.graph

    @property
    def has_network(self) -> bool:
        return type(self).network is not Container.network

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the container with its edits to ``path``, atomically; untouched bytes stay.

        Raises:
            UnsupportedError: this format cannot be saved in place yet.
        """
        raise UnsupportedError(f"saving an edited {self.kind} file is not supported yet")

    @abc.abstractmethod
    def close(self) -> None:
        """Release the file."""

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
