"""Commands are read as a shell reads them, and a command that a program does not take is found."""

import pytest
from cyclopts import CycloptsError
from tests.commands import commands, taken


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("shiftgym compare http://h/v1#base x  # why", [["shiftgym", "compare", "http://h/v1#base", "x"]]),
        ("A=1 make x && shiftgym show > a.txt", [["A=1", "make", "x"], ["shiftgym", "show", ">", "a.txt"]]),
        ("shiftgym eval x \\\n  --set 'a=[1, 2]'", [["shiftgym", "eval", "x", "--set", "a=[1, 2]"]]),
        ("a | b; c", [["a"], ["b"], ["c"]]),
        ("# nothing", []),
    ],
)
def test_commands_are_read_as_a_shell_does(script: str, words: list[list[str]]) -> None:
    assert list(commands(script)) == words


@pytest.mark.parametrize(
    "script",
    [
        "shiftgym study run x --engin ray",
        "shiftgym stduy list",
        "A=1 srun --nodes=2 shiftgym evaluate x",
        "python scripts/local_cluster.py -- shiftgym study run x --adress auto",
        "make no-such-target",
        "python examples/no_such_file.py",
        "python -m shiftgym.no_such_module",
        "pip install 'shiftgym[no-such-extra]'",
    ],
)
def test_a_command_that_no_program_takes_is_found(script: str) -> None:
    [words] = commands(script)
    with pytest.raises((CycloptsError, AssertionError)):
        taken(tuple(words))


def test_a_file_that_the_reader_wrote_is_there() -> None:
    taken(("python", "mine.py"), frozenset({"mine.py"}))
