"""The sample of episodes that the page carries, small enough to open on a phone."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from shiftgym.messages import data_url
from shiftgym.reports.runs import BranchInfo, Run
from shiftgym.tasks.base import Decision, Drawn
from shiftgym.tasks.walk import decisions

MAX_CHARACTERS = 2_500_000
"""About as much JSON is embedded. Beyond that whole problems are left out, those of the last seeds first."""


def sampled_episodes(run: Run, branches: Sequence[BranchInfo]) -> tuple[dict[str, Any], int]:
    """What the page's browser reads of some branches, and how many kept episodes were left out for size.

    Texts are stored once in `texts` and named by position, since most prompts and feedback occur many times.
    A task that draws its problems (`Drawn`) has each drawing once in `maps`, by `split problem`; its elements
    with `data-decision` stand for decisions.
    Episode: `[branch, seed, checkpoint, split, decoding, problem, success, reward, decisions]`, decision:
    `[prompt, attempts, pictures]`, attempt: `[answer, outcome, reward, feedback, tokens, stop]`.
    """
    texts: dict[str, int] = {}
    shown: list[Any] = []
    maps: dict[str, str] = {}
    views: dict[str, list[list[int]]] = {}
    task = run.task
    labels = {branch.name: branch.label for branch in branches}
    size = left_out = 0

    def intern(text: str) -> int:
        nonlocal size
        if text not in texts:
            size += len(text)
        return texts.setdefault(text, len(texts))

    for group in _by_problem(run.episodes(branches)):
        if size > MAX_CHARACTERS:
            left_out += len(group)
            continue
        packed = []
        for record in group:
            branch, split, index = record["branch"], record["split"], record["problem"]["index"]
            name = f"{split} {index}"
            if name not in views:
                problem = task.problem(split, index)
                views[name] = [[intern(url) for url in _shown(decision)] for decision in decisions(task, problem)]
                if isinstance(task, Drawn):
                    maps[name] = task.figure(problem, {})
            place = [labels[branch], record["seed"], run.checkpoint(branch, record["fraction"])]
            packed.append([*place, *_packed(record, intern, views[name])])
        size += len(json.dumps(packed))
        shown += packed
    return {"texts": list(texts), "episodes": shown, "maps": maps, "noun": run.noun}, left_out


def _by_problem(episodes: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The episodes of each seed and problem, from episodes that come seed by seed: no more than one seed's are held."""

    def index(record: dict[str, Any]) -> int:
        return int(record["problem"]["index"])

    for _, of_seed in itertools.groupby(episodes, key=lambda record: record["seed"]):
        for _, group in itertools.groupby(sorted(of_seed, key=index), key=index):
            yield list(group)


def _shown(decision: Decision) -> list[str]:
    """The pictures of a decision, drawn again, as the record of an episode only says what they were."""
    return [data_url(picture) for message in decision.prompt for picture in message.get("pictures", ())]


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
    origin = [record["split"], record["decoding"], record["problem"]["index"]]
    return [*origin, record["success"], record["reward"], packed]
