"""Makes the page docs/cli.md: every command, its arguments and its options, as the program itself has them.

python -m shiftgym.cli.reference > docs/cli.md
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from cyclopts import App
from cyclopts.argument import Argument

from shiftgym.cli.main import app

PAGE = """\
# Commands

Every command of `shiftgym`, with its arguments and options. `shiftgym COMMAND --help` prints the same in a terminal. An
option for which no value is named takes none. A command ends with exit code 0, with 2 and one line where it was given
something wrong, or with 1 where something failed. `python -m shiftgym.cli.reference > docs/cli.md` makes this page.
"""

WORDS = {str: "text", int: "integer", float: "number", bool: "", Path: "path"}
"""What the value of an option is called; a flag has none."""


def commands(root: App, name: str) -> Iterator[tuple[str, App]]:
    """Every command that does something, in alphabetical order, with the words that call it."""
    inner = sorted(each for each in root if not each.startswith("-"))
    for each in inner:
        yield from commands(root[each], f"{name} {each}")
    if not inner:
        yield name, root


def page() -> str:
    """The whole page."""
    found = list(commands(app, "shiftgym"))
    contents = [f"* [`{name}`](#{name.replace(' ', '-')})" for name, _ in found]
    return "\n".join([PAGE, *contents, "", *(line for name, command in found for line in _section(name, command))])


def _section(name: str, command: App) -> Iterator[str]:
    text = inspect.cleandoc(command.help).partition("\nParameters\n---")[0]
    yield f"## {name}\n"
    for paragraph in text.strip().split("\n\n"):
        label, _, example = " ".join(paragraph.split()).partition("Example: ")
        yield f"Example: `{example}`\n" if example and not label else f"{paragraph}\n"
    arguments = command.assemble_argument_collection(default_parameter=app.default_parameter, parse_docstring=True)
    # What is given as several options, such as the settings of an endpoint, is also an argument, which is not shown.
    rows = [argument for argument in arguments if argument.show]
    if rows:
        yield "| argument or option | value | default | meaning |\n|---|---|---|---|"
        yield from map(_row, rows)
        yield ""


def _row(argument: Argument) -> str:
    default = argument.field_info.default
    if argument.required:
        said = "required"
    elif default is None or default is False:
        said = ""
    else:
        said = f"`{default}`"
    cells = (f"`{argument.names[0]}`", _values(argument), said, " ".join((argument.parameter.help or "").split()))
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _values(argument: Argument) -> str:
    """What may be given, in words: the choices, or the kind of value."""
    if choices := argument.get_choices():
        return ", ".join(f"`{choice}`" for choice in choices)
    kinds = [argument.hint]
    while inside := [each for kind in kinds for each in get_args(kind) if isinstance(each, type) or get_args(each)]:
        kinds = inside
    return " or ".join(dict.fromkeys(WORDS[kind] for kind in kinds if kind is not type(None)))


if __name__ == "__main__":
    print(page(), end="")
