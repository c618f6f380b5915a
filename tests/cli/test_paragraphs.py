"""Help fits the terminal, and no paragraph is broken twice."""

import io
import re

import pytest
from rich.console import Console

from shiftgym.cli.main import app
from shiftgym.cli.reference import commands


def lines(command: str, width: int) -> list[str]:
    """The help of a command in a terminal of so many columns."""
    console = Console(width=width, file=io.StringIO())
    app.help_print(command.split(), console=console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("command", [name.removeprefix("shiftgym ") for name, _ in commands(app, "shiftgym")])
def test_help_breaks_lines_where_the_terminal_ends_and_nowhere_else(command: str) -> None:
    assert max(map(len, lines(command, 80))) <= 80
    before = ""
    for line in lines(command, 1000):
        assert not re.match(r"│ {5}", line), "a row of a table takes one line"
        assert not (before and line) or {before[0], line[0]} <= set("│╭╰"), "and so does a paragraph"
        before = line
