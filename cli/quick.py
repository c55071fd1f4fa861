"""Start-up: values of the command line that need no conversion are taken as they are.

Typer from 0.26 on loads pydantic (0.1 s, as long as everything of ours) to learn that a string
is a string. Here only what must be converted, such as "2" for an int, goes that way. An older
typer has no such step, and nothing is changed for it.
"""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class QuickGroup(TyperGroup):
    """A group that takes, as do its commands, texts, flags and defaults unconverted."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for command in (self, *self.commands.values()):
            for param in command.params:
                _quicken(param)


def _quicken(param: Any) -> None:
    annotation = getattr(getattr(param, "type_descriptor", None), "annotation", None)
    multiple = annotation == list[str]
    if param.callback is not None or not (multiple or annotation in (str, bool, int, float)):
        return
    convert = param.process_value

    def process_value(ctx: Any, value: Any) -> Any:
        if value is None and not param.required:
            return () if multiple else None
        if multiple and value and isinstance(value, (list, tuple)):
            return [*value] if all(isinstance(text, str) for text in value) else convert(ctx, value)
        return value if not multiple and isinstance(value, annotation) else convert(ctx, value)

    param.process_value = process_value
