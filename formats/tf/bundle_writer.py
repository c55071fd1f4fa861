"""TensorBundle, writing: one shard, the data in the order of adding, the index in key order.

For the same tensors in the same order the files are those of TensorFlow's BundleWriter, byte for
byte; the layout is told in bundle.py. Data passes in chunks and is never held as a whole.
Source: tensorflow/core/util/tensor_bundle/tensor_bundle.cc.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from modelfmt.errors import MismatchError, UnsupportedError, Where, located
from modelfmt.storage.crc32c import crc32c, crc32c_of_piece, mask
from modelfmt.storage.files import (
    SMALL,
    FileSpan,
    Piece,
    atomic_output,
    iterate_piece,
    write_pieces,
)
from modelfmt.storage.sstable import write_table
from modelfmt.tensor import Tensor
from modelfmt.tf.bundle import data_path, entry_key
from modelfmt.tf.bundle_proto import BundleEntry, Header, write_entry, write_header
from modelfmt.tf.bundle_strings import write_strings


class BundleWriter:
    """A bundle under way: tensors go to ``data`` as they are added, then ``index`` tells of them.

    Read by: ``bundle.Bundle``.
    """

    def __init__(self, data: BinaryIO) -> None:
        self._data = data
        self._offset = 0
        self._entries: dict[bytes, BundleEntry] = {}

    def add(self, tensor: Tensor) -> None:
        """Append a tensor under its name.

        Raises:
            MismatchError: a name that is empty or was added before, or a payload of another size
                than dtype and shape ask for.
            UnsupportedError: a dtype without bytes (resource, variant).
        """
        name = tensor.name
        with located(key=entry_key(name)):
            if tensor.strings is not None:
                head, body, crc = write_strings(tensor.strings())
                self._data.write(head)
                self._data.write(body)
                size = len(head) + len(body)
            elif not tensor.dtype.itemsize:
                raise UnsupportedError(f"a tensor of dtype {tensor.dtype} in a checkpoint")
            else:
                size, crc = self._copy(tensor.payload)
                if size != tensor.nbytes:
                    raise MismatchError(
                        "the data of a tensor does not fit its shape", where=tensor.origin,
                        expected=f"{tensor.nbytes} bytes for {tensor.dtype}{list(tensor.shape)}",
                        found=f"{size} bytes",
                    )
            entry = BundleEntry(tensor.dtype.enum, tensor.shape, 0, self._offset, size, crc)
            self._put(name.encode("utf-8", "surrogatepass"), entry)
            self._offset += size

    def carry(self, key: bytes, entry: BundleEntry, span: FileSpan | None) -> None:
        """Append an entry of another bundle with its bytes and its checksum as they are.

        Args:
            key: of a tensor or of a slice.
            entry: as it stands there.
            span: its bytes; None for a tensor that has slices instead.
        """
        if span is not None:
            write_pieces(self._data, [span])
            entry = dataclasses.replace(entry, shard=0, offset=self._offset)
            self._offset += span.length
        self._put(key, entry)

    def index(self) -> Iterator[bytes]:
        """The index of what has been added, in pieces."""
        header = write_header(Header(shards=1))
        rows = ((key, write_entry(entry)) for key, entry in sorted(self._entries.items()))
        return write_table([(b"", header), *rows])

    def _put(self, key: bytes, entry: BundleEntry) -> None:
        if not key or key in self._entries:
            raise MismatchError(
                "a tensor without a name" if not key else "two tensors of one name",
                found=repr(key.decode("utf-8", "backslashreplace")),
            )
        self._entries[key] = entry

    def _copy(self, payload: Piece) -> tuple[int, int]:
        """Write a payload; its size and its masked checksum."""
        if isinstance(payload, FileSpan) and payload.length >= SMALL:
            # Read for the checksum, then moved by the kernel: a third of the time of writing it.
            crc = crc32c_of_piece(payload)
            return write_pieces(self._data, [payload]), mask(crc)
        size = crc = 0
        for chunk in iterate_piece(payload):
            data = bytes(chunk)
            crc = crc32c(data, crc)
            self._data.write(data)
            size += len(data)
        return size, mask(crc)


def write_bundle(
    prefix: str | os.PathLike[str], tensors: Iterable[Tensor], *, force: bool = False
) -> None:
    """Write a checkpoint of version 2: PREFIX.index and PREFIX.data-00000-of-00001.

    Args:
        prefix: where; its folder must exist.
        tensors: in the order in which their data is to stand, each read when its turn comes.
        force: replace an existing checkpoint.

    Raises:
        OutputExistsError: a file of it exists, and not ``force``.
        MismatchError: see ``BundleWriter.add``.

    Read by: ``bundle.Bundle``.
    """

    def fill(writer: BundleWriter) -> None:
        for tensor in tensors:
            writer.add(tensor)

    fill_bundle(prefix, fill, force=force)


def fill_bundle(
    prefix: str | os.PathLike[str], fill: Callable[[BundleWriter], None], *, force: bool = False
) -> None:
    """As ``write_bundle``, for what ``fill`` does with a BundleWriter."""
    path = os.fspath(prefix)
    if not os.path.basename(path):
        raise MismatchError("a checkpoint needs a name within its folder", where=Where(path))
    # Left in the other order: the data has its name before the index does.
    with ExitStack() as stack:
        index = stack.enter_context(atomic_output(f"{path}.index", force=force))
        data = stack.enter_context(atomic_output(data_path(path, 0, 1), force=force))
        writer = BundleWriter(data.file)
        fill(writer)
        for piece in writer.index():
            index.file.write(piece)
        index.file.flush()
        os.fsync(index.file.fileno())  # between the two renames nothing takes time


def copy_files(
    files: Iterable[tuple[FileSpan, str]], *, force: bool = False
) -> None:
    """Write files as they are, each appearing when all are whole; the first one given at last."""
    with ExitStack() as stack:
        for span, target in files:
            out = stack.enter_context(atomic_output(target, force=force))
            write_pieces(out.file, [span])
            out.file.flush()
            os.fsync(out.file.fileno())


