"""Container: what it offers, and what it refuses by name."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from modelfmt.container import Container
from modelfmt.errors import UnsupportedError
from modelfmt.graph import Graph
from modelfmt.network import Network
from modelfmt.tensor import Tensor


class Bare(Container):
    """The least that a container can be."""

    kind = "bare"
    closed = False

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        return {}

    def close(self) -> None:
        self.closed = True


class Full(Bare):
    """One that has everything."""

    kind = "full"

    @property
    def graph(self) -> Graph:
        return Graph()

    @property
    def network(self) -> Network:
        return Network("n")


def test_what_a_format_lacks_is_refused_by_name() -> None:
    bare = Bare("a.bare")
    assert not bare.has_graph and not bare.has_network
    with pytest.raises(UnsupportedError, match=r"a\.bare: a bare file holds no graph"):
        _ = bare.graph
    with pytest.raises(UnsupportedError, match=r"a\.bare: a bare file states no layers"):
        _ = bare.network
    with pytest.raises(UnsupportedError, match="not supported yet"):
        bare.save("b.bare")


def test_what_a_format_has_is_told_without_being_made() -> None:
    full = Full("a.full")
    assert full.has_graph and full.has_network
    assert len(full.graph) == 0 and full.network.name == "n"


def test_with_closes() -> None:
    with Bare("a") as bare:
        assert isinstance(bare, Bare) and not bare.closed
    assert bare.closed


def test_a_container_must_say_its_tensors_and_how_it_closes() -> None:
    with pytest.raises(TypeError):
        Container("a")  # type: ignore[abstract]
