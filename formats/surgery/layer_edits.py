"""Edits of Keras files: layers renamed, configs set, weights cast, the optimizer stripped.

Texts that change are written in the style that they had. What changes the structure of the HDF5
file goes through libhdf5 in a copy (hdf5/refill.py); large elements are not read for it.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelfmt.container import Container
from modelfmt.dtypes import DType
from modelfmt.errors import MismatchError, MissingError, UnsupportedError, Where
from modelfmt.keras.archive import WEIGHTS, KerasArchive
from modelfmt.keras.h5 import KerasH5, KerasWeights
from modelfmt.keras.sharded import ShardedWeights, write_sharded
from modelfmt.keras.stored import read_names
from modelfmt.storage.archive_edits import with_members
from modelfmt.storage.files import (
    Piece,
    atomic_output,
    piece_bytes,
    piece_length,
    write_pieces,
)
from modelfmt.storage.hdf5 import Hdf5Reader
from modelfmt.storage.hdf5.amend import Amendments, Elements
from modelfmt.storage.hdf5.moving import Links
from modelfmt.storage.hdf5.places import hard_paths
from modelfmt.storage.hdf5.refill import rewritten
from modelfmt.surgery.casting import cast_tensor, float_dtype
from modelfmt.surgery.hdf5_texts import restyled, same_json
from modelfmt.surgery.layer_names import LayerNames, set_in_config
from modelfmt.surgery.renaming import Renaming

if TYPE_CHECKING:
    from modelfmt.surgery.edit import Edits

_OPTIMIZER = "optimizer_weights"


def edit_layers(container: Container, out: str, edits: Edits, *, force: bool) -> list[str]:
    """Edit a Keras file, and write it; what was done, in words.

    Raises: as ``edit.edit``.
    """
    assert isinstance(container, KerasH5 | KerasWeights | KerasArchive)
    readers = [container.reader]
    if isinstance(container, ShardedWeights):
        readers = container.readers
    editors = [_Editor(container, reader) for reader in readers]
    where = editors[0].where
    for name in edits.strip:
        if name != "optimizer":
            raise UnsupportedError(
                f"stripping {name} from a {container.kind} file: it holds weights and a config",
                where=where, hint="Strip the optimizer.",
            )
        for editor in editors:
            editor.strip_optimizer()
    for glob in edits.delete:
        if not sum(editor.delete(glob) for editor in editors):
            from difflib import get_close_matches

            raise MissingError(
                f"nothing matches {glob!r}", where=where,
                close_matches=get_close_matches(glob, list(container.tensors), 3),
            )
    for (layer, key), text in edits.set.items():
        editors[0].set(layer, key, text)
    if edits.cast is not None:
        for editor in editors:
            editor.cast(float_dtype(edits.cast))
    if edits.rename:
        renaming = Renaming(edits.rename)
        renaming.check([name for editor in editors for name in editor.rename(renaming)], where)
    _write(container, editors, out, force=force)
    return [change for editor in editors for change in editor.changes]


def _write(
    container: Container, editors: Sequence[_Editor], out: str, *, force: bool
) -> None:
    """The edited file; of sharded weights the shards, and a map that tells of them."""
    if not isinstance(container, ShardedWeights):
        pieces = editors[0].pieces(out)
        with atomic_output(out, force=force) as output:
            write_pieces(output.file, pieces)
        return
    shards = {
        name: editor.pieces(out) for name, editor in zip(container.shards, editors, strict=True)
    }
    left = {name: size for editor in editors for name, size in editor.left().items()}
    config = container.config_of(left)
    text = container.text if same_json(config, container.config) else None
    write_sharded(out, text, config, shards, force=force)


class _Editor:
    """A Keras file being edited."""

    def __init__(
        self, container: KerasH5 | KerasWeights | KerasArchive, reader: Hdf5Reader
    ) -> None:
        self.container = container
        self.reader = reader  # of one of several shards, perhaps
        self.tensors = {n: t for n, t in container.tensors.items() if reader.exists(n)}
        self.where = Where(container.path)
        self.changes: list[str] = []
        self.amendments = Amendments()
        self.links = Links()
        self.config: Any = (
            None if isinstance(container, KerasWeights) else container.model_config
        )
        self.training: Any = (
            container.training_config if isinstance(container, KerasH5) else None
        )

    def strip_optimizer(self) -> None:
        for group in (_OPTIMIZER, "optimizer"):
            if self.reader.exists(group):
                self.links.cut.append(group)
                self.changes.append(f"stripped {group}")
        if isinstance(self.training, dict):
            self.training = None
            self.changes.append("stripped training_config")
        elif isinstance(self.config, dict) and self.config.get("compile_config"):
            self.config = {**self.config, "compile_config": None}
            self.changes.append("stripped compile_config")

    def delete(self, glob: str) -> int:
        """Delete datasets of the optimizer; how many."""
        found = [n for n in self.tensors if fnmatch.fnmatchcase(n, glob)]
        for name in found:
            if not name.startswith((f"{_OPTIMIZER}/", "optimizer/")):
                raise UnsupportedError(
                    f'"{name}" belongs to a layer, and layers are not deleted', where=self.where,
                    hint="Datasets of the optimizer are.",
                )
        cut = {name for name in found if not any(name.startswith(f"{c}/") for c in self.links.cut)}
        self.links.cut += [name for name in found if name in cut]
        listed = read_names(self.reader, _OPTIMIZER, "weight_names") if (
            self.reader.exists(_OPTIMIZER)
        ) else None
        if listed is not None and _OPTIMIZER not in self.links.cut:
            gone = {name.removeprefix(f"{_OPTIMIZER}/") for name in self.links.cut}
            self._put_names(_OPTIMIZER, "weight_names", [n for n in listed if n not in gone])
        self.changes += [f'deleted dataset "{name}"' for name in found]
        return len(found)

    def set(self, layer: str, key: str, text: str) -> None:
        """Set a key of a layer's config to a JSON value."""
        if self.config is None:
            raise UnsupportedError("a file of weights has no config to set", where=self.where)
        try:
            value = json.loads(text)
        except ValueError as error:
            raise MismatchError(
                f"the value is no JSON ({error})", where=self.where,
                expected="true, 3, [1, 2] or \"text\" in quotes", found=repr(text),
            ) from None
        self.config = set_in_config(self.config, layer, key, value, self.where)
        self.changes.append(f'set "{key}" of layer "{layer}"')

    def cast(self, dtype: DType) -> None:
        """Store the float weights as another dtype; the optimizer's as well.

        Raises:
            UnsupportedError: bfloat16 in the layer_names layout, where no Keras reads it.
        """
        listed = read_names(self.reader, self._base() or "/", "layer_names")
        if dtype.code.startswith("ml:") and listed is not None:
            raise UnsupportedError(
                f"{dtype} in an .h5 of this layout: no Keras reads it", where=self.where,
                expected="float16, float32 or float64", hint="Convert it to .keras first.",
            )
        for name, tensor in self.tensors.items():
            if self._is_cut(name):
                continue
            if not tensor.dtype.is_floating or tensor.dtype is dtype:
                continue
            opaque = dtype.code.startswith("ml:")
            code = f"|V{dtype.itemsize}" if opaque else dtype.code
            piece = cast_tensor(tensor, dtype).payload
            self.amendments.elements.append(
                Elements(name, tensor.shape, code, piece, stored=code)
            )
            if opaque:
                self.amendments.attributes.append((name, "dtype", dtype.name))
            elif tensor.dtype.code.startswith("ml:"):
                self.amendments.attributes.append((name, "dtype", None))
            self.changes.append(f'cast "{name}" from {tensor.dtype} to {dtype}')

    def _is_cut(self, name: str) -> bool:
        return any(name == c or name.startswith(f"{c}/") for c in self.links.cut)

    def left(self) -> dict[str, int]:
        """The datasets that are left, with their sizes in bytes as they will be."""
        cast = {e.path: piece_length(e.piece) for e in self.amendments.elements}
        kept = {name: t for name, t in self.tensors.items() if not self._is_cut(name)}
        return {name: cast.get(name, tensor.nbytes) for name, tensor in kept.items()}

    def rename(self, renaming: Renaming) -> list[str]:
        """Rename layers wherever they are named; what there was to rename."""
        if self.config is not None:
            names = LayerNames(self.config, renaming, self.where)
            self.config = names.config(self.config)
            if isinstance(self.config.get("compile_config"), dict):
                training = names.training(self.config["compile_config"])
                self.config["compile_config"] = training
            self.training = names.training(self.training)
        else:
            listed = self._named()
            rows = [{"class_name": "", "name": name, "config": {}} for name in listed]
            names = LayerNames({"config": {"layers": rows}}, renaming, self.where)
        known = [*names.models, *names.changed, *self._named()]
        weights = self._rename_groups(names)
        self._rename_slots(names, weights)
        self._rename_tree(names)
        self.changes += [f'renamed layer "{old}" to "{new}"' for old, new in names.changed.items()]
        return known

    def _named(self) -> list[str]:
        """The layers that the weights name."""
        listed = read_names(self.reader, self._base(), "layer_names")
        if listed is not None:
            return listed
        found = (self.reader.attribute(p, "name") for p in self._vars())
        return list(dict.fromkeys(name for name in found if isinstance(name, str)))

    def _base(self) -> str:
        return "model_weights" if self.reader.exists("model_weights") else ""

    def _vars(self) -> list[str]:
        return [p for p in hard_paths(self.reader) if p == "vars" or p.endswith("/vars")]

    def _rename_groups(self, names: LayerNames) -> dict[str, str]:
        """Rename groups and datasets of the layer_names layout; new names of weights by old."""
        base = self._base()
        listed = read_names(self.reader, base or "/", "layer_names")
        renamed: dict[str, str] = {}
        if listed is None:
            return renamed
        if any(name in names.changed for name in listed):
            self._put_names(base, "layer_names", [names.name(name) for name in listed])
        for layer in [*listed, "top_level_model_weights"]:
            group = f"{base}/{layer}".strip("/")
            if not self.reader.exists(group):
                continue
            if layer not in names.changed and layer not in names.models:
                continue
            weights = read_names(self.reader, group, "weight_names") or []
            new = {name: names.weight(name, layer) for name in weights}
            if len(set(new.values())) != len(new):
                raise MismatchError("two weights would have one name", where=self.where)
            renamed |= new
            if any(a != b for a, b in new.items()):
                self._put_names(group, "weight_names", list(new.values()))
                self.links.moved.append((group, new))
        moved = {name: names.name(name) for name in listed if name in names.changed}
        if moved:
            self.links.moved.append((base, moved))
        return renamed

    def _rename_slots(self, names: LayerNames, weights: dict[str, str]) -> None:
        if not self.reader.exists(_OPTIMIZER) or _OPTIMIZER in self.links.cut:
            return
        cut = {name.removeprefix(f"{_OPTIMIZER}/") for name in self.links.cut}
        listed = [
            n for n in read_names(self.reader, _OPTIMIZER, "weight_names") or [] if n not in cut
        ]
        new = {name: names.slot(name, weights) for name in listed}
        if any(a != b for a, b in new.items()):
            if len(set(new.values())) != len(new):
                raise MismatchError("two slots would have one name", where=self.where)
            self._put_names(_OPTIMIZER, "weight_names", list(new.values()))
            self.links.moved.append((_OPTIMIZER, new))

    def _rename_tree(self, names: LayerNames) -> None:
        """The names that Keras 3 writes beside the variables of a layer."""
        for path in self._vars():
            name = self.reader.attribute(path, "name")
            if isinstance(name, str) and names.name(name) != name:
                self.amendments.attributes.append((path, "name", names.name(name)))

    def _put_names(self, group: str, key: str, names: Sequence[str]) -> None:
        """A list of names, in as many attributes as it stands in, or needs."""
        from modelfmt.keras.stored import write_names

        path = group or "/"
        old = [key] if self.reader.attribute(path, key) is not None else []
        number = 0
        while old[:1] != [key] and self.reader.attribute(path, f"{key}{number}") is not None:
            old.append(f"{key}{number}")
            number += 1
        new = write_names(key, names)
        pending = self.amendments.attributes
        pending[:] = [c for c in pending if not (c[0] == group and c[1] in {*old, *new})]
        pending += [(group, name, None) for name in old if name not in new]
        for name, value in new.items():
            listed = value if isinstance(value, list) else [text.decode() for text in value]
            pending.append((group, name, listed))

    def pieces(self, out: str) -> list[Piece]:
        """The edited file."""
        if isinstance(self.container, KerasH5):
            self._put_text("model_config", self.container.model_config, self.config)
            self._put_text("training_config", self.container.training_config, self.training)
        source = self.reader.source
        weights: list[Piece] = [source]
        if self.amendments or self.links:
            weights = rewritten(self.reader, weights, self.amendments, out, self.links)
        if not isinstance(self.container, KerasArchive):
            return weights
        members: dict[str, Sequence[Piece]] = {}
        if weights != [source]:
            members[WEIGHTS] = weights
        if not same_json(self.container.model_config, self.config):
            text = piece_bytes(self.container.archive.member("config.json")).decode()
            members["config.json"] = [restyled(text, self.config).encode()]
        return with_members(self.container.archive, members)

    def _put_text(self, name: str, old: Any, new: Any) -> None:
        if same_json(old, new):
            return
        text = self.reader.attribute("/", name)
        value = None if new is None else restyled(text, new)
        self.amendments.attributes.append(("", name, value))
