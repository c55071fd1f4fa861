"""The plan of a transplant: which weight of the host is made of which of the donor's."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping, Sequence

from modelfmt.container import Container
from modelfmt.errors import ConversionError, MissingError, Where, located
from modelfmt.surgery.transforms import Step, transformed
from modelfmt.surgery.transplant_map import Entry, Graft, Pattern
from modelfmt.surgery.weight_matching import (
    Matched,
    by_end,
    by_name,
    by_shape_in_order,
    drop_state,
)
from modelfmt.surgery.weight_names import Weights, named_weights, recognised_weights
from modelfmt.tensor import Tensor

_AVERAGE = "/ExponentialMovingAverage"
_SHOWN = 4  # disagreements that an error lists


class Plan:
    """Which weight of the host gets what; grows entry by entry."""

    def __init__(
        self, donor: Container, host: Container, select: Sequence[str], ema: bool
    ) -> None:
        self.donor, self.host = donor, host
        self.given = _with_averages(named_weights(donor, host)) if ema else named_weights(
            donor, host
        )
        self._host_weights = named_weights(host, donor)
        self.keys = _keys(self._host_weights, host)
        self.wanted = [
            name for name in self.keys
            if not select or any(fnmatch.fnmatchcase(name, glob) for glob in select)
        ]  # fmt: skip
        if not self.wanted:
            raise MissingError(
                f"no weight of the host matches {' or '.join(select)}" if select
                else "the host holds no weights", where=Where(host.path),
                close_matches=difflib.get_close_matches(select[0], self.keys, 3) if select else (),
            )
        self._found: dict[str, tuple[Entry, str]] = {}
        self._steps: dict[str, tuple[Step, ...]] = {}
        self._called: dict[str, str] = {}

    @property
    def missing(self) -> list[str]:
        """The wanted weights of the host that get nothing."""
        return [name for name in self.wanted if name not in self._found]

    @property
    def unused(self) -> list[str]:
        """The donor's weights that go nowhere, an optimizer's left out."""
        used = {name for entry, _ in self._found.values() for name in entry.donors}
        left = [name for name in self.given if name not in used]
        drop_state(self.given, left)
        return left

    def donor_name(self, name: str) -> str:
        """A donor's weight by its name, or by the one that dump shows. Raises MissingError."""
        return _name_in(name, self.given, self.donor)

    def say(self, entries: Iterable[Entry]) -> None:
        """Take what the caller says."""
        for entry in entries:
            host = _name_in(entry.host, self._host_weights, self.host)
            if host not in self.keys:
                self.keys[host] = host
            if host not in self.wanted:
                continue
            donors = tuple(self.donor_name(name) for name in entry.donors)
            self._found[host] = Entry(host, donors, entry.steps), "map"

    def rename(self, patterns: Sequence[Pattern]) -> None:
        """Call the donor's weights as the patterns say; the first that matches counts."""
        for name in self.given:
            for rule in patterns:
                if rule.donor.fullmatch(name):
                    self._called[name] = rule.donor.sub(rule.host, name, count=1)
                    self._steps[name] = rule.steps
                    break

    def match(self, how: str) -> None:
        """Match what is left."""
        if how == "none":
            return
        used = {name for entry, _ in self._found.values() for name in entry.donors}
        origin = {self._called.get(name, name): name for name in self.given if name not in used}
        left = {
            called: transformed([self.given[name]], self._steps.get(name, ()))
            for called, name in origin.items()
        }
        wanted = {name: self._host_weights[name] for name in self.missing}
        none = Matched([], [*left], [*wanted])
        if how == "name":
            pairs = by_end(left, wanted, by_name(left, wanted)).pairs
        elif how == "suffix":
            pairs = by_end(left, wanted, none).pairs
        elif how == "shape":
            pairs = by_shape_in_order(left, wanted, none).pairs
        else:
            drop_state(left, none.only_a)
            pairs = list(zip(none.only_a, wanted, strict=False))
        for called, host in pairs:
            name = origin[called]
            self._found[host] = Entry(host, (name,), self._steps.get(name, ())), how
        if how == "name":
            self._by_layers()

    def _by_layers(self) -> None:
        """Where names leave some, by the layers that are recognised on both sides."""
        if not self.missing or not (self.donor.has_graph or self.host.has_graph):
            return
        given, wanted = recognised_weights(self.donor), recognised_weights(self.host)
        if given is None or wanted is None:
            return
        keys = _keys(wanted, self.host)
        names = {key: name for name, key in self.keys.items()}
        stored = {tensor.origin: name for name, tensor in self.given.items()}
        matched = by_end(given, wanted, by_name(given, wanted))
        for x, y in matched.pairs:
            name, host = stored.get(given[x].origin), names.get(keys.get(y, ""))
            if name is not None and host in self.missing and not given[x].derived:
                self._found[host] = Entry(host, (name,)), "layers"

    def checked(self, *, cast: bool) -> list[tuple[Graft, Tensor]]:
        """What is put where. Raises ConversionError, naming what disagrees."""
        wrong: list[str] = []
        hint = "Pass --cast."
        made: list[tuple[Graft, Tensor]] = []
        for host in self.wanted:
            if host not in self._found:
                continue
            entry, how = self._found[host]
            old, steps = self._stored(host), entry.steps
            with located(key=f'weight "{host}"'):
                tensor = transformed([self._given(name) for name in entry.donors], steps)
            if tensor.dtype is not old.dtype and cast:
                step: Step = {"cast": old.dtype.name}
                steps, tensor = (*steps, step), transformed([tensor], [step])
            if (tensor.dtype, tensor.shape) != (old.dtype, old.shape):
                names = " + ".join(entry.donors)
                wrong.append(
                    f"{host} is {old.dtype}{list(old.shape)}, "
                    f"{names} {tensor.dtype}{list(tensor.shape)}"
                )
                if tensor.shape != old.shape:
                    hint = "A step in a --map can mend that."
                continue
            graft = Graft(host, entry.donors, steps, how, old.shape, old.dtype.name)
            made.append((graft, tensor))
        if wrong:
            raise ConversionError(
                f"{len(wrong)} weights disagree in dtype or shape: {some(wrong, '; ')}",
                where=Where(self.host.path), hint=hint,
            )
        return made

    def _given(self, name: str) -> Tensor:
        return self.given[name] if name in self.given else self.donor.tensors[name]

    def _stored(self, host: str) -> Tensor:
        return self.host.tensors[self.keys[host]]


def entries_of(names: Mapping[str, str | Sequence[str]], plan: Plan) -> list[Entry]:
    found = []
    for host, donors in names.items():
        if isinstance(donors, str):
            found.append(Entry(host, (donors,)))
        else:
            found.append(Entry(host, tuple(donors), ({"concatenate": -1},)))
    return found


def _keys(weights: Weights, container: Container) -> dict[str, str]:
    """Where the host keeps each weight: the keys of its tensors, of those stored as they are."""
    places = {tensor.origin: key for key, tensor in container.tensors.items()}
    return {
        name: places[tensor.origin]
        for name, tensor in weights.items()
        if tensor.origin in places and not tensor.derived
    }


def _name_in(name: str, weights: Weights, container: Container) -> str:
    """The weight that is called so, or whose tensor is. Raises MissingError."""
    if name in weights:
        return name
    if name in container.tensors:
        place = container.tensors[name].origin
        return next((n for n, tensor in weights.items() if tensor.origin == place), name)
    raise MissingError(
        f'no weight "{name}"', where=Where(container.path),
        close_matches=difflib.get_close_matches(name, [*weights, *container.tensors], 3),
    )


def _with_averages(weights: Weights) -> Weights:
    """Weights with their moving averages in their place. Raises MissingError: there are none."""
    averages = {
        name.removesuffix(_AVERAGE): tensor
        for name, tensor in weights.items() if name.endswith(_AVERAGE)
    }  # fmt: skip
    if not averages:
        raise MissingError(f"the donor has no variable that ends in {_AVERAGE}")
    return {
        name: averages.get(name, tensor)
        for name, tensor in {**weights, **averages}.items() if not name.endswith(_AVERAGE)
    }  # fmt: skip


def some(names: Sequence[str], between: str = ", ") -> str:
    shown = between.join(names[:_SHOWN])
    return shown + (f"{between}and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
