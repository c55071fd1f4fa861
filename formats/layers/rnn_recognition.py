"""Recurrent layers recognised: what a loop over time reads and yields, and the cell in it.

    x -> Transpose [-> ReverseV2] -> list -> loop -> list -> Stack -> Transpose -> y, all outputs
                                                            Stack -> StridedSlice -> y, the last

A loop is a layer's if its turns are as many as x has steps, if each state starts from zeros or
from a tensor given to the layer, and if every value is accounted for by the cell.
Source: Keras backend/tensorflow/rnn.py; Keras 2 backend.rnn; TensorFlow python/ops/rnn.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from modelfmt.graph import Node, parse_input
from modelfmt.graphs.loops import Loop, loop_of, row_of, stacked
from modelfmt.graphs.view import View
from modelfmt.layers.affine import Sums
from modelfmt.layers.codec import Claim
from modelfmt.layers.rnn_cells import Body, Cell, gru, lstm, simple_rnn

#: The ops that the output of a recurrent layer may be made by.
ROOTS = frozenset({
    "Transpose", "StridedSlice", "Exit", "TensorArrayReadV3", "TensorArrayReadV2",
    "TensorArrayRead", "Squeeze",
})  # fmt: skip
CELLS: Mapping[str, Callable[[Body], Cell | None]] = {
    "SimpleRNN": simple_rnn, "LSTM": lstm, "GRU": gru,
}  # fmt: skip
#: Before the name of a sequence whose rows are read from the last to the first.
_BACKWARDS = "backwards "
#: Loops and layers between a sequence and the place where its length is known.
_MAX_DEPTH = 200
#: Ops that keep the number of steps.
_EACH_STEP = {
    "AddV2", "Sub", "Mul", "RealDiv", "BiasAdd", "Relu", "Relu6", "Tanh", "Sigmoid", "Elu", "Selu",
    "LeakyRelu", "Softplus", "Softmax", "Maximum", "Minimum", "SelectV2", "ReverseV2", "ConcatV2",
}  # fmt: skip
#: What brings a mask into another form.
_FORMS = {"ExpandDims", "Cast", "Reshape"}
#: What repeats a mask's row for all features.
_SPREADS = {"Tile", "ExpandDims", "BroadcastTo", "Cast", "Reshape", "Squeeze"}
#: What makes zeros of zeros, whatever the sizes.
_KEEPS_ZERO = {
    "Sum", "ExpandDims", "Tile", "Reshape", "Transpose", "Cast", "BroadcastTo", "Squeeze",
    "StridedSlice", "Mean", "Slice",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Ending:
    """How a loop's results become a layer's output: all of them, or the last one."""

    loop: Loop
    output: str
    sequences: bool


@dataclasses.dataclass(frozen=True)
class _Masked:
    """A value that a step shows where its mask says so, and what stands in its place if not."""

    mask: str
    shown: str
    hidden: str


def recurrent(class_name: str, tensor: str, view: View) -> Claim | None:
    """The claim of a recurrent layer of a built-in cell on what computes ``tensor``, or None.

    None as well for a class whose cell is not among CELLS.
    """
    ending = _ending(view.resolve(tensor), view) if class_name in CELLS else None
    if ending is None:
        return None
    loop, output = ending.loop, ending.output
    masked = _masked(output, loop)
    if masked is not None:
        ending = dataclasses.replace(ending, output=masked.shown)
    for called in _sources(loop):
        x = called.removeprefix(_BACKWARDS)
        if not _lasts(loop, x):
            continue
        body = _body(ending, called, masked)
        cell = CELLS[class_name](body)
        if cell is None:
            continue
        initial = _initial(cell, loop)
        if initial is None:
            continue
        config = {
            **cell.config, "return_sequences": ending.sequences,
            "go_backwards": called != x,
        }  # fmt: skip
        mask = None
        if masked is not None:
            zeros = _hides_with_zeros(masked.hidden, output, cell, loop)
            mask = masked.mask.removeprefix(_BACKWARDS)
            if zeros is None or (mask != masked.mask) != (called != x):
                continue
            config["zero_output_for_mask"] = zeros
        ends = {x, *initial, *([mask] if mask else [])}
        nodes = _nodes(view.resolve(tensor), ends, loop)
        return Claim((x, *initial), config, cell.weights, nodes, mask)
    return None


def _body(ending: _Ending, called: str, masked: _Masked | None) -> Body:
    loop, view = ending.loop, ending.loop.view

    def outside(tensor: str) -> tuple[str, str] | None:
        sequence = loop.read(tensor)
        return _batch_first(sequence, view) if sequence else None

    def size(source: str) -> int | None:
        shape = view.shape(source.removeprefix(_BACKWARDS))
        return shape[-1] if shape else None

    def states(following: str) -> list[str]:
        if masked is None:
            return [v.inside for v in loop.variables.values() if v.following == following]
        return [
            v.inside
            for v in loop.variables.values()
            if _masked(v.following, loop) == _Masked(masked.mask, following, v.inside)
        ]

    return Body(view, Sums(view, outside, size), called, ending.output, states)


# -- masks ------------------------------------------------------------------------------------


def _masked(tensor: str, loop: Loop) -> _Masked | None:
    """What a tensor of the body is that a mask chooses, or None."""
    view = loop.view
    node = view.producer(tensor)
    if node is None or node.op != "SelectV2":
        return None
    condition = view.producer(node.inputs[0])
    while condition is not None and condition.op in _SPREADS:
        condition = view.producer(condition.inputs[0])
    sequence = loop.read(condition.name) if condition is not None else None
    row = _batch_first(sequence, view) if sequence else None
    if row is None:
        return None
    mask, mark = row[0], row[1].removesuffix(row[0])
    while (made := view.producer(mask)) is not None and made.op in _FORMS:
        mask = view.resolve(made.inputs[0])
    return _Masked(mark + mask, *map(view.resolve, node.inputs[1:3]))


def _hides_with_zeros(hidden: str, output: str, cell: Cell, loop: Loop) -> bool | None:
    """Whether hidden outputs are zeros; False where the last one is kept, None for neither."""
    if _is_zero(hidden, loop.view):
        return True
    if hidden == cell.states[0]:
        return False
    before = loop.variable(hidden)
    if before is None or before.following != output or not _is_zero(before.initial, loop.view):
        return None
    return False


# -- what goes in -----------------------------------------------------------------------------


def _sources(loop: Loop) -> list[str]:
    """What the layer may be applied to: the sequences that the loop reads, as sources.

    Of a product taken before the loop, what is multiplied is one as well.
    """
    view = loop.view
    found: dict[str, None] = {}
    for name, node in view.live.items():
        if not node.op.startswith(("TensorArrayRead", "TensorListGetItem")):
            continue
        sequence = loop.read(name)
        row = _batch_first(sequence, view) if sequence else None
        if row is None:
            continue
        before = Sums(view, lambda _: None, lambda _: None).before(row[0])
        mark = row[1].removesuffix(row[0])
        for source in (row[0], *(before.products if before else ())):
            found[mark + source] = None
    return list(found)


def _batch_first(sequence: str, view: View) -> tuple[str, str] | None:
    """The sequence with its batch first, and its name as a source; None if it has none first."""
    turned = backwards = False
    tensor = sequence
    while (node := view.producer(tensor)) is not None:
        if node.op == "Transpose" and not turned and _swaps(node, view):
            turned, tensor = True, view.resolve(node.inputs[0])
        elif node.op == "ReverseV2" and view.ints(node.inputs[1]) == [int(turned)]:
            backwards, tensor = not backwards, view.resolve(node.inputs[0])
        else:
            break
    if not turned:
        return None
    return tensor, (_BACKWARDS if backwards else "") + tensor


def _swaps(node: Node, view: View) -> bool:
    """Whether a Transpose exchanges the first two axes."""
    order = view.ints(node.inputs[1])
    return order is not None and order == [1, 0, *range(2, len(order))]


def _lasts(loop: Loop, x: str) -> bool:
    """Whether the loop has as many turns as x has steps."""
    view = loop.view
    limits, shape = loop.limits(), view.shape(x)
    if limits is None or shape is None or len(shape) != 3:
        return False
    known: list[int] = []
    for limit in limits:
        value = view.scalar(_of_one(limit, view))
        if value is not None:
            known.append(int(value))
        elif not is_length_of(_of_one(limit, view), x, view):
            return False
    steps = steps_of(x, view)
    return not known or min(known) == steps


def steps_of(x: str, view: View, depth: int = 0) -> int | None:
    """The number of steps that a sequence has: a loop before has as many turns."""
    shape = view.shape(x)
    if shape is not None and len(shape) > 1 and shape[1] is not None:
        return shape[1]
    node = view.producer(x)
    if node is None or depth > _MAX_DEPTH:
        return None
    if node.op in _EACH_STEP:
        return next(
            (n for i in node.inputs if (n := steps_of(i, view, depth + 1)) is not None), None
        )
    ending = _ending(x, view) if node.op == "Transpose" else None
    if ending is None or not ending.sequences:
        return None
    known = [view.scalar(_of_one(limit, view)) for limit in ending.loop.limits() or ()]
    counts = [int(n) for n in known if n is not None]
    if counts:
        return min(counts)
    before = [
        called.removeprefix(_BACKWARDS) for called in _sources(ending.loop)
        if _lasts(ending.loop, called.removeprefix(_BACKWARDS))
    ]  # fmt: skip
    return steps_of(before[0], view, depth + 1) if before else None


def _of_one(tensor: str, view: View) -> str:
    """A number without the Max or Min over its only element."""
    while (node := view.producer(tensor)) is not None and node.op in ("Max", "Min", "Cast"):
        if view.scalar(tensor) is not None or view.shape(node.inputs[0]) != ():
            break
        tensor = view.resolve(node.inputs[0])
    return tensor


def is_length_of(tensor: str, x: str, view: View) -> bool:
    """Whether a number is the number of steps of x, read from a shape."""
    node = view.producer(tensor)
    if node is None or node.op != "StridedSlice":
        return False
    place = view.ints(node.inputs[1])
    sized = view.producer(node.inputs[0])
    if place is None or len(place) != 1 or place[0] is None or sized is None:
        return False
    if sized.op != "Shape":
        return False
    of = view.resolve(sized.inputs[0])
    if of == x:
        return place[0] == 1
    row = _batch_first(of, view)
    if row is None or place[0] != 0:
        return False
    if row[0] == x:
        return True
    before = Sums(view, lambda _: None, lambda _: None).before(row[0])
    return before is not None and x in before.products


def _initial(cell: Cell, loop: Loop) -> tuple[str, ...] | None:
    """The states given to the layer; empty where all are zeros, None where it is neither."""
    variables = [loop.variable(state) for state in cell.states]
    starts = [v.initial for v in variables if v is not None]
    zeros = [_is_zero(start, loop.view) for start in starts]
    if all(zeros):
        return ()
    if any(zeros) or any(loop.view.constant(start) is not None for start in starts):
        return None
    return tuple(starts)


def _is_zero(tensor: str, view: View, depth: int = 0) -> bool:
    """Whether a tensor holds zeros only, whatever its sizes are."""
    constant = view.constant(tensor)
    if constant is not None:
        return constant.root.strings is None and not constant.root.numpy().any()
    node = view.producer(tensor)
    if node is None or depth > 20:
        return False
    if node.op == "ZerosLike":
        return True
    if node.op == "Fill":
        return bool(view.scalar(node.inputs[1]) == 0)
    if node.op in ("Mul", "MatMul"):
        return any(_is_zero(i, view, depth + 1) for i in node.inputs)
    return node.op in _KEEPS_ZERO and _is_zero(node.inputs[0], view, depth + 1)


# -- what comes out ---------------------------------------------------------------------------


def _ending(tensor: str, view: View) -> _Ending | None:
    node = view.producer(tensor)
    if node is None:
        return None
    if node.op == "Transpose":
        handle = stacked(node.inputs[0], view) if _swaps(node, view) else None
        return _listed(handle, view, sequences=True) if handle else None
    if node.op == "StridedSlice":
        handle = stacked(node.inputs[0], view) if _takes_last(node, view) else None
        return _listed(handle, view, sequences=False) if handle else None
    if node.op in ("Exit", "RefExit"):
        left = loop_of(tensor, view)
        if left is None or left[0].written(left[1]) is not None:
            return None
        return _Ending(left[0], left[1].following, sequences=False)
    row = _sliced(node, view) if node.op == "Squeeze" else row_of(tensor, view)
    if row is None:
        return None
    found = _listed(row[0], view, sequences=False)
    return found if found and _is_last(row[1], found.loop) else None


def _listed(handle: str, view: View, *, sequences: bool) -> _Ending | None:
    """The results in a list: one row for each turn, or a single row that each turn overwrites."""
    left = loop_of(handle, view)
    if left is None:
        return None
    loop, variable = left
    written = loop.written(variable)
    if written is None:
        return None
    if not loop.is_counter(written.index) and (sequences or view.scalar(written.index) != 0):
        return None
    return _Ending(loop, written.value, sequences)


def _takes_last(node: Node, view: View) -> bool:
    """Whether a StridedSlice takes the last element along the first axis, which vanishes."""
    return (
        view.ints(node.inputs[1]) == [-1] and view.attr(node, "shrink_axis_mask") == 1
        and not view.attr(node, "ellipsis_mask") and not view.attr(node, "new_axis_mask")
        and not view.attr(node, "begin_mask")
    )  # fmt: skip


def _sliced(node: Node, view: View) -> tuple[str, str] | None:
    """The list and the index of the row that a Squeeze of a Slice takes, as TensorFlow 0.12."""
    part = view.producer(node.inputs[0])
    if part is None or part.op != "Slice":
        return None
    start, sizes = view.producer(part.inputs[1]), view.ints(part.inputs[2])
    handle = stacked(part.inputs[0], view)
    axes = view.attr(node, "squeeze_dims")
    if start is None or start.op != "Pack" or not sizes or handle is None or axes != [0]:
        return None
    whole = all(view.scalar(i) == 0 for i in start.inputs[1:])
    if not whole or sizes[0] != 1 or any(size != -1 for size in sizes[1:]):
        return None
    return handle, view.resolve(start.inputs[0])


def _is_last(index: str, loop: Loop) -> bool:
    """Whether an index is the number of turns less one."""
    view = loop.view
    node = view.producer(index)
    limits = loop.limits() or []
    value = view.scalar(index)
    if value is not None:
        return any(view.scalar(limit) == value + 1 for limit in limits)
    if node is None or node.op != "Sub" or view.scalar(node.inputs[1]) != 1:
        return False
    count = view.resolve(node.inputs[0])
    left = loop.leaving(count)
    return count in limits or (left is not None and loop.is_counter(left.inside))


# -- what belongs to the layer ----------------------------------------------------------------


def _nodes(root: str, ends: set[str], loop: Loop) -> tuple[str, ...]:
    """The nodes between the layer's inputs and its output.

    Those that only measure sizes and make zeros may serve others as well; they are the layer's
    where they do not.
    """
    view = loop.view
    limits = loop.limits() or []
    aside: set[str] = set()
    for start in (*limits, *(v.initial for v in loop.variables.values())):
        aside |= _below(start, ends, view)
    whole = _below(root, ends, view)
    aside |= {name for name in whole if view.live[name].op in _SIZES}
    aside -= {parse_input(root).node}
    while True:
        shared = {n for n in whole & aside if view.consumers.get(n, set()) - whole}
        if not shared:
            return tuple(sorted(whole, key=lambda name: name != parse_input(root).node))
        whole -= shared


#: Ops that measure, and those that bring a mask into its form.
_SIZES = {"Shape", "Pack", "Range", "ZerosLike", "OnesLike", *_FORMS}


def _below(root: str, ends: set[str], view: View) -> set[str]:
    """The nodes that a tensor is computed by, down to ``ends``.

    Of those that only lend their shape, it is the ones that ``ends`` do not depend on.
    """
    found: set[str] = set()
    lent: set[str] = set()
    todo = [(view.resolve(root), False)]
    while todo:
        tensor, lends = todo.pop()
        name = parse_input(tensor).node
        seen = found | lent if lends else found
        if tensor in ends or name in seen or view.constant(tensor) is not None:
            continue
        node = view.producer(tensor)
        if node is None or name not in view.live:
            continue
        (lent if lends else found).add(name)
        todo.extend((view.resolve(i), lends or node.op in _LENDS) for i in node.inputs)
    return found | (lent - _above(ends, view))


def _above(tensors: set[str], view: View) -> set[str]:
    """The nodes that tensors depend on, and their own."""
    found: set[str] = set()
    todo = [parse_input(tensor).node for tensor in tensors]
    while todo:
        name = todo.pop()
        if name not in found and name in view.live:
            found.add(name)
            todo.extend(parse_input(i).node for i in view.live[name].inputs)
    return found


#: Ops that ask a tensor for nothing but its shape.
_LENDS = {"Shape", "ZerosLike", "OnesLike"}
