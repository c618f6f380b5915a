"""The decode step: nothing in it waits for the device, and no shape in it depends on data."""

from typing import Any

import pytest
import torch
from tests.models.conftest import tiny_model
from tests.models.replay import Recording
from tests.models.seeing_families import make_seeing
from torch._dynamo.testing import CompileCounterWithBackend

from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation.generate import ModelChat, ModelPolicy

TEXTS = ["K", "Try this one", "You are dealt four cards."]


def pair(name: str) -> tuple[Any, ChatFormat]:
    if name.startswith("qwen2_5_vl"):
        model, processor = make_seeing(name)
        return model, ChatFormat.of(model, processor)
    model, tokenizer = tiny_model(name)
    return model, ChatFormat(tokenizer, model.generation_config)


def play(policy: ModelPolicy) -> list[tuple[list[int], list[list[float]]]]:
    """Tokens and log-probabilities of three answers that never end."""
    policy.chat_format.end_ids = {-1}
    chat = ModelChat(policy, [[user(text)] for text in TEXTS], [["test", row] for row in range(len(TEXTS))])
    chat.reply(range(len(TEXTS)), [[] for _ in TEXTS])
    return [(each.ids, each.logprobs) for each in chat.transcripts()]


@pytest.mark.parametrize(("name", "backend"), [("llama", "aot_eager"), ("gemma2", "eager"), ("qwen2_5_vl", "eager")])
def test_one_graph_without_a_break_is_every_step(name: str, backend: str) -> None:
    torch._dynamo.reset()
    policy = ModelPolicy(*pair(name), temperature=1.3, max_new_tokens=12, seed=1, steps="fixed")
    expected = play(policy)
    counter = CompileCounterWithBackend(backend)
    policy.reader.step = torch.compile(policy.reader.step, fullgraph=True, dynamic=False, backend=counter)
    assert play(policy) == expected
    assert counter.frame_count == 1


@pytest.mark.parametrize("name", ["llama", "gemma2", "qwen2_5_vl"])
def test_no_step_waits_for_the_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = ModelPolicy(*pair(name), temperature=1.3, max_new_tokens=12, seed=1, steps="fixed")
    run, step = 0, policy.reader.step

    def watched(*args: Any) -> None:
        nonlocal run
        with Recording():
            step(*args)
        run += 1

    monkeypatch.setattr(policy.reader, "step", watched)
    play(policy)
    assert run == 11
