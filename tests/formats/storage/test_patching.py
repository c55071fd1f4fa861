"""Patches: bytes replaced by as many others."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelfmt.errors import MismatchError
from modelfmt.storage.files import FileSpan, SourceFile, piece_bytes
from modelfmt.storage.patching import patched


def test_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    with SourceFile(tmp_path / "x") as file:
        pieces = patched(file.span(), [(7, b"B"), (2, b"AA")])
        assert b"".join(map(piece_bytes, pieces)) == b"01AA456B89"
        assert patched(file.span(), []) == [file.span()]
        assert [isinstance(p, FileSpan) for p in pieces] == [True, False, True, False, True]
    assert b"".join(map(piece_bytes, patched(b"abc", [(0, b"X")]))) == b"Xbc"


@pytest.mark.parametrize("patches", [[(8, b"xyz")], [(0, b"ab"), (1, b"c")], [(-1, b"a")]])
def test_what_does_not_fit(patches: list[tuple[int, bytes]]) -> None:
    with pytest.raises(MismatchError, match="overlap, or pass the end"):
        patched(b"0123456789", patches)
