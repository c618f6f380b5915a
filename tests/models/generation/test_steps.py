"""All ways to run decode steps give the same answers."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image
from tests.models.conftest import tiny_model
from tests.models.replay import FakeCuda
from tests.models.seeing_families import make_seeing

from shiftgym.messages import Messages, user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation import decoding
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.generation.steps import FixedSteps, GrowingSteps, StepKind, steps_of
from shiftgym.models.generation.workspace import workspace
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.policies.base import Transcript
from shiftgym.tasks.registry import build_task
from shiftgym.tasks.walk import decisions

FEEDBACK = [user("Your formula is legal, but its value is 21 and not 24.")]


@pytest.fixture(autouse=True)
def captured_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shiftgym.models.generation.workspace.Cuda", FakeCuda)


@dataclass(frozen=True)
class Noise:
    """A picture of coloured noise."""

    seed: int

    def draw(self) -> Image.Image:
        return Image.frombytes("RGB", (40, 40), random.Random(self.seed).randbytes(4800))


@dataclass
class Prompt:
    """A decision as a policy sees it."""

    prompt: Messages


@dataclass
class Played:
    """A model, what it is asked, and which rows are asked again in later turns."""

    model: Any
    chat_format: ChatFormat
    decisions: Sequence[Any]
    turns: list[list[int]]
    limit: int
    temperature: float

    def play(self, steps: StepKind) -> tuple[list[Transcript], Ledger]:
        ledger = Ledger(ModelShape.of(self.model))
        policy = ModelPolicy(
            self.model, self.chat_format, temperature=self.temperature, max_new_tokens=self.limit, seed=3,
            ledger=ledger, steps=steps,
        )  # fmt: skip
        chat = policy.start(self.decisions, [["test", row] for row in range(len(self.decisions))])
        for number, rows in enumerate(self.turns):
            chat.reply(rows, [FEEDBACK if number else [] for _ in rows])
        return chat.transcripts(), ledger


def points() -> Played:
    task = build_task("points", splits={"test": {"hands": "test"}})
    hands = [task.start(task.problem("test", index)) for index in range(9)]
    turns = [list(range(9)), [8, 0], [8]]
    return Played(*load_policy("points-0"), hands, turns, 32, 1.0)


def navigation() -> Played:
    task = build_task("navigation", splits={"test": {}})
    walk = list(decisions(task, task.problem("test", 0)))
    return Played(*load_policy("navigation-0"), walk, [list(range(len(walk))), [2, 0]], 24, 1.0)


def tiny(name: str, temperature: float = 1.3) -> Played:
    """Any of a quarter of the vocabulary ends an answer, so rows end at all times and change places."""
    model, tokenizer = tiny_model(name)
    chat_format = ChatFormat(tokenizer, model.generation_config)
    chat_format.end_ids |= set(range(0, 350, 4))
    asked = [Prompt([user(f"{'You are dealt four cards. ' * (row % 4)}{row}")]) for row in range(40)]
    return Played(
        model, chat_format, asked, [list(range(40)), list(range(40))[::-1], list(range(5, 30))], 20, temperature
    )


def seeing(name: str) -> Played:
    chat_format = ChatFormat.of(*(pair := make_seeing(name)))
    asked = [Prompt([user("Make 24.", *(Noise(row * shown) for shown in range(row)))]) for row in range(3)]
    return Played(pair[0], chat_format, asked, [[0, 1, 2], [2, 1]], 8, 0.7)


KINDS = {
    "points": points,
    "greedy": lambda: tiny("llama", 0.0),
    "a route, whose decisions share rows": navigation,
    "heads that share keys": lambda: tiny("qwen2"),
    "sliding windows": lambda: tiny("gemma2"),
    "pictures, with positions in three dimensions": lambda: seeing("qwen2_5_vl"),
}


def same(some: list[Transcript], others: list[Transcript]) -> None:
    for one, other in zip(some, others, strict=True):
        assert (one.ids, one.spans) == (other.ids, other.spans)
        for mine, theirs in zip(one.logprobs, other.logprobs, strict=True):
            assert mine == pytest.approx(theirs, rel=1e-5, abs=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_fixed_and_captured_steps_give_the_answers_of_growing_ones(kind: str) -> None:
    played = KINDS[kind]()
    expected, ledger = played.play("growing")
    for steps in ("fixed", "captured"):
        found, charged = played.play(steps)
        same(expected, found)
        assert charged.tokens_generated == ledger.tokens_generated
        assert charged.forward_flops > ledger.forward_flops, "padding is charged as it is executed"
    captures = workspace(played.model).captures
    assert captures > 0
    same(expected, played.play("captured")[0])
    assert workspace(played.model).captures == captures, "the second batch captures nothing anew"


def test_the_attention_of_a_gpu_gives_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for played in (tiny("qwen2"), points()):
        expected, _ = played.play("growing")
        with monkeypatch.context() as patch:
            patch.setattr(decoding, "by_products", decoding.by_kernel)
            same(expected, played.play("fixed")[0])


def test_steps_follow_the_device() -> None:
    model = tiny_model("llama")[0]
    assert type(steps_of(model, "auto")) is GrowingSteps
    assert type(steps_of(model, "captured")) is type(steps_of(model, "fixed")) is FixedSteps


def test_the_last_rows_share_a_small_step_and_no_step_is_run_for_nothing() -> None:
    """Rows end one after another; at most seven steps are run behind the last end."""
    played = tiny("llama")
    played.turns, calls = played.turns[:1], []
    policy = ModelPolicy(played.model, played.chat_format, temperature=1.3, max_new_tokens=200, seed=3, steps="fixed")
    policy.ledger = type("Tally", (), {"tokens_generated": 0, "generated": lambda _, **call: calls.append(call)})()
    chat = policy.start(played.decisions, [["test", row] for row in range(40)])
    longest = max(answer.tokens for answer in chat.reply(played.turns[0], [[]] * 40))
    steps = [call for call in calls if call["new_tokens"] == 1]
    assert longest - 1 <= len(steps) < longest - 1 + FixedSteps.WAIT
    rows = [call["rows"] for call in steps]
    assert rows == sorted(rows, reverse=True) and rows[0] > rows[-1] == 8
    assert all(call["context"] % 64 == 0 for call in steps)


def test_answers_end_where_the_model_has_no_more_positions(tiny_gpt2: Any) -> None:
    """100 positions, which are learned: one more would be an error."""
    model, tokenizer = tiny_gpt2
    chat_format = ChatFormat(tokenizer, model.generation_config)
    chat_format.end_ids = {-1}
    asked = [Prompt([user("K")]), Prompt([user("Make 24 with K, 7, 3 and 2. " * 3)]), Prompt([user("So " * 200)])]
    played = Played(model, chat_format, asked, [[0, 1, 2], [0, 1], [0]], 30, 1.0)
    expected, _ = played.play("growing")
    assert max(len(each.ids) for each in expected) == 100
    for steps in ("fixed", "captured"):
        same(expected, played.play(steps)[0])


@pytest.mark.parametrize("ends", [{-1}, set(range(350))])
def test_one_row_and_rows_that_all_end_at_once(ends: set[int]) -> None:
    played = tiny("llama")
    played.chat_format.end_ids = ends
    for count in (1, 9):
        played.turns = [list(range(count))] * 2
        same(played.play("growing")[0], played.play("captured")[0])
