"""What an output needs: the nodes behind it, and of the control edges those that mean something.

A control edge orders side effects, which inference has none of. But a node without data inputs
stands in a loop or in the branch of a cond only by its control edges:

    cond/switch_t = Identity(cond/Switch:1)
    cond/Const    = Const(^cond/switch_t)         yields a value in this branch only

Source: tensorflow/core/common_runtime/executor.cc (frames, dead tensors);
python/ops/control_flow_ops.py, CondContext and WhileContext.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set

from modelfmt.graph import Graph, Node, parse_input

_ENTRIES = {
    "Switch", "RefSwitch", "_SwitchN", "Merge", "RefMerge", "Enter", "RefEnter",
    "NextIteration", "RefNextIteration", "LoopCond", "Exit", "RefExit",
}  # fmt: skip


def _same(text: str) -> str:
    return text


class Reach:
    """The nodes that some tensors depend on.

    Args:
        nodes: of a graph, or of a function's body; its arguments are no nodes.
        source: what an input stands for, where that is another tensor. An answer that names no
            node ends the walk.
    """

    def __init__(self, nodes: Graph, source: Callable[[str], str] = _same) -> None:
        self._nodes, self._source = nodes, source
        self._inside: set[str] = set()
        self._outside: set[str] = set()

    def needed(self, roots: Iterable[str]) -> set[str]:
        """The names of all nodes that the nodes ``roots`` depend on, and their own."""
        found: set[str] = set()
        todo = list(roots)
        while todo:
            name = todo.pop()
            node = self._nodes.find(name)
            if node is None or name in found:
                continue
            found.add(name)
            data = node.data_inputs
            todo += [parse_input(self._source(i)).node for i in data]
            if not data:
                todo += [c for c in node.controls if self.is_inside(c)]
        return found

    def is_inside(self, name: str) -> bool:
        """Whether a node stands in a loop or a branch, or behind one."""
        seen: set[str] = set()
        todo = [name]
        while todo:
            at = todo.pop()
            node = self._nodes.find(at)
            if node is None or at in seen or at in self._outside:
                continue
            if node.op in _ENTRIES or at in self._inside:
                self._inside.add(name)
                return True
            seen.add(at)
            data = [parse_input(self._source(i)).node for i in node.data_inputs]
            todo += data or node.controls
        self._outside |= seen
        return False


def kept_controls(node: Node, kept: Set[str]) -> list[str]:
    """A node's control edges, as inputs, without those from nodes that are not kept."""
    return [f"^{name}" for name in node.controls if name in kept]
