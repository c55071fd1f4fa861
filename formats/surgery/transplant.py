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
import os
from collections.abc import Mapping, MutableMapping, Sequence

from modelfmt.container import Container
from modelfmt.errors import ConversionError, UnsupportedError, Where
from modelfmt.storage.output import OutputError, check_output
from modelfmt.surgery.opening import open as open_container
from modelfmt.surgery.transplant_map import Entry, Graft, TransplantMap, pattern, read_map
from modelfmt.tensor import Tensor

MATCHES = ("name", "suffix", "order", "shape", "none")


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
    from modelfmt.surgery.transplant_plan import Plan, entries_of, some

    said = TransplantMap() if map is None else read_map(map)
    how = match or said.match or "name"
    if how not in MATCHES:
        raise OutputError("no such match", expected=f"one of {', '.join(MATCHES)}", found=how)
    patterns = [pattern(old, new) for old, new in (rename or {}).items()] + list(said.patterns)
    out = os.fspath(out)
    if not dry_run:
        check_output(out, force=force)
    with open_container(donor) as giving, open_container(host) as taking:
        plan = Plan(giving, taking, select, ema)
        plan.say([*said.entries, *entries_of(names or {}, plan)])
        plan.rename(patterns)
        plan.match(how)
        grafts = plan.checked(cast=cast)
        if plan.missing and not partial:
            raise ConversionError(
                f"{len(plan.missing)} of {len(plan.wanted)} weights of the host get nothing: "
                f"{some(plan.missing)}", where=Where(taking.path),
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


def _editable(container: Container) -> MutableMapping[str, Tensor]:
    if not isinstance(container.tensors, MutableMapping):
        raise UnsupportedError(
            f"a {container.kind} file takes no weights", where=Where(container.path)
        )
    return container.tensors
