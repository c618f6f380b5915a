"""What fixed decode steps keep from one batch to the next."""

import gc
import weakref
from typing import Any

import pytest
import torch
from tests.models.conftest import tiny_model
from tests.models.replay import FakeCuda

from shiftgym.batching import within_memory
from shiftgym.errors import TrainingStopped
from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.generation import workspace as module
from shiftgym.models.generation.generate import ModelChat, ModelPolicy
from shiftgym.models.generation.workspace import workspace
from shiftgym.models.lora import adapt, lora_layers

TEXTS = ["K", "Make 24 with K, 7, 3 and 2.", "You are dealt four cards."]
AGAIN = [user("Your value is 21.")]


@pytest.fixture(autouse=True)
def captured_without_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Cuda", FakeCuda)


@pytest.fixture
def model() -> Any:
    return tiny_model("qwen2")


def opened(model: Any, limit: int = 12, steps: Any = "captured", seed: int = 0) -> ModelChat:
    chat_format = ChatFormat(model[1], model[0].generation_config)
    chat_format.end_ids = {-1}
    policy = ModelPolicy(model[0], chat_format, temperature=1.0, max_new_tokens=limit, seed=seed, steps=steps)
    return ModelChat(policy, [[user(text)] for text in TEXTS], [["test", row] for row in range(len(TEXTS))])


def answered(chat: ModelChat, *turns: list[int]) -> list[list[int]]:
    for number, rows in enumerate(turns):
        chat.reply(rows, [AGAIN if number else [] for _ in rows])
    return [each.ids for each in chat.transcripts()]


def fresh(model: Any, **settings: Any) -> list[list[int]]:
    return answered(opened(model, steps="growing", **settings), [0, 1, 2])


def test_captured_steps_see_weights_that_were_updated_in_place(model: Any) -> None:
    before = answered(opened(model), [0, 1, 2])
    captures = workspace(model[0]).captures
    with torch.no_grad():
        for weight in model[0].parameters():
            weight.mul_(1.3)
    after = answered(opened(model), [0, 1, 2])
    assert after == fresh(model) != before
    assert workspace(model[0]).captures == captures


def test_weights_that_moved_are_captured_anew(model: Any) -> None:
    before = answered(opened(model), [0, 1, 2])
    head = model[0].model.layers[0].self_attn.q_proj
    head.weight = torch.nn.Parameter(head.weight.detach() * 3)
    assert answered(opened(model), [0, 1, 2]) == fresh(model) != before


def test_an_adapter_that_is_switched_is_captured_anew(model: Any) -> None:
    plain = fresh(model)
    assert answered(opened(model), [0, 1, 2]) == plain
    adapt(model[0], rank=2, alpha=64, targets="all-linear", seed=0)
    for name, weight in model[0].named_parameters():
        if "lora_B" in name:
            weight.data.fill_(0.3)
    adapted = answered(opened(model), [0, 1, 2])
    assert adapted == fresh(model) != plain
    for layer in lora_layers(model[0]).values():
        layer.enable_adapters(False)
    assert answered(opened(model), [0, 1, 2]) == plain


def test_other_settings_of_sampling_have_steps_of_their_own(model: Any) -> None:
    answered(opened(model), [0, 1, 2])
    hot, stopped = opened(model), opened(model)
    hot._policy.temperature = 3.0
    cold = opened(model, steps="growing")
    cold._policy.temperature = 3.0
    assert answered(hot, [0, 1, 2]) == answered(cold, [0, 1, 2])
    stopped._policy.chat_format.end_ids = set(range(0, 350, 3))
    growing = opened(model, steps="growing")
    growing._policy.chat_format.end_ids = set(range(0, 350, 3))
    assert answered(stopped, [0, 1, 2]) == answered(growing, [0, 1, 2])
    assert answered(opened(model, limit=40), [0, 1, 2]) == fresh(model, limit=40)
    assert answered(opened(model, limit=12), [0, 1, 2]) == fresh(model, limit=12)


def test_chats_on_one_model_may_take_turns(model: Any) -> None:
    """Each of two open chats has the stores in turn, and rows that are left out close."""
    alone = [answered(opened(model, seed=seed), [0, 1, 2], [2, 0], [2]) for seed in (0, 1)]
    pair = [opened(model, seed=seed) for seed in (0, 1)]
    for number, rows in enumerate([[0, 1, 2], [2, 0], [2]]):
        for chat in pair:
            chat.reply(rows, [AGAIN if number else [] for _ in rows])
    assert [[each.ids for each in chat.transcripts()] for chat in pair] == alone


def test_memory_may_be_released_between_two_attempts(model: Any) -> None:
    expected = answered(opened(model), [0, 1, 2], [0, 2])
    chat = opened(model)
    chat.reply([0, 1, 2], [[], [], []])
    held = workspace(model[0])
    assert held.bytes > 0
    held.release()
    assert held.bytes == 0
    chat.reply([0, 2], [AGAIN, AGAIN])
    assert [each.ids for each in chat.transcripts()] == expected


@pytest.mark.parametrize("steps", ["captured", "growing"])
def test_a_cache_is_freed_with_its_chat(model: Any, steps: str) -> None:
    """At once, since the collector of cycles may come too late for a device's memory."""
    gc.disable()
    try:
        chat = opened(model, steps=steps)
        answered(chat, [0, 1, 2])
        cache = weakref.ref(chat._cache)
        del chat
        assert cache() is None
    finally:
        gc.enable()


def test_a_workspace_is_freed_with_its_model() -> None:
    model = tiny_model("qwen2")
    answered(opened(model), [0, 1, 2])
    held = weakref.ref(workspace(model[0]))
    del model
    gc.collect()
    assert held() is None


@pytest.mark.parametrize(("memory", "kept"), [(10**12, True), (10**5, False)])
def test_what_is_much_of_a_device_is_freed_with_the_last_chat(
    model: Any, memory: int, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_memory", lambda device: memory)
    chat = opened(model)
    expected = answered(chat, [0, 1, 2])
    assert workspace(model[0]).bytes > 0
    del chat
    assert (workspace(model[0]).bytes > 0) == kept
    assert answered(opened(model), [0, 1, 2]) == expected


def test_memory_that_runs_out_is_spared(model: Any) -> None:
    """What is kept between batches goes before a batch is tried again."""
    answered(opened(model), [0, 1, 2])
    held = workspace(model[0])
    tries = []

    def work() -> bool:
        tries.append(held.bytes > 0)
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert within_memory(work) is None
    assert (tries, held.bytes) == ([True], 0)
    assert answered(opened(model), [0, 1, 2]) == fresh(model)


def test_a_damaged_model_leaves_nothing_behind(model: Any) -> None:
    expected = fresh(model)
    norm = model[0].model.norm.weight
    kept = norm.detach().clone()
    with torch.no_grad():
        norm[3] = torch.nan
    with pytest.raises(TrainingStopped, match="a logit is not finite"):
        answered(opened(model), [0, 1, 2])
    with torch.no_grad():
        norm.copy_(kept)
    assert answered(opened(model), [0, 1, 2]) == expected
