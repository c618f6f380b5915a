"""Every family takes one of two paths, on which batches, generation and training agree."""

import warnings
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from tests.models.families import TEXT, family_table, make_text_model, table, text_model, tokenizer
from tests.training.conftest import Ask, Digit, Repeat
from torch.utils.flop_counter import FlopCounterMode

from shiftgym.messages import user
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.generation.policy import model_policy
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.loading.load import load_policy
from shiftgym.models.lora import adapt, adapter_weights, save_adapter
from shiftgym.models.player import Player
from shiftgym.models.prefixes import layer_kinds
from shiftgym.policies.base import Transcript
from shiftgym.training.trainer import train
from shiftgym.verdicts import Verdict

PAGE = Path(__file__).parents[2] / "docs" / "models.md"

TEXTS = ["Make 24 with K, 7, 3 and 2, or say why that cannot be done.", "Try", "Your formula is legal, but not 24!"]
FEEDBACK = [user("Its value is 21 and not 24.")]


class Letters(Ask):
    """Is answered the better the later the first letter stands in the alphabet, so that all answers differ."""

    def judge(self, answer: str) -> Verdict:
        return Verdict("wrong", ord((answer + " ")[0]) / 1000, "wrong", False)


class Spell(Repeat):
    limit = 2

    def start(self, problem: Digit) -> Letters:
        return Letters(problem)


class Asked:
    """A decision as a policy sees it."""

    def __init__(self, text: str) -> None:
        self.prompt = [user(text)]


def played(name: str, rows: list[int], temperature: float = 0.7) -> list[Transcript]:
    """Two attempts of these rows."""
    policy = model_policy(*text_model(name), temperature=temperature, max_new_tokens=4, seed=0)
    chat: Any = policy.start([Asked(TEXTS[row]) for row in rows], [["test", row] for row in rows])  # type: ignore[misc]
    for attempt in range(2):
        chat.reply(range(len(rows)), [FEEDBACK if attempt else [] for _ in rows])
    found: list[Transcript] = chat.transcripts()
    return found


def player(model: Any, chat_format: ChatFormat, **settings: Any) -> Player:
    return Player(model, chat_format, Repeat(), seed=0, ledger=Ledger(ModelShape.of(model)), **settings)


@pytest.mark.parametrize("name", TEXT)
def test_a_batch_answers_as_each_row_alone_and_training_sees_the_same_logprobs(name: str) -> None:
    together = played(name, [0, 1, 2])
    for row, transcript in enumerate(together):
        (alone,) = played(name, [row])
        assert (alone.ids, alone.spans) == (transcript.ids, transcript.spans)
        assert list(chain(*alone.logprobs)) == pytest.approx(list(chain(*transcript.logprobs)), abs=2e-4)
    scored = player(*text_model(name), temperature=0.7).logprobs([Conversation(t.ids, t.spans) for t in together])
    for transcript, logprobs in zip(together, scored, strict=True):
        assert list(chain(*transcript.logprobs)) == pytest.approx(logprobs, abs=2e-4)


COMMON = {
    "Llama", "Qwen3-MoE", "Gemma 2", "Gemma 3n (text)", "GPT-2", "GPT-OSS", "DeepSeek-V3", "Llama 4 (text)", "Bloom",
    "Qwen3-Next", "LFM2", "Bamba", "Mamba",
}  # fmt: skip
"""One family of each make. The training of the others is tried among the slow tests."""

TRAINED = [name if name in COMMON else pytest.param(name, marks=pytest.mark.slow) for name in TEXT]

SFT = {"batch": 2, "optimizer": {"name": "adamw", "learning_rate": 1e-3}}
PPO = {
    "episodes_per_iteration": 4, "minibatch": 4, "epochs": 1, "max_new_tokens": 2,
    "optimizer": {"name": "adamw", "learning_rate": 1e-3},
}  # fmt: skip


@pytest.mark.parametrize("name", TRAINED)
def test_a_step_of_sft_and_one_of_ppo_are_learned_and_saved(name: str, tmp_path: Path) -> None:
    model = make_text_model(name)
    pair = (model, ChatFormat(tokenizer(), model.generation_config))
    expert = [conversation for index in range(2) for conversation in player(*pair).expert("train", index)]
    before = sum(map(sum, player(*pair).logprobs(expert)))
    train(pair, "sft", Repeat(), settings=SFT, folder=tmp_path / "sft", steps=3)
    assert sum(map(sum, player(*pair).logprobs(expert))) > before

    (folder,) = (tmp_path / "sft" / "checkpoints").iterdir()
    loaded, chat_format = load_policy(str(folder))
    ids = torch.tensor([chat_format.prompt([user(TEXTS[0])])])
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, model(ids).logits)

    weights = [weight.detach().clone() for weight in loaded.parameters()]
    result = train((loaded, chat_format), "ppo", Spell(), settings=PPO, folder=tmp_path / "ppo", steps=1)
    assert result.ledger.tokens_generated > 0
    assert any(not torch.equal(old, new) for old, new in zip(weights, loaded.parameters(), strict=True))
    assert all(weight.isfinite().all() for weight in loaded.parameters())


@pytest.mark.parametrize("name", TRAINED)
def test_an_adapter_beside_all_linear_layers_learns_and_is_read_by_peft(name: str, tmp_path: Path) -> None:
    model, ids = make_text_model(name), torch.arange(12)[None]
    adapt(model, rank=2, alpha=4, targets="all-linear", seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in adapter_weights(model).values():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    model(ids, use_cache=False).logits.logsumexp(-1).sum().backward()
    assert all(weight.grad is not None for weight in adapter_weights(model).values()), "no adapter stands idle"
    save_adapter(model, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft warns of transposed weights, and asks transformers in an old way
        by_peft: Any = PeftModel.from_pretrained(make_text_model(name), tmp_path)
    with torch.no_grad():
        expected = model(ids, use_cache=False).logits
        assert not torch.allclose(make_text_model(name)(ids, use_cache=False).logits, expected, atol=1e-3)
        assert torch.allclose(by_peft(input_ids=ids, use_cache=False).logits, expected, atol=1e-5)


@pytest.mark.parametrize("name", TEXT)
def test_the_ledger_counts_the_matrices_that_are_executed(name: str) -> None:
    """Beyond weights and attention, layers with states multiply matrices of a size of their own, which in a model as
    narrow as this one are up to a quarter of all and are not counted."""
    model = make_text_model(name)
    # torch counts neither fused attention nor grouped experts on a CPU.
    model.set_attn_implementation("eager")
    model.set_experts_implementation("eager")
    ids = torch.randint(300, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(ids, use_cache=False)
    flops = ModelShape.of(model).forward_flops(rows=2, new_tokens=40, context=40, head_positions=80)
    stateful = not set(layer_kinds(model)) <= {
        "full_attention",
        "sliding_attention",
        "chunked_attention",
        "global",
        "local",
    }
    assert (0.75 if stateful else 0.98) < flops / counter.get_total_flops() < 1.001


@pytest.mark.slow
# The processor of PaliGemma makes arrays as NumPy 2 no longer likes it.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_page_tells_what_was_found() -> None:
    assert len(family_table()) >= 20
    assert table() in PAGE.read_text(encoding="utf-8"), "python -m tests.models.families docs/models.md"
