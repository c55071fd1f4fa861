"""YAML, as much of it as says no more than JSON."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from modelfmt.errors import CorruptFileError, UnsafeFileError, UnsupportedError
from modelfmt.storage.yaml_text import read_yaml

NUMBER = b"""n: !!python/object/apply:numpy.core.multiarray.scalar
- !!python/object/apply:numpy.dtype
  args: [%s, 0, 1]
  state: !!python/tuple [3, <, null, null, null, -1, -1, 0]
- !!binary |
  eAAAAAAAAAA=
"""


def test_values() -> None:
    text = b"a: {b: [1, 2.5, null, true, x]}\nt: !!python/tuple [1, 2]\nu: !!python/unicode 'v'\n"
    assert read_yaml(text) == {"a": {"b": [1, 2.5, None, True, "x"]}, "t": [1, 2], "u": "v"}


def test_a_number_of_numpy() -> None:
    assert read_yaml(NUMBER % b"i8") == {"n": 0x78}


@pytest.mark.parametrize("text", [
    b"!!python/object/apply:os.system ['true']", b"!!python/name:os.system", b"!made x",
    NUMBER % b"O8",
])  # fmt: skip
def test_nothing_is_made(text: bytes) -> None:
    with pytest.raises(UnsafeFileError):
        read_yaml(text)


def test_a_bomb_of_aliases() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 9)]
    with pytest.raises(UnsafeFileError, match="aliases"):
        read_yaml("\n".join(rows).encode())


@pytest.mark.parametrize("text", [b"a: [", b"\xff\xfe\x00", b"a: b: c", b"!!binary ["])
def test_no_yaml(text: bytes) -> None:
    with pytest.raises(CorruptFileError, match="no YAML"):
        read_yaml(text)


def test_without_pyyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = builtins.__import__

    def lacking(name: str, *rest: Any, **more: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return genuine(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", lacking)
    with pytest.raises(UnsupportedError, match=r"modelfmt\[yaml\]"):
        read_yaml(b"a: 1")
