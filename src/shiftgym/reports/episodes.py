"""The sample of episodes that the page carries, small enough to open on a phone."""

import itertools
import json
from collections.abc import Callable
from typing import Any

from shiftgym.reports.runs import Run
from shiftgym.tasks.base import Drawn

MAX_CHARACTERS = 2_500_000
"""About as much JSON is embedded. Beyond that whole problems are left out, those of the last seeds first."""


def sampled_episodes(run: Run) -> tuple[dict[str, Any], int]:
    """What the page's browser reads, and how many kept episodes were left out for size.

    Texts are stored once in `texts` and named by position, since most prompts and feedback occur many times.
    A task that draws its problems (`Drawn`) has each drawing once in `maps`, by `split problem`; its elements
    with `data-decision` stand for decisions.
    Episode: `[branch, seed, fraction, split, decoding, problem, success, reward, decisions]`, decision:
    `[prompt, attempts]`, attempt: `[answer, outcome, reward, feedback, tokens, stop]`.
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
        packed = [_packed(record, intern) for record in records]
        size += len(json.dumps(packed))
        shown += packed
        if isinstance(task, Drawn):
            for split, index in sorted({(record["split"], record["problem"]["index"]) for record in records}):
                name = f"{split} {index}"
                if name not in maps:
                    maps[name] = task.figure(task.problem(split, index), {})
    return {"texts": list(texts), "episodes": shown, "maps": maps}, left_out


def _packed(record: dict[str, Any], intern: Callable[[str], int]) -> list[Any]:
    decisions = [
        [
            intern("\n\n".join(message["content"] for message in decision["prompt"])),
            [
                [intern(a["answer"]), a["outcome"], a["reward"], intern(a["feedback"]), a["tokens"], a["stop"]]
                for a in decision["attempts"]
            ],
        ]
        for decision in record["decisions"]
    ]
    origin = [record[name] for name in ("branch", "seed", "fraction", "split", "decoding")]
    return [*origin, record["problem"]["index"], record["success"], record["reward"], decisions]
