"""What the interfaces of TRL cost beside `episodes.play`: scripted answers to the same problems, without a model.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/integration_trl.py [--episodes 10000]

Every side builds each problem from its split and index, has the same answers judged, and adds up the rewards, in
batches of the size of a training step. What generation costs is no part of it: the scripted chat hands over tokens of
the usual number that were made before.

* `rollout_func` is handed the prompts of a data set; the rewards come from `reward_funcs`.
* `environment_factory`: `reset(**row)`, `submit(answer)` until the episode has ended, and `get_reward()`.
* `reward_funcs`: one attempt each, beside `play` with one attempt.

The sides take turns by batches, and the median of the batches' ratios counts, so that other programs disturb little.
Seconds are those of the processor.
"""

import argparse
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from shiftgym.episodes import play
from shiftgym.integrations.problems import Problems
from shiftgym.integrations.trl import rollouts
from shiftgym.integrations.trl.data import dataset
from shiftgym.integrations.trl.environment import Submission
from shiftgym.integrations.trl.rewards import COLUMNS, verdict
from shiftgym.policies.base import Answer, Transcript
from shiftgym.policies.text_chat import Dialogue, TextChat

PROMISED = 1.1
BATCH = 100
ATTEMPTS = 3
WRONG = '{"cards": [], "number": [], "formula": "1+1"}'
PROMPT, ANSWER, FEEDBACK = 110, 60, 20
"""Tokens of each."""

TURNS = range(PROMPT, PROMPT + ATTEMPTS * (ANSWER + FEEDBACK), ANSWER + FEEDBACK)
TRANSCRIPT = Transcript(
    list(range(TURNS[-1] + ANSWER)), [(start, start + ANSWER) for start in TURNS], [[-1.0] * ANSWER] * ATTEMPTS
)

TRAINER: Any = SimpleNamespace(
    args=SimpleNamespace(
        use_vllm=False,
        use_transformers_continuous_batching=False,
        top_p=1,
        top_k=0,
        min_p=None,
        repetition_penalty=1,
        generation_kwargs=None,
        max_completion_length=96,
        seed=0,
    ),
    tools=[],
    chat_template_kwargs={},
    temperature=1.0,
    max_completion_length=96,
    state=SimpleNamespace(num_input_tokens_seen=0),
    accelerator=SimpleNamespace(process_index=0),
)
"""What a rollout reads of a Trainer besides its model."""


class Sides:
    """All ways to give the same answers to the same problems."""

    def __init__(self, count: int) -> None:
        source = Problems("points-text", overrides=(f"task.limit={ATTEMPTS}",))
        self.task, data = source.task, dataset(source, "train", count)
        self.rows, self.prompts = list(data), data["prompt"][:]
        self.environments = [Submission() for _ in range(BATCH)]
        self.right = [self.task.expert(self.task.start(self.task.problem("train", index))) for index in range(count)]

    def text(self, index: int, attempt: int) -> str:
        """Wrong answers, and for every second problem a right one in the end."""
        return self.right[index] if index % 2 and attempt == ATTEMPTS - 1 else WRONG

    def start(self, decisions: Sequence[Any], noise: Any) -> TextChat:
        chat = TextChat(decisions, lambda talks: [self._answer(talk) for talk in talks])
        chat.transcripts = lambda: [TRANSCRIPT] * len(decisions)  # type: ignore[method-assign,return-value]
        return chat

    def _answer(self, talk: Dialogue) -> Answer:
        return Answer(self.text(talk.decision.problem.index, len(talk.messages) // 2), ANSWER, "end")

    def played(self, batch: range, limit: int = ATTEMPTS) -> float:
        problems = [self.task.problem("train", index) for index in batch]
        return sum(episode.reward for episode in play(self, self.task, problems, limit=limit))

    def rollout_func(self, batch: range) -> float:
        found = rollouts.rollout_func(self.prompts[batch.start : batch.stop], TRAINER)
        return sum(verdict([""] * len(batch), found["record"]))

    def environment_factory(self, batch: range) -> float:
        # As the Trainer does it: all begin, then all submit, and so on.
        for environment, index in zip(self.environments, batch, strict=False):
            environment.reset(**self.rows[index])
        for attempt in range(ATTEMPTS):
            for environment, index in zip(self.environments, batch, strict=False):
                environment.submit(self.text(index, attempt))
        return sum(environment.get_reward() for environment in self.environments[: len(batch)])

    def reward_funcs(self, batch: range) -> float:
        columns = {name: [row[name] for row in self.rows[batch.start : batch.stop]] for name in COLUMNS}
        # A first attempt of three is not charged as the last, which the only one of `play` is.
        return sum(verdict([self.text(index, 0) for index in batch], **columns)) - len(batch)


@contextmanager
def without_a_model(policy: Sides) -> Iterator[None]:
    """Within: rollouts ask this policy."""
    model = (None, SimpleNamespace(pictures=None))
    with (
        patch.object(rollouts, "trained_model", lambda *_: model),
        patch.object(rollouts, "model_policy", lambda *_, **__: policy),
    ):
        yield


def seconds(work: Callable[[range], float], batch: range) -> tuple[float, float]:
    """Processor time of some work, and the rewards that it found."""
    begun = time.process_time()
    found = work(batch)
    return time.process_time() - begun, found


def main() -> None:
    parser = argparse.ArgumentParser(description="Overhead of TRL's interfaces over episodes.play.")
    parser.add_argument("--episodes", type=int, default=10_000)
    count = parser.parse_args().episodes
    sides = Sides(count)
    gc.freeze()  # What is handed over is no work of either side, nor is looking through it.
    with without_a_model(sides):
        for through, limit in (
            (sides.rollout_func, ATTEMPTS),
            (sides.environment_factory, ATTEMPTS),
            (sides.reward_funcs, 1),
        ):
            ratios, bare = [], []
            for start in range(0, count, BATCH):
                batch = range(start, min(start + BATCH, count))
                plain, rewards = seconds(lambda batch=batch: sides.played(batch, limit), batch)  # noqa: B023
                ours, same = seconds(through, batch)
                assert rewards == same, "the same answers earn the same"
                ratios.append(ours / plain)
                bare.append(plain / len(batch))
            above = "" if median(ratios) <= PROMISED else f": more than {PROMISED}"
            print(
                f"{through.__name__:20} {median(ratios):.3f} of episodes.play with {limit} attempts, which takes "
                f"{1e6 * median(bare):.0f} us an episode{above}"
            )


if __name__ == "__main__":
    main()
