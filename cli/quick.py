"""Start-up: values of the command line that need no conversion are taken as they are.

Typer (seen with 0.29) loads pydantic (0.1 s, as much as all of ours) to learn that a string is a
string, and that --help was not given. Here only what must be converted, such as "2" for an int,
goes that way. An older typer has no such step, and nothing is changed for it.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class QuickGroup(TyperGroup):
    """A group that takes, as do its commands, texts, flags and defaults unconverted."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for command in (self, *self.commands.values()):
            quicken_command(command)


def quicken_command(command: Any) -> None:
    """Let a command take its values as they are, wherever they need no conversion."""
    listed = command.get_params  # --help is made there

    def get_params(ctx: Any) -> Any:
        params = listed(ctx)
        for param in params:
            if "process_value" not in vars(param):
                _quicken(param)
        return params

    command.get_params = get_params


def _quicken(param: Any) -> None:
    annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    convert = param.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        if value is None and not param.required and not param.multiple:
            taken = None
        elif annotation == list[str] and _are_texts(value):
            taken = list(value or ())
        elif annotation in (str, int, float, bool) and isinstance(value, annotation):
            taken = value
        else:
            return convert(ctx, value)
        return taken if param.callback is None else param.callback(ctx, param, taken)

    if annotation is not None:
        param.process_value = process_value


def _are_texts(value: Any) -> bool:
    """Whether an option given any number of times needs no conversion; None: not given."""
    if isinstance(value, (list, tuple)):
        return all(isinstance(text, str) for text in value)
    return value is None
