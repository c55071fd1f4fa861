"""transplant: the weights of one model, the donor, put into another, the host.

The donor may be any file that holds tensors, .npz and .safetensors among them; the host any model
file. The host's structure stays: what is written is the host with other elements, and only their
bytes and checksums differ. Which weight becomes which:

    names, --map     what the caller says, with steps that mend the layout (transforms.py)
    rename           regular expressions that make the donor's names the host's
    match            the rest: by ``name`` (equal names, then equal ends, then the layers that are
                     recognised in a graph), ``suffix``, ``order``, ``shape``, or ``none``

Names are those of weight_names.py, ``layer/weight``; those that dump shows are understood as well.
"""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
import os
from collections.abc import Iterable, Mapping, MutableMapping, Sequence

from modelfmt.container import Container
from modelfmt.errors import (
    ConversionError,
    MissingError,
    UnsupportedError,
    Where,
    located,
)
from modelfmt.storage.output import OutputError, check_output
from modelfmt.surgery.opening import open as open_container
from modelfmt.surgery.transforms import Step, transformed
from modelfmt.surgery.transplant_map import Entry, Pattern, TransplantMap, pattern, read_map
from modelfmt.surgery.weight_matching import (
    Matched,
    by_end,
    by_name,
    by_shape_in_order,
    drop_state,
)
from modelfmt.surgery.weight_names import Weights, named_weights, recognised_weights
from modelfmt.tensor import Tensor

MATCHES = ("name", "suffix", "order", "shape", "none")
_AVERAGE = "/ExponentialMovingAverage"
_SHOWN = 4  # disagreements that an error lists


@dataclasses.dataclass(frozen=True)
class Graft:
    """One weight of the host, and what it is made of; ``how`` says how it was found."""

    host: str
    donors: tuple[str, ...]
    steps: tuple[Step, ...]
    how: str
    shape: tuple[int, ...]
    dtype: str


@dataclasses.dataclass(frozen=True)
class Transplant:
    """What ``transplant`` did, or would do; leftovers are names, of the host those selected."""

    donor: str
    host: str
    destination: str
    kind: str
    grafts: list[Graft]
    left_in_donor: list[str]
    left_in_host: list[str]
    nbytes: int = 0

    @property
    def entries(self) -> list[Entry]:
        """The map that says the same: what ``write_map`` takes."""
        return [Entry(graft.host, graft.donors, graft.steps) for graft in self.grafts]


def transplant(
    donor: str | os.PathLike[str],
    host: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    names: Mapping[str, str | Sequence[str]] | None = None,
    map: str | os.PathLike[str] | None = None,
    rename: Mapping[str, str] | None = None,
    match: str | None = None,
    select: Sequence[str] = (),
    partial: bool = False,
    cast: bool = False,
    ema: bool = False,
    dry_run: bool = False,
    force: bool = False,
) -> Transplant:
    """Put a donor's weights into a host, and write that to ``out``.

    Args:
        donor: a model file of any kind, a checkpoint, a .npz or .safetensors.
        host: a model file of any kind; it is not changed.
        out: where to; of the host's kind.
        names: the donor's name by the host's; several names are concatenated along the last axis.
        map: a TOML file; see transplant_map.py.
        rename: replacements by regular expressions, each of which a donor's whole name matches.
        match: how the rest is matched: name (the default), suffix, order, shape or none.
        select: globs; only these weights of the host are replaced.
        partial: weights of the host that get nothing keep what they have; else an error.
        cast: a weight of another dtype is cast to the host's; else an error.
        ema: take a weight's ``.../ExponentialMovingAverage`` for the weight, where there is one.
        dry_run: write nothing.
        force: replace an existing output.

    Raises:
        MissingError: nothing is called so.
        ConversionError: a dtype or shape disagrees, or the host needs more; nothing is written.
        ModelFormatError: a file cannot be read or written.
    """
    said = TransplantMap() if map is None else read_map(map)
    how = match or said.match or "name"
    if how not in MATCHES:
        raise OutputError("no such match", expected=f"one of {', '.join(MATCHES)}", found=how)
    patterns = [pattern(old, new) for old, new in (rename or {}).items()] + list(said.patterns)
    out = os.fspath(out)
    if not dry_run:
        check_output(out, force=force)
    with open_container(donor) as giving, open_container(host) as taking:
        plan = _Plan(giving, taking, select, ema)
        plan.say([*said.entries, *_entries(names or {}, plan)])
        plan.rename(patterns)
        plan.match(how)
        grafts = plan.checked(cast=cast)
        if plan.missing and not partial:
            raise ConversionError(
                f"{len(plan.missing)} of {len(plan.wanted)} weights of the host get nothing: "
                f"{_some(plan.missing)}", where=Where(taking.path),
                hint="Name them with a map, or pass --partial.",
            )
        if not grafts:
            raise ConversionError("nothing of the donor fits the host", where=Where(taking.path))
        tensors = _editable(taking)
        for graft, tensor in grafts:
            tensors[plan.keys[graft.host]] = tensor
        if not dry_run:
            giving.verify()
            taking.save(out, force=force)
        return Transplant(
            giving.path, taking.path, out, taking.kind, [graft for graft, _ in grafts],
            plan.unused, plan.missing, sum(tensor.nbytes for _, tensor in grafts),
        )


class _Plan:
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
                f"{len(wrong)} weights disagree in dtype or shape: {_some(wrong, '; ')}",
                where=Where(self.host.path), hint=hint,
            )
        return made

    def _given(self, name: str) -> Tensor:
        return self.given[name] if name in self.given else self.donor.tensors[name]

    def _stored(self, host: str) -> Tensor:
        return self.host.tensors[self.keys[host]]


def _entries(names: Mapping[str, str | Sequence[str]], plan: _Plan) -> list[Entry]:
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


def _editable(container: Container) -> MutableMapping[str, Tensor]:
    if not isinstance(container.tensors, MutableMapping):
        raise UnsupportedError(
            f"a {container.kind} file takes no weights", where=Where(container.path)
        )
    return container.tensors


def _some(names: Sequence[str], between: str = ", ") -> str:
    shown = between.join(names[:_SHOWN])
    return shown + (f"{between}and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
