import pytest
import torch
from tests.models.families import make_text_model, text_model
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.generation.paths import reading_path
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.microbatches import microbatches
from shiftgym.models.prefixes import Packed, pack_prefix_trees
from shiftgym.models.score import score


def right_padded(vocabulary: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three rows of 20, 14 and 9 tokens with two answers each."""
    ids = torch.randint(vocabulary, (3, 20), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([20, 14, 9])
    mask = (torch.arange(20) < lengths[:, None]).long()
    answers = torch.zeros(3, 20, dtype=torch.bool)
    for row, length in enumerate(lengths):
        answers[row, 3:5] = answers[row, 7:length] = True
    return ids * mask, mask, answers


def check(model: PreTrainedModel, temperature: float, *, plain: bool = False, whole: bool = False) -> None:
    ids, mask, answers = right_padded(model.config.vocab_size)
    trees = pack_prefix_trees([row[: int(kept.sum())].tolist() for row, kept in zip(ids, mask, strict=True)], 0)
    order = [tree.members[0] for tree in trees]
    ids, mask, answers = ids[order], mask[order], answers[order]
    predictors = answers[:, 1:].nonzero().unbind(1)
    packed = Packed.of(trees, torch.device("cpu"), plain=plain)
    scores = score(model, packed, predictors, ids[answers], temperature, whole=whole)
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


@pytest.mark.parametrize(
    ("family", "whole"),
    [("Bloom", False), ("Qwen3-Next", False), ("OpenAI GPT", False), ("Falcon-H1", True), ("Llama 4 (text)", True)],
)
def test_families_of_the_plain_path(family: str, whole: bool) -> None:
    """Falcon-H1 multiplies its logits by a number of its own, and Llama 4 has no trunk."""
    model, chat_format = text_model(family)
    assert reading_path(model, chat_format).trunk != whole
    check(model, 0.7, plain=True, whole=whole)


@pytest.mark.parametrize("family", ["Llama 4 (text)", "Bloom"])
def test_the_ledger_counts_the_logits_of_all_tokens_where_the_model_makes_them(family: str) -> None:
    model = make_text_model(family)
    model.set_attn_implementation("eager")
    conversations = [Conversation(list(range(each)), [(each - 5, each)]) for each in (24, 17)]
    (batch,) = microbatches(conversations, 10**6, torch.device("cpu"), trees=False, plain=True)
    ledger = Ledger(ModelShape.of(model))
    with FlopCounterMode(display=False) as counter:
        scores = score(model, batch.packed, batch.predictors, batch.targets, whole=family != "Bloom")
        scores.logprobs.sum().backward()
    ledger.scored(batch, 0, head=scores.head_tokens, backward=True)
    assert ledger.flops == pytest.approx(counter.get_total_flops(), rel=0.02)
