"""YAML: the one door to PyYAML, an optional dependency.

Only what JSON has too is read; of Python's own tags those that say no more than that: a tuple is a
list, and a number of numpy (a dtype's name and its bytes) a number. Anything else that would make
an object is refused.
"""

from __future__ import annotations

from typing import Any

from modelfmt.errors import CorruptFileError, UnsafeFileError, UnsupportedError

_SCALAR = "tag:yaml.org,2002:python/object/apply:numpy.core.multiarray.scalar"
_NUMBERS = frozenset(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "b1"])
_LIMIT = 1_000_000  # values, each counted as often as an alias repeats it


def read_yaml(text: bytes) -> Any:
    """The value of a YAML document: dicts, lists, text, numbers, booleans, None.

    Raises:
        UnsupportedError: PyYAML is not installed.
        CorruptFileError: no YAML.
        UnsafeFileError: a tag that makes an object, or aliases that unfold to too much.
    """
    try:
        import yaml
    except ImportError:
        raise UnsupportedError(
            "reading YAML needs PyYAML", hint="pip install 'modelfmt[yaml]'"
        ) from None

    class Loader(yaml.SafeLoader):
        pass

    def listed(loader: Any, node: Any) -> list[Any]:
        found: list[Any] = loader.construct_sequence(node, deep=True)
        return found

    def texts(loader: Any, node: Any) -> str:
        return str(loader.construct_scalar(node))

    def refused(loader: Any, node: Any) -> Any:
        raise UnsafeFileError("a YAML tag that makes an object", found=str(node.tag)[:80])

    def number(loader: Any, node: Any) -> Any:
        kind, data = node.value
        arguments = dict(loader.construct_mapping(kind, deep=True)).get("args")
        return _number(arguments, loader.construct_yaml_binary(data))

    Loader.add_constructor("tag:yaml.org,2002:python/tuple", listed)
    Loader.add_constructor(_SCALAR, number)
    for kind in ("str", "unicode"):
        Loader.add_constructor(f"tag:yaml.org,2002:python/{kind}", texts)
    Loader.add_constructor(None, refused)
    try:
        value = yaml.load(text, Loader)
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, AttributeError) as error:
        line = str(error).split("\n")[0]
        raise CorruptFileError(f"no YAML ({line[:120]})") from None
    _check_size(value)
    return value


def _number(arguments: Any, data: bytes) -> Any:
    """The number that a numpy scalar's dtype and bytes are. Raises ValueError."""
    import numpy as np

    kind = arguments[0] if isinstance(arguments, list) and arguments else None
    if kind not in _NUMBERS:
        raise UnsafeFileError("a number of numpy of an unknown dtype", found=f"{kind!r:.40}")
    return np.frombuffer(data, f"<{kind}", 1)[0].item()


def _check_size(value: Any) -> None:
    count, todo = 0, [value]
    while todo:
        one = todo.pop()
        count += 1
        if count > _LIMIT:
            raise UnsafeFileError("a YAML document whose aliases unfold to more than it holds")
        if isinstance(one, dict):
            todo.extend(one.values())
        elif isinstance(one, list):
            todo.extend(one)
