"""What is planned is what training allocates."""

import copy
from typing import Any

import pytest
import torch

from shiftgym.models.conversations.conversation import ConversationSizes
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
    options: dict[str, Any] = {"gradient_checkpointing": False, "device": "cpu", "critic": False, "copies": 0}
    return planned_footprint(model, settings, learned=SIZES, answered=SIZES, rows=4, **(options | given))


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
    assert (full.stepped, planned(bench, PPO.Settings(optimizer={"name": "muon"})).stepped) == (0, weights)
    assert light.own.weights == light.own.copies == light.own.gradients - full.own.gradients > 0


def test_a_pass_over_ranks_gathers_all_but_the_layers_and_two_of_them(bench: Any) -> None:
    def gathered(layers: int, **given: Any) -> int:
        config = copy.deepcopy(bench.model.config)
        config.num_hidden_layers, config.layer_types = layers, None
        with torch.device("meta"):
            model = type(bench.model)(config)
        return planned(bench, SFT.Settings(**given), model=model).layers

    assert gathered(5) == gathered(2) > gathered(1)
    assert gathered(5) == 3 * gathered(5, lora=LoraSettings(rank=2)), "weights, gradients, and sums of these in float32"
