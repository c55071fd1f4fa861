"""Container: what ``modelfmt.open`` returns, whatever is on disk; and how kinds are recognised.

A container knows one file format. It may offer a ``graph``, ``tensors`` and a ``network``;
what its format does not have, it raises as UnsupportedError.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, MutableMapping
from types import TracebackType
from typing import TYPE_CHECKING

from modelfmt.errors import MismatchError, UnsupportedError, Where
from modelfmt.graph import Graph
from modelfmt.network import Network
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt


class EditedTensors(MutableMapping[str, Tensor]):
    """Tensors of a file, and over them those that were assigned.

    Assign a Tensor or an array of the same dtype and shape; ``edits`` has what was assigned.
    """

    def __init__(self, stored: Mapping[str, Tensor], path: str) -> None:
        self._stored, self._path = stored, path
        self.edits: dict[str, Tensor] = {}

    def __getitem__(self, name: str) -> Tensor:
        return self.edits[name] if name in self.edits else self._stored[name]

    def __setitem__(self, name: str, value: Tensor | npt.ArrayLike) -> None:
        """Replace a tensor. Raises MissingError; MismatchError for another dtype or shape."""
        old = self._stored[name]
        new = value if isinstance(value, Tensor) else Tensor.from_numpy(name, value)
        if (new.dtype, new.shape) != (old.dtype, old.shape):
            raise MismatchError(
                "a tensor is replaced by one of its dtype and shape",
                where=Where(self._path, f'tensor "{name}"'),
                expected=f"{old.dtype}{list(old.shape)}", found=f"{new.dtype}{list(new.shape)}",
            )
        self.edits[name] = new.renamed(name)

    def __delitem__(self, name: str) -> None:
        raise MismatchError(
            "tensors of a layer are not deleted", where=Where(self._path, f'tensor "{name}"')
        )

    def __contains__(self, name: object) -> bool:
        return name in self._stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)


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

    def verify(self) -> None:  # noqa: B027 - most formats have none such
        """Compare checksums of what is read without looking at them; who reads all asks this first.

        Raises:
            ChecksumError: one of them does not match.
        """

    def save(self, path: str, *, force: bool = False) -> None:
        """Write the container with its edits to ``path``, atomically; untouched bytes stay.

        Raises:
            OutputExistsError: something stands there, and not ``force``.
            UnsupportedError: a container of another make, which cannot be saved.
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
