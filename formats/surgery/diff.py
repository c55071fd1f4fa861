"""diff: what differs between two model files of any kinds.

    of one kind       structure and numbers: graph_changes, model_changes, layer_changes
    .h5 and .keras    layers and weights, configs normalised: layer_changes
    of other kinds    weights: weight_changes
    in inference form what the layers compute, whatever holds them: form_changes
    bytes             spans of the files, and what stands there: byte_changes

Nothing is written, and numbers are read a chunk at a time. ``changes.py`` has the rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from modelfmt.container import Container
from modelfmt.errors import ModelFormatError, UnknownFormatError, UnsupportedError
from modelfmt.surgery.changes import Change as Change
from modelfmt.surgery.changes import Changes as Changes
from modelfmt.surgery.changes import Tolerance
from modelfmt.surgery.convert import UsageError
from modelfmt.surgery.opening import open as open_container


def diff(
    a: str | os.PathLike[str],
    b: str | os.PathLike[str],
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    bytes: bool = False,
    inference_form: bool = False,
    kinds: tuple[str | None, str | None] = (None, None),
) -> Changes:
    """The changes from one model file to another.

    Args:
        a, b: model files of any kinds.
        rtol, atol: numbers are equal where |x - y| <= atol + rtol * max(|x|, |y|); where both are
            0 they are compared bit for bit.
        bytes: compare the files' bytes.
        inference_form: compare what the models compute at inference.
        kinds: of a and b, where the content shall not tell.

    Returns:
        A list of changes, empty if there are none; its ``way`` says what was compared.

    Raises:
        UsageError: a negative tolerance, or both ``bytes`` and ``inference_form``.
        ConversionError: inference form is wanted of a graph that is no row of layers.
        ModelFormatError: a file cannot be read.
    """
    if not (rtol >= 0 and atol >= 0):
        raise UsageError("a tolerance is not negative", found=f"rtol {rtol}, atol {atol}")
    if bytes and (inference_form or rtol or atol):
        raise UsageError("bytes are compared as they are: no inference form, no tolerance")
    tolerance = Tolerance(rtol, atol)
    if bytes:
        return _bytes(os.fspath(a), os.fspath(b), kinds)
    with open_container(a, kind=kinds[0]) as left, open_container(b, kind=kinds[1]) as right:
        left.verify()
        right.verify()
        if inference_form:
            from modelfmt.surgery.form_changes import form_changes

            return Changes(form_changes(left, right, tolerance), "layers in inference form")
        return _models(left, right, tolerance)


def _models(a: Container, b: Container, tolerance: Tolerance) -> Changes:
    from modelfmt.keras.archive import KerasArchive
    from modelfmt.keras.h5 import KerasH5

    layered = (KerasH5, KerasArchive)
    if isinstance(a, layered) and isinstance(b, layered):
        from modelfmt.surgery.layer_changes import layered_changes, unread_changes

        if _has_layers(a) and _has_layers(b):
            return Changes(layered_changes(a, b, tolerance), f"{_kinds(a, b)}: layers and weights")
        if a.kind == b.kind:
            found = unread_changes(a, b, tolerance)
            return Changes(found, f"{_kinds(a, b)}: configs and tensors")
    elif a.kind == b.kind:
        alike = _of_one_kind(a, b, tolerance)
        if alike is not None:
            return alike
    from modelfmt.surgery.weight_changes import weight_changes

    changes = weight_changes(a, b, tolerance)
    changes.way = f"{_kinds(a, b)}: {changes.way}"
    return changes


def _of_one_kind(a: Container, b: Container, tolerance: Tolerance) -> Changes | None:
    from modelfmt.keras.h5 import KerasWeights

    if isinstance(a, KerasWeights) and isinstance(b, KerasWeights):
        if a.layout != b.layout:
            return None
        return Changes(_weights_only(a, b, tolerance), f"{a.kind}: tensors by path")
    from modelfmt.surgery.graph_changes import graph_changes
    from modelfmt.surgery.model_changes import checkpoint_changes, metagraph_changes
    from modelfmt.tf.checkpoint import Checkpoint
    from modelfmt.tf.graphdef import GraphDefFile
    from modelfmt.tf.metagraph import GraphWithVariables

    if isinstance(a, GraphDefFile) and isinstance(b, GraphDefFile):
        return Changes(graph_changes(a.graph, b.graph, tolerance), "graphdef: nodes and functions")
    if isinstance(a, Checkpoint) and isinstance(b, Checkpoint):
        return Changes(checkpoint_changes(a, b, tolerance), "checkpoint: tensors by key")
    if isinstance(a, GraphWithVariables) and isinstance(b, GraphWithVariables):
        found = metagraph_changes(a, b, tolerance)
        return Changes(found, f"{a.kind}: nodes, functions, variables, and what surrounds them")
    return None


def _weights_only(a: Container, b: Container, tolerance: Tolerance) -> Iterator[Change]:
    from modelfmt.surgery.changes import compare_values
    from modelfmt.surgery.model_changes import tensor_changes

    said = [{k: getattr(c, k, None) for k in ("keras_version", "backend")} for c in (a, b)]
    yield from compare_values("versions", "", "", *said)
    yield from tensor_changes(a.tensors, b.tensors, tolerance, "weights")


def _has_layers(container: Container) -> bool:
    """Whether a file's config can be read as layers; a subclassed model's cannot."""
    try:
        return container.network is not None
    except ModelFormatError:
        return False


def _kinds(a: Container, b: Container) -> str:
    return a.kind if a.kind == b.kind else f"{a.kind} and {b.kind}"


def _bytes(a: str, b: str, kinds: tuple[str | None, str | None]) -> Changes:
    from modelfmt.storage.files import SourceFile
    from modelfmt.surgery.byte_changes import byte_changes, file_byte_changes
    from modelfmt.surgery.regions import Region

    try:
        with open_container(a, kind=kinds[0]) as left, open_container(b, kind=kinds[1]) as right:
            return Changes(byte_changes(left, right), f"{_kinds(left, right)}: bytes")
    except (UnknownFormatError, UnsupportedError):  # bytes are bytes, whatever they mean
        with SourceFile(a) as x, SourceFile(b) as y:
            whole = [[Region(0, file.size, "")] if file.size else [] for file in (x, y)]
            return Changes(file_byte_changes("", x, y, *whole), "files of no known kind: bytes")
