"""The commands of a script, and whether the programs take them."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path

import pytest

from shiftgym.cli.main import app

ROOT = Path(__file__).parents[1]
OPERATORS = set("();<>|&")
EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"])


def commands(script: str) -> Iterator[list[str]]:
    """The words of each command of a script, `>` and the name of a file behind it included."""
    for line in re.sub(r"\\\n\s*", "", script).splitlines():
        lexer = shlex.shlex(re.sub(r"(?<!\S)#.*", "", line), posix=True, punctuation_chars=True)
        lexer.whitespace_split, lexer.commenters = True, ""
        words: list[str] = []
        for word in lexer:
            if set(word) <= OPERATORS and word != ">":
                if words:
                    yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


@cache
def taken(words: tuple[str, ...], written: frozenset[str] = frozenset()) -> None:
    """Check that the programs of a command know what they are given.

    Args:
        words: The command.
        written: Files that a reader has by then, beside those of the repository.
    """
    words = tuple(takewhile(lambda word: word != ">", words))
    while words and re.fullmatch(r"\w+=.*|srun|--?n\S*=\S+", words[0], re.DOTALL):
        words = words[1:]
    if "--" in words:
        taken(words[words.index("--") + 1 :], written)
        words = words[: words.index("--")]
    if not words:
        return
    program, *arguments = words
    match Path(program).name:
        case "shiftgym":
            app.parse_args(arguments, exit_on_error=False, print_error=False)
        case "make":
            planned = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True)
            assert planned.returncode == 0, planned.stderr
        case "ray":
            by_ray(arguments)
        case "pip":
            asked = re.findall(r"(?:shiftgym|\.)\[([\w,-]+)\]", " ".join(arguments))
            assert {extra for each in asked for extra in each.split(",")} <= EXTRAS
        case "python" | "python3" | "sh" if arguments:
            if arguments[0] == "-m" and arguments[1].startswith("shiftgym"):
                assert find_spec(arguments[1]), f"there is no module {arguments[1]}"
            elif not arguments[0].startswith("-"):
                assert arguments[0] in written or (ROOT / arguments[0]).exists(), f"there is no {arguments[0]}"


def by_ray(arguments: list[str]) -> None:
    scripts = pytest.importorskip("ray.scripts.scripts")
    name, *options = arguments
    if name == "symmetric-run":
        # What it does not know itself it hands to `ray start`.
        own, options = options[:4], options[4:]
        assert own[::2] == ["--address", "--min-nodes"]
        name = "start"
    scripts.cli.commands[name].make_context(name, [re.sub(r"\$\w+", "1", option) for option in options])
