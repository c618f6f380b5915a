"""Chunks of a large vocabulary give the values and the gradients of the whole."""

import copy
import gc
import math
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from shiftgym.models.distributions import MOST_LOGITS, Distributions, chunk_tokens
from shiftgym.models.ledger import HeadTokens
from shiftgym.models.prefixes import Packed, pack_prefix_trees
from shiftgym.models.score import Scores, logits, score


def scored(model: PreTrainedModel, rows: int = 3) -> Scores:
    """Scores of 30 answer tokens a row."""
    ids = torch.randint(model.config.vocab_size, (rows, 40), generator=torch.Generator().manual_seed(1))
    trees = pack_prefix_trees(ids.tolist(), 0)
    row, column = torch.arange(rows).repeat_interleave(30), torch.arange(9, 39).repeat(rows)
    packed = Packed.of(trees, torch.device("cpu"))
    return score(model, packed, (row, column), packed.ids[row, column + 1], 0.7)


def gradients(model: PreTrainedModel, loss: Tensor) -> Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


READ: dict[str, Callable[[Scores, Scores], Tensor]] = {
    "logprobs": lambda scores, _: scores.logprobs,
    "entropy": lambda scores, _: scores.entropy,
    "divergence": lambda scores, other: scores.divergence(other),
    "all": lambda scores, other: scores.logprobs - 0.3 * scores.entropy + 2 * scores.divergence(other),
}


@pytest.mark.parametrize("read", READ)
@pytest.mark.parametrize("tokens", [1, 7, 89])
def test_chunks_of_tokens_have_the_values_and_gradients_of_the_whole(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, read: str, tokens: int
) -> None:
    model, weights = tiny[0], torch.randn(90, generator=torch.Generator().manual_seed(2))
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(1.1)

    def values() -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            before = scored(other)
        found = READ[read](scored(model), before)
        return found.detach(), gradients(model, (weights * found).sum())

    whole, gradient = values()
    monkeypatch.setitem(MOST_LOGITS, "cpu", tokens * model.config.vocab_size)
    assert chunk_tokens(model.config.vocab_size, "cpu") == tokens
    chunked, again = values()
    assert torch.allclose(whole, chunked, atol=1e-5)
    assert torch.allclose(gradient, again, atol=1e-5 * float(gradient.abs().max()))
    with torch.no_grad():
        assert torch.allclose(whole, READ[read](scored(model), scored(other)), atol=1e-5)


def kept(model: PreTrainedModel, rows: int) -> int:
    """Elements that the output embeddings and the softmax keep for the backward pass."""
    scores, sizes = scored(model, rows), []

    def keep(saved: Tensor) -> Tensor:
        sizes.append(saved.numel() if saved.shape[-1] == model.config.vocab_size else 0)
        return saved

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda saved: saved):
        loss = scores.logprobs.sum() + scores.entropy.sum() + scores.divergence(scored(model, rows)).sum()
    loss.backward()
    return sum(sizes)


def test_what_is_kept_for_the_backward_pass_does_not_grow_with_the_answer_tokens(
    tiny_llama: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_llama[0]
    assert kept(model, 8) > 1.8 * kept(model, 4) > 0, "the vocabulary is small, so all of it is kept"
    monkeypatch.setitem(MOST_LOGITS, "cpu", 50 * model.config.vocab_size)
    assert kept(model, 8) == kept(model, 4) == 0


def test_no_more_logits_are_held_than_a_chunk_has(tiny_llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model, seen = tiny_llama[0], []
    monkeypatch.setitem(MOST_LOGITS, "cpu", 16 * model.config.vocab_size)
    hook = model.get_output_embeddings().register_forward_hook(lambda *run: seen.append(len(run[2])))
    gradients(model, scored(model).logprobs.sum())
    hook.remove()
    assert max(seen) == 16
    assert len(seen) == 2 * math.ceil(90 / 16), "each once forward, and once more in the backward pass"


def test_head_tokens_are_those_that_ran(tiny_llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the output embeddings, as torch counts FLOPs."""
    model = copy.deepcopy(tiny_llama[0])
    model.requires_grad_(False)
    one = 2 * model.get_output_embeddings().weight.numel()

    def ran(*, chunked: bool) -> HeadTokens:
        if chunked:
            monkeypatch.setitem(MOST_LOGITS, "cpu", 16 * model.config.vocab_size)
        states = torch.rand(90, model.config.hidden_size, requires_grad=True)
        vocabulary, targets = model.config.vocab_size, torch.arange(90)
        head = partial(logits, model)
        scores = Scores(states[None], targets, Distributions(states, head, vocabulary=vocabulary, temperature=1.0))
        with FlopCounterMode(display=False) as forward:
            loss = scores.logprobs.sum()
            _ = scores.entropy
        assert forward.get_total_flops() == scores.head_tokens.forward * one
        before = scores.head_tokens
        with FlopCounterMode(display=False) as backward:
            loss.backward()
        # The weights are frozen here, so a backward pass costs as much as a forward one.
        again = scores.head_tokens.forward - before.forward
        assert backward.get_total_flops() == (again + scores.head_tokens.backward) * one
        return scores.head_tokens

    assert ran(chunked=False) == (90, 90)
    assert ran(chunked=True) == (3 * 90, 90)


def test_what_was_not_learned_from_is_freed(tiny_llama: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a pass that ran out of memory."""
    monkeypatch.setitem(MOST_LOGITS, "cpu", 16 * tiny_llama[0].config.vocab_size)
    scores = scored(tiny_llama[0])
    assert scores.logprobs.requires_grad
    hidden = weakref.ref(scores.hidden)
    del scores
    gc.collect()
    assert hidden() is None
