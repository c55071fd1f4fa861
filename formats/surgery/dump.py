"""dump: what a file says about itself, as plain data. Nothing but structure is read.

The schema, which ``--json`` prints as it is:

    path, kind      as given, and as recognised
    versions        {"keras_version": ..., "backend": ..., "producer": ...}, as far as stated
    inputs, outputs [{"name", "dtype", "shape"}], shape null where unknown, null inside for a size
    layers          of a model of Keras, with name and training: layer_rows.py
    ops, functions  of a graph, with function_ops and gradients: graph_rows.py
    tags            of a MetaGraph, with metagraphs, signatures, objects, files: metagraph_rows.py
    collections     {key: {"kind", "type", "count", "rows"}}; saver; assets: collection_rows.py
                    tells of their rows
    checkpoint      of a checkpoint, also one beside a graph: checkpoint_rows.py
    remarks         [sentence]: what one should know, and is not odd
    tensors         [{"name", "path", "dtype", "shape", "nbytes"}], with digest also "sha256", with
                    values "values" of small ones, flat, in C order; "slices" of partitioned ones;
                    "layer" that it belongs to, of a file of Keras that tells.
                    nbytes of strings is what the file spends on them, null where they would have
                    to be read for it
    holds           {"model", "optimizer", "other"}: how many of the tensors are whose, of a file of
                    Keras
    oddities        [sentence]: what is unusual about the file, or could not be read
"""

from __future__ import annotations

import base64
import fnmatch
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from modelfmt.errors import ModelFormatError, located
from modelfmt.surgery.describe import DESCRIBERS, Asked, Report
from modelfmt.surgery.layer_rows import owners
from modelfmt.surgery.opening import open as open_container
from modelfmt.tensor import Tensor

#: With values, tensors of up to so many elements show them.
SMALL = 16


def dump(
    path: str | os.PathLike[str],
    *,
    kind: str | None = None,
    select: Sequence[str] = (),
    digest: bool = False,
    values: bool = False,
    depth: int | None = None,
) -> Report:
    """Describe a model file of any kind.

    Args:
        path: the file.
        kind: overrides what the content says.
        select: list only tensors whose name matches one of these globs.
        digest: hash every tensor, which reads them all.
        values: show the elements of small tensors.
        depth: list what is nested down to so many levels. Left out: all layers, and of object
            graphs only counts.

    Returns:
        The report; see the module's text for its keys.

    Raises:
        ModelFormatError: the file cannot be opened. A part that cannot be read becomes an oddity.
    """
    with open_container(path, kind=kind) as container:
        report: Report = {"path": container.path, "kind": container.kind, "versions": {}}
        report |= {"inputs": [], "outputs": [], "oddities": [], "remarks": []}
        asked = Asked(container, report, depth)
        for describe in DESCRIBERS[container.kind]:
            _guarded(asked, describe)
        report["tensors"] = []
        if digest or values:  # the tensors are read
            _guarded(asked, lambda _: container.verify())
        owned: dict[str, str] = {}
        if container.kind in ("keras-h5", "keras-weights", "keras"):
            with suppress(ModelFormatError):  # which is told of the layers
                owned = owners(container)
        rows = _tensors(asked, select, digest, values, owned)
        _guarded(asked, lambda _: report["tensors"].extend(rows))
        for sentence in getattr(container, "oddities", []):
            asked.odd(sentence)
        return report


def _guarded(asked: Asked, describe: Callable[[Asked], None]) -> None:
    """What cannot be read becomes an oddity, and does not hide the rest."""
    try:
        with located(path=asked.container.path):
            describe(asked)
    except ModelFormatError as error:
        asked.odd(str(error))


# -- tensors --------------------------------------------------------------------------------------


def _tensors(
    asked: Asked, select: Sequence[str], digest: bool, values: bool, owned: dict[str, str]
) -> Iterator[Report]:
    slices = asked.report.get("checkpoint", {}).get("slices", {})
    for name in asked.container.tensors:
        if select and not any(fnmatch.fnmatchcase(name, glob) for glob in select):
            continue
        try:
            with located(path=asked.container.path):
                row = _row(name, asked.container.tensors[name], digest, values)
        except ModelFormatError as error:
            asked.odd(str(error))
            continue
        if name in slices:
            row["slices"] = slices[name]
        if name in owned:
            row["layer"] = owned[name]
        yield row


def _row(name: str, tensor: Tensor, digest: bool, values: bool) -> Report:
    row: Report = {
        "name": name,
        "path": name,
        "dtype": tensor.dtype.name,
        "shape": list(tensor.shape),
        "nbytes": tensor.nbytes if tensor.strings is None else tensor.stored,
    }
    if digest:
        row["sha256"] = tensor.sha256()
    if values and tensor.size <= SMALL:
        array = tensor.numpy().ravel()
        short = array.dtype.kind == "f" and array.dtype.itemsize < 8
        plain = [float(str(value)) for value in array] if short else array.tolist()
        row["values"] = [_plain(value) for value in plain]
    return row


def _plain(value: Any) -> Any:
    """An element as JSON has it: text, or {"base64"}; numbers that JSON lacks as text."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, complex):
        return str(value)
    return value if isinstance(value, float) and math.isfinite(value) else str(value)
