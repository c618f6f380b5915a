"""What the loop does with what a recipe collected."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from shiftgym.errors import ConfigError
from shiftgym.models.microbatches import microbatches
from shiftgym.models.optimizers import Optimizer
from shiftgym.training.loop import Limits, Loop
from shiftgym.training.recipe import Recipe
from shiftgym.training.recipes.ppo import PPO
from shiftgym.training.recipes.sft import SFT

SMALL = {"episodes_per_iteration": 16, "max_new_tokens": 3}


def test_sharing_rows_does_not_change_the_gradient(bench: Any) -> None:
    recipe = bench.make(PPO, **SMALL)
    conversations = bench.collected(recipe)
    # Each once more with another last token, so that all but that is shared.
    conversations += [replace(each, ids=[*each.ids[:-1], 9]) for each in conversations]
    whole = bench.gradient(bench.loss(recipe, bench.one_pass(conversations))[0])
    (shared,) = microbatches(conversations, 10**6, torch.device("cpu"), trees=True)
    assert shared.packed.ids.numel() < sum(len(each.ids) for each in conversations) * 0.6
    assert torch.allclose(whole, bench.gradient(bench.loss(recipe, shared)[0]), atol=1e-5)


def test_cutting_a_minibatch_into_passes_does_not_change_its_gradient(bench: Any) -> None:
    recipe = bench.make(PPO, **SMALL)
    conversations = bench.collected(recipe)
    whole = bench.gradient(bench.loss(recipe, bench.one_pass(conversations))[0])
    bench.model.zero_grad()
    parts = list(microbatches(conversations, 40, torch.device("cpu"), trees=False))
    for batch in parts:
        bench.loss(recipe, batch)[0].backward()
    assert len(parts) > 3
    assert torch.allclose(whole, bench.gradients(), atol=1e-6)


def test_feedback_tokens_have_no_gradient_of_their_own(bench: Any) -> None:
    """Only the probability of answer tokens matters: the logits at other positions get exactly nothing."""
    recipe = bench.make(PPO, entropy=0.1, **SMALL)  # a token whose advantage happens to be 0 has a gradient
    batch = bench.one_pass([each for each in bench.collected(recipe) if len(each.spans) > 1])
    seen: list[torch.Tensor] = []

    def keep(_module: Any, _arguments: Any, output: Any) -> None:
        output.last_hidden_state.retain_grad()
        seen.append(output.last_hidden_state)

    trunk = bench.model.base_model.register_forward_hook(keep)
    bench.loss(recipe, batch)[0].backward()
    trunk.remove()
    grad = seen[0].grad
    assert grad is not None
    predicts = torch.zeros_like(batch.packed.ids, dtype=torch.bool)
    predicts[batch.predictors] = True
    touched = grad.abs().sum(-1) > 0
    assert touched[predicts].all()
    assert not touched[~predicts].any()


def test_weights_count_token_by_token_and_none_means_one(bench: Any) -> None:
    recipe = bench.make(SFT, batch=6, problems=20)
    conversations = bench.collected(recipe)
    plain = bench.loss(recipe, bench.one_pass(conversations))[0].item()
    weighted = [replace(each, weights=[2.0] * each.answer_tokens) for each in conversations]
    assert bench.loss(recipe, bench.one_pass(weighted))[0].item() == pytest.approx(2 * plain)
    half = [*weighted[:3], *(replace(each, weights=[0.0] * each.answer_tokens) for each in conversations[3:])]
    only = bench.loss(recipe, bench.one_pass(conversations[:3]))[0].item()
    assert bench.loss(recipe, bench.one_pass(half))[0].item() == pytest.approx(only, rel=1e-4)


class SmallDevice:
    """A device on which no more than so many padded tokens fit into a pass with gradients.

    Args:
        late: the backward pass is what runs out of memory, when some gradients are there already.
    """

    def __init__(self, model: Any, tokens: int, *, late: bool) -> None:
        self.failures, self._tokens, self._late = 0, tokens, late
        model.base_model.layers[0].register_forward_hook(self._watch)

    def _watch(self, _module: Any, _arguments: Any, output: torch.Tensor) -> None:
        if output.requires_grad and self._late:
            output.register_hook(self._check)
        elif output.requires_grad:
            self._check(output)

    def _check(self, states: torch.Tensor) -> None:
        if states.shape[:2].numel() > self._tokens:
            self.failures += 1
            raise torch.OutOfMemoryError("CUDA out of memory.")


KINDS: dict[str, tuple[type[Recipe], dict[str, Any]]] = {
    "sft": (SFT, {"batch": 12, "problems": 40, "kl": 0.5}),
    "ppo": (PPO, {"minibatch": 8, "epochs": 1, **SMALL}),
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_that_runs_out_of_memory_is_split_with_the_same_result(
    make_bench: Any, tmp_path: Path, kind: str, late: bool
) -> None:
    def trained(tokens: int | None) -> tuple[Any, list[dict[str, float]], SmallDevice | None]:
        bench = make_bench()
        device = SmallDevice(bench.model, tokens, late=late) if tokens else None
        recipe, settings = KINDS[kind]
        loop = Loop(bench.make(recipe, **settings), tmp_path, Limits(steps=3))
        return bench, [loop.advance()[0] for _ in range(3)], device

    whole, straight, _ = trained(None)
    cut, split, device = trained(30)
    assert device is not None
    assert 0 < device.failures <= 4, "a smaller pass is remembered"
    for one, other in zip(straight, split, strict=True):
        assert other == pytest.approx(one, rel=0.05, abs=1e-5), "padding and rounding aside"
        for name in ("tokens_trained", "tokens_generated", "flops_paper"):
            assert other[name] == one[name]
    for weight, other in zip(whole.model.parameters(), cut.model.parameters(), strict=True):
        assert torch.allclose(weight, other, atol=1e-5)


def test_the_gradient_of_a_failed_pass_is_forgotten(bench: Any, tmp_path: Path) -> None:
    recipe = bench.make(SFT, batch=12, problems=40)
    conversations = bench.collected(recipe)
    whole = bench.gradient(bench.loss(recipe, bench.one_pass(conversations))[0])
    SmallDevice(bench.model, 30, late=True)
    Loop(recipe, tmp_path, Limits(steps=1))._gradients(conversations)
    assert torch.allclose(whole, bench.gradients(), atol=1e-6)


def test_what_failed_is_not_charged(make_bench: Any, tmp_path: Path) -> None:
    spent = []
    for tokens in (None, 30):
        bench = make_bench()
        recipe = bench.make(SFT, batch=12, problems=40, kl=0.5, tokens_per_pass=4096 if tokens else 30)
        device = SmallDevice(bench.model, tokens or 10**6, late=True)
        Loop(recipe, tmp_path, Limits(steps=1)).advance()
        assert bool(device.failures) == bool(tokens)
        spent.append(bench.ledger.record())
    assert recipe.player.pass_limit.size <= 30
    for name in ("tokens_trained", "forward_flops", "backward_flops"):
        assert spent[1][name] == pytest.approx(spent[0][name], rel=0.05), "but for padding"


def test_one_conversation_that_does_not_fit_is_told_in_one_line(bench: Any, tmp_path: Path) -> None:
    SmallDevice(bench.model, 3, late=False)
    loop = Loop(bench.make(SFT, batch=12, problems=40), tmp_path, Limits(steps=1))
    with pytest.raises(ConfigError, match=r"^out of memory: one conversation of \d tokens does not fit; .*gradient"):
        loop.advance()


def test_states_of_the_optimizer_that_do_not_fit_are_told_in_one_line(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes.")

    monkeypatch.setattr(Optimizer, "step", fail)
    loop = Loop(bench.make(SFT, batch=12, problems=40), tmp_path, Limits(steps=1))
    with pytest.raises(ConfigError, match="^out of memory: the states of the optimizer do not fit; .*adamw8bit"):
        loop.advance()
