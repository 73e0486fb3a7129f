"""How a command is declared: a function, its docstring as help, and its arguments. Nothing heavy is imported here."""

import inspect
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["COMMANDS", "Command", "argument", "build_parser", "command"]

COMMANDS: dict[str, "Command"] = {}
GROUPS = ("Pipeline", "Models", "Serving", "Delivery", "Data", "Continuous integration and training", "Project")
DESCRIPTION = "Notebooks as pipeline steps, and the machine-learning lifecycle around them."


@dataclass(frozen=True)
class Command:
    """A command of `stagebook`: its function takes the parsed arguments by name and returns an exit code or None."""

    function: Callable[..., int | None]
    arguments: list[tuple[tuple, dict]]
    group: str

    @property
    def help(self) -> str:
        """The first line of the function's docstring."""
        return self.function.__doc__.splitlines()[0].rstrip(".")


def argument(*names: str, **options) -> tuple[tuple, dict]:
    """Declare an argument as `ArgumentParser.add_argument` takes it."""
    return names, options


def command(group: str, *arguments: tuple[tuple, dict]) -> Callable:
    """Declare the decorated function as a command of the same name, hyphens for underscores."""

    def declare(function: Callable[..., int | None]) -> Callable[..., int | None]:
        COMMANDS[function.__name__.strip("_").replace("_", "-")] = Command(function, list(arguments), group)
        return function

    return declare


def overview() -> str:
    """Return the help of `stagebook`: all commands, by group."""
    width = max(map(len, COMMANDS))
    lines = ["usage: stagebook COMMAND [options]", "", DESCRIPTION]
    for group in GROUPS:
        lines += ["", group]
        lines += [f"  {name:{width}}  {each.help}" for name, each in COMMANDS.items() if each.group == group]
    return "\n".join([*lines, "", "`stagebook COMMAND --help` describes one command.", ""])


def build_parser() -> ArgumentParser:
    """Return the parser of all commands."""
    parser = ArgumentParser(prog="stagebook", usage="stagebook COMMAND [options]")
    parser.format_help = overview
    parser.add_argument("--version", action="store_true", dest="show_version")  # `promote` has a version of its own
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, each in COMMANDS.items():
        one = commands.add_parser(
            name,
            prog=f"stagebook {name}",
            description=inspect.getdoc(each.function),
            formatter_class=RawDescriptionHelpFormatter,
        )
        for names, options in each.arguments:
            one.add_argument(*names, **options)
    return parser
