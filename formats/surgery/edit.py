"""edit: one model file with something renamed, deleted, set, cast or stripped, and all else kept.

    rename  graph: nodes, with all that names them; checkpoint: keys; Keras: layers
    delete  graph: nodes that nothing reads; checkpoint: keys; Keras: datasets of the optimizer
    set     graph: NODE:ATTR=VALUE; Keras: LAYER:KEY=JSON in the layer's config
    cast    float weights, and float Consts of a frozen graph
    strip   optimizer, training, unused: see stripping.py

All names are those of the file that is read, also where it is renamed at the same time. What does
not change keeps its bytes; what is refused leaves no output.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Callable, Mapping, Sequence

from modelfmt.container import Container
from modelfmt.errors import MissingError, UnsupportedError, Where
from modelfmt.storage.output import OutputError, check_output
from modelfmt.surgery.casting import float_dtype
from modelfmt.surgery.opening import open as open_model
from modelfmt.surgery.renaming import Renaming

STRIPS = ("optimizer", "training", "unused")


@dataclasses.dataclass(frozen=True)
class Edits:
    """What is asked for; ``set`` is by (node or layer, attr or key)."""

    rename: Mapping[str, str]
    delete: Sequence[str]
    set: Mapping[tuple[str, str], str]
    cast: str | None
    strip: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Edited:
    """What ``edit`` did; ``changes`` has a line each."""

    source: str
    kind: str
    destination: str
    changes: list[str] = dataclasses.field(default_factory=list)


def edit(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    rename: Mapping[str, str] | None = None,
    delete: Sequence[str] = (),
    set: Mapping[str, object] | None = None,
    cast: str | None = None,
    strip: Sequence[str] = (),
    kind: str | None = None,
    force: bool = False,
) -> Edited:
    """Edit a model file into another one of its kind.

    Args:
        path: the file; of a checkpoint its prefix, of a SavedModel its folder.
        out: where to; never ``path`` itself, unless ``force``.
        rename: new names by old ones, of one thing or of a scope.
        delete: globs.
        set: values by ``NODE:ATTR``, or ``LAYER:KEY``; text as on the command line, or a value.
        cast: float16, bfloat16, float32 or float64.
        strip: any of optimizer, training, unused.
        kind: overrides what the content says.
        force: replace an existing output.

    Raises:
        MissingError: nothing is called so; ``close_matches`` has what is.
        MismatchError: two things would have one name, or what is deleted is needed.
        UnsupportedError: an edit that makes no sense for this kind.
        OutputExistsError: something stands at ``out``, and not ``force``.
    """
    path, out = os.fspath(path), os.fspath(out)
    edits = Edits(
        dict(rename or {}), list(delete), _split(set or {}), cast, list(strip)
    )
    for name in edits.strip:
        if name not in STRIPS:
            raise UnsupportedError(
                f"nothing to strip is called {name!r}", expected=f"one of {', '.join(STRIPS)}"
            )
    if cast is not None:
        float_dtype(cast)
    with open_model(path, kind=kind) as container:
        editor = _EDITORS.get(container.kind)
        if editor is None:
            raise UnsupportedError(
                f"editing a {container.kind} file", where=Where(path),
                expected=f"one of {', '.join(_EDITORS)}",
            )
        changes = editor(container, out, edits, force)
        return Edited(path, container.kind, out, changes)


def _split(values: Mapping[str, object]) -> dict[tuple[str, str], str]:
    import json

    found = {}
    for place, value in values.items():
        name, colon, attr = place.rpartition(":")
        if not colon or not name or not attr:
            raise OutputError(
                "what is set is named NODE:ATTR", expected="NODE:ATTR=VALUE", found=repr(place)
            )
        found[name, attr] = value if isinstance(value, str) else json.dumps(value)
    return found


def _graph(container: Container, out: str, edits: Edits, force: bool) -> list[str]:
    from modelfmt.surgery.checkpoint_edits import CheckpointEditor
    from modelfmt.surgery.graph_edits import GraphEditor, key_renamed
    from modelfmt.surgery.stripping import (
        strip_optimizer,
        strip_training,
        strip_unused,
        used_keys,
    )
    from modelfmt.tf.graphdef import GraphDefFile
    from modelfmt.tf.metagraph import GraphWithVariables, MetaGraphFile
    from modelfmt.tf.savedmodel import SavedModel
    from modelfmt.tf.savedmodel_save import save_metagraph, save_savedmodel

    path = container.path
    if isinstance(container, GraphDefFile):
        editors = [GraphEditor(container.graph, None, path)]
    else:
        assert isinstance(container, GraphWithVariables)  # the other two kinds
        metagraphs = (
            container.metagraphs if isinstance(container, SavedModel) else [container.metagraph]
        )
        editors = [GraphEditor(m.graph, m, path) for m in metagraphs]
    checkpoint = container.checkpoint if isinstance(container, GraphWithVariables) else None
    values = None if checkpoint is None else CheckpointEditor(checkpoint)
    unsaved: list[str] = []
    for editor in editors:
        if "optimizer" in edits.strip:
            unsaved += strip_optimizer(editor)
        if "training" in edits.strip:
            unsaved += strip_training(editor)
        if "unused" in edits.strip:
            strip_unused(editor)
    _each(edits.delete, [e.delete for e in editors],
          lambda: [n for e in editors for n in e.graph], path)
    for (name, attr), text in edits.set.items():
        holding = [e for e in editors if name in e.graph] or editors[:1]
        for editor in holding:
            editor.set_attr(name, attr, text)
    if edits.cast is not None:
        if not isinstance(container, GraphDefFile):
            raise UnsupportedError(
                f"casting a {container.kind}: its nodes state the dtypes of its variables",
                where=Where(path), hint="Cast its checkpoint, or freeze it and cast the .pb.",
            )
        for editor in editors:
            editor.cast(float_dtype(edits.cast))
    if values is not None:
        if "unused" in edits.strip:
            used = set().union(*(used_keys(editor) for editor in editors))
            _strip_keys(values, used)
        values.delete(unsaved, "stripped")
    renaming = Renaming(edits.rename)
    for editor in editors:
        editor.finish(renaming)
    keys = None
    if values is not None and renaming:
        values.rename(renaming, keys=False)

        def keys(key: str) -> str:
            return key_renamed(key, renaming)

    names = [name for editor in editors for name in editor.graph]
    renaming.check([*names, *(checkpoint.tensors if checkpoint else ())], Where(path))
    _check_target(container, out, force)
    if isinstance(container, GraphDefFile):
        container.save(out, force=force)
    elif isinstance(container, MetaGraphFile):
        save_metagraph(container, out, keys=keys, force=force)
    elif isinstance(container, SavedModel):
        save_savedmodel(container, out, keys=keys, force=force)
    changes = [change for editor in editors for change in editor.changes]
    return [*changes, *(values.changes if values is not None else ())]


def _strip_keys(values: object, used: set[str]) -> None:
    """Delete the tensors that neither the graph nor an object restores."""
    from modelfmt.surgery.checkpoint_edits import CheckpointEditor
    from modelfmt.tf.objects import KEY, read_objects

    assert isinstance(values, CheckpointEditor)
    tensors = values.checkpoint.tensors
    objects = read_objects(tensors)
    if objects is not None:
        used = used | {key for node in objects.nodes for key in node.keys.values()}
    values.delete([k for k in tensors if k not in used and k != KEY], "stripped unused")


def _checkpoint(container: Container, out: str, edits: Edits, force: bool) -> list[str]:
    from modelfmt.surgery.checkpoint_edits import CheckpointEditor
    from modelfmt.tf.checkpoint import Checkpoint

    assert isinstance(container, Checkpoint)
    editor = CheckpointEditor(container)
    names = list(container.tensors)
    if edits.set:
        raise UnsupportedError(
            "a checkpoint has no attrs to set", where=Where(container.path),
            hint="Assign its tensors in Python.",
        )
    if "training" in edits.strip:
        raise UnsupportedError(
            "a checkpoint does not tell what trains", where=Where(container.path),
            hint="Strip the optimizer.",
        )
    if "unused" in edits.strip:
        editor.strip_unused()
    if "optimizer" in edits.strip:
        editor.strip_optimizer()

    def delete(glob: str) -> bool:
        found = editor.matching(glob)
        editor.delete(found)
        return bool(found)

    _each(edits.delete, [delete], lambda: names, container.path)
    if edits.cast is not None:
        editor.cast(float_dtype(edits.cast))
    renaming = Renaming(edits.rename)
    keys = editor.rename(renaming) if renaming else None
    renaming.check(names, Where(container.path))
    _check_target(container, out, force)
    container.save_as(out, keys=keys, force=force)
    return editor.changes


def _layers(container: Container, out: str, edits: Edits, force: bool) -> list[str]:
    from modelfmt.surgery.layer_edits import edit_layers

    _check_target(container, out, force)
    return edit_layers(container, out, edits, force=force)


def _each(
    globs: Sequence[str], work: Sequence[Callable[[str], bool]],
    names: Callable[[], Sequence[str]], path: str,
) -> None:
    """Do something for each glob. Raises MissingError for one that nothing matches."""
    for glob in globs:
        done = [do(glob) for do in work]  # each, not only the first that finds something
        if not any(done):
            close = difflib.get_close_matches(glob, names(), n=3)
            raise MissingError(f"nothing matches {glob!r}", close_matches=close, where=Where(path))


def _check_target(container: Container, out: str, force: bool) -> None:
    """Refuse to write over what is read, before anything is written, unless ``force``."""
    from modelfmt.tf.checkpoint import Checkpoint

    suffix = ".index" if isinstance(container, Checkpoint) and container.version == 2 else ""
    target = f"{out.removesuffix('.index')}{suffix}" if suffix else out
    check_output(target, force=force)


_EDITORS: dict[str, Callable[[Container, str, Edits, bool], list[str]]] = {
    "graphdef": _graph, "metagraph": _graph, "savedmodel": _graph, "checkpoint": _checkpoint,
    "keras-h5": _layers, "keras-weights": _layers, "keras": _layers,
}
