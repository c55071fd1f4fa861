"""Names that become others: exact ones, scopes, slots; what clashes."""

from __future__ import annotations

import pytest

from modelfmt.errors import NOWHERE, MismatchError, MissingError
from modelfmt.surgery.renaming import Renaming, within


def test_names_and_scopes() -> None:
    renaming = Renaming({"dense": "fc", "dense/kernel": "k", "a/b": "c"})
    found = [renaming.name(n) for n in (
        "dense", "dense/bias", "dense/kernel", "dense/kernel/read", "dense_1", "a/b/x", "a/bb",
    )]  # fmt: skip
    assert found == ["fc", "fc/bias", "k", "k/read", "dense_1", "c/x", "a/bb"]
    assert [renaming.ref(t) for t in ("^dense", "dense/bias:1", "x:0")] == [
        "^fc", "fc/bias:1", "x:0",
    ]  # fmt: skip


def test_slots_go_along() -> None:
    renaming = Renaming({"dense": "fc"})
    names = ["dense/kernel", "Adam/dense/kernel/m", "training/SGD/Variable", "block/dense/kernel"]
    renaming.along(names, names)
    assert [renaming.name(n) for n in names] == [
        "fc/kernel", "Adam/fc/kernel/m", "training/SGD/Variable", "block/dense/kernel",
    ]  # fmt: skip
    assert within("a/x/y/b", {"x/y": "z", "x": "q"}) == "a/z/b"


def test_clashes() -> None:
    with pytest.raises(MismatchError, match='there is a "b" already'):
        Renaming({"a": "b"}).map(["a", "b"], NOWHERE)
    with pytest.raises(MismatchError, match='there is a "c" already'):
        Renaming({"a": "c", "b": "c"}).map(["a", "b"], NOWHERE)
    assert Renaming({"a": "b", "b": "a"}).map(["a", "b"], NOWHERE) == {"a": "b", "b": "a"}


def test_nothing_called_so() -> None:
    renaming = Renaming({"dence": "fc"})
    with pytest.raises(MissingError, match="nothing is called 'dence'") as caught:
        renaming.check(["dense/kernel"], NOWHERE)
    assert caught.value.close_matches == ["dense"]


@pytest.mark.parametrize(("old", "new"), [("", "x"), ("a", "")])
def test_no_name(old: str, new: str) -> None:
    with pytest.raises(MismatchError):
        Renaming({old: new})


@pytest.mark.parametrize("new", ["a b", "^a", "a:0", "/a", "ä"])
def test_what_no_node_is_called(new: str) -> None:
    with pytest.raises(MismatchError, match="not the name of a node"):
        Renaming({"a": new}).check_nodes()
