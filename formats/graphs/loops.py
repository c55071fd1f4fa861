"""Loops over time, as a View of a graph shows them that frames.py prepared.

    m = Merge(Enter(initial), NextIteration(following))       LoopCond(counter < limit)
    inside, = Switch(m, cond):1      leaving = Exit(Switch(m, cond):0)

A sequence goes in row by row, and comes out row by row, through the handle of a list of tensors:

    TensorFlow 1   TensorArrayScatter, TensorArrayRead;  TensorArrayWrite, TensorArrayGather
    TensorFlow 2   TensorListFromTensor, TensorListGetItem;  TensorListSetItem, TensorListStack

Source: tensorflow/core/ops/{control_flow,data_flow,list}_ops.cc.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from modelfmt.graph import Node, parse_input, tensor_name
from modelfmt.graphs.joint_states import parts_of
from modelfmt.graphs.order import NEXT
from modelfmt.graphs.view import View

#: What takes the rows of a tensor apart, by the version-free name: the tensor is that operand.
_TAKEN_APART = {"TensorListFromTensor": 0, "TensorArrayScatter": 2, "TensorArrayUnpack": 1}


_ENTERS = ("Enter", "RefEnter")


@dataclasses.dataclass(frozen=True)
class Variable:
    """What a loop hands from turn to turn.

    Attributes:
        initial: the tensor that the first turn gets; outside.
        inside: the tensor that the nodes of the body read.
        following: the tensor of the body that the next turn gets.
        merge: the node where the two come together; of several states in one, and which it is.
        is_joint: whether ``initial`` is that of several states in one.
    """

    initial: str
    inside: str
    following: str
    merge: str
    is_joint: bool = False


@dataclasses.dataclass(frozen=True)
class Written:
    """A row that the body puts into a list: ``index`` and ``value``, tensors of the body."""

    index: str
    value: str


class Loop:
    """The loop that a tensor leaves.

    Attributes:
        condition: the tensor that says whether there is another turn.
        variables: by the Merge of each.
    """

    def __init__(self, view: View, condition: str) -> None:
        self.view, self.condition = view, condition
        self.variables = {v.merge: v for v in _variables(view, condition)}

    @property
    def name(self) -> str:
        """That of its frame, as a user knows it."""
        for variable in self.variables.values():
            merge = self.view.live[variable.merge.split(" ")[0]]
            for enter in map(self.view.producer, merge.inputs):
                if enter is not None and enter.op in _ENTERS:
                    frame = str(self.view.attr(enter, "frame_name"))
                    return frame.strip("/").removesuffix("/while_context")
        return self.condition

    def exits(self) -> dict[str, Variable]:
        """The tensors that leave the loop and that something reads, and what each is."""
        found = {}
        for node in self.view.live.values():
            left = self.leaving(node.name) if node.op in ("Exit", "RefExit") else None
            if left is not None:
                found[node.name] = left
        return found

    def nodes(self) -> tuple[set[str], list[str]]:
        """The nodes of the loop, and the tensors from outside that they read."""
        view = self.view
        readers: dict[str, set[str]] = {}
        for node in view.live.values():
            for i in node.inputs:
                readers.setdefault(parse_input(i).node, set()).add(node.name)
        inside = {variable.merge.split(" ")[0] for variable in self.variables.values()}
        todo = list(inside)
        while todo:  # all that depends on what varies
            for reader in readers.get(todo.pop(), set()) - inside:
                if view.live[reader].op not in ("Exit", "RefExit"):
                    inside.add(reader)
                    todo.append(reader)
        read = [view.resolve(i) for name in sorted(inside) for i in view.live[name].inputs]
        outside = dict.fromkeys(t for t in read if parse_input(t).node not in inside)
        enters = [t for t in outside if (made := view.producer(t)) and made.op in _ENTERS]
        inside.update(parse_input(t).node for t in enters)
        entered = [view.resolve(i) for t in enters for i in view.live[parse_input(t).node].inputs]
        found = [*entered, *(t for t in outside if t not in enters)]
        return inside, [t for t in found if not view.is_known(t)]

    def leaving(self, tensor: str) -> Variable | None:
        """The variable whose last value ``tensor`` is, if it is one's of this loop."""
        found = _switched(tensor, self.view)
        return self.variables.get(found[0]) if found and found[1] == self.condition else None

    def variable(self, tensor: str) -> Variable | None:
        """The variable that a tensor of the body reads."""
        resolved = self.view.resolve(tensor)
        return next((v for v in self.variables.values() if v.inside == resolved), None)

    def is_counter(self, tensor: str) -> bool:
        """Whether a tensor of the body is the number of the turn, from 0."""
        variable = self.variable(tensor)
        return variable is not None and self._counts(variable)

    def _counts(self, variable: Variable) -> bool:
        node = self.view.producer(variable.following)
        if node is None or node.op != "AddV2" or self.view.scalar(variable.initial) != 0:
            return False
        return any(
            a == variable.inside and self.view.scalar(b) == 1
            for a, b in (node.inputs, node.inputs[::-1])
        )

    def limits(self) -> list[str] | None:
        """The numbers of turns of which the smallest ends the loop; None if more than that does."""
        found: list[str] = []
        todo = [self.condition]
        while todo:
            node = self.view.producer(todo.pop())
            if node is not None and node.op == "LogicalAnd":
                todo.extend(node.inputs)
                continue
            if node is None or node.op != "Less":
                return None
            merge = self.variables.get(parse_input(node.inputs[0]).node)
            if merge is None or not self._counts(merge):
                return None
            found.extend(self._smallest_of(node.inputs[1]))
        return found

    def _smallest_of(self, tensor: str) -> Iterator[str]:
        """The numbers of which a number is the smallest."""
        node = self.view.producer(tensor)
        if node is not None and node.op == "Minimum" and self.view.scalar(tensor) is None:
            for operand in node.inputs:
                yield from self._smallest_of(operand)
        else:
            yield self.view.resolve(tensor)

    def read(self, tensor: str) -> str | None:
        """The sequence whose row of this turn ``tensor`` is; its first axis is time."""
        node = self.view.producer(tensor)
        kind = _kind(node)
        if node is None or kind not in ("TensorListGetItem", "TensorArrayRead"):
            return None
        if not self.is_counter(node.inputs[1]):
            return None
        source = node.inputs[0] if kind == "TensorListGetItem" else node.inputs[2]
        return self._apart(source)

    def _apart(self, handle: str) -> str | None:
        node = self.view.producer(handle)
        kind = _kind(node)
        if node is None or kind not in _TAKEN_APART:
            return None
        if kind == "TensorArrayScatter" and not is_range(node.inputs[1], self.view):
            return None
        return self.view.resolve(node.inputs[_TAKEN_APART[kind]])

    def written(self, variable: Variable) -> Written | None:
        """What each turn puts into the list that ``variable`` is, if it is one."""
        node = self.view.producer(variable.following)
        kind = _kind(node)
        if node is not None and kind == "TensorListSetItem" and node.inputs[0] == variable.inside:
            return Written(*map(self.view.resolve, node.inputs[1:3]))
        if node is not None and kind == "TensorArrayWrite" and node.inputs[3] == variable.inside:
            return Written(*map(self.view.resolve, node.inputs[1:3]))
        return None


def loop_of(tensor: str, view: View) -> tuple[Loop, Variable] | None:
    """The loop that ``tensor`` leaves, and which of its variables it is."""
    found = _switched(tensor, view)
    if found is None:
        return None
    loop = view.memo.get((Loop, found[1]))
    if not isinstance(loop, Loop):
        loop = view.memo[Loop, found[1]] = Loop(view, found[1])
    variable = loop.variables.get(found[0])
    return (loop, variable) if variable else None


def stacked(tensor: str, view: View) -> str | None:
    """The list or flow whose rows, in their order, ``tensor`` has along its first axis."""
    node = view.producer(tensor)
    kind = _kind(node)
    if node is None or kind not in ("TensorListStack", "TensorArrayGather", "TensorArrayPack"):
        return None
    if kind == "TensorArrayGather" and not is_range(node.inputs[1], view):
        return None
    return node.inputs[0 if kind == "TensorListStack" else -1]


def row_of(tensor: str, view: View) -> tuple[str, str] | None:
    """The list or flow, and the index, whose single row ``tensor`` is, read outside of a loop."""
    node = view.producer(tensor)
    kind = _kind(node)
    if node is None or kind not in ("TensorListGetItem", "TensorArrayRead"):
        return None
    return (node.inputs[0 if kind == "TensorListGetItem" else 2], node.inputs[1])


def is_range(tensor: str, view: View) -> bool:
    """Whether a tensor holds 0, 1, 2 and so on."""
    known = view.ints(tensor)
    if known is not None and known and None not in known:
        return known == list(range(len(known)))
    node = view.producer(tensor)
    return (
        node is not None and node.op == "Range"
        and view.scalar(node.inputs[0]) == 0 and view.scalar(node.inputs[2]) == 1
    )  # fmt: skip


def _kind(node: Node | None) -> str:
    """The op, without the version of a TensorArray's."""
    if node is None or not node.op.startswith("TensorArray"):
        return node.op if node else ""
    return node.op.removesuffix("V2").removesuffix("V3")


def _switched(tensor: str, view: View) -> tuple[str, str] | None:
    """For what leaves a loop, its Merge and the loop's condition."""
    leave = view.producer(tensor)
    if leave is None or leave.op not in ("Exit", "RefExit"):
        return None
    switch = view.producer(leave.inputs[0])
    if switch is None or switch.op not in ("Switch", "RefSwitch"):
        return None
    condition = _condition(switch, view)
    merge = parse_input(switch.inputs[0]).node
    return None if condition is None else (merge, condition)


def _condition(switch: Node, view: View) -> str | None:
    node = view.producer(switch.inputs[1])
    return view.resolve(node.inputs[0]) if node is not None and node.op == "LoopCond" else None


def _variables(view: View, condition: str) -> Iterator[Variable]:
    for switch in view.live.values():
        if switch.op not in ("Switch", "RefSwitch") or _condition(switch, view) != condition:
            continue
        merge = view.producer(switch.inputs[0])
        if merge is None or merge.op not in ("Merge", "RefMerge") or len(merge.inputs) != 2:
            continue
        sources = [view.producer(i) for i in merge.inputs]
        enter = next((s for s in sources if s and s.op in ("Enter", "RefEnter")), None)
        back = next((s for s in sources if s and s.op in NEXT), None)
        if enter is not None and back is not None:
            whole = (
                view.resolve(enter.inputs[0]), tensor_name(switch.name, 1),
                view.resolve(back.inputs[0]),
            )  # fmt: skip
            parts = parts_of(*whole, view)
            for k, part in enumerate(parts):
                yield Variable(*part, f"{merge.name} {k}", part[0] == whole[0])
            if not parts:
                yield Variable(*whole, merge.name)
