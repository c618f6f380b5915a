"""What is planned is what training allocates."""

import copy
import json
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.groups import run_group

from shiftgym.models.conversations.conversation import ConversationSizes
from shiftgym.models.loading.load import load_policy
from shiftgym.models.loading.skeleton import skeleton
from shiftgym.models.lora import adapt, adapter_weights, frozen_copy
from shiftgym.models.optimizers import Optimizer
from shiftgym.models.parallel import Ranks
from shiftgym.models.sharding import apart, local_tensor, shard
from shiftgym.models.value import ValueHead
from shiftgym.training.footprint import Held
from shiftgym.training.loop import Limits, Loop
from shiftgym.training.planned import planned_footprint
from shiftgym.training.recipes.ppo import PPO
from shiftgym.training.recipes.sft import SFT
from shiftgym.training.settings import LoraSettings
from shiftgym.training.trainer import prepare_model

SIZES = ConversationSizes(prompt=3, pictures=0, answer=3, attempts=3, feedback=3)


def planned(bench: Any, settings: Any, model: Any = None, **given: Any) -> Any:
    with torch.device("meta"):
        model = model or type(bench.model)(bench.model.config)
    options: dict[str, Any] = {
        "gradient_checkpointing": False,
        "device": "cpu",
        "critic": False,
        "copies": 0,
        "probed": False,
    }
    return planned_footprint(model, settings, learned=SIZES, answered=SIZES, iteration=4, batch=2, **(options | given))


def states(loop: Loop) -> int:
    """Bytes of the states of the optimizer, step counters left out."""
    parts = [state for part in loop._optimizer._parts for state in part.state.values()]
    return sum(value.nbytes for state in parts for value in state.values() if value.ndim)


@pytest.mark.parametrize("lora", [None, LoraSettings(rank=2)])
@pytest.mark.parametrize(("recipe", "critic"), [(SFT, False), (PPO, True)])
def test_weights_gradients_and_states_are_counted_as_they_are_allocated(
    bench: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, recipe: Any, critic: bool, lora: LoraSettings | None
) -> None:
    small = {"episodes_per_iteration": 8, "max_new_tokens": 3} if critic else {"batch": 4}
    settings = recipe.Settings(**small, lora=lora)
    plan = planned(bench, settings, critic=critic, copies=1)
    prepare_model(bench.model, settings, 0)
    loop = Loop(bench.make(recipe, **small, lora=lora), tmp_path, Limits(steps=1))
    gradients: list[int] = []
    step = loop._optimizer.step

    def watched() -> None:
        weights = [weight for module in loop._modules for weight in module.parameters()]
        gradients.append(sum(weight.grad.nbytes for weight in weights if weight.grad is not None))
        step()

    monkeypatch.setattr(loop._optimizer, "step", watched)
    loop.advance()
    head = loop._player.value_head
    of_critic = sum(weight.nbytes for weight in head.parameters()) if head else 0
    assert sum(weight.nbytes for weight in bench.model.parameters()) == plan.parts.weights
    assert set(gradients) == {plan.parts.gradients}
    assert states(loop) + of_critic == plan.parts.optimizer
    assert plan.parts.copies == plan.parts.gradients - of_critic, "only what is trained is copied"
    assert all(weight.grad is None for weight in bench.model.parameters()), "answers have the room of the gradients"


def test_a_pass_grows_with_its_tokens_and_its_format(bench: Any) -> None:
    small, large, cast = (
        planned(bench, SFT.Settings(tokens_per_pass=tokens, precision=precision))
        for tokens, precision in ((64, "float32"), (640, "float32"), (640, "bfloat16"))
    )
    assert large.activations == pytest.approx(10 * small.activations, rel=0.2)
    assert small.one < small.activations + small.logits
    weights = sum(weight.nbytes for weight in bench.model.parameters())
    assert cast.activations < 0.8 * large.activations + weights // 2, "autocast keeps the weights in its format too"
    assert torch.is_grad_enabled()


def test_ranks_divide_the_model_and_have_adapter_and_critic_whole(bench: Any) -> None:
    weights = sum(weight.nbytes for weight in bench.model.parameters())
    full = planned(bench, PPO.Settings(), critic=True, copies=1)
    assert full.shared == Held(weights=weights, copies=weights, gradients=weights, optimizer=2 * weights)
    assert full.own.weights == full.own.copies == 0
    assert full.own.optimizer == 3 * full.own.gradients > 0, "the critic and its two moments"
    light = planned(bench, PPO.Settings(lora=LoraSettings(rank=2)), critic=True, copies=1)
    assert light.shared == Held(weights=weights)
    muon = planned(bench, PPO.Settings(optimizer={"name": "muon"}), copies=2, probed=True)
    assert (full.over_ranks.stepped, muon.over_ranks.stepped) == (0, weights)
    assert (muon.over_ranks.copies, muon.over_ranks.whole) == (2 * weights, 2 * weights), "the start is probed too"
    assert (light.over_ranks.copies, light.over_ranks.whole) == (weights, weights), "a copy has a base of its own"
    assert light.own.weights == light.own.copies == light.own.gradients - full.own.gradients > 0


def test_a_pass_over_ranks_gathers_all_but_the_layers_and_two_of_them(bench: Any) -> None:
    def gathered(layers: int, **given: Any) -> int:
        config = copy.deepcopy(bench.model.config)
        config.num_hidden_layers, config.layer_types = layers, None
        with torch.device("meta"):
            model = type(bench.model)(config)
        return planned(bench, SFT.Settings(**given), model=model).over_ranks.layers

    assert gathered(5) == gathered(2) > gathered(1)
    assert gathered(5) == 3 * gathered(5, lora=LoraSettings(rank=2)), "weights, gradients, and sums of these in float32"


def hold(rank: int, folder: Path) -> None:
    """Write the bytes that a rank holds after a step: weights, a copy, gradients, and states with the critic.

    Args:
        rank: of an adapter; 0 for a training of the whole model.
    """
    ranks = Ranks.joined("cpu")
    model, _ = load_policy("points-0")
    if rank:
        adapt(model, rank=rank, alpha=8, targets="all-linear", seed=0)
        for name, weight in adapter_weights(model).items():
            if ".lora_B." in name:
                weight.data.fill_(0.01)  # else there is nothing to copy
    start, critic = frozen_copy(model, apart(model)), ValueHead(model.config.hidden_size, 0)
    for each in (model, start):
        shard(each, ranks)
    hidden = model(torch.tensor([[1, 2, 3]]), output_hidden_states=True)
    (hidden.logits.mean() + critic(hidden.hidden_states[-1].detach()).mean()).backward()
    optimizer = Optimizer([(model, 1.0), (critic, 1.0)], "adamw", 1e-3, ranks=ranks)
    optimizer.step()

    def size(weights: Iterable[Any]) -> int:
        return sum(local_tensor(weight).nbytes for weight in weights)

    states = [value for part in optimizer._parts for state in part._inner.state.values() for value in state.values()]
    held = (
        size(model.parameters()),
        size(start.parameters()),
        size(weight.grad for each in (model, critic) for weight in each.parameters() if weight.grad is not None),
        size(value for value in states if value.ndim) + size(critic.parameters()),
    )
    (folder / f"{ranks.rank}.json").write_text(json.dumps(held))
    ranks.wait()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 4])
def test_ranks_hold_what_is_planned(rank: int, tmp_path: Path) -> None:
    run_group(2, hold, rank, tmp_path, folder=tmp_path / "printed")
    model, _ = skeleton("points-0", dtype="float32")
    lora = LoraSettings(rank=rank) if rank else None
    plan = planned(None, PPO.Settings(lora=lora), model=model, critic=True, copies=1).over(2)
    for number in range(2):
        held = json.loads((tmp_path / f"{number}.json").read_text())
        assert held == pytest.approx(astuple(plan.parts), rel=0.02), "weights may have an odd number of rows"
