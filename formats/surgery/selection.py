"""Some tensors of any container in a file of their own: .npz, .safetensors, or a folder of .npy.

numpy has no bfloat16, float8 or int4: .npy and .npz hold the bits of such a tensor as unsigned
integers, and a remark says so. A .safetensors keeps the dtype; it knows no strings.
"""

from __future__ import annotations

import fnmatch
import io
import os
from collections.abc import Sequence

from modelfmt.container import Container
from modelfmt.errors import MissingError, UnsupportedError
from modelfmt.storage.files import Piece, atomic_output
from modelfmt.storage.output import atomic_folder
from modelfmt.surgery.messages import write_elements
from modelfmt.surgery.parts import MANIFEST, Names, Record, write_manifest
from modelfmt.surgery.payloads import header, stored_code
from modelfmt.tensor import Tensor


def write_selection(
    container: Container, out: str, select: Sequence[str], *, force: bool = False
) -> tuple[int, list[str]]:
    """Write the tensors whose names match one of the globs; their number, and remarks.

    Raises:
        MissingError: none does.
        UnsupportedError: what the output cannot hold.
    """
    tensors = [
        container.tensors[name]
        for name in container.tensors
        if any(fnmatch.fnmatchcase(name, glob) for glob in select)
    ]
    if not tensors:
        from difflib import get_close_matches

        raise MissingError(
            f"no tensor matches {' or '.join(map(repr, select))}",
            close_matches=get_close_matches(select[0], list(container.tensors), 3),
        )
    if out.endswith(".safetensors"):
        from modelfmt.storage.safetensors import write_safetensors

        write_safetensors(
            out, [(t.name, _known(t), t.shape, t.payload) for t in tensors], force=force
        )
        return len(tensors), []
    if out.endswith(".npz"):
        _write_npz(out, tensors, force=force)
    else:
        _write_folder(out, tensors, force=force)
    bits = sorted({t.dtype.name for t in tensors if t.dtype.code.startswith("ml:")})
    remarks = [f"{name} is stored as its bits, in unsigned integers" for name in bits]
    return len(tensors), remarks


def _known(tensor: Tensor) -> str:
    if tensor.strings is not None:
        raise UnsupportedError(f"a .safetensors holds no strings, as in tensor {tensor.name!r}")
    return tensor.dtype.name


def _write_npz(out: str, tensors: list[Tensor], *, force: bool) -> None:
    from modelfmt.storage.archive import write_archive

    members: list[tuple[str, list[Piece]]] = []
    for tensor in tensors:
        if tensor.strings is not None:
            members.append((f"{tensor.name}.npy", [_fixed_strings(tensor)]))
        else:
            head = header(stored_code(tensor.dtype), tensor.shape)
            members.append((f"{tensor.name}.npy", [head, tensor.payload]))
    with atomic_output(out, force=force) as output:
        write_archive(output.file, members)


def _fixed_strings(tensor: Tensor) -> bytes:
    """A .npy of strings, padded with zeros to the longest, as numpy has them without pickle."""
    import numpy as np

    values = tensor.strings() if tensor.strings is not None else []
    if any(value.endswith(b"\0") for value in values):
        raise UnsupportedError(
            f"a .npz cannot hold the strings of {tensor.name!r}: one ends with a zero byte",
            hint="Take a folder, where strings are JSON.",
        )
    out = io.BytesIO()
    width = max(1, *map(len, values), 1)
    np.save(out, np.array(values, f"S{width}").reshape(tensor.shape), allow_pickle=False)
    return out.getvalue()


def _write_folder(out: str, tensors: list[Tensor], *, force: bool) -> None:
    names = Names()
    with atomic_folder(out, force=force, markers=(MANIFEST,)) as folder:
        records: list[Record] = []
        for tensor in tensors:
            file = names.allocate(".", tensor.name, ".json" if tensor.strings else ".npy")[2:]
            write_elements(os.path.join(folder, *file.split("/")), tensor)
            records.append({
                "part": "tensor", "name": tensor.name, "file": file,
                "dtype": tensor.dtype.name, "shape": list(tensor.shape),
            })  # fmt: skip
        write_manifest(folder, "tensors", records)
