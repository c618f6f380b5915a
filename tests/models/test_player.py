"""A model at a task: what it plays, how its conversations are scored, and that all of it is charged."""

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.models.families import make_text_model, tokenizer
from torch.utils.flop_counter import FlopCounterMode

from shiftgym.batching import BatchLimit
from shiftgym.errors import ConfigError
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.parallel import Ranks
from shiftgym.models.player import Player
from shiftgym.tasks.registry import build_task

NOISE = [["test", index] for index in range(6)]


@pytest.fixture
def player(tiny_points: Path) -> Player:
    model, chat_format = load_policy(str(tiny_points))
    ledger = Ledger(ModelShape.of(model))
    task = build_task("points", options={"limit": 2})
    return Player(model, chat_format, task, seed=3, ledger=ledger, max_new_tokens=6)


def test_conversations_keep_the_tokens_and_log_probabilities_of_generation(player: Player) -> None:
    played = player.play("train", range(6), NOISE, limit=2)
    conversations = player.conversations(played)
    assert len(conversations) == sum(len(episode.decisions) for episode in played)
    for conversation, recomputed in zip(conversations, player.logprobs(conversations), strict=True):
        assert len(conversation.logprobs) == conversation.answer_tokens
        assert conversation.logprobs == pytest.approx(recomputed, abs=1e-4)


def test_playing_and_scoring_are_charged(player: Player) -> None:
    conversations = player.conversations(player.play("train", range(2), NOISE[:2], limit=1))
    generated = player.ledger.forward_flops
    assert generated > 0
    assert player.ledger.tokens_generated == sum(each.answer_tokens for each in conversations)
    player.logprobs(conversations)
    assert player.ledger.forward_flops > generated
    assert player.ledger.backward_flops == 0


@pytest.mark.parametrize(("family", "whole"), [("Llama 4 (text)", True), ("Bloom", False)])
def test_scoring_is_charged_with_all_logits_where_the_model_makes_them(
    player: Player, family: str, whole: bool
) -> None:
    model = make_text_model(family)
    model.set_attn_implementation("eager")
    chat_format = ChatFormat(tokenizer(), model.generation_config)
    other = replace(player, model=model, chat_format=chat_format, ledger=Ledger(ModelShape.of(model)))
    assert other.path.trunk != whole
    with FlopCounterMode(display=False) as counter:
        other.logprobs([Conversation(list(range(each)), [(each - 5, each)]) for each in (24, 17)])
    assert other.ledger.flops == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_an_expert_conversation_is_a_prompt_and_the_answer_with_its_end(player: Player) -> None:
    (conversation,) = player.expert("train", 4)
    ((start, stop),) = conversation.spans
    decision = player.task.start(player.task.problem("train", 4))
    assert conversation.ids[:start] == player.chat_format.prompt(decision.prompt)
    assert stop == len(conversation.ids)
    assert conversation.ids[-1] == player.chat_format.end_id
    assert player.chat_format.text(conversation.ids[start : stop - 1]) == player.task.expert(decision)


def test_answers_are_grouped_by_problem_decision_and_sample(player: Player) -> None:
    judged = player.answers("train", [5, 1], 3, ["test"])
    assert [[len(decision) for decision in problem] for problem in judged] == [[3], [3]]
    again = player.answers("train", [1], 3, ["test"])
    assert [each.ids for each, _ in again[0][0]] == [each.ids for each, _ in judged[1][0]], "named by the problem"


def test_a_model_does_not_diverge_from_itself(player: Player) -> None:
    conversations = player.conversations(player.play("train", range(3), NOISE[:3], limit=1))
    assert player.divergences(conversations, player.model) == pytest.approx([0.0] * 3, abs=1e-5)
    other = copy.deepcopy(player.model)
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(1.3)
    assert min(player.divergences(conversations, other)) > 0.01


def test_a_critic_values_every_attempt_and_reads_nothing_behind_the_last_prompt(player: Player) -> None:
    critic = player.with_value_head()
    conversations = critic.conversations(critic.play("train", range(4), NOISE[:4], limit=2))
    values = critic.values(conversations)
    assert [len(each) for each in values] == [len(each.spans) for each in conversations]
    cut = [replace(each, ids=[*each.ids[: each.spans[-1][0]], 0, 0]) for each in conversations]
    for whole, shorter in zip(values, critic.values(cut), strict=True):
        assert whole == pytest.approx(shorter, abs=1e-5)


class SmallDevice:
    """A device on which no more than so many tokens fit into one forward pass."""

    def __init__(self, player: Player, tokens: int) -> None:
        self.failures, self._tokens = 0, tokens
        player.model.base_model.layers[0].register_forward_hook(self._check)

    def _check(self, _module: Any, _arguments: Any, output: torch.Tensor) -> None:
        if output.shape[:2].numel() > self._tokens:
            self.failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")


def test_scoring_that_runs_out_of_memory_is_split_with_the_same_numbers(player: Player) -> None:
    conversations = player.conversations(player.play("train", range(6), NOISE, limit=2))
    before = player.ledger.forward_flops
    whole = player.logprobs(conversations)
    cost = player.ledger.forward_flops - before
    device = SmallDevice(player, 2 * max(len(each.ids) for each in conversations))
    other = copy.deepcopy(player.model)
    for _ in range(2):
        before = player.ledger.forward_flops
        for one, again in zip(whole, player.logprobs(conversations), strict=True):
            assert one == pytest.approx(again, abs=1e-4)
        assert player.ledger.forward_flops - before < 2 * cost, "a pass that failed is not counted"
    assert 0 < device.failures < 4
    assert player.divergences(conversations, other) == pytest.approx([0.0] * 6, abs=1e-5)
    failed = device.failures
    replace(player, temperature=0.5).logprobs(conversations)
    assert device.failures == failed, "copies of a player remember it too"


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_episodes_that_run_out_of_memory_are_played_in_parts_with_the_same_answers(player: Player, rows: int) -> None:
    whole, spent = player.play("train", range(6), NOISE, limit=2), player.ledger.snapshot()
    prompts = [len(record.transcript.ids) for episode in whole for record in episode.decisions if record.transcript]
    # The second attempt reads the longest part alone, padded on the left.
    SmallDevice(player, rows * max(prompts))
    player.ledger.restore(Ledger(ModelShape.of(player.model)))
    again = player.play("train", range(6), NOISE, limit=2)
    assert [episode.record() for episode in again] == [episode.record() for episode in whole]
    assert player.ledger.tokens_generated == spent.tokens_generated, "answers that were thrown away are not counted"


class Pair(Ranks):
    """Two ranks, of which the second begins when the first is done."""

    def spread(self, items: Sequence[Any], work: Any, meter: Any = None) -> list[Any]:
        found: list[Any] = [None] * len(items)
        for rank in range(2):
            found[rank::2] = work(items[rank::2])
        return found


def test_what_other_ranks_found_is_kept_where_one_runs_out_of_memory(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversations = player.conversations(player.play("train", range(6), NOISE, limit=2))
    whole = player.logprobs(conversations)
    longest = max(len(each.ids) for each in conversations)
    several = replace(player, ranks=Pair(0, 2), pass_limit=BatchLimit(2 * longest))
    firsts, charged, calls = (len(several.passes(conversations)) + 1) // 2, [], []

    def fail_once(_module: Any, _arguments: Any, _output: torch.Tensor) -> None:
        calls.append(1)
        if len(calls) == firsts + 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    charge = Player.charge

    def counted(self: Player, batch: Any, **options: Any) -> None:
        charged.append(len(batch.members))
        charge(self, batch, **options)

    monkeypatch.setattr(Player, "charge", counted)
    several.model.base_model.layers[0].register_forward_hook(fail_once)
    for one, again in zip(whole, several.logprobs(conversations), strict=True):
        assert one == pytest.approx(again, abs=1e-4)
    assert firsts > 1
    assert sum(charged) == len(conversations), "each is computed and charged once"


def test_what_cannot_be_split_is_told_in_one_line(player: Player) -> None:
    conversations = player.conversations(player.play("train", range(2), NOISE[:2], limit=1))
    SmallDevice(player, 3)
    with pytest.raises(ConfigError, match=r"^out of memory: one conversation of \d+ tokens does not fit; .*dtype"):
        player.logprobs(conversations)
    with pytest.raises(ConfigError, match=r"^out of memory: the answers to one decision do not fit; .*max_new_tokens"):
        player.play("train", range(2), NOISE[:2])
