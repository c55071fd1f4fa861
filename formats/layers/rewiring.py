"""Other layers in the place of one, or around it: how a Network is rewired, in place.

What is added takes names from the layer that it stands for, ``dense_relu``, and as many calls as
that has: a shared layer stays a shared one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from modelfmt.network import Call, Config, Layer, Network, Ref, map_refs
from modelfmt.tensor import Tensor

#: Sources of a Step: what the layer is applied to, and what it makes.
INPUT, OUTPUT = -2, -1


@dataclasses.dataclass(frozen=True)
class Step:
    """A layer to be added.

    Attributes:
        class_name, config: its own.
        sources: what it is applied to: the numbers of steps before, INPUT or OUTPUT; where left
            out, the step before, and of the first the layer's output.
        module: where Keras 3 has the class, if it is no layer.
        weights, non_trainable: as a Layer's.
        name: after the layer's own, ``_relu``; where left out, the class's.
    """

    class_name: str
    config: Config
    sources: tuple[int, ...] | None = None
    module: str | None = None
    weights: dict[str, Tensor] = dataclasses.field(default_factory=dict)
    non_trainable: tuple[str, ...] = ()
    name: str = ""


def add_after(network: Network, layer: Layer, steps: Sequence[Step]) -> list[Layer]:
    """Put ``steps`` after a layer of one output; what read that reads the last step.

    Returns:
        The layers that were added.
    """
    if network.kind == "Sequential" and any(s.sources is not None or s.module for s in steps):
        make_functional(network)
    readers = [*network.layers]
    added: list[Layer] = []
    for step in steps:
        added.append(_layer({one.name for one in (*network.layers, *added)}, layer, step))
    for number, (step, new) in enumerate(zip(steps, added, strict=True)):
        sources = step.sources if step.sources is not None else (number - 1,)
        new.calls = [
            Call(
                [ref for source in sources for ref in _refs(layer, added, source, k)],
                structure=len(sources) > 1,
                outputs=list(call.outputs),
            )
            for k, call in enumerate(layer.calls)
        ]

    def follow(ref: Ref) -> Ref:
        if ref.layer != layer.name:
            return ref
        return dataclasses.replace(ref, layer=added[-1].name)

    for other in readers:
        for call in other.calls:
            call.inputs = [follow(ref) for ref in call.inputs]
            call.kwargs = map_refs(call.kwargs, follow)
    network.outputs = [follow(ref) for ref in network.outputs]
    place = network.layers.index(layer) + 1
    network.layers[place:place] = added
    return added


def add_before(network: Network, layer: Layer, step: Step) -> Layer:
    """Put a layer before the first input of each of a layer's calls."""
    if network.kind == "Sequential" and step.module:
        make_functional(network)
    new = _layer({other.name for other in network.layers}, layer, step)
    for number, call in enumerate(layer.calls):
        new.calls.append(Call(call.inputs[:1]))
        if call.inputs:
            call.kwargs = _moved(call.kwargs, call.inputs[0], Ref(new.name, number))
            call.inputs[0] = Ref(new.name, number)
    network.layers.insert(network.layers.index(layer), new)
    return new


def _moved(kwargs: Config, old: Ref, new: Ref) -> Config:
    moved: Config = map_refs(kwargs, lambda ref: new if ref == old else ref)
    return moved


def make_functional(network: Network) -> None:
    """Say a Sequential as a Functional model: the calls are the same."""
    network.kind = "Functional"


def _layer(taken: set[str], near: Layer, step: Step) -> Layer:
    name = f"{near.name}{step.name or '_' + step.class_name.lower()}"
    while name in taken:
        name += "_"
    extras = {} if step.module is None else {"module": step.module}
    return Layer(step.class_name, name, dict(step.config), dict(step.weights),
                 step.non_trainable, extras=extras)  # fmt: skip


def _refs(layer: Layer, added: Sequence[Layer], source: int, call: int) -> list[Ref]:
    if source == INPUT:
        return layer.calls[call].inputs[:1]
    return [Ref(layer.name if source == OUTPUT else added[source].name, call)]
