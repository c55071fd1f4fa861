"""The command ``fmt``. Data goes to stdout, talk and errors to stderr.

Exit status: 0 done, or no difference; 1 differences or findings; 2 usage; 3 unreadable or
damaged file; 4 not convertible.

A command's module is imported when the command is asked for, so that more of them do not cost
more time to start.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any, NamedTuple, NoReturn

import typer

import modelfmt
from modelfmt.cli.quick import QuickGroup, quicken_command


class Entry(NamedTuple):
    """A command: the module of ``modelfmt.cli`` that has it, and its line in the list of all."""

    module: str
    help: str


COMMANDS = {
    "dump": Entry("inspect", "Tell what is in a model file: inputs, outputs, layers, tensors."),
    "view": Entry("view", "Draw a model: one page to unfold and search, or SVG, dot, Mermaid."),
    "diff": Entry("compare", "Tell what differs between two model files."),
    "check": Entry("inspect", "Look for damage; exit status 1 if there is any."),
    "audit": Entry("inspect", "Tell what would run or be opened if a framework loaded a file."),
    "convert": Entry("conversion", "Convert a model file into another kind."),
    "upgrade": Entry("conversion", "Convert an old model into the newest Keras."),
    "verify": Entry("conversion", "Run two model files on equal inputs, and compare."),
    "extract": Entry("parts", "Take a model file apart, or take tensors or a subgraph out."),
    "transplant": Entry("transplant", "Put the weights of one model into another."),
    "edit": Entry("edit", "Rename, delete, set, cast or strip; all else keeps its bytes."),
    "assemble": Entry("parts", "Put the parts of a model file together again."),
}


class LazyCommands(MutableMapping[str, Any]):
    """Commands by name, each imported when it is asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module = import_module(f"modelfmt.cli.{COMMANDS[name].module}")
            for command in typer.main.get_group(module.commands).commands.values():
                quicken_command(command)
                self._loaded[str(command.name)] = command
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class CommandGroup(QuickGroup):
    """All commands; the list of them needs none of their modules."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = LazyCommands()

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self.commands[cmd_name] if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


app = typer.Typer(
    name="fmt",
    cls=CommandGroup,
    help="Read, convert and compare TensorFlow and Keras model files, without TensorFlow.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(f"modelfmt {modelfmt.__version__}")
        raise typer.Exit()


def main() -> NoReturn:
    """Entry point of the console scripts; a closed pipe ends it quietly."""
    # A graph makes hundreds of thousands of objects and hardly a cycle: looking for garbage after
    # each 700 new ones takes a third of the time.
    gc.set_threshold(100_000, 50, 50)
    try:
        app()
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    sys.exit(0)


if __name__ == "__main__":
    main()
