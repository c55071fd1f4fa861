"""Containers of plain arrays: .npz and .safetensors. Tensors by name, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from modelfmt import dtypes
from modelfmt.container import Container
from modelfmt.errors import Where, located
from modelfmt.storage.files import SourceFile, piece_bytes
from modelfmt.storage.npz import NpzReader
from modelfmt.storage.safetensors import read_safetensors
from modelfmt.tensor import Tensor


class NpzFile(Container):
    """numpy's .npz; where its members are stored, elements are views of the file.

    Raises:
        CorruptFileError, UnsafeFileError: no such archive.
    """

    kind = "npz"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._reader = NpzReader(path)
        self._tensors = {name: self._tensor(name) for name in self._reader}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The arrays in the order of the archive; text becomes strings."""
        return self._tensors

    def _tensor(self, name: str) -> Tensor:
        import numpy as np

        head, elements = self._reader.array(name)
        if head.dtype.kind in "SU":
            array = np.frombuffer(piece_bytes(elements), head.dtype).reshape(head.shape)
            return Tensor.from_numpy(name, array)
        with located(path=self.path, key=f'array "{name}"'):
            dtype = dtypes.from_numpy(head.dtype)
        return Tensor(name, dtype, head.shape, elements, Where(self.path, name))

    def close(self) -> None:
        self._reader.close()


class SafetensorsFile(Container):
    """A .safetensors; its elements are views of the file.

    Raises:
        TruncatedError, CorruptFileError: no such file.
    """

    kind = "safetensors"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._source = SourceFile(path)
        self._tensors = {
            name: Tensor(name, dtypes.from_name(row.dtype), row.shape, row.payload,
                         Where(path, name))
            for name, row in read_safetensors(self._source).items()
        }  # fmt: skip

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors in the order of their bytes."""
        return self._tensors

    def close(self) -> None:
        self._source.close()
