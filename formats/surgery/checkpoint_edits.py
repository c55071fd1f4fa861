"""Edits of a checkpoint: keys renamed and deleted, tensors cast, optimizer variables stripped."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Mapping

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.errors import Where
from modelfmt.surgery.casting import cast_tensor
from modelfmt.surgery.references import Sort, changed_message
from modelfmt.surgery.renaming import Renaming
from modelfmt.surgery.slots import is_optimizers, is_scope
from modelfmt.tensor import Tensor
from modelfmt.tf.checkpoint import Checkpoint
from modelfmt.tf.objects import ATTRIBUTES, read_objects
from modelfmt.tf.objects import KEY as OBJECTS

_SLOT = "/.OPTIMIZER_SLOT/"
_END = f"{ATTRIBUTES}VARIABLE_VALUE"

class CheckpointEditor:
    """A checkpoint being edited."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.changes: list[str] = []
        self.where = Where(checkpoint.path)

    def delete(self, keys: Iterable[str], why: str = "deleted") -> None:
        """Delete tensors by their keys."""
        for key in list(keys):
            if key in self.checkpoint.tensors:
                del self.checkpoint.tensors[key]
                self.changes.append(f'{why} tensor "{key}"')

    def matching(self, glob: str) -> list[str]:
        """The keys that a glob matches; never that of the object graph."""
        return [
            key for key in self.checkpoint.tensors
            if fnmatch.fnmatchcase(key, glob) and key != OBJECTS
        ]  # fmt: skip

    def cast(self, dtype: DType) -> None:
        """Store every float tensor as ``dtype``."""
        tensors = self.checkpoint.tensors
        for key in list(tensors):
            tensor = tensors[key]
            if tensor.dtype.is_floating and tensor.dtype is not dtype:
                tensors[key] = cast_tensor(tensor, dtype)
                self.changes.append(f'cast tensor "{key}" from {tensor.dtype} to {dtype}')

    def strip_optimizer(self) -> None:
        """Take out slots, and the optimizer's own variables."""
        self.delete(optimizer_keys(self.checkpoint), "stripped")

    def strip_unused(self) -> None:
        """Take out what the object graph does not lead to."""
        objects = read_objects(self.checkpoint.tensors)
        if objects is None:
            return
        used = {key for node in objects.nodes for key in node.keys.values()}
        self.delete(
            [key for key in self.checkpoint.tensors if key not in used and key != OBJECTS],
            "stripped unused",
        )

    def rename(self, renaming: Renaming, *, keys: bool = True) -> Callable[[str], str] | None:
        """Rename keys, and what the object graph says of them.

        Args:
            renaming: of names.
            keys: whether ways through objects (``a/.ATTRIBUTES/...``) are renamed as well.

        Returns:
            The new key of each old one; None where none changes.

        Raises:
            MismatchError: two tensors would have one key.
        """
        tensors = self.checkpoint.tensors
        plain = [k for k in tensors if ATTRIBUTES not in k]
        renaming.along(plain, plain)
        allowed = [k for k in tensors if k != OBJECTS and (keys or ATTRIBUTES not in k)]
        changed = dict(renaming.map(allowed, self.where))
        if keys:
            changed |= _slot_keys(allowed, changed)
        self.changes += [f'renamed tensor "{old}" to "{new}"' for old, new in changed.items()]
        if OBJECTS in tensors:
            self._rename_objects(renaming, changed)
        return (lambda key: changed.get(key, key)) if changed else None

    def _rename_objects(self, renaming: Renaming, changed: Mapping[str, str]) -> None:
        tensor = self.checkpoint.tensors[OBJECTS]
        values = tensor.strings() if tensor.strings is not None else []

        def change(sort: Sort, text: str) -> str:
            return changed.get(text, text) if sort == "key" else renaming.name(text)

        new = [changed_message(value, "TrackableObjectGraph", change) for value in values]
        if new != values:
            self.checkpoint.tensors[OBJECTS] = Tensor(
                OBJECTS, dtypes.string, tensor.shape, strings=lambda: new
            )


def _slot_keys(keys: Iterable[str], changed: Mapping[str, str]) -> dict[str, str]:
    """Slots of renamed variables: ``<variable>/.OPTIMIZER_SLOT/<optimizer>/m/...``.

    Their keys begin with the variable's, so that a scope takes them along; an exact name does so
    here.
    """
    exact = {old.removesuffix(_END): new.removesuffix(_END) for old, new in changed.items()}
    found = {}
    for key in keys:
        way, slot, rest = key.partition(_SLOT)
        if slot and key not in changed and way in exact:
            found[key] = f"{exact[way]}{slot}{rest}"
    return found


def optimizer_keys(checkpoint: Checkpoint) -> list[str]:
    """The keys of an optimizer's variables, slots included."""
    objects = read_objects(checkpoint.tensors)
    keys = [key for key in checkpoint.tensors if key != OBJECTS]
    slots: set[str] = set()
    if objects is not None:
        for node in objects.nodes:
            for slot in node.slots:
                slots |= set(objects.nodes[slot.node].keys.values())
    names = {k for k in keys if ATTRIBUTES not in k}
    return [k for k in keys if k in slots or _SLOT in k or _is_optimizers(k, names)]


def _is_optimizers(key: str, names: set[str]) -> bool:
    if ATTRIBUTES in key:
        return is_scope(key.split("/")[0])
    return is_optimizers(key, names)
