from dataclasses import dataclass
from typing import Any

import pytest
import torch

from shiftgym.errors import TrainingStopped
from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.cache import RaggedCache
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.policies.base import Transcript

TEXTS = [
    "Make 24 with K, 7, 3 and 2.",
    "You are dealt four cards.",
    "Try",
    "Your formula is legal, but its value is 21!",
    "K",
]
FEEDBACK = [user("Your formula is legal, but its value is 21 and not 24.")]


@dataclass
class Prompt:
    """A decision as a policy sees it."""

    text: str

    @property
    def prompt(self) -> list[Any]:
        return [user(self.text)]


@dataclass
class Tally:
    calls: list[dict[str, int]]
    tokens_generated: int = 0

    def generated(self, **counts: int) -> None:
        self.calls.append(counts)


def policy(tiny: Any, *, temperature: float = 0.0, limit: int = 8, ledger: Any = None) -> ModelPolicy:
    model, tokenizer = tiny
    chat_format = ChatFormat(tokenizer, model.generation_config)
    return ModelPolicy(model, chat_format, temperature=temperature, max_new_tokens=limit, seed=0, ledger=ledger)


def chat(policy: ModelPolicy, texts: list[str] = TEXTS) -> Any:
    return policy.start([Prompt(text) for text in texts], [["test", row] for row in range(len(texts))])


def play(policy: ModelPolicy, turns: list[list[int]], texts: list[str] = TEXTS) -> list[Transcript]:
    """One reply to the rows of each turn, with the same feedback from the second on."""
    talk = chat(policy, texts)
    for number, rows in enumerate(turns):
        talk.reply(rows, [FEEDBACK if number else [] for _ in rows])
    return talk.transcripts()


def reference(model: Any, transcript: Transcript, temperature: float) -> list[list[float]]:
    """Log-probabilities of the answers by one plain forward pass over the whole conversation."""
    ids = torch.tensor([transcript.ids])
    with torch.no_grad():
        scores = torch.log_softmax(model(ids).logits[0].float() / temperature, dim=-1)
    return [[scores[at - 1, transcript.ids[at]].item() for at in range(*span)] for span in transcript.spans]


def close(a: list[list[float]], b: list[list[float]]) -> bool:
    return [len(row) for row in a] == [len(row) for row in b] and all(
        x == pytest.approx(y, abs=1e-4)
        for row, other in zip(a, b, strict=True)
        for x, y in zip(row, other, strict=True)
    )


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_batch_answers_as_each_row_alone(tiny: Any, temperature: float) -> None:
    sampler = policy(tiny, temperature=temperature)
    together = play(sampler, [[0, 1, 2, 3, 4]] * 3)
    for row, transcript in enumerate(together):
        alone = play(sampler, [[row]] * 3)[row]
        assert (alone.ids, alone.spans) == (transcript.ids, transcript.spans)
        assert close(alone.logprobs, transcript.logprobs)


@pytest.mark.parametrize("temperature", [1.0, 0.6, 1.7])
def test_recorded_logprobs_are_those_of_the_whole_conversation(tiny: Any, temperature: float) -> None:
    for transcript in play(policy(tiny, temperature=temperature), [[0, 1, 2, 3, 4], [4, 2, 0], [0, 4]]):
        assert close(transcript.logprobs, reference(tiny[0], transcript, temperature))


def test_a_cached_attempt_answers_as_a_fresh_prompt(tiny: Any) -> None:
    model = tiny[0]
    for transcript in play(policy(tiny), [[0, 1, 2, 3, 4]] * 3):
        for start, stop in transcript.spans:
            ids = torch.tensor([transcript.ids[:start]])
            for at in range(start, stop):
                with torch.no_grad():
                    token = model(ids, use_cache=False).logits[0, -1].argmax()
                assert token.item() == transcript.ids[at]
                ids = torch.cat([ids, token[None, None]], dim=1)
        assert close(transcript.logprobs, reference(model, transcript, 1.0))


def test_rows_that_drop_out_do_not_change_the_others(tiny: Any) -> None:
    sampler = policy(tiny, temperature=1.0, limit=12)
    full, thinned = play(sampler, [[0, 1, 2, 3, 4]] * 3), play(sampler, [[0, 1, 2, 3, 4], [3, 1], [1]])
    assert thinned[1].ids == full[1].ids
    assert close(thinned[1].logprobs, full[1].logprobs)
    assert thinned[3].ids == full[3].ids[: thinned[3].spans[1][1]]
    assert [len(transcript.spans) for transcript in thinned] == [1, 3, 1, 2, 1]


def test_rows_that_end_early_leave_the_batch_and_come_back(tiny_llama: Any) -> None:
    """Any of half the vocabulary ends an answer, so rows finish at all times and change places in the cache."""
    tally = Tally([])
    sampler = policy(tiny_llama, temperature=1.3, limit=20, ledger=tally)
    sampler.chat_format.end_ids |= set(range(0, 350, 4))
    rows = list(range(40))
    transcripts = play(sampler, [rows, rows[::-1], rows[5:30]], [f"{TEXTS[row % 5]} {row}" for row in rows])
    assert min(call["rows"] for call in tally.calls) < 10
    for row, transcript in enumerate(transcripts):
        assert close(transcript.logprobs, reference(tiny_llama[0], transcript, 1.3))
        if row % 9 == 0:
            alone = play(sampler, [[row]] * len(transcript.spans), [f"{TEXTS[row % 5]} {row}" for row in rows])
            assert alone[row].ids == transcript.ids


def test_an_answer_cut_by_length_is_ended_by_the_reply(tiny: Any) -> None:
    sampler = policy(tiny, limit=3)
    sampler.chat_format.end_ids = {sampler.chat_format.end_id}
    transcript = play(sampler, [[0], [0]])[0]
    (start, stop), (again, end) = transcript.spans
    assert transcript.ids[:start] == sampler.chat_format.prompt([user(TEXTS[0])])
    assert stop - start == 3
    assert transcript.ids[stop - 1] != sampler.chat_format.end_id
    assert transcript.ids[stop:again] == sampler.chat_format.reply(FEEDBACK)
    assert end == len(transcript.ids)


def test_an_answer_that_ended_keeps_its_end_token_and_it_is_not_repeated(tiny: Any) -> None:
    sampler = policy(tiny, limit=6)
    talk = chat(sampler, TEXTS[:1])
    sampler.chat_format.end_ids = set(range(len(tiny[1])))
    answer = talk.reply([0], [[]])[0]
    assert (answer.tokens, answer.stop, answer.text) == (1, "end", "")
    talk.reply([0], [FEEDBACK])
    transcript = talk.transcripts()[0]
    (start, stop), (again, _) = transcript.spans
    assert stop == start + 1
    assert transcript.ids[stop:again] == sampler.chat_format.reply(FEEDBACK)[1:]


def test_samples_repeat_with_the_seed_and_differ_between_attempts_and_streams(tiny_llama: Any) -> None:
    sampler = policy(tiny_llama, temperature=1.0)
    first, second = (play(sampler, [[0, 1], [0, 1]], ["K", "K"]) for _ in range(2))
    assert [t.ids for t in first] == [t.ids for t in second]
    assert first[0].ids != first[1].ids
    other = sampler.start([Prompt("K")], [["other"]])
    other.reply([0], [[]])
    assert other.transcripts()[0].ids != first[0].ids[: len(other.transcripts()[0].ids)]


def test_the_ledger_is_told_every_forward_pass_as_executed(tiny_llama: Any) -> None:
    tally = Tally([])
    sampler = policy(tiny_llama, limit=3, ledger=tally)
    sampler.chat_format.end_ids = {sampler.chat_format.end_id}
    transcripts = play(sampler, [[0, 2], [2]])
    longest, other = len(transcripts[0].ids), transcripts[2]
    start, again = longest - 3, other.spans[1][0]
    chunk = again - other.spans[0][1] + 1
    passes = [(2, start, 0), (2, 1, 1), (2, 1, 2), (1, chunk, again - start), (1, 1, again + 1 - start)]
    for (rows, tokens, after), call in zip([*passes, (1, 1, again + 2 - start)], tally.calls, strict=True):
        assert (call["rows"], call["new_tokens"], call["heads"]) == (rows, tokens, rows)
        assert start + after <= call["context"] <= longest + RaggedCache.STEP + again
        assert call["context"] % RaggedCache.STEP == 0
    assert tally.tokens_generated == sum(len(answer) for each in transcripts for answer in each.logprobs)


def test_the_model_is_left_as_it_was(tiny: Any) -> None:
    model = tiny[0]
    attention = model.config._attn_implementation
    model.train()
    try:
        chat(policy(tiny, limit=2)).reply([0], [[]])
        assert model.training
        assert model.config._attn_implementation == attention
    finally:
        model.eval()


def test_a_conversation_left_out_is_closed(tiny_llama: Any) -> None:
    talk = chat(policy(tiny_llama))
    talk.reply([0, 1], [[], []])
    with pytest.raises(ValueError, match="closed"):
        talk.reply([2], [[]])
    talk.reply([1], [FEEDBACK])
    assert [len(t.spans) for t in talk.transcripts()] == [1, 2, 0, 0, 0]


def test_a_conversation_ends_where_the_model_has_no_more_positions(tiny_gpt2: Any) -> None:
    """100 positions; answers of at most 30 tokens. What does not fit is ended, and the others go on."""
    sampler = policy(tiny_gpt2, temperature=1.0, limit=30)
    sampler.chat_format.end_ids = {-1}
    talk = chat(sampler, ["K", "Make 24 with K, 7, 3 and 2. " * 3, "You are dealt " * 40])
    first = talk.reply([0, 1, 2], [[], [], []])
    assert [(each.tokens, each.stop) for each in first] == [(30, "length"), (30, "length"), (0, "too_long")]
    second = talk.reply([0, 1], [FEEDBACK, FEEDBACK])
    room = 100 - (56 + len(sampler.chat_format.reply(FEEDBACK)))
    assert 0 < room < 30
    assert [(each.tokens, each.stop) for each in second] == [(room, "length"), (0, "too_long")]
    assert (second[1].text, talk.reply([0], [FEEDBACK])[0].stop) == ("", "too_long")
    short, middle, never = talk.transcripts()
    assert len(short.ids) == 100
    assert short.spans == [(26, 56), (100 - room, 100), (100, 100)], "one span an attempt"
    assert [len(logs) for logs in short.logprobs] == [30, room, 0]
    assert middle.spans == [(68, 98), (98, 98)]
    assert (len(never.ids), never.spans, never.logprobs) == (1, [(1, 1)], [[]])
    for transcript in (short, middle):
        assert close(transcript.logprobs, reference(tiny_gpt2[0], transcript, 1.0))


def test_rows_near_the_end_do_not_change_the_others(tiny_gpt2: Any) -> None:
    sampler = policy(tiny_gpt2, temperature=1.3, limit=60)
    sampler.chat_format.end_ids |= set(range(0, 350, 40))
    rows = list(range(13))
    texts = [f"{'You are dealt ' * row} {row}" for row in rows]
    together = chat(sampler, texts)
    answers = together.reply(rows, [[] for _ in rows])
    assert len({each.stop for each in answers}) == 3
    for row, transcript in enumerate(together.transcripts()):
        alone = play(sampler, [[row]], texts)[row]
        assert (alone.ids, alone.spans) == (transcript.ids, transcript.spans)
        assert len(transcript.ids) <= 100


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_stop_generation(make_tiny: Any, temperature: float, value: float) -> None:
    model, tokenizer = make_tiny("llama")
    with torch.no_grad():
        model.model.norm.weight[3] = value
    with pytest.raises(TrainingStopped, match="a logit is not finite"):
        play(policy((model, tokenizer), temperature=temperature), [[0, 1]])
