"""A person in the terminal: plays a problem against the verifier, or looks at one."""

import json
from collections.abc import Sequence

from rich.console import Console

from shiftgym.episodes import Episode, play
from shiftgym.errors import DataError
from shiftgym.policies.base import Answer
from shiftgym.policies.conversation import Conversation, TextChat
from shiftgym.tasks.base import Decision, Task
from shiftgym.tasks.registry import require_split
from shiftgym.tasks.walk import decisions

FIELD = "formula"
"""The field that a bare answer, one without a JSON object, is put in."""


class HumanPolicy:
    """Shows what is new in the conversation and reads an answer."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def start(self, decisions: Sequence[Decision], stream: Sequence[str | int]) -> TextChat:
        return TextChat(decisions, lambda open_now: [self._ask(conversation) for conversation in open_now])

    def _ask(self, conversation: Conversation) -> Answer:
        for message in conversation.new:
            _say(self._console, message["content"])
        try:
            text = self._console.input("[bold]> [/bold]")
        except EOFError:
            raise DataError("the input ended before an answer was given") from None
        return Answer(text if "{" in text else json.dumps({FIELD: text}), tokens=0, stop="end")


def play_in_terminal(task: Task, split: str, index: int, console: Console) -> Episode:
    """A person plays one problem, with as many attempts as any policy has."""
    require_split(task, split)
    console.print("[dim]Answer with the JSON object that is asked for, or with the bare formula.[/dim]")
    episode = play(HumanPolicy(console), task, [task.problem(split, index)], stream=[])[0]
    last = episode.decisions[-1]
    if not episode.success:
        _say(console, last.attempts[-1].verdict.feedback)
        _say(console, f"Out of attempts. An expert answers: {task.expert(last.decision)}")
    count = len(last.attempts)
    attempts = "1 attempt" if count == 1 else f"{count} attempts"
    _say(console, f"{last.attempts[-1].verdict.outcome} after {attempts}, reward {episode.reward:+g}")
    return episode


def show_problem(task: Task, split: str, index: int, console: Console) -> None:
    """Print a problem as a policy sees it, with the expert's answer and its verdict."""
    require_split(task, split)
    for decision in decisions(task, task.problem(split, index)):
        for message in decision.prompt:
            console.print(f"[bold]{message['role']}[/bold]")
            _say(console, message["content"])
        answer = task.expert(decision)
        verdict = decision.judge(answer)
        console.print("[bold]expert[/bold]")
        _say(console, answer)
        console.print("[bold]verdict[/bold]")
        _say(console, f"{verdict.outcome}, reward {verdict.reward:+g}: {verdict.feedback}")


def _say(console: Console, text: str) -> None:
    """Print text as it is: square brackets in it are no markup."""
    console.print(text, markup=False, highlight=False)
