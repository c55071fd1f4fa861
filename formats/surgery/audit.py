"""audit: what a framework would run or open if it loaded this file, or called the model in it.

    .h5, .weights.h5       configs in attributes; links and data outside of the file, bombs, filters
    .keras                 the zip; every JSON and HDF5 member; what has no business there
    .pb, .meta             ops of the graph and its functions, bombs
    SavedModel             the same for each MetaGraph, and what runs at loading; configs of Keras;
                           assets, links and programs in the folder
    checkpoint             configs among its tensors; where its state file leads
    .npz                   pickled objects
    model.json, .yaml      the config

Nothing is imported, unpickled or run, and no link followed. What holds HDF5 is read in a child with
a time limit. Rules stand in audit_configs.py, audit_ops.py and audit_files.py.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

from modelfmt.container import Container
from modelfmt.errors import ModelFormatError, UnsafeFileError, Where
from modelfmt.storage.isolated import read_isolated
from modelfmt.surgery.check import holds_hdf5
from modelfmt.surgery.opening import open as open_container
from modelfmt.surgery.opening import sniff
from modelfmt.surgery.risks import HIGH, SEVERITIES, Risk

_CONFIGS = ("OBJECT_CONFIG_JSON",)


def audit(path: str | os.PathLike[str], *, kind: str | None = None) -> list[Risk]:
    """Look for everything in a file that would run, or reach out of it.

    Args:
        path: a model file of any kind; also a Keras config (.json, .yaml).
        kind: overrides what the content says.

    Returns:
        The findings, the worst first; none means that none of the rules applies, not that the
        file is harmless: an honest graph may compute anything.

    Raises:
        ModelFormatError: the file cannot be read; CorruptFileError also where libhdf5 hangs.
    """
    path = os.fspath(path)
    if holds_hdf5(path, kind):
        rows = read_isolated(_examined, path, kind)
        return [Risk(**{**row, "where": Where(path)}) for row in rows]
    return examine(path, kind)


def examine(path: str, kind: str | None = None) -> list[Risk]:
    """What ``audit`` does, in this process: a damaged HDF5 file may hang or end it."""
    once = dict.fromkeys(
        dataclasses.replace(risk, where=Where(path)) for risk in _risks(path, kind)
    )
    return sorted(once, key=lambda risk: SEVERITIES.index(risk.severity))


def _examined(path: str, kind: str | None) -> list[dict[str, str]]:
    """For the child, which answers in plain JSON."""
    return [{**dataclasses.asdict(risk), "where": ""} for risk in examine(path, kind)]


def _risks(path: str, kind: str | None) -> Iterator[Risk]:
    """All risks; a part that is unsafe to look at is one, and the others go on."""
    from modelfmt.surgery.audit_files import (
        archive_risks,
        hdf5_risks,
        npz_risks,
        text_config_risks,
    )

    if kind is None and (texts := text_config_risks(path)) is not None:
        yield from texts
        return
    try:
        found = kind or sniff(path)
        if found in ("keras-h5", "keras-weights"):
            yield from hdf5_risks(path)
        elif found == "keras":
            yield from archive_risks(path)
        elif found == "npz":
            yield from npz_risks(path)
        else:
            with open_container(path, kind=found) as container:
                for part in _PARTS.get(found, ()):
                    yield from _guarded(part(container))
    except UnsafeFileError as error:
        yield unsafe(error)


def unsafe(error: ModelFormatError) -> Risk:
    """An error of ours as a risk: we refuse to read what the framework would."""
    return Risk(
        HIGH, "unsafe", error.where.key or "", error.what + (
            f" ({error.found})" if error.found is not None else ""
        ), "a reader that does not look ahead is led out of the file, or fills its memory",
    )  # fmt: skip


def _guarded(part: Iterator[Risk]) -> Iterator[Risk]:
    try:
        yield from part
    except UnsafeFileError as error:
        yield unsafe(error)


def _graph(container: Container) -> Iterator[Risk]:
    from modelfmt.surgery.audit_ops import bomb_risks, graph_risks
    from modelfmt.surgery.graph_rows import own_graph

    graph = own_graph(container)
    yield from graph_risks(graph)
    yield from bomb_risks(graph)


def _metagraphs(container: Container) -> Iterator[Risk]:
    from modelfmt.surgery.audit_loading import loaded_nodes
    from modelfmt.surgery.audit_ops import bomb_risks, graph_risks
    from modelfmt.tf.metagraph import GraphWithVariables
    from modelfmt.tf.savedmodel import SavedModel

    assert isinstance(container, GraphWithVariables)
    saved = container.metagraphs if isinstance(container, SavedModel) else [container.metagraph]
    for metagraph in saved:
        yield from graph_risks(metagraph.graph, loaded_nodes(metagraph))
        yield from bomb_risks(metagraph.graph)


def _folder(container: Container) -> Iterator[Risk]:
    from modelfmt.surgery.audit_files import folder_risks
    from modelfmt.tf.savedmodel import SavedModel

    assert isinstance(container, SavedModel)
    assets = [a.filename for metagraph in container.metagraphs for a in metagraph.assets]
    yield from folder_risks(container.folder, assets)


def _keras_objects(container: Container) -> Iterator[Risk]:
    from modelfmt.surgery.audit_configs import config_risks
    from modelfmt.tf.keras_metadata import read_keras_metadata
    from modelfmt.tf.saved_objects import read_saved_objects
    from modelfmt.tf.savedmodel import SavedModel

    assert isinstance(container, SavedModel)
    objects = read_saved_objects(container.metagraph)
    for item in read_keras_metadata(container, objects).values():
        yield from config_risks(item.metadata, item.node_path)


def _saved_configs(container: Container) -> Iterator[Risk]:
    import json

    from modelfmt.surgery.audit_configs import config_risks

    for key, tensor in container.tensors.items():
        if key.endswith(_CONFIGS) and tensor.strings is not None:
            for text in tensor.strings():
                try:
                    yield from config_risks(json.loads(text), key)
                except (ValueError, RecursionError):
                    continue  # no config, whatever its name says


def _state(container: Container) -> Iterator[Risk]:
    from modelfmt.surgery.audit_files import state_risks

    yield from state_risks(container.path)


_PARTS = {
    "graphdef": (_graph,),
    "metagraph": (_metagraphs,),
    "savedmodel": (_metagraphs, _keras_objects, _folder),
    "checkpoint": (_saved_configs, _state),
}
