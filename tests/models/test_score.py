import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from shiftgym.models.ledger import HeadTokens
from shiftgym.models.prefixes import Packed, pack_prefix_trees
from shiftgym.models.score import MOST_LOGITS, Scores, chunk_tokens, score


def right_padded(vocabulary: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three rows of 20, 14 and 9 tokens with two answers each."""
    ids = torch.randint(vocabulary, (3, 20), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([20, 14, 9])
    mask = (torch.arange(20) < lengths[:, None]).long()
    answers = torch.zeros(3, 20, dtype=torch.bool)
    for row, length in enumerate(lengths):
        answers[row, 3:5] = answers[row, 7:length] = True
    return ids * mask, mask, answers


def check(model: PreTrainedModel, temperature: float) -> None:
    ids, mask, answers = right_padded(model.config.vocab_size)
    trees = pack_prefix_trees([row[: int(kept.sum())].tolist() for row, kept in zip(ids, mask, strict=True)], 0)
    order = [tree.members[0] for tree in trees]
    ids, mask, answers = ids[order], mask[order], answers[order]
    predictors = answers[:, 1:].nonzero().unbind(1)
    scores = score(model, Packed.of(trees, torch.device("cpu")), predictors, ids[answers], temperature)
    # Row by row without padding, by the model's own logits: nothing shared with the code under test.
    expected, entropy = [], []
    for row in range(3):
        length = int(mask[row].sum())
        logits = model(ids[row : row + 1, :length]).logits[0].float() / temperature
        distribution = torch.log_softmax(logits, -1)
        for position in answers[row].nonzero()[:, 0].tolist():
            expected.append(distribution[position - 1, ids[row, position]])
            entropy.append(-(distribution[position - 1].exp() * distribution[position - 1]).sum())
    assert torch.allclose(scores.logprobs, torch.stack(expected), atol=1e-5)
    assert torch.allclose(scores.entropy, torch.stack(entropy), atol=1e-5)
    assert scores.hidden.shape == (3, 20, model.config.hidden_size)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_scores_are_those_of_the_full_logits(
    tiny: tuple[PreTrainedModel, PreTrainedTokenizerFast], temperature: float
) -> None:
    check(tiny[0], temperature)


@pytest.mark.parametrize("kind", [CohereForCausalLM, GraniteForCausalLM])
def test_families_that_scale_their_logits(kind: type[PreTrainedModel]) -> None:
    sizes = {
        "vocab_size": 50,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": 1,
    }
    config = (
        CohereConfig(**sizes, logit_scale=0.25)
        if kind is CohereForCausalLM
        else GraniteConfig(**sizes, logits_scaling=3.0)
    )
    check(kind(config).eval(), 1.0)


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
        with torch.no_grad():
            hidden = scored(model).hidden
        ids = torch.arange(90) % 40
        scores = Scores(model, hidden.requires_grad_(), (torch.arange(90) % 3, ids), ids, 1.0)
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
