"""Layer names from node names: the scope in which a layer's nodes stand is its name."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelfmt.graphs.view import View

if TYPE_CHECKING:
    from modelfmt.layers.recogniser import Recognised

_UNFIT = re.compile(r"[^A-Za-z0-9_.\-]+")
#: A model casts its inputs in its own scope, before the layer that the Cast is claimed with.
_CAST = re.compile(r"(^|/)Cast(_\d+)?$")


def layer_names(found: Sequence[Recognised], view: View) -> list[str]:
    """A name for each claim: the last part of the scope that its nodes share.

    Keras 3 numbers every scope of a traced model (``functional_1/conv_1/...``): a number that
    all scopes end in, or most of them and the model's own, is no part of the names. A node outside
    of any scope lends its own name, if the weights' names do not start with the layer's. Equal
    names are left for the caller to tell apart.
    """
    scopes = [scope_of(item) for item in found]
    strip = _common_number([scope for scope in scopes if scope])
    return [
        _fit(
            scope.rsplit("/", 1)[-1].removesuffix(strip)
            if scope and not (_is_inner(scope, item) and _weights_start(item))
            else _own_name(item)
        )
        for scope, item in zip(scopes, found, strict=True)
    ]


def _is_inner(scope: str, item: Recognised) -> bool:
    """Whether a scope is one that the layer opened itself, outside of any."""
    return re.sub(r"_\d+$", "", scope) in item.codec.scopes


def scope_of(item: Recognised) -> str:
    """The scope shared by a claim's nodes, without those that the layer opens in itself."""
    if item.claim.scope is not None:
        return item.claim.scope
    nodes = [name for name in item.claim.nodes if not _CAST.search(name)] or item.claim.nodes
    folders = [name.rpartition("/")[0] for name in nodes]
    common = posixpath.commonpath(folders).split("/")
    while len(common) > 1 and re.sub(r"_\d+$", "", common[-1]) in item.codec.scopes:
        common = common[:-1]
    return "/".join(common)


def _common_number(scopes: list[str]) -> str:
    """The number that tracing put behind every scope; empty where it did not."""
    tails = Counter(map(_number, scopes))
    if not tails or "" in tails:
        return ""
    common = tails.most_common(1)[0][0]
    roots = {_number(scope.split("/")[0]) for scope in scopes if "/" in scope}
    return common if roots == {common} or (len(tails) == 1 and len(scopes) > 1) else ""


def _number(scope: str) -> str:
    found = re.search(r"_\d+$", scope)
    return found.group() if found else ""


def _own_name(item: Recognised) -> str:
    """For nodes without a scope: that of a weight, else the output node's own name."""
    for weight in item.claim.weights.values():
        if "/" in weight.name:
            return weight.name.split("/")[0]
    return _weights_start(item) or item.tensor.split(":")[0].lower()


#: What Keras 1 puts behind a layer's name for its weights, where one alone must tell.
_SUFFIX = re.compile(r"_(W|U|b|alphas|gamma|beta|t_left|t_right|a_left|a_right)$")
_DIRECTION = re.compile(r"^(forward|backward)_")


def _weights_start(item: Recognised) -> str:
    """The layer's name in the names of its weights, as Keras 1 has them: conv of conv_W, conv_b."""
    bare = {_DIRECTION.sub("", weight.name) for weight in item.claim.weights.values()}
    if len(bare) > 1:
        start = posixpath.commonprefix(list(bare))
        return start.rstrip("_") if start.endswith("_") else start.rpartition("_")[0]
    (name,) = bare or {""}
    return _SUFFIX.sub("", name) if _SUFFIX.search(name) else ""


def _fit(name: str) -> str:
    """A name that Keras takes: it allows no slash, and a leading letter or digit."""
    return _UNFIT.sub("_", name).strip("_.-") or "layer"
