"""Branches of TensorFlow 1 whose predicate is known, resolved to the one that is taken.

    s:0, s:1 = Switch(x, phase)       phase is false: s:0 is x, s:1 is dead
    a, b     = Relu(s:0), Tanh(s:1)   b is dead too
    m        = Merge(a, b)            m is a

At inference the learning phase of Keras is false, whatever feeds it. Source:
tensorflow/core/common_runtime/executor.cc (dead tensors); ops/control_flow_ops.cc; Keras,
backend/tensorflow_backend.py, learning_phase.
"""

from __future__ import annotations

from modelfmt.graph import Node, Shape, parse_input, tensor_name
from modelfmt.graphs.facts import Facts

SWITCHES = {"Switch", "RefSwitch", "_SwitchN"}
MERGES = {"Merge", "RefMerge"}
#: Of a Switch; a file that states more has no such branches.
_MAX_OUTPUTS = 1000
#: Ops that choose one of their inputs, or of their outputs.
CHOOSING = {*SWITCHES, *MERGES, "SelectV2"}


def is_phase(node: Node) -> bool:
    """Whether a node switches Keras between training and inference: a scalar fed from outside.

    Keras 1 and 2 make a Placeholder of it (uint8, later bool), tf.keras a
    PlaceholderWithDefault(false); a copy in a layer's own scope is one as well.
    """
    if "learning_phase" not in node.name or not node.op.startswith("Placeholder"):
        return False
    shape = node.attrs.get("shape")
    return not (isinstance(shape, Shape) and shape.dims)


class Branches:
    """The tensors that are never computed, and what choices stand for."""

    def __init__(self) -> None:
        self._dead: set[str] = set()
        #: What Switch, Merge and Select stand for where their predicate is known.
        self.folded: dict[str, str] = {}

    def is_dead(self, tensor: str) -> bool:
        """Whether a tensor is in a branch that is not taken; ``^a`` asks for the node."""
        return tensor in self._dead or parse_input(tensor).node in self._dead

    def kill(self, node: Node) -> bool:
        """Whether a node never runs; if so, its outputs are dead from now on."""
        gone = [self.is_dead(i) for i in node.inputs]
        dead = bool(gone) and (all(gone) if node.op in MERGES else any(gone))
        if dead:
            self._dead.add(node.name)
        return dead

    def choose(self, node: Node, facts: Facts) -> dict[str, str]:
        """What the outputs of a Switch, Merge or Select stand for, as far as that is known."""
        found = self._taken(node, facts)
        self.folded.update(found)
        return found

    def _taken(self, node: Node, facts: Facts) -> dict[str, str]:
        if node.op in MERGES:
            alive = [i for i in node.inputs if not self.is_dead(i)]
            return {node.name: alive[0]} if len(alive) == 1 < len(node.inputs) else {}
        if len(node.inputs) < 2:
            return {}
        selects = node.op == "SelectV2"
        value = facts.scalar(node.inputs[0 if selects else 1])
        if value is None:
            return {}
        if selects:
            return {node.name: node.inputs[1 if value else 2]}
        count, index = 2, int(bool(value))
        if node.op == "_SwitchN":
            stated = node.attrs.get("num_outs")
            if not isinstance(stated, int) or not 0 < stated <= _MAX_OUTPUTS:
                return {}
            count, index = stated, chosen(int(value), stated)
        outputs = [tensor_name(node.name, number) for number in range(count)]
        taken = outputs.pop(index)
        self._dead.update(outputs)
        return {taken: node.inputs[0]}


def chosen(index: int, count: int) -> int:
    """The branch of a Case: the last one where the index is none of theirs."""
    return index if 0 <= index < count else count - 1
