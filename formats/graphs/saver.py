"""Variables as TensorFlow 1 keeps them: the nodes that hold, initialise, save and restore them.

    w                          VarHandleOp          w/Read/ReadVariableOp  its value
    w/Initializer/zeros        Fill                 w/Assign               AssignVariableOp
    save/Const                 the checkpoint's prefix: feed it
    save/control_dependency    Identity             save/SaveV2 has run: fetch it
    save/restore_all           NoOp                 every variable is assigned: run it

A variable that is a reference (VariableV2) is read by Identity and assigned by Assign.
Source: tensorflow/python/training/saver.py and ops/resource_variable_ops.py, as they write.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING

from modelfmt import dtypes
from modelfmt.dtypes import DType
from modelfmt.graph import AttrValue, Node, Shape, tensor_name
from modelfmt.ops import opdefs
from modelfmt.ops.opages import settled
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

_RESOURCE = dtypes.from_name("resource")

@dataclasses.dataclass(frozen=True)
class Variable:
    """A variable of a graph.

    Attributes:
        name: of its node.
        value: what it holds.
        read: the node that yields its value.
        trainable: whether an optimizer may change it.
        is_resource: False for a reference of TensorFlow 1.
        suffix: of the nodes that initialise it, where another node has their name.
        key: in the checkpoint; its name where left out.
    """

    name: str
    value: Tensor
    read: str
    trainable: bool = True
    is_resource: bool = True
    suffix: str = ""
    key: str = ""

    @property
    def checkpoint_key(self) -> str:
        """The name under which the value is saved and restored."""
        return self.key or self.name

    @property
    def initializer(self) -> str:
        """The node that assigns the initial value."""
        return f"{self.name}/Assign{self.suffix}"

    @property
    def initial_value(self) -> str:
        """The node that makes the initial value."""
        return f"{self.name}/Initializer/zeros{self.suffix}"


@dataclasses.dataclass(frozen=True)
class Saver:
    """The nodes that a SaverDef names, and all that the saver is made of."""

    filename: str
    save: str
    restore: str
    nodes: tuple[Node, ...]


def made_node(
    op: str, name: str, inputs: Sequence[str], input_dtypes: Sequence[DType], **attrs: AttrValue
) -> Node:
    """A node with the attrs that TensorFlow writes; ``input_dtypes`` of the data inputs."""
    whole = opdefs.complete(op, input_dtypes, attrs)
    return Node(name, op, list(inputs), settled(op, whole))


def const_node(name: str, value: npt.ArrayLike, dtype: DType) -> Node:
    """A Const of ``value``."""
    import numpy as np

    tensor = Tensor.from_numpy(name, np.asarray(value, dtype.numpy))
    return made_node("Const", name, [], [], dtype=dtype, value=tensor)


def variable_nodes(name: str, value: Tensor) -> list[Node]:
    """A resource variable for ``value``, and the node that reads it: ``<name>/Read/...``."""
    handle = made_node(
        "VarHandleOp", name, [], [],
        dtype=value.dtype, shape=Shape(value.shape), shared_name=name,
    )  # fmt: skip
    return [handle, read_node_of(name, value.dtype)]


def read_node_of(name: str, dtype: DType) -> Node:
    """The node that reads a resource variable, named as TensorFlow names it."""
    return made_node(
        "ReadVariableOp", f"{name}/Read/ReadVariableOp", [name], [_RESOURCE], dtype=dtype
    )


def initializer_nodes(variable: Variable) -> list[Node]:
    """The nodes that set a variable to zeros: a Fill, so that no weights stand in the graph."""
    begin, dtype = variable.initial_value, variable.value.dtype
    dims = const_node(f"{begin}/shape_as_tensor", list(variable.value.shape), dtypes.int32)
    zero = const_node(f"{begin}/Const", b"" if dtype is dtypes.string else 0, dtype)
    fill = made_node("Fill", begin, [dims.name, zero.name], [dtypes.int32, dtype])
    return [dims, zero, fill, _assign(variable.initializer, variable, begin)]


def saver_nodes(variables: Sequence[Variable], taken: Container[str] = ()) -> Saver:
    """A Saver for ``variables``: one file, version 2, the keys in their order.

    Args:
        variables: at least one.
        taken: names that the nodes may not have; the scope is then ``save_1``.
    """
    scope = "save"
    count = 0
    while any(f"{scope}/{name}" in taken for name in ("Const", "SaveV2", "restore_all")):
        count += 1
        scope = f"save_{count}"
    ordered = sorted(variables, key=lambda variable: variable.checkpoint_key)
    keys = [variable.checkpoint_key for variable in ordered]
    kinds = [variable.value.dtype for variable in ordered]
    text = dtypes.string

    def tables(op: str) -> list[Node]:
        return [
            const_node(f"{scope}/{op}/tensor_names", keys, text),
            const_node(f"{scope}/{op}/shape_and_slices", [""] * len(keys), text),
        ]

    given = const_node(f"{scope}/filename/input", b"model", text)
    filename = made_node(
        "PlaceholderWithDefault", f"{scope}/filename", [given.name], [text], shape=Shape(())
    )
    prefix = made_node(
        "PlaceholderWithDefault", f"{scope}/Const", [filename.name], [text], shape=Shape(())
    )
    saved, restored = tables("SaveV2"), tables("RestoreV2")
    save = made_node(
        "SaveV2", f"{scope}/SaveV2",
        [prefix.name, *(node.name for node in saved), *(v.read for v in ordered)],
        [text, text, text, *kinds],
    )  # fmt: skip
    done = made_node(
        "Identity", f"{scope}/control_dependency", [prefix.name, f"^{save.name}"], [text]
    )
    restore = made_node(
        "RestoreV2", f"{scope}/RestoreV2", [prefix.name, *(node.name for node in restored)],
        [text, text, text], dtypes=kinds,
    )  # fmt: skip
    nodes = [given, filename, prefix, *saved, save, done, *restored, restore]
    assigned = []
    for index, variable in enumerate(ordered):
        suffix = f"_{index}" if index else ""
        source = made_node(
            "Identity", f"{scope}/Identity{suffix}", [tensor_name(restore.name, index)],
            [variable.value.dtype],
        )  # fmt: skip
        op = "AssignVariableOp" if variable.is_resource else "Assign"
        target = _assign(f"{scope}/{op}{suffix}", variable, source.name)
        nodes += [source, target]
        assigned.append(f"^{target.name}")
    end = made_node("NoOp", f"{scope}/restore_all", assigned, [])
    return Saver(prefix.name, done.name, end.name, (*nodes, end))


def with_saver(
    nodes: Mapping[str, Node], variables: Sequence[Variable]
) -> tuple[dict[str, Node], list[Variable], Saver | None]:
    """``nodes`` and, after them, what initialises, saves and restores ``variables``.

    Returns:
        All nodes by name; the variables with names of initialisers that were free; and the
        Saver, None where there are no variables.
    """
    whole, renamed = dict(nodes), []
    for variable in variables:
        made, count = initializer_nodes(variable), 0
        while any(node.name in whole for node in made):
            count += 1
            variable = dataclasses.replace(variable, suffix=f"_{count}")
            made = initializer_nodes(variable)
        whole.update((node.name, node) for node in made)
        renamed.append(variable)
    if not variables:
        return whole, [], None
    saver = saver_nodes(renamed, whole)
    whole.update((node.name, node) for node in saver.nodes)
    return whole, renamed, saver


def _assign(name: str, variable: Variable, source: str) -> Node:
    dtype = variable.value.dtype
    if variable.is_resource:
        kinds = [_RESOURCE, dtype]
        return made_node("AssignVariableOp", name, [variable.name, source], kinds, dtype=dtype)
    return made_node("Assign", name, [variable.name, source], [dtype, dtype])
