"""A model in the terminal: what it is, and how a conversation about a task looks to it."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shiftgym.placement import Placement
from shiftgym.studies.config import load_study, shipped_studies
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import build_task

if TYPE_CHECKING:
    from shiftgym.models.conversations.example import Token
    from shiftgym.models.describe import Description

BETWEEN = "·"
"""Stands between two tokens."""

TRAINED = ("⟦", "⟧")
"""Stand around what is trained."""

GREEN = "bold green"
"""The style of what is trained."""

LINE = "↵"
"""Stands before the end of a line that is part of a token."""

BYTES = {"float32": 4, "bfloat16": 2}
"""Number format of weights -> bytes of each, for models of any format."""

RANK = 16
"""Of the adapter whose size is told, as `LoraSettings` has it by default."""


def print_model(
    name: str,
    console: Console,
    *,
    task: str | None = None,
    study: str | None = None,
    placement: Placement,
    chat_template: str | None = None,
) -> None:
    """Print what a model is, and a conversation of two attempts in its tokens with what is trained marked.

    Args:
        name: what `load_policy` takes.
        task: the task of the conversation: a shipped one, or `package.module:Class`.
        study: the study whose task and splits it is, if no task is given; by default points-text, or points-vision for
            a model that sees.
        chat_template: the text of a template that takes the place of the model's own, or the path of its file.

    Raises:
        ConfigError: there is no such model, task or study, or the model cannot be used.
    """
    from shiftgym.models.conversations.example import example, tokens
    from shiftgym.models.describe import describe
    from shiftgym.models.loading.load import load_policy

    model, chat_format = load_policy(name, **placement.options, chat_template=chat_template)
    about = describe(model, chat_format)
    played = _task(task, study, sees=about.sees)
    conversation = tokens(chat_format, example(chat_format, played))
    console.print(_facts(name, about, device=str(model.device), own_template=chat_template is None))
    context = sum(not token.trained for token in conversation)
    console.print(
        f"\nTwo attempts at {played.name}, token by token ({BETWEEN} between tokens). Answers, in {' '.join(TRAINED)}, "
        f"are trained: {len(conversation) - context} tokens. The other {context} are context.\n",
        highlight=False,
        markup=False,
    )
    console.print(marked(conversation))


def _task(task: str | None, study: str | None, *, sees: bool) -> Task:
    kind = "vision" if sees else "text"
    if study is None and task is not None and f"{task}-{kind}" not in shipped_studies():
        return build_task(task)
    return load_study(study or f"{task or 'points'}-{kind}").build_task()


def marked(conversation: "Sequence[Token]") -> Text:
    """The tokens of a conversation, those that are trained in bold green and between brackets. A line ends where a
    token has the end of a line, which is shown, and where answers begin and end."""
    text, before = Text(), False
    for at, token in enumerate(conversation):
        if token.trained != before:
            start = "" if text.plain.endswith("\n") else "\n"
            text.append(f"{start}{TRAINED[0]}" if token.trained else f"{TRAINED[1]}\n", GREEN)
        elif at:
            text.append(BETWEEN, "dim")
        text.append(token.text.replace("\n", f"{LINE}\n"), GREEN if token.trained else "")
        before = token.trained
    return text.append(TRAINED[1] if before else "", GREEN)


def _facts(name: str, about: "Description", *, device: str, own_template: bool) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    for key, value in _rows(name, about, device, own_template):
        table.add_row(Text(key, "bold"), Text(value))
    return table


def _rows(name: str, about: "Description", device: str, own_template: bool) -> Iterator[tuple[str, str]]:
    yield "model", f"{name}, on {device}"
    yield "family", f"{about.family} ({about.architecture})" + (", sees pictures" if about.sees else "")
    rows = "trees" if about.path.trees else "rows"
    yield "path", f"fast, {rows} in training" if about.path.fast else f"plain: {about.path.why}"
    yield from _sizes(about)
    yield "positions", "no limit" if about.positions == sys.maxsize else f"{about.positions:,} tokens"
    yield "attention", about.attention + _or([kernel for kernel in about.kernels if kernel != about.attention])
    yield "chat template", "its own" if own_template else "the one given"
    stops = f"; generation also stops at {', '.join(about.stops)}" if about.stops else ""
    yield "answers end", f"with {about.end}{stops}"
    opened = about.opening.strip()
    yield "thinking", f"prompts end inside thinking, which {opened} opens" if opened else "answers begin without it"


def _sizes(about: "Description") -> Iterator[tuple[str, str]]:
    parts = ", ".join(f"{count:,} {part}" for part, count in about.parameters.items())
    tied = "; input and output embeddings are the same" if about.tied else ""
    yield "parameters", f"{about.total:,}" + (f" ({parts})" if about.sees else "") + tied
    yield "trainable", f"{about.trainable:,}" if about.trainable else "none of its own, since they are quantised"
    yield "LoRA", f"{RANK * sum(about.lora.values()):,} parameters at rank {RANK} on {', '.join(about.lora)}"
    loaded = ", ".join(f"{size_of(size)} in {dtype}" for dtype, size in about.weights.items())
    others = [
        f"{size_of(each * about.total)} in {dtype}" for dtype, each in BYTES.items() if dtype not in about.weights
    ]
    yield "weights", loaded + _or(others if about.trainable else [])
    state = f", and {size_of(about.state)} whatever its length" if about.state else ""
    yield "cache", f"{size_of(about.cache)} a token of each conversation{state}"


def _or(others: Sequence[str]) -> str:
    return f" (or {', '.join(others)})" if others else ""


def size_of(size: float) -> str:
    """Bytes as people read them, in powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
