"""Cuts: parts of a graph between a tensor and the one or few that it is computed from.

Layers are spelled in many ways, and every way computes the same. A cut can be run on numbers, so
that a codec may ask what a part of the graph computes rather than how it is spelled:

    for cut in cuts(view, "ln/add"):          # ever larger: add; mul, add; ...
        cut.inputs, cut.weights, cut.numbers  # what it depends on
        cut.run([x], weights)                 # what it makes of x and of other weights

Nodes that depend on nothing but constants and shapes are settled: they never stand between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from modelfmt.errors import MismatchError
from modelfmt.graph import Node, parse_input, tensor_name
from modelfmt.graphs.view import Constant, View
from modelfmt.tensor import Tensor

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

#: No layer's spelling has more nodes than this between its output and its inputs.
_MOST_NODES = 48
#: Elements of a tensor that is worth running a cut on.
MOST_ELEMENTS = 1 << 21
#: Sizes that are unknown get these, by axis: all are told apart.
_SIZES = (2, 5, 7, 3, 6, 4)


@dataclasses.dataclass(frozen=True)
class Cut:
    """The part between ``inputs`` and ``root``.

    Attributes:
        view: of the graph.
        root: the tensor that the part computes.
        inputs: the tensors that it is computed from, besides constants.
        interior: the nodes in between, the root's own first.
        fixed: the settled tensors that they read.
    """

    view: View
    root: str
    inputs: tuple[str, ...]
    interior: tuple[Node, ...]
    fixed: tuple[str, ...]

    @cached_property
    def ops(self) -> frozenset[str]:
        """The op types in between."""
        return frozenset(node.op for node in self.interior)

    @cached_property
    def is_chain(self) -> bool:
        """Whether each node reads one tensor besides settled ones, and that one once."""
        fixed = set(self.fixed)
        return all(
            sum(self.view.resolve(i) not in fixed for i in node.inputs) == 1
            for node in self.interior
        )

    @cached_property
    def settled(self) -> dict[str, Node]:
        """The nodes that make the settled tensors, constants left out."""
        found: dict[str, Node] = {}
        todo = list(self.fixed)
        while todo:
            tensor = todo.pop()
            node = self.view.producer(tensor)
            if node is None or node.name in found or self.view.is_known(tensor):
                continue
            if node.op in _SHAPES or self.view.constant(tensor) is not None:
                continue
            found[node.name] = node
            todo += node.inputs
        return found

    @cached_property
    def _constants(self) -> list[Constant]:
        """The stored tensors of floats that the part reads, each as it is seen first."""
        reads = [*self.fixed, *(i for node in self.settled.values() for i in node.inputs)]
        found: dict[int, Constant] = {}
        for tensor in reads:
            constant = self.view.constant(tensor)
            if constant is not None and constant.root.dtype.is_floating:
                found.setdefault(id(constant.root), constant)
        return list(found.values())

    @cached_property
    def weights(self) -> list[Tensor]:
        """The stored tensors of floats with axes that the part reads."""
        return [each.root for each in self._constants if each.root.shape and each.root.size]

    @cached_property
    def numbers(self) -> list[float]:
        """The single floats that the part reads, from constants and attrs; none twice."""
        found = [each.root.numpy().item() for each in self._constants if each.root.size == 1]
        for node in self.interior:
            for key in ("epsilon", "variance_epsilon", "alpha"):
                if key in node.attrs:
                    found.append(self.view.attr(node, key))
        for tensor in self.fixed:
            static = self.view.static(tensor)
            if static.value is not None and static.dtype is not None and static.dtype.is_floating:
                found += [value for value in static.value.ravel() if value is not None]
        return list(dict.fromkeys(float(value) for value in found))

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes that the part accounts for, the root's first.

        Settled nodes are among them as far as nothing else reads them.
        """
        inside = [node.name for node in self.interior]
        settled = dict(self.settled)
        while True:
            owned = {*inside, *settled}
            shared = [n for n in settled if self.view.consumers.get(n, set()) - owned]
            if not shared:
                return (*inside, *settled)
            for name in shared:
                del settled[name]

    @cached_property
    def escapes(self) -> bool:
        """Whether something outside reads what stands between, or is given it."""
        owned = set(self.nodes)
        outputs = {parse_input(o).node for o in self.view.outputs}
        inner = {node.name for node in self.interior} - {parse_input(self.root).node}
        return any(n in outputs or self.view.consumers.get(n, set()) - owned for n in inner)

    def run(
        self, inputs: Sequence[Array], weights: Mapping[int, Array] | None = None,
        drawn: float = 0.5,
    ) -> Array | None:  # fmt: skip
        """What the part computes from ``inputs``; None where that cannot be told.

        Args:
            inputs: one array for each of the part's own.
            weights: values to take in place of stored tensors, by the id of the tensor.
            drawn: what every random number is.
        """
        from modelfmt.ops.numbers import UncomputedError

        try:
            return _Run(self, inputs, weights or {}, drawn).value(self.root)
        except UncomputedError:
            return None

    def shape(self, index: int = 0, unknown: Sequence[int] = _SIZES) -> list[int] | None:
        """A shape to try an input with: its own, unknown sizes small; None without a rank."""
        shape = self.view.shape(self.inputs[index])
        if shape is None or len(shape) > len(unknown):
            return None
        return [unknown[k] if size is None else size for k, size in enumerate(shape)]


#: What tells the shape of a tensor, not its values.
_SHAPES = {"Shape", "ShapeN", "Size", "Rank"}


def cuts(view: View, root: str, most: int = 1) -> list[Cut]:
    """The parts below ``root`` that depend on at most ``most`` tensors, the smallest first."""
    return _Parts.of(view).cuts(view.resolve(root), most)


def between(view: View, root: str, inputs: Sequence[str]) -> Cut | None:
    """The part between ``root`` and just these tensors; None where it depends on others."""
    return _Parts.of(view).between(view.resolve(root), [view.resolve(i) for i in inputs])


def weight_of(view: View, tensor: str) -> Constant | None:
    """The stored tensor of floats that a tensor is, or one that follows from stored ones.

    A kernel turned over, scaled, or cast from half precision is a weight like any other: it is
    computed when it is read. None where it is a number, or takes more than constants.
    """
    constant = view.constant(tensor)
    if constant is not None:
        is_weight = constant.root.shape and constant.root.dtype.is_floating
        return constant if is_weight else None
    return _Parts.of(view).weight(view.resolve(tensor))


def weight_nodes(view: View, tensor: str) -> tuple[str, ...]:
    """The nodes that compute a weight, where nothing else reads any of them.

    A Transpose is left to whoever has the stored matrix for a weight as it is.
    """
    node = view.producer(tensor)
    if node is None or node.op == "Transpose" or view.constant(tensor) is not None:
        return ()
    cut = Cut(view, tensor, (), (node,), tuple(map(view.resolve, node.inputs)))
    names = (node.name, *cut.settled)
    return names if all(len(view.consumers.get(n, ())) == 1 for n in names) else ()


class _Parts:
    """The cuts of a view, found once."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._known: dict[str, bool] = {}
        self._cuts: dict[tuple[str, int], list[Cut]] = {}
        self._weights: dict[str, Constant | None] = {}

    @classmethod
    def of(cls, view: View) -> _Parts:
        """The cuts that are known of a view, kept with it."""
        found = view.memo.get(cls)
        if not isinstance(found, _Parts):
            found = view.memo[cls] = cls(view)
        return found

    def cuts(self, root: str, most: int) -> list[Cut]:
        if (root, most) not in self._cuts:
            self._cuts[root, most] = self._find(root, most)
        return self._cuts[root, most]

    def _find(self, root: str, most: int) -> list[Cut]:
        from modelfmt.ops.numbers import COMPUTED

        view, found = self._view, list[Cut]()
        frontier, fixed, interior = {root: None}, dict[str, None](), dict[str, Node]()
        ends: dict[str, None] = {}
        while frontier and len(interior) < _MOST_NODES:
            latest = max(frontier, key=lambda tensor: view.places[parse_input(tensor).node])
            node = view.producer(latest)
            if node is None or node.op not in COMPUTED or self.is_settled(latest):
                # Nothing that is left can depend on it.
                del frontier[latest]
                ends[latest] = None
                if len(ends) >= most:
                    break
                continue
            if node.name in interior:
                break  # the graph runs in a circle
            self._open(node, frontier, fixed, interior)
            inputs = (*frontier, *ends)
            if 1 <= len(inputs) <= most:
                found.append(Cut(view, root, inputs, tuple(interior.values()), tuple(fixed)))
        return found

    def between(self, root: str, inputs: Sequence[str]) -> Cut | None:
        from modelfmt.ops.numbers import COMPUTED

        view = self._view
        frontier, fixed, interior = {root: None}, dict[str, None](), dict[str, Node]()
        opened = 0
        while True:
            inside = next((tensor for tensor in frontier if tensor not in inputs), None)
            if inside is None:
                return Cut(view, root, tuple(inputs), tuple(interior.values()), tuple(fixed))
            node = view.producer(inside)
            if node is None or node.op not in COMPUTED or len(interior) > _MOST_NODES:
                return None
            opened += 1
            if opened > 4 * _MOST_NODES:
                return None  # the graph runs in a circle
            self._open(node, frontier, fixed, interior)

    def _open(
        self, node: Node, frontier: dict[str, None], fixed: dict[str, None],
        interior: dict[str, Node],
    ) -> None:  # fmt: skip
        """Put what ``node`` reads into the frontier in place of what it makes."""
        from modelfmt.ops.numbers import RANDOM

        interior[node.name] = node
        for tensor in [t for t in frontier if parse_input(t).node == node.name]:
            del frontier[tensor]
        for tensor in map(self._view.resolve, node.inputs):
            above = self._view.producer(tensor)
            if self.is_settled(tensor):
                fixed[tensor] = None
            elif above is not None and above.op in RANDOM:
                interior[above.name] = above
            else:
                frontier[tensor] = None

    def weight(self, tensor: str) -> Constant | None:
        if tensor not in self._weights:
            self._weights[tensor] = self._weight(tensor) if self.is_settled(tensor) else None
        return self._weights[tensor]

    def _weight(self, tensor: str) -> Constant | None:
        view = self._view
        node, shape, dtype = view.producer(tensor), view.shape(tensor), view.dtype(tensor)
        if node is None or not shape or None in shape or dtype is None or not dtype.is_floating:
            return None
        sizes = tuple(size for size in shape if size is not None)
        if node.op == "Cast":
            inner = weight_of(view, node.inputs[0])
            if inner is not None and inner.root.dtype.itemsize > dtype.itemsize:
                return inner  # a policy of half precision: what is stored is the weight
        cut = Cut(view, tensor, (), (node,), tuple(map(view.resolve, node.inputs)))
        if not cut.weights or not all(map(self._is_made, cut.fixed)):
            return None

        def computed(_: Array) -> Array:
            made = cut.run([])
            if made is None or made.shape != sizes:
                raise MismatchError(f"{tensor!r} cannot be computed", expected=list(sizes))
            return made.astype(dtype.numpy)

        root = cut.weights[0].renamed(tensor.replace(":", "_")).changed(computed, sizes, dtype)
        return Constant(root, sizes)

    def _is_made(self, tensor: str) -> bool:
        """Whether a settled tensor takes constants only, not the shapes of what is fed."""
        todo, seen = [tensor], set[str]()
        while todo:
            tensor = self._view.resolve(todo.pop())
            node = self._view.producer(tensor)
            if tensor in seen or self._view.is_known(tensor):
                continue
            if node is None or node.op in _SHAPES:
                return False
            seen.add(tensor)
            todo += node.inputs
        return True

    def is_settled(self, tensor: str) -> bool:
        """Whether a tensor follows from constants and from the shapes of others."""
        from modelfmt.ops.numbers import COMPUTED, RANDOM

        view, todo = self._view, [self._view.resolve(tensor)]
        while todo:
            tensor = todo[-1]
            if tensor in self._known:
                todo.pop()
                continue
            node = view.producer(tensor)
            if view.is_known(tensor) or (node is not None and node.op in _SHAPES):
                self._known[tensor] = True
            elif node is None or node.op not in COMPUTED or node.op in RANDOM or not node.inputs:
                self._known[tensor] = False
            else:
                sources = [view.resolve(i) for i in node.inputs]
                unsure = [i for i in sources if i not in self._known]
                if unsure and all(self._known.get(i, True) for i in sources):
                    # What a loop brings back to itself is nothing settled.
                    again = unsure[0] in todo
                    todo += [] if again else unsure[:1]
                    if again:
                        self._known[tensor] = False
                else:
                    self._known[tensor] = not unsure and all(self._known[i] for i in sources)
        return self._known[tensor]


class _Run:
    """One run of a part of a graph on numbers."""

    def __init__(
        self, cut: Cut, inputs: Sequence[Array], weights: Mapping[int, Array], drawn: float
    ) -> None:
        self._drawn = drawn
        self._view, self._weights, self._first = cut.view, weights, inputs[0] if inputs else None
        self._made: dict[str, Array] = dict(zip(cut.inputs, inputs, strict=True))
        self._inside = {node.name for node in cut.interior} | set(cut.settled)

    def value(self, tensor: str) -> Array:
        """The value of a tensor. Raises UncomputedError."""
        from modelfmt.ops.numbers import RANDOM, UncomputedError, compute

        view = self._view
        tensor = view.resolve(tensor)
        if tensor in self._made:
            return self._made[tensor]
        known = self._constant(tensor)
        if known is not None:
            self._made[tensor] = known
            return known
        node = view.producer(tensor)
        if node is None:
            raise UncomputedError(tensor)
        if node.op in _SHAPES:
            inputs = [self._shaped(node.inputs[0])]
        elif node.name in self._inside:
            inputs = [self.value(i) for i in node.inputs]
        else:
            raise UncomputedError(tensor)
        if node.op in RANDOM:
            made: tuple[Array, ...] = (self._draw(inputs[0]),)
        else:
            made = compute(node.op, lambda name: view.attr(node, name), inputs)
        for port, array in enumerate(made):
            self._made[tensor_name(node.name, port)] = array
        if tensor not in self._made:
            raise UncomputedError(tensor)
        return self._made[tensor]

    def _draw(self, sizes: Array) -> Array:
        import numpy as np

        return np.full([int(size) for size in sizes], self._drawn)

    def _shaped(self, tensor: str) -> Array:
        """An array of the shape of a tensor, whose values nothing asks for."""
        import numpy as np

        from modelfmt.ops.numbers import UncomputedError

        tensor = self._view.resolve(tensor)
        node = self._view.producer(tensor)
        if tensor in self._made or (node is not None and node.name in self._inside):
            return self.value(tensor)
        shape = self._view.shape(tensor)
        if not shape or None in shape[1:] or (shape[0] is None and self._first is None):
            raise UncomputedError(tensor)
        batch = self._first.shape[0] if self._first is not None and self._first.ndim else 1
        sizes = [batch if size is None else size for size in shape]
        return np.broadcast_to(np.zeros(()), sizes)

    def _constant(self, tensor: str) -> Array | None:
        """The value of a stored tensor, or one that follows from shapes that are known."""
        import numpy as np

        view = self._view
        constant = view.constant(tensor)
        if constant is not None:
            given = self._weights.get(id(constant.root))
            array = constant.root.numpy() if given is None else given
            floats = constant.root.dtype.is_floating
            return array.reshape(constant.shape).astype("float64" if floats else None)
        static = view.static(tensor)
        if static.value is None or static.dtype is None or not view.is_known(tensor):
            return None
        kind = "float64" if static.dtype.is_floating else "int64"
        return np.asarray(static.value, "bool" if static.dtype.name == "bool" else kind)
