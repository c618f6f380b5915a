"""What the page of a report carries of its run."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from shiftgym.reports import boards
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.boards import Carried, add_episodes, carried, embedded, size
from shiftgym.reports.comparison import MANY
from shiftgym.reports.load import load_run
from shiftgym.tasks.base import Drawn

PLENTY = 10**9


@pytest.fixture
def small(make_run: Any, few: dict[str, Any]) -> Analysis:
    """A run of two seeds, few problems and no figures."""
    return Analysis([load_run(make_run(**{**few, "seeds": (0, 1), "problems": 4, "fractions": (1.0,)}))])


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


def filled(analysis: Analysis, room: int = PLENTY) -> Carried:
    to = carried(analysis, 1)
    add_episodes(to, analysis, room)
    return to


def test_an_episode_keeps_what_a_reader_needs(run_folder: Path) -> None:
    analysis = Analysis([load_run(run_folder)])
    found = filled(analysis)
    records = list(analysis.first.episodes(analysis.drawn))
    assert len(found.patch["episodes"]) == len(records) and not found.left_out["episodes"]
    for record in (records[0], records[-1]):
        split, index = record["split"], record["problem"]["index"]
        title = f"{record['branch']}-seed{record['seed']}"
        shown = found.patch["episodes"][f"{title}|{record['step']}|{split}|{record['decoding']}|{index}"]
        wanted = ("answer", "outcome", "reward", "feedback", "tokens", "stop")
        assert shown["decisions"] == [[[one[name] for name in wanted] for one in record["decisions"][0]["attempts"]]]
        assert len(found.patch["problems"][f"{split}|{index}"]["prompts"]) == 1


def test_what_is_too_much_is_left_out_from_the_last_seed_on(small: Analysis) -> None:
    whole = list(filled(small).patch["episodes"].items())
    found = filled(small, 12_000)
    kept = list(found.patch["episodes"].items())
    assert 0 < found.left_out["episodes"] == len(whole) - len(kept)
    assert kept == whole[: len(kept)]
    assert {episode["seed"] for _, episode in kept} == {0}
    each = sum((episode["seed"], episode["problem"]) == (0, 0) for _, episode in whole)
    assert len(kept) % each == 0, "problems are whole"
    taken = sum(size(found.patch[section]) for section in ("episodes", "problems"))
    assert 6_000 < taken <= 12_000


def test_a_task_that_draws_has_each_map_once(small: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Mapped(small.first.task)
    assert isinstance(task, Drawn)
    monkeypatch.setitem(vars(small.first), "task", task)
    problems = filled(small).patch["problems"]
    assert set(problems) == {f"{split}|{index}" for split in ("id", "rule_ood") for index in range(4)}
    assert problems["id|3"]["map"] == "<svg>id, 3</svg>"


def test_lines_of_success_are_those_of_the_tables(analysis: Analysis) -> None:
    lines = carried(analysis, 1).patch["success"]
    ppo = next(entry for entry in analysis.entries if entry.name == "ppo")
    for split in analysis.splits:
        for view in analysis.asked(split):
            rate = analysis.rate(ppo, split, view.decoding, view.measure)
            line = lines[f"ppo|{split}|{view.decoding}|{view.measure}"]
            assert rate is not None
            assert [line[name][-1] for name in ("value", "low", "high")] == [rate.value, rate.low, rate.high]
            assert line["flops"][-1] == analysis.compute(ppo, "flops")


def test_where_lines_have_no_room_those_that_the_report_is_about_stay(
    crowd: Analysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = carried(crowd, 1)
    each = size(whole.patch["success"]) // len(whole.patch["success"])
    monkeypatch.setitem(boards.ROOM, "success", 2 * (MANY + 1) * each)
    found = carried(crowd, 1)
    assert found.left_out["success"] == len(whole.patch["success"]) - len(found.patch["success"]) > 0
    kept = {line["branch"] for line in found.patch["success"].values()}
    assert {branch.name for branch in crowd.drawn} <= kept < {branch.name for branch in crowd.first.branches}


def test_what_is_embedded_ends_no_element_and_is_counted_in_bytes() -> None:
    value = {"é</script>": ["<!--", "&", None]}
    text = embedded(value)
    assert not set("<>&") & set(text)
    assert json.loads(text) == value
    assert size(value) == len(text) + 1


def test_no_more_than_the_episodes_of_a_seed_are_held() -> None:
    read = []

    def records() -> Iterator[dict[str, Any]]:
        for seed in range(3):
            for index in (1, 0, 1):
                read.append(seed)
                yield {"seed": seed, "problem": {"index": index}}

    groups = boards._by_problem(records())
    assert [len(next(groups)), len(next(groups))] == [1, 2]
    assert max(read) <= 1
    assert [len(group) for group in groups] == [1, 2, 1, 2]


def test_a_reward_that_is_not_finite_is_shown_as_none(small: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    records = list(small.first.episodes(small.drawn))
    records[0]["reward"] = math.inf
    records[0]["decisions"][0]["attempts"][0]["reward"] = math.nan
    monkeypatch.setitem(vars(small.first), "episodes", lambda drawn: iter(records))
    found = filled(small).patch
    embedded(found)
    (shown,) = [one for one in found["episodes"].values() if one["reward"] is None]
    assert shown["decisions"][0][0][2] is None
