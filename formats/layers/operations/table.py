"""The table of operations: a writer, and the names under which configs ask for it.

    @operation("Sum(x, axis=None, keepdims=False)",
               "math.reduce_sum(input_tensor, axis=None, keepdims=False)")
    def write_sum(ops, x, axis, keepdims): ...

A *spelling* is a name with its parameters in the writer's order, whatever they are called there.
A name with a capital is a class of keras.ops (parameters: those of its call, then those of its
constructor, which stand in the config); any other is a function of TensorFlow's, as a TFOpLambda
states it. What a spelling cannot say has a name with an underscore and a default that always
holds; behind a bare ``*`` stand those that must be what they are by default. ``*xs`` takes all
positional arguments, ``**xs`` all that are named otherwise.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from modelfmt.errors import ConversionError

if TYPE_CHECKING:
    from modelfmt.layers.operations.values import Ops

#: Takes an Ops and the arguments; the name of the output, or a list of them.
Writer = Callable[..., Sequence[str]]

_Given = TypeVar("_Given", bound=Writer)

#: The default of a parameter that a call must give.
REQUIRED = object()


@dataclasses.dataclass(frozen=True)
class Operation:
    """One spelling of an operation: its name, its parameters with their defaults, its writer."""

    name: str
    parameters: tuple[tuple[str, Any], ...]
    variadic: bool
    write: Writer
    named: bool = False
    fixed: tuple[tuple[str, Any], ...] = ()

    @property
    def of_keras(self) -> bool:
        """Whether it is a class of keras.ops; else a function of TensorFlow's."""
        return self.name[0].isupper()

    def values(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The arguments of a call in the order of the parameters.

        Raises:
            ConversionError: one is missing, or one that means something is not in the spelling.
        """
        given = {key: value for key, value in kwargs.items() if key not in _NAMELESS}
        places = list(self.parameters)
        found: list[Any] = []
        if self.variadic:
            found.append(list(args))
            places, args = places[1:], []
        if len(args) > len(places):
            raise ConversionError(f"{self.name} with {len(args)} arguments cannot be written")
        for k, (name, default) in enumerate(places):
            if name.startswith("_"):
                found.append(default)
                continue
            value = args[k] if k < len(args) else given.pop(name, default)
            if value is REQUIRED:
                raise ConversionError(f"the call of {self.name} does not say its {name!r}")
            found.append(value)
        for name, held in self.fixed:
            value = given.pop(name, held)
            if value != held and value is not None:
                given[name] = value
        if self.named:
            return [*found, given]
        unknown = [key for key, value in given.items() if value is not None]
        if unknown:
            raise ConversionError(
                f"{self.name} cannot be written with this argument",
                found=", ".join(f"{key}={given[key]!r:.60}" for key in unknown),
            )
        return found

    def __call__(self, ops: Ops, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[str]:
        """Write one call; the names of its outputs."""
        made = self.write(ops, *self.values(args, kwargs))
        return [made] if isinstance(made, str) else list(made)




#: Arguments that change nothing of what is computed.
_NAMELESS = frozenset({"name", "use_cudnn_on_gpu", "validate_indices"})
_TABLE: dict[str, Operation] = {}
#: The spellings of each writer, in the order of the rows.
_OF_WRITER: dict[Writer, list[Operation]] = {}
_SPELLING = re.compile(r"([\w.]+)\(([^()]*)\)")


def operation(*spellings: str) -> Callable[[_Given], _Given]:
    """Decorator: the function writes the operations of these spellings.

    A text may hold several spellings in a row. A name may stand only once in the table.
    """

    def register(write: _Given) -> _Given:
        for name, parameters in _SPELLING.findall(" ".join(spellings)):
            if name in _TABLE:
                raise ValueError(f"{name} stands twice in the table of operations")
            _TABLE[name] = _parsed(name, parameters, write)
            _OF_WRITER.setdefault(write, []).append(_TABLE[name])
        return write

    return register


def each(names: str, parameters: str, write: Writer) -> None:
    """Register one writer under several names with the same parameters."""
    for name in names.split():
        operation(f"{name}({parameters})")(write)


def _parsed(name: str, parameters: str, write: Writer) -> Operation:
    lambda_ = ast.parse(f"lambda {parameters}: 0", mode="eval").body
    assert isinstance(lambda_, ast.Lambda)  # our own text, never a file's
    rows: list[tuple[str, Any]] = []
    fixed: list[tuple[str, Any]] = []
    plain = [arg.arg for arg in lambda_.args.args]
    defaults = [ast.literal_eval(default) for default in lambda_.args.defaults]
    values = [REQUIRED] * (len(plain) - len(defaults)) + defaults
    variadic = lambda_.args.vararg
    if variadic is not None:
        rows.append((variadic.arg, REQUIRED))
        for arg, node in zip(lambda_.args.kwonlyargs, lambda_.args.kw_defaults, strict=True):
            rows.append((arg.arg, REQUIRED if node is None else ast.literal_eval(node)))
    else:
        for arg, node in zip(lambda_.args.kwonlyargs, lambda_.args.kw_defaults, strict=True):
            fixed.append((arg.arg, None if node is None else ast.literal_eval(node)))
    rows += zip(plain, values, strict=True)
    named = lambda_.args.kwarg is not None
    return Operation(name, tuple(rows), variadic is not None, write, named, tuple(fixed))


def parameters_of(text: str) -> list[str]:
    """The names of a spelling's parameters, those left out that must be as they are."""
    return [name for name, _ in _parsed("f", text, lambda: "").parameters]


def find(name: str) -> Operation | None:
    """The operation of that name: of keras.ops a class, of TensorFlow a function's path.

    TensorFlow calls some functions by their older place (``compat.v1.transpose``), with the same
    parameters.
    """
    found = _TABLE.get(name)
    for place in ("compat.v1.", "compat.v2."):
        if found is None and name.startswith(place):
            found = _TABLE.get(name.removeprefix(place))
    return found


def spellings(operation: Operation) -> list[Operation]:
    """All spellings of what one writer writes, ``operation``'s own first."""
    return [operation, *(o for o in _OF_WRITER[operation.write] if o is not operation)]


def names() -> Iterator[str]:
    """Every name in the table."""
    yield from _TABLE
