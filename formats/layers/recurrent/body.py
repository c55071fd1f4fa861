"""The body of a loop: what a cell is recognised in, and what its formulas are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from modelfmt.graph import parse_input
from modelfmt.graphs.view import View
from modelfmt.layers.activations import FUNCTIONS
from modelfmt.layers.recurrent.sums import Sums
from modelfmt.layers.template import Match
from modelfmt.network import Config
from modelfmt.tensor import Tensor


@dataclasses.dataclass(frozen=True)
class Body:
    """What a cell is recognised in.

    Attributes:
        view: the graph.
        sums: of the tensors of the body.
        x: the name of the row of this turn, as a source of products.
        output: the tensor that each turn yields.
        states: for a tensor that the next turn gets, those that this turn may have got for it.
    """

    view: View
    sums: Sums
    x: str
    output: str
    states: Callable[[str], Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Cell:
    """A recognised cell.

    Attributes:
        config: its activations and flags.
        weights: canonical name to tensor, in canonical order.
        states: the tensors of the body that hold its states, in order.
        shown: which of the states the output becomes.
    """

    config: Config
    weights: Mapping[str, Tensor]
    states: tuple[str, ...]
    shown: int = 0


#: The nodes of a step, of which no cell has so many.
_NEAR = 150


def multiplied(tensor: str, body: Body, *, near: bool = False) -> list[str]:
    """What the kernels below a tensor of the body are multiplied with, the nearest first.

    ``near`` looks at a single step: not below the products, nor far.
    """
    view, found, met = body.view, dict[str, None](), set[str]()
    todo = [view.resolve(tensor)]
    while todo:
        current = todo.pop(0)
        node = view.producer(current)
        name = parse_input(current).node
        if node is None or name in met or view.constant(current) is not None:
            continue
        if body.sums.outside(current) is not None or node.op == "Switch":
            continue
        met.add(name)
        if node.op == "MatMul":
            beside = view.producer(node.inputs[0])
            several = beside is not None and beside.op == "ConcatV2"
            operands = beside.inputs[:-1] if several and beside else node.inputs[:1]
            found.update((body.sums.plain(operand), None) for operand in operands)
            if near:
                continue
        if near and len(met) > _NEAR:
            break
        todo.extend(view.resolve(i) for i in node.inputs)
    return list(found)


def activated(tensor: str, view: View) -> Iterator[tuple[str, str]]:
    """The ways to read a tensor as a function of another one."""
    tensor = view.resolve(tensor)
    node = view.producer(tensor)
    if node is None:
        return
    for name, templates in FUNCTIONS.items():
        for template in templates:
            if node.op not in template.roots():
                continue
            for match in template.match(tensor, view, Match()):
                yield name, match.inputs[0]
    yield "linear", tensor


def operands(tensor: str, op: str, view: View) -> Iterator[tuple[str, str]]:
    """The operands of a commutative op, in both orders."""
    node = view.producer(tensor)
    if node is not None and node.op == op and len(node.inputs) == 2:
        a, b = (view.resolve(i) for i in node.inputs)
        yield a, b
        if a != b:
            yield b, a


def factors(tensor: str, view: View) -> Iterator[tuple[str, str]]:
    return operands(tensor, "Mul", view)
