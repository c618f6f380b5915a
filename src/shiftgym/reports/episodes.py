"""The sample of episodes that the page carries, small enough to open on a phone."""

import itertools
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from shiftgym.messages import data_url
from shiftgym.reports.runs import Run
from shiftgym.tasks.base import Drawn, Task
from shiftgym.tasks.walk import decisions

MAX_CHARACTERS = 2_500_000
"""About as much JSON is embedded. Beyond that whole problems are left out, those of the last seeds first."""


def sampled_episodes(run: Run) -> tuple[dict[str, Any], int]:
    """What the page's browser reads, and how many kept episodes were left out for size.

    Texts are stored once in `texts` and named by position, since most prompts and feedback occur many times.
    A task that draws its problems (`Drawn`) has each drawing once in `maps`, by `split problem`; its elements
    with `data-decision` stand for decisions.
    Episode: `[branch, seed, fraction, split, decoding, problem, success, reward, decisions]`, decision:
    `[prompt, attempts, pictures]`, attempt: `[answer, outcome, reward, feedback, tokens, stop]`.
    """
    texts: dict[str, int] = {}
    shown: list[Any] = []
    maps: dict[str, str] = {}
    task = run.task
    size = left_out = 0

    def intern(text: str) -> int:
        nonlocal size
        if text not in texts:
            size += len(text)
        return texts.setdefault(text, len(texts))

    def order(record: dict[str, Any]) -> tuple[int, int]:
        return record["seed"], record["problem"]["index"]

    for _, group in itertools.groupby(sorted(run.episodes(), key=order), key=order):
        if size > MAX_CHARACTERS:
            left_out += len(list(group))
            continue
        records = list(group)
        packed = [_packed(record, intern, _pictures(task, record, intern)) for record in records]
        size += len(json.dumps(packed))
        shown += packed
        if isinstance(task, Drawn):
            for split, index in sorted({(record["split"], record["problem"]["index"]) for record in records}):
                name = f"{split} {index}"
                if name not in maps:
                    maps[name] = task.figure(task.problem(split, index), {})
    return {"texts": list(texts), "episodes": shown, "maps": maps}, left_out


def _pictures(task: Task, record: dict[str, Any], intern: Callable[[str], int]) -> list[list[int]]:
    """What each decision of an episode shows; drawn once, as the record only says what it was."""
    if not any(message.get("pictures") for decision in record["decisions"] for message in decision["prompt"]):
        return [[] for _ in record["decisions"]]
    walk = decisions(task, task.problem(record["split"], record["problem"]["index"]))
    return [
        [intern(_url(picture)) for message in decision.prompt for picture in message.get("pictures", ())]
        for decision in walk
    ]


_url = lru_cache(4096)(data_url)


def _packed(record: dict[str, Any], intern: Callable[[str], int], pictures: list[list[int]]) -> list[Any]:
    packed = [
        [
            intern("\n\n".join(message["content"] for message in decision["prompt"])),
            [
                [intern(a["answer"]), a["outcome"], a["reward"], intern(a["feedback"]), a["tokens"], a["stop"]]
                for a in decision["attempts"]
            ],
            shown,
        ]
        for decision, shown in zip(record["decisions"], pictures, strict=True)
    ]
    origin = [record[name] for name in ("branch", "seed", "fraction", "split", "decoding")]
    return [*origin, record["problem"]["index"], record["success"], record["reward"], packed]
