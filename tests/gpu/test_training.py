"""Training on a GPU: memory, resumption, optimizers."""

import copy
import json

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from shiftgym import Placement, load_policy, load_study, train
from shiftgym.batching import free
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.microbatches import microbatches
from shiftgym.models.player import Player
from shiftgym.models.products import RoundedProduct
from shiftgym.models.recompute import recomputed
from shiftgym.models.score import score
from shiftgym.training import checkpoints

SFT = {"problems": 32, "batch": 16, "optimizer": {"learning_rate": 3e-4}}
NEW_RULE = {"train_on": "rule_ood", "problems": 64, "batch": 16}
"""A rule that the shipped backbone has not seen, so there is much to learn."""
PPO = {"episodes_per_iteration": 16, "minibatch": 8, "limit": 2, "max_new_tokens": 64}
CUDA = Placement(device="cuda")


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("recipe", "settings"), [("sft", SFT), ("ppo", PPO)])
@pytest.mark.parametrize("placement", [CUDA, Placement(device="cuda", dtype="bfloat16")], ids=["float32", "bfloat16"])
def test_a_run_is_resumed_where_it_stood(tmp_path, recipe, settings, placement):
    def go(name, steps):
        options = {"settings": settings, "steps": 2, "milestones": (0.5, 1.0), "placement": placement}

        def stop(metrics):
            if metrics["step"] > steps:
                raise KeyboardInterrupt

        return train("points-0", recipe, folder=tmp_path / name, on_step=stop, **options)

    go("straight", 2)
    with pytest.raises(KeyboardInterrupt):
        go("killed", 1)
    assert len(checkpoints.existing(tmp_path / "killed")) == 1
    go("killed", 2)
    straight, killed = lines(tmp_path / "straight"), lines(tmp_path / "killed")
    assert len(straight) == len(killed) == 2
    assert killed[1]["loss"] == pytest.approx(straight[1]["loss"], rel=0.05, abs=0.01)
    assert all(torch.tensor(line["loss"]).isfinite() for line in straight)


def test_a_pass_that_runs_out_of_memory_is_split_and_learns_the_same(tmp_path, monkeypatch):
    """A model whose activations do not fit into what the process may allocate."""
    model, chat_format = load_policy("points-0", device="cuda")
    config = LlamaConfig(
        vocab_size=model.config.vocab_size, hidden_size=512, intermediate_size=2048, num_hidden_layers=8,
        num_attention_heads=8, bos_token_id=None, eos_token_id=model.config.eos_token_id, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng(devices=["cuda"]), torch.device("cuda"):
        large = LlamaForCausalLM(config).eval()
    settings = {"problems": 256, "batch": 256, "tokens_per_pass": 10**6, "optimizer": {"learning_rate": 1e-4}}

    halved = []
    halve = Player.halve
    monkeypatch.setattr(Player, "halve", lambda *given: (halved.append(given), halve(*given)))

    def losses(name):
        train((copy.deepcopy(large), chat_format), "sft", settings=settings, folder=tmp_path / name, steps=2)
        return [line["loss"] for line in lines(tmp_path / name)]

    free()
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_reserved()
    whole = losses("whole")
    assert not halved
    needed = torch.cuda.max_memory_reserved()
    free()
    total = torch.cuda.get_device_properties("cuda").total_memory
    try:
        torch.cuda.set_per_process_memory_fraction((held + (needed - held) * 0.6) / total)
        split = losses("split")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert halved
    assert split == pytest.approx(whole, rel=1e-3)


def test_gradient_checkpointing_takes_less_memory():
    model, chat_format = load_policy("points-0", device="cuda")
    task_ids = [chat_format.prompt([{"role": "user", "content": f"{number} " * 60}]) for number in range(64)]
    conversations = [Conversation(ids, [(len(ids) - 8, len(ids))]) for ids in task_ids]
    (batch,) = microbatches(conversations, 10**6, model.device, trees=False)

    def peak():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        loss = -score(model, batch.packed, batch.predictors, batch.targets).logprobs.sum()
        loss.backward()
        gradient = model.get_input_embeddings().weight.grad.clone()
        model.zero_grad(set_to_none=True)
        return torch.cuda.max_memory_allocated(), gradient

    plain, gradient = peak()
    with recomputed(model):
        again, same = peak()
    assert again < 0.6 * plain
    torch.testing.assert_close(gradient, same, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["adamw", "adamw8bit", "muon"])
def test_every_optimizer_lowers_the_loss(tmp_path, name):
    if name == "adamw8bit":
        pytest.importorskip("bitsandbytes")
    settings = {**NEW_RULE, "optimizer": {"name": name, "learning_rate": 3e-4}}
    task = load_study("points-text").build_task()
    train("points-0", "sft", task, folder=tmp_path, settings=settings, steps=8, placement=CUDA)
    losses = [line["loss"] for line in lines(tmp_path)]
    assert losses[-1] < 0.8 * losses[0]


def test_an_adapter_is_trained(tmp_path):
    pytest.importorskip("peft")
    settings = {**NEW_RULE, "lora": {"rank": 4, "alpha": 8}, "optimizer": {"learning_rate": 3e-3}}
    placement = Placement(device="cuda", dtype="bfloat16", gradient_checkpointing=True)
    task = load_study("points-text").build_task()
    result = train("points-0", "sft", task, folder=tmp_path, settings=settings, steps=8, placement=placement)
    losses = [line["loss"] for line in lines(tmp_path)]
    assert losses[-1] < 0.8 * losses[0]
    load_policy(str(result.checkpoints[-1].path), device="cuda")


def test_rounded_products_are_close_and_leave_others_alone():
    generator = torch.Generator("cuda").manual_seed(0)
    states, weight = (torch.randn(size, 512, generator=generator, device="cuda") for size in (300, 1000))
    exact = (states.double() @ weight.double().T).float()
    plain, rounded = states @ weight.T, RoundedProduct.apply(states, weight)
    assert (plain - exact).abs().max() < 1e-3 < (rounded - exact).abs().max() < 0.2
    assert torch.equal(states @ weight.T, plain)
