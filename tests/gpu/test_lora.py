"""Adapters and moments of 8 bits on a GPU."""

import json

import pytest
import torch

from shiftgym import Placement, load_policy, train
from shiftgym.models.lora import adapt, adapter_weights, frozen_copy
from shiftgym.models.optimizers import Optimizer

pytest.importorskip("peft")

IDS = torch.arange(40)[None]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("recipe", ["sft", "ppo"])
def test_an_adapter_is_trained_beside_its_base_and_comes_back(tmp_path, recipe, dtype):
    placement = Placement(device="cuda", dtype=dtype)
    model, chat_format = load_policy("points-0", **placement.options)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    settings = {"lora": {"rank": 8}, "kl": 0.1, "optimizer": {"learning_rate": 1e-3}, "precision": "bfloat16"}
    if recipe == "ppo":
        settings |= {"episodes_per_iteration": 16, "minibatch": 16, "epochs": 1, "limit": 2, "max_new_tokens": 64}
    done = train((model, chat_format), recipe, settings=settings, folder=tmp_path, steps=2, placement=placement)
    first, *_ = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert first["kl"] == pytest.approx(0, abs=1e-3 if recipe == "ppo" else 0)
    weights = adapter_weights(model)
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    for name, weight in model.named_parameters():
        if name not in weights:
            assert torch.equal(weight, before[name.replace(".base_layer", "")]), name
    again, _ = load_policy(str(done.checkpoints[-1].path), **placement.options, merged=False)
    kept = adapter_weights(again)
    assert all(torch.equal(weight, kept[name]) for name, weight in weights.items())
    with torch.no_grad():
        gap = again(IDS.cuda()).logits.float() - model(IDS.cuda()).logits.float()
    assert gap.abs().max() < (1e-3 if dtype == "float32" else 0.5)


def test_an_adapter_begins_alike_on_every_device():
    here, there = (load_policy("points-0", device=device)[0] for device in ("cpu", "cuda"))
    for model in (here, there):
        adapt(model, rank=4, alpha=8, targets="all-linear", seed=0)
    for one, other in zip(adapter_weights(here).values(), adapter_weights(there).values(), strict=True):
        assert torch.equal(one, other.cpu())


def test_the_start_of_a_new_adapter_takes_no_memory():
    model, _ = load_policy("points-0", device="cuda")
    adapt(model, rank=4, alpha=8, targets="all-linear", seed=0)
    held = torch.cuda.memory_allocated()
    kept = frozen_copy(model)
    weights = sum(weight.nbytes for weight in kept.parameters())
    assert torch.cuda.memory_allocated() - held < weights / 100, "buffers alone are copied"


def test_moments_of_8_bits_lead_nearly_where_those_of_32_do():
    pytest.importorskip("bitsandbytes")
    moved = []
    for name in ("adamw", "adamw8bit"):
        generator = torch.Generator().manual_seed(0)
        model = torch.nn.Linear(128, 128).cuda()
        before = torch.randn(128, 128, generator=generator)
        with torch.no_grad():
            model.weight.copy_(before)
        optimizer = Optimizer([(model, 1.0)], name, 1e-3, 0.0, (0.9, 0.98))
        for _ in range(5):
            model.weight.grad = torch.randn(128, 128, generator=generator).cuda()
            optimizer.step()
        moved.append((model.weight.detach().cpu() - before).flatten())
    assert torch.nn.functional.cosine_similarity(moved[0], moved[1], dim=0) > 0.99
