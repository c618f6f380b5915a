"""The plain path answers as the fast one does, from the model's own `generate`."""

import copy
from typing import Any

import pytest
import torch
from tests.models.families import make_text_model, text_model
from torch.utils.flop_counter import FlopCounterMode
from transformers import GenerationConfig

from shiftgym.errors import TrainingStopped
from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.generation.plain import PlainPolicy
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.policies.base import Answer, Transcript

TEXTS = ["Make 24 with K, 7, 3 and 2.", "You are dealt four cards.", "Try", "K"]
FEEDBACK = [user("Your formula is legal, but its value is 21 and not 24.")]


class Asked:
    """A decision as a policy sees it."""

    def __init__(self, text: str) -> None:
        self.prompt = [user(text)]


def played(
    tiny: Any, turns: list[list[int]], kind: Any = PlainPolicy, texts: list[str] = TEXTS, **settings: Any
) -> tuple[list[list[Answer]], list[Transcript]]:
    """One reply to the rows of each turn, with the same feedback from the second on."""
    model, tokenizer = tiny
    chat_format = tokenizer if isinstance(tokenizer, ChatFormat) else ChatFormat(tokenizer, model.generation_config)
    policy = kind(model, chat_format, **{"temperature": 0.7, "max_new_tokens": 6, "seed": 0, **settings})
    chat = policy.start([Asked(text) for text in texts], [["test", row] for row in range(len(texts))])
    answers = [chat.reply(rows, [FEEDBACK if turn else [] for _ in rows]) for turn, rows in enumerate(turns)]
    return answers, chat.transcripts()


def same(some: list[Transcript], others: list[Transcript]) -> bool:
    return all(
        (a.ids, a.spans) == (b.ids, b.spans)
        and [x for each in a.logprobs for x in each]
        == pytest.approx([x for each in b.logprobs for x in each], abs=1e-4)
        for a, b in zip(some, others, strict=True)
    )


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("way", [{}, {"padded": False}, {"cached": False}, {"padded": False, "cached": False}], ids=str)
def test_both_paths_give_the_same_answers(tiny: Any, temperature: float, way: dict[str, bool]) -> None:
    turns = [[0, 1, 2, 3], [3, 1], [1]]
    plain, transcripts = played(tiny, turns, temperature=temperature, **way)
    fast, others = played(tiny, turns, ModelPolicy, temperature=temperature)
    assert same(transcripts, others)
    assert plain == fast


def test_answers_end_at_their_own_time(tiny_llama: Any) -> None:
    model, tokenizer = tiny_llama
    chat_format = ChatFormat(tokenizer, model.generation_config)
    chat_format.end_ids |= set(range(0, 350, 4))
    texts = [f"{TEXTS[row % 4]} {row}" for row in range(12)]
    rows = list(range(12))
    (answers,), transcripts = played((model, chat_format), [rows], texts=texts, max_new_tokens=20, temperature=1.3)
    _, others = played((model, chat_format), [rows], ModelPolicy, texts, max_new_tokens=20, temperature=1.3)
    assert same(transcripts, others)
    assert len({each.tokens for each in answers}) > 3


def test_nothing_of_a_checkpoints_own_settings_changes_an_answer(tiny_llama: Any) -> None:
    model = copy.deepcopy(tiny_llama[0])
    expected = played((model, tiny_llama[1]), [[0, 1, 2, 3]] * 2)
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=True, temperature=0.1, top_k=2, top_p=0.3, repetition_penalty=9.0, no_repeat_ngram_size=1,
        suppress_tokens=list(range(100)), begin_suppress_tokens=[5], forced_eos_token_id=200, max_length=3,
        min_new_tokens=5, num_beams=1, eos_token_id=model.config.eos_token_id, pad_token_id=0,
    )  # fmt: skip
    model.generation_config = settings
    assert played((model, tiny_llama[1]), [[0, 1, 2, 3]] * 2) == expected
    assert model.generation_config is settings


def test_the_model_is_left_as_it_was(tiny: Any) -> None:
    model = copy.deepcopy(tiny[0]).train()
    settings = model.generation_config
    played((model, tiny[1]), [[0]])
    assert model.training
    assert model.generation_config is settings
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())


def test_answers_keep_within_the_positions_of_the_model(tiny_gpt2: Any) -> None:
    texts = ["K", "Make 24 with K, 7, 3 and 2. " * 3, "You are dealt " * 40, "You are dealt " * 5]
    turns = [[0, 1, 2, 3], [0, 1, 3], [0]]
    plain, transcripts = played(tiny_gpt2, turns, texts=texts, max_new_tokens=30, temperature=1.0)
    fast, others = played(tiny_gpt2, turns, ModelPolicy, texts, max_new_tokens=30, temperature=1.0)
    assert plain == fast
    assert same(transcripts, others)
    assert {each.stop for turn in plain for each in turn} >= {"length", "too_long"}
    assert max(len(each.ids) for each in transcripts) == 100


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_stop_generation(make_tiny: Any, value: float) -> None:
    model, tokenizer = make_tiny("llama")
    with torch.no_grad():
        model.model.norm.weight[3] = value
    with pytest.raises(TrainingStopped, match="a logit is not finite"):
        played((model, tokenizer), [[0, 1]])


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("family", ["Llama", "Bloom", "OpenAI GPT", "Llama 4 (text)", "Mixtral"])
def test_the_ledger_counts_what_is_executed(family: str, cached: bool) -> None:
    """Every attempt reads its whole conversation anew, and without a cache every token does."""
    if family == "OpenAI GPT" and cached:
        pytest.skip("it has no cache")
    model = make_text_model(family)
    # torch counts neither fused attention nor grouped experts on a CPU.
    model.set_attn_implementation("eager")
    model.set_experts_implementation("eager")
    ledger = Ledger(ModelShape.of(model))
    with FlopCounterMode(display=False) as counter:
        answers, _ = played((model, text_model(family)[1]), [[0, 1], [1]], ledger=ledger, cached=cached)
    assert ledger.flops == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert ledger.tokens_generated == sum(each.tokens for turn in answers for each in turn)
