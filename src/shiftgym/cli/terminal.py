"""A person in the terminal: plays a problem against the verifier, or has one printed."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.text import Text

from shiftgym.episodes import Episode, play
from shiftgym.errors import ConfigError, DataError
from shiftgym.messages import Message, Picture
from shiftgym.policies.base import Answer
from shiftgym.policies.text_chat import Dialogue, TextChat
from shiftgym.seeds import Names
from shiftgym.studies.config import load_study, shipped_studies
from shiftgym.tasks.answer import Form, read_fields, write_fields
from shiftgym.tasks.base import Decision, Drawn, Task
from shiftgym.tasks.registry import build_task, changed_defaults, require_split
from shiftgym.tasks.walk import decisions


def task_to_play(name: str | None, study: str | None, overrides: Sequence[str]) -> Task:
    """The task called `name` with the splits of a study, or with its default splits.

    Args:
        name: a shipped task, or `package.module:Class`; None for the task of the study, or points.
        study: a shipped study or a study file. Without it a task has the splits of TASK-text, if there is such a study.

    Raises:
        ConfigError: there is no such task or study, or the study is about another task.
    """
    if study is None and name is not None and f"{name}-text" not in shipped_studies():
        options, splits = changed_defaults(name, overrides)
        return build_task(name, options=options, splits=splits)
    chosen = load_study(study or f"{name or 'points'}-text", overrides)
    if name not in (None, chosen.task.name):
        raise ConfigError(f"study {study} is about task {chosen.task.name!r}, not {name!r}")
    return chosen.build_task()


def _split(task: Task, split: str | None) -> str:
    """The split of that name; by default `id`, or the first one."""
    if split is None:
        return "id" if "id" in task.splits else next(iter(task.splits))
    require_split(task, split)
    return split


class HumanPolicy:
    """Prints the new messages and reads an answer. A bare answer, one without the field that the task names, is put
    into this field."""

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
        field: str | None = getattr(self._task, "field", None)
        form: Form = getattr(self._task, "form", "json")
        if field is not None and read_fields(text, field, form) is None:
            text = write_fields({field: text}, form)
        return Answer(text, tokens=0, stop="end")


WIDTH = 72
"""Columns of a picture in the terminal."""


class _Told:
    """Prints a text. Where it continues the one before, as the prompts along a route do, only the new part is
    printed."""

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


def play_in_terminal(task: Task, split: str | None, index: int, console: Console) -> Episode:
    """A person plays one problem, with as many attempts as any policy has."""
    split = _split(task, split)
    console.print(
        "[dim]Answer in the form that is asked for, or with the bare {}.[/dim]".format(getattr(task, "field", "answer"))
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


def show_problem(task: Task, split: str | None, index: int, console: Console) -> None:
    """Print a problem as a policy sees it, with the expert's answers and verdicts; first a drawing, if there is one."""
    split = _split(task, split)
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
    """Print text as it is: square brackets in it are not markup."""
    console.print(text, markup=False, highlight=False)
