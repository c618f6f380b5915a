import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.runs import ADAPTED, PPO, RECIPES, SFT, Run, Train, lines
from transformers import LlamaForCausalLM

from shiftgym.errors import ConfigError, TrainingStopped
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.placement import Placement
from shiftgym.tasks.base import Task
from shiftgym.training import checkpoints
from shiftgym.training.checkpoints import CheckpointInfo
from shiftgym.training.recipes.ppo import PPO as PpoRecipe  # noqa: N811
from shiftgym.training.recipes.sft import SFT as SftRecipe  # noqa: N811
from shiftgym.training.trainer import train


class Killed(Exception):
    """Stands for kill -9."""


@pytest.mark.parametrize(
    "recipe",
    [*RECIPES, *(each for each in ADAPTED if each[0] in ("sft", "ppo", "grpo"))],
    ids=lambda recipe: f"{recipe[0]} {'lora' in recipe[1]}",
)
def test_a_killed_run_resumes_to_the_same_bytes_and_weights(run: Train, recipe: Run, tmp_path: Path) -> None:
    options: dict[str, Any] = {"steps": 6, "milestones": (0.5, 1.0)}
    _, straight = run(recipe, tmp_path / "straight", **options)

    def die(metrics: dict[str, Any]) -> None:
        if metrics["step"] == 5:
            raise Killed

    with pytest.raises(Killed):
        run(recipe, tmp_path / "killed", on_step=die, **options)
    assert len(lines(tmp_path / "killed")) == 5, "steps after the checkpoint were logged and must be cut"
    seen: list[CheckpointInfo] = []
    result, resumed = run(recipe, tmp_path / "killed", on_checkpoint=lambda info, _: seen.append(info), **options)

    for name in ("metrics.jsonl", "episodes.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [info.step for info in seen] == [3, 6], "the checkpoint that was resumed from is offered again"
    assert [info.step for info in result.checkpoints] == [3, 6]


def test_a_run_killed_before_its_first_checkpoint_starts_over(run: Train, tmp_path: Path) -> None:
    def die(_metrics: dict[str, Any]) -> None:
        raise Killed

    with pytest.raises(Killed):
        run(SFT, tmp_path, steps=2, on_step=die)
    run(SFT, tmp_path, steps=2)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2]


def test_a_finished_run_is_not_trained_again(run: Train, tmp_path: Path) -> None:
    first, model = run(SFT, tmp_path, steps=2)
    again, loaded = run(SFT, tmp_path, steps=2)
    assert again.steps == first.steps == len(lines(tmp_path)) == 2
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), loaded.parameters(), strict=True))


def test_two_runs_write_the_same_bytes(run: Train, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run(PPO, tmp_path / name, steps=2)
    assert (tmp_path / "a/metrics.jsonl").read_bytes() == (tmp_path / "b/metrics.jsonl").read_bytes()


def test_every_step_says_what_the_issue_asks_for(run: Train, tmp_path: Path) -> None:
    run(PPO, tmp_path, steps=1)
    (line,) = lines(tmp_path)
    wanted = (
        "step flops flops_paper tokens_trained tokens_generated learning_rate loss policy_loss value_loss grad_norm kl "
        "entropy clip_fraction explained_variance reward success success_1 attempts answer_tokens "
        "rewards_alike"
    )
    assert set(line) == set(wanted.split())


def test_training_learns(run: Train, tmp_path: Path) -> None:
    run(SFT, tmp_path / "sft", steps=40)
    losses = [line["loss"] for line in lines(tmp_path / "sft")]
    assert losses[-1] < losses[0] / 4


def test_ppo_raises_the_reward(run: Train, tmp_path: Path) -> None:
    more = {"episodes_per_iteration": 64, "minibatch": 32, "max_new_tokens": 2, "epochs": 3}
    run(("ppo", {**PPO[1], **more}), tmp_path, steps=10)
    rewards = [line["reward"] for line in lines(tmp_path)]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.7


def test_a_budget_ends_the_run_and_sets_the_milestones(run: Train, tmp_path: Path) -> None:
    result, _ = run(SFT, tmp_path / "probe", steps=1)
    step = result.ledger.flops
    fractions: list[tuple[int, float]] = []
    result, _ = run(
        SFT,
        tmp_path / "run",
        budget_flops=9.5 * step,  # steps differ a little, as what their rows share does
        milestones=(0.1, 0.15, 0.5),
        on_checkpoint=lambda info, _: fractions.append((info.step, info.fraction)),
    )
    assert [fraction for _, fraction in fractions] == [0.1, 0.15, 0.5, 1.0]
    assert result.steps in (9, 10, 11)
    spent = {line["step"]: line["flops"] for line in lines(tmp_path / "run")}
    for number, fraction in fractions:
        assert spent.get(number - 1, 0) < fraction * 9.5 * step <= spent[number]


@pytest.mark.parametrize("recipe", [SFT, PPO], ids=["sft", "ppo"])
@pytest.mark.parametrize(("accounting", "spent"), [("executed", "flops"), ("paper", "flops_paper")])
def test_a_budget_can_speak_of_either_flops(
    run: Train, tmp_path: Path, recipe: Run, accounting: str, spent: str
) -> None:
    run(recipe, tmp_path / "one", steps=1)
    (first,) = lines(tmp_path / "one")
    budget = 2.5 * first[spent]
    run(recipe, tmp_path / "all", budget_flops=budget, accounting=accounting)
    *before, last = [step[spent] for step in lines(tmp_path / "all")]
    assert max(before) < budget <= last


def test_milestones_passed_in_one_step_share_a_checkpoint(run: Train, tmp_path: Path) -> None:
    result, _ = run(SFT, tmp_path, steps=2, milestones=(0.1, 0.4, 0.5))
    assert [(info.step, info.fraction) for info in result.checkpoints] == [(1, 0.5), (2, 1.0)]


def test_episodes_are_kept_for_the_steps_that_led_to_a_checkpoint(run: Train, tmp_path: Path) -> None:
    run(PPO, tmp_path, steps=4, milestones=(0.5,))
    records = [json.loads(line) for line in (tmp_path / "episodes.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records] == [2] * 12 + [4] * 12
    assert {"problem", "success", "decisions"} <= set(records[0])


@pytest.mark.parametrize("recipe", [SFT, PPO], ids=["sft", "ppo"])
def test_a_poisoned_weight_stops_training_and_keeps_the_last_checkpoint(
    make_model: Callable[[], LlamaForCausalLM], chat_format: ChatFormat, task: Task, recipe: Run, tmp_path: Path
) -> None:
    model = make_model()

    def poison(metrics: dict[str, Any]) -> None:
        if metrics["step"] == 3:
            with torch.no_grad():
                model.get_input_embeddings().weight[3] = float("nan")

    name, settings = recipe
    options: dict[str, Any] = {"steps": 4, "milestones": (0.5,), "on_step": poison}
    with pytest.raises(TrainingStopped, match=r"step 4: a weight is not finite.*step-000002"):
        train((model, chat_format), name, task, settings=settings, folder=tmp_path, **options)
    assert [info.step for info in checkpoints.existing(tmp_path)] == [2]
    assert len(lines(tmp_path)) == 3


def test_a_loss_that_is_not_finite_changes_no_weight(
    make_model: Callable[[], LlamaForCausalLM], chat_format: ChatFormat, task: Task, tmp_path: Path
) -> None:
    model = make_model()
    model.base_model.norm.register_forward_hook(lambda _module, _arguments, output: output * float("inf"))
    before = [weight.clone() for weight in model.parameters()]
    with pytest.raises(TrainingStopped, match=r"step 1: the loss is not finite.*there is no checkpoint yet"):
        train((model, chat_format), "sft", task, settings=SFT[1], folder=tmp_path, steps=1)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("limits", [{}, {"steps": 0}, {"budget_flops": -1.0}])
def test_a_run_without_an_end_is_refused(run: Train, tmp_path: Path, limits: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="positive budget_flops or steps"):
        run(SFT, tmp_path, **limits)


def test_bfloat16_passes_train_float32_weights(run: Train, tmp_path: Path) -> None:
    _, model = run(("sft", {**SFT[1], "precision": "bfloat16"}), tmp_path / "half", steps=3)
    run(SFT, tmp_path / "full", steps=3)
    half, full = (lines(tmp_path / name)[-1]["loss"] for name in ("half", "full"))
    assert half == pytest.approx(full, rel=0.02)
    assert half != full
    assert model.dtype == torch.float32


def test_names_and_plain_settings_or_classes_and_typed_ones_are_the_same(
    make_model: Callable[[], LlamaForCausalLM], chat_format: ChatFormat, task: Task, tmp_path: Path
) -> None:
    for kind, (name, values) in ((SftRecipe, SFT), (PpoRecipe, PPO)):
        train((make_model(), chat_format), name, task, settings=values, folder=tmp_path / name, steps=1)
        typed = kind.Settings.model_validate(values)
        train((make_model(), chat_format), kind, task, settings=typed, folder=tmp_path / f"{name}-2", steps=1)
        assert lines(tmp_path / name) == lines(tmp_path / f"{name}-2")


def test_a_name_each_is_enough(tmp_path: Path) -> None:
    result = train("points-0", "sft", folder=tmp_path, settings={"batch": 2}, steps=1)
    assert result.steps == 1
    assert result.checkpoints[0].path.is_dir()


@pytest.mark.parametrize("recipe", [SFT, PPO], ids=["sft", "ppo"])
def test_gradient_checkpointing_changes_flops_alone(run: Train, recipe: Run, tmp_path: Path) -> None:
    again = Placement(gradient_checkpointing=True)
    (plain, model), (recomputed, other) = (
        run(recipe, tmp_path / name, steps=2, placement=placement)
        for name, placement in (("plain", Placement()), ("again", again))
    )
    assert all(torch.equal(*pair) for pair in zip(model.parameters(), other.parameters(), strict=True))
    for before, after in zip(lines(tmp_path / "plain"), lines(tmp_path / "again"), strict=True):
        assert before | {"flops": 0} == after | {"flops": 0}
    # What is learned from, but for the output embeddings, ran forward once more, which is half of its backward pass.
    more = recomputed.ledger.forward_flops - plain.ledger.forward_flops
    assert recomputed.ledger.backward_flops == plain.ledger.backward_flops
    assert 0.5 < more / (plain.ledger.backward_flops / 2) < 1


def test_weights_in_float16_are_not_trained(
    make_model: Callable[[], LlamaForCausalLM], chat_format: ChatFormat, task: Task, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="^weights in float16 cannot be trained; give bfloat16 or float32"):
        train((make_model().half(), chat_format), "sft", task, settings=SFT[1], folder=tmp_path / "new", steps=2)
    assert not (tmp_path / "new").exists()


def test_weights_in_bfloat16_train_with_a_critic_and_log_probabilities_in_float32(
    make_model: Callable[[], LlamaForCausalLM], chat_format: ChatFormat, task: Task, tmp_path: Path
) -> None:
    scored: list[torch.dtype] = []

    class Watched(PpoRecipe):
        def loss(self, scores: Any, batch: Any) -> Any:
            scored.extend((scores.logprobs.dtype, scores.entropy.dtype))
            return super().loss(scores, batch)

    def trained() -> LlamaForCausalLM:
        model = make_model().bfloat16()
        train((model, chat_format), Watched, task, settings=PPO[1], folder=tmp_path, steps=2)
        return model

    model, before = trained(), make_model().bfloat16()
    assert set(scored) == {torch.float32}
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert not all(torch.equal(*pair) for pair in zip(model.parameters(), before.parameters(), strict=True))
    (checkpoint,) = checkpoints.existing(tmp_path)
    head = load_file(checkpoint.path / "value_head.safetensors")
    assert {weight.dtype for weight in head.values()} == {torch.float32}
    moments = torch.load(checkpoint.path / "trainer.pt")[0]["state"].values()
    assert {each["exp_avg"].dtype for each in moments} == {torch.bfloat16, torch.float32}
    resumed = trained()
    assert all(torch.equal(*pair) for pair in zip(resumed.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize(
    ("recipe", "settings", "message"),
    [
        ("spo", None, "unknown recipe 'spo'; did you mean 'ppo'?"),
        ("sft", {"bacth": 2}, "settings.bacth: unknown key; did you mean 'batch'?"),
        ("sft", {"optimizer": {"learnin_rate": 1}}, "learnin_rate: unknown key; did you mean 'learning_rate'?"),
        ("sft", {"batch": 0}, "settings.batch: should be greater than 0, not 0"),
        ("sft", PpoRecipe.Settings(), "sft takes SFTSettings, not PPOSettings"),
    ],
)
def test_what_cannot_be_carried_out_is_one_line(recipe: str, settings: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        train("nobody/nothing", recipe, folder=tmp_path / "new", settings=settings, steps=1)
    assert message in str(caught.value)
    assert not (tmp_path / "new").exists()
