"""A person in the terminal: plays a problem against the verifier, or has one printed."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.text import Text

from shiftgym.episodes import Episode, play
from shiftgym.errors import DataError
from shiftgym.messages import Message, Picture
from shiftgym.policies.base import Answer
from shiftgym.policies.text_chat import Dialogue, TextChat
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision, Drawn, Task
from shiftgym.tasks.registry import require_split
from shiftgym.tasks.walk import decisions


class HumanPolicy:
    """Shows what is new in the dialogue and reads an answer. A bare answer, one without a JSON object, is put in
    the field that the task says it stands for."""

    def __init__(self, console: Console, task: Task) -> None:
        self._console = console
        self._task = task
        self._told = _Told(console)

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> TextChat:
        for decision in decisions:
            _draw(self._console, self._task, decision)
        return TextChat(decisions, lambda open_now: [self._ask(dialogue) for dialogue in open_now])

    def _ask(self, dialogue: Dialogue) -> Answer:
        for message in dialogue.new:
            self._told.show(message)
        try:
            text = self._console.input("[bold]> [/bold]")
        except EOFError:
            raise DataError("the input ended before an answer was given") from None
        field = getattr(self._task, "field", None)
        return Answer(text if "{" in text or field is None else json.dumps({field: text}), tokens=0, stop="end")


WIDTH = 72
"""Columns of a picture in the terminal."""


class _Told:
    """Says a text that goes on from the last one, as the prompts along a route do, only from there on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._before = ""

    def show(self, message: Message) -> None:
        self.say(message["content"])
        for picture in message.get("pictures", ()):
            _picture(self._console, picture)

    def say(self, text: str) -> None:
        goes_on = bool(self._before) and text.startswith(self._before)
        _say(self._console, text[len(self._before) :] if goes_on else text)
        if goes_on or not self._before or len(text) > len(self._before):
            self._before = text


def _draw(console: Console, task: Task, decision: Decision) -> None:
    if isinstance(task, Drawn):
        _say(console, task.sketch(decision))


def play_in_terminal(task: Task, split: str, index: int, console: Console) -> Episode:
    """A person plays one problem, with as many attempts as any policy has."""
    require_split(task, split)
    console.print(
        "[dim]Answer with the JSON object that is asked for, or with the bare {}.[/dim]".format(
            getattr(task, "field", "answer")
        )
    )
    episode = play(HumanPolicy(console, task), task, [task.problem(split, index)])[0]
    last = episode.decisions[-1]
    if not episode.success:
        _say(console, last.attempts[-1].verdict.feedback)
        _say(console, f"Out of attempts. An expert answers: {task.expert(last.decision)}")
    count = len(last.attempts)
    attempts = "1 attempt" if count == 1 else f"{count} attempts"
    _say(console, f"{last.attempts[-1].verdict.outcome} after {attempts}, reward {episode.reward:+g}")
    return episode


def show_problem(task: Task, split: str, index: int, console: Console) -> None:
    """Print a problem as a policy sees it, with the expert's answers and verdicts; first a drawing, if there is one."""
    require_split(task, split)
    told = _Told(console)
    walk = list(decisions(task, task.problem(split, index)))
    _draw(console, task, walk[-1])
    for decision in walk:
        for message in decision.prompt:
            console.print(f"[bold]{message['role']}[/bold]")
            told.show(message)
        answer = task.expert(decision)
        verdict = decision.judge(answer)
        console.print("[bold]expert[/bold]")
        _say(console, answer)
        console.print("[bold]verdict[/bold]")
        _say(console, f"{verdict.outcome}, reward {verdict.reward:+g}: {verdict.feedback}")


def _picture(console: Console, picture: Picture) -> None:
    """A picture in coloured half blocks, where the terminal has colours, and as a file."""
    image = picture.draw()
    if console.color_system in ("truecolor", "256"):
        small = image.resize((WIDTH, WIDTH * image.height // image.width // 2 * 2))
        at = small.load()
        assert at is not None
        for row in range(0, small.height, 2):
            line = Text()
            for column in range(WIDTH):
                upper, lower = (tuple(cast(tuple[int, ...], at[column, row + half])) for half in (0, 1))
                line.append("▀", "rgb({},{},{}) on rgb({},{},{})".format(*upper, *lower))
            console.print(line)
    path = Path(tempfile.mkdtemp(prefix="shiftgym-")) / "picture.png"
    image.save(path)
    _say(console, f"Picture: {path}")


def _say(console: Console, text: str) -> None:
    """Print text as it is: square brackets in it are no markup."""
    console.print(text, markup=False, highlight=False)
