"""The sample of episodes that the page carries."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shiftgym.reports import episodes
from shiftgym.reports.episodes import sampled_episodes
from shiftgym.reports.load import load_run
from shiftgym.reports.runs import Run
from shiftgym.tasks.base import Drawn


@pytest.fixture
def small(make_run: Any, few: dict[str, Any]) -> Run:
    """A run of two seeds, few problems and no figures."""
    return load_run(make_run(**{**few, "seeds": (0, 1), "problems": 4, "fractions": (1.0,)}))


class Mapped:
    """The same task, whose problems can be drawn."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def sketch(self, decision: Any) -> str:
        raise NotImplementedError

    def figure(self, problem: Any, marks: Mapping[int, str]) -> str:
        return f"<svg>{problem.split}, {problem.index}</svg>"


def test_an_episode_keeps_what_a_reader_needs(run_folder: Path) -> None:
    run = load_run(run_folder)
    data, left_out = sampled_episodes(run, run.branches)
    records = list(run.episodes(run.branches))
    assert len(data["episodes"]) == len(records) and left_out == 0
    texts, labels = data["texts"], {branch.name: branch.label for branch in run.branches}
    shown = {
        (*origin, success, reward): [
            (texts[prompt], pictures, [(texts[a[0]], *a[1:3], texts[a[3]], *a[4:]) for a in attempts])
            for prompt, attempts, pictures in decisions
        ]
        for *origin, success, reward, decisions in data["episodes"]
    }
    for record in (records[0], records[-1]):
        place = labels[record["branch"]], record["seed"], run.checkpoint(record["branch"], record["fraction"])
        origin = (*place, record["split"], record["decoding"])
        ((prompt, pictures, attempts),) = shown[
            *origin, record["problem"]["index"], record["success"], record["reward"]
        ]
        (decision,) = record["decisions"]
        assert (prompt, pictures) == (decision["prompt"][0]["content"], [])
        wanted = ("answer", "outcome", "reward", "feedback", "tokens", "stop")
        assert attempts == [tuple(one[name] for name in wanted) for one in decision["attempts"]]


def test_a_text_is_stored_once(small: Run) -> None:
    texts = sampled_episodes(small, small.branches)[0]["texts"]
    assert len(texts) == len(set(texts))
    assert sum("Synthetic problem" in text for text in texts) == 2 * 4, "a prompt for each problem of two splits"


def test_what_is_too_much_is_left_out_from_the_last_seed_on(small: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = sampled_episodes(small, small.branches)
    monkeypatch.setattr(episodes, "MAX_CHARACTERS", 4000)
    data, left_out = sampled_episodes(small, small.branches)
    kept = data["episodes"]
    assert 0 < left_out == len(whole["episodes"]) - len(kept)
    assert kept == whole["episodes"][: len(kept)]
    assert {episode[1] for episode in kept} == {0}
    each = len([episode for episode in whole["episodes"] if (episode[1], episode[5]) == (0, 0)])
    assert len(kept) % each == 0, "problems are whole"


def test_a_task_that_draws_has_each_map_once(small: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sampled_episodes(small, small.branches)[0]["maps"] == {}
    task = Mapped(small.task)
    assert isinstance(task, Drawn)
    monkeypatch.setitem(vars(small), "task", task)
    maps = sampled_episodes(small, small.branches)[0]["maps"]
    assert set(maps) == {f"{split} {index}" for split in ("id", "rule_ood") for index in range(4)}
    assert maps["id 3"] == "<svg>id, 3</svg>"


def test_only_the_branches_that_are_asked_for_are_read(small: Run) -> None:
    whole, _ = sampled_episodes(small, small.branches)
    data, _ = sampled_episodes(small, small.branches[1:3])
    labels = [branch.label for branch in small.branches[1:3]]
    assert data["episodes"] and [e[:3] for e in data["episodes"]] == [
        e[:3] for e in whole["episodes"] if e[0] in labels
    ]


def test_no_more_than_the_episodes_of_a_seed_are_held() -> None:
    read = []

    def records() -> Iterator[dict[str, Any]]:
        for seed in range(3):
            for index in (1, 0, 1):
                read.append(seed)
                yield {"seed": seed, "problem": {"index": index}}

    groups = episodes._by_problem(records())
    assert [len(next(groups)), len(next(groups))] == [1, 2]
    assert max(read) <= 1
    assert [len(group) for group in groups] == [1, 2, 1, 2]
