"""The public `play` finds policy, task and problems by name and plays as the loop does."""

import pytest

from shiftgym import episodes
from shiftgym.errors import ConfigError
from shiftgym.evaluation.play import play
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.loading.load import load_policy
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.tasks.registry import build_task


def test_names_suffice() -> None:
    (episode,) = play("expert")
    assert episode.success
    assert (episode.problem.split, episode.problem.index) == ("train", 0)
    assert [each.problem.index for each in play("expert", "points", 3)] == [0, 1, 2]


def test_a_model_by_name_plays_as_its_policy_does() -> None:
    task = build_task("points", splits={"train": {}, "id": {"hands": "test"}})
    problems = [task.problem("id", index) for index in (4, 2)]
    policy = ModelPolicy(*load_policy("points-0"), temperature=0.5, max_new_tokens=64, seed=3)
    expected = [episode.record() for episode in episodes.play(policy, task, problems, limit=2, feedback=False)]
    options = {"seed": 3, "temperature": 0.5, "max_new_tokens": 64, "limit": 2, "feedback": False}
    assert [each.record() for each in play("points-0", task, [4, 2], split="id", **options)] == expected
    assert [each.record() for each in play(load_policy("points-0"), task, problems, **options)] == expected
    assert [each.record() for each in play(policy, task, problems, limit=2, feedback=False)] == expected


def test_an_index_of_an_unknown_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown split 'trian'.*did you mean 'train'"):
        play("expert", "points", 1, split="trian")


def test_problems_need_no_split() -> None:
    task = build_task("points", splits={"id": {"hands": "test"}})
    assert play(ExpertPolicy(task), task, [task.problem("id", 0)])[0].success
