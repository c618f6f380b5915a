"""The oracle."""

from shiftgym.episodes import play
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.tasks.registry import build_task

TASK = build_task("points", splits={"train": {}, "six": {"cards": 6}})


def test_the_expert_is_right_at_once():
    for split in TASK.splits:
        problems = [TASK.problem(split, index) for index in range(20 if split == "train" else 4)]
        episodes = play(ExpertPolicy(TASK), TASK, problems)
        assert all(episode.success and episode.reward == 5.0 for episode in episodes)
