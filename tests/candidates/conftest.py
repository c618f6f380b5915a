"""Stand-ins that answer at once: policies of known success."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from shiftgym.policies.base import Answer
from shiftgym.policies.text_chat import Dialogue, TextChat
from shiftgym.seeds import Names, rng
from shiftgym.studies.config import load_study
from shiftgym.tasks.base import Decision, Task

SMALL = ("evaluation.problems=6", "evaluation.decodings=['sampled']", "evaluation.samples=1", "task.limit=2")
"""A comparison that takes a fraction of a second."""


class Coin:
    """Right with a known chance on every attempt; two of them with one seed answer alike."""

    def __init__(self, task: Task, chance: float, seed: int = 0) -> None:
        self.task, self.chance, self.seed = task, chance, seed

    def start(self, decisions: Sequence[Decision], noise: Sequence[Names]) -> TextChat:
        names = {id(decision): name for decision, name in zip(decisions, noise, strict=True)}

        def answer(open_now: Sequence[Dialogue]) -> list[Answer]:
            return [
                Answer(self.task.expert(one.decision) if self._lands(names[id(one.decision)], one) else "{}", 1, "end")
                for one in open_now
            ]

        return TextChat(decisions, answer)

    def _lands(self, names: Names, dialogue: Dialogue) -> bool:
        return bool(rng(self.seed, *names, len(dialogue.messages)).random() < self.chance)


@pytest.fixture(scope="session")
def task() -> Task:
    return load_study("points-text", SMALL).build_task()


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """A folder that looks like a model."""
    return make_model(tmp_path / "model")


def make_model(folder: Path, weights: bytes = b"weights") -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder
