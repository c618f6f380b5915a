"""Decoding on a GPU: captured steps write what uncaptured ones and a CPU do."""

import pytest
import torch

from shiftgym import ModelPolicy, Placement, evaluate, load_policy, load_study
from shiftgym.models.generation.workspace import workspace


def answered(model, chat_format, kind, temperature):
    """Transcripts of two attempts at some hands, by decode steps of a kind."""
    task = load_study("points-text").build_task()
    hands = [task.start(task.problem("id", index)) for index in range(24)]
    policy = ModelPolicy(model, chat_format, temperature=temperature, max_new_tokens=64, seed=0, steps=kind)
    chat = policy.start(hands, [["gpu", row] for row in range(len(hands))])
    chat.reply(range(24), [[] for _ in hands])
    chat.reply(range(0, 24, 3), [[{"role": "user", "content": "Wrong."}] for _ in hands[::3]])
    return chat.transcripts()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_captured_steps_write_what_others_do(temperature):
    model, chat_format = load_policy("points-0", device="cuda")
    captured = answered(model, chat_format, "captured", temperature)
    assert workspace(model).captures > 0
    growing = answered(model, chat_format, "growing", temperature)
    same = [one for one, other in zip(captured, growing, strict=True) if one.ids == other.ids]
    assert len(same) >= 23
    for one, other in zip(captured, growing, strict=True):
        if one.ids == other.ids:
            for logprobs, others in zip(one.logprobs, other.logprobs, strict=True):
                assert logprobs == pytest.approx(others, abs=1e-3)


def test_captured_steps_see_weights_that_changed_in_place():
    model, chat_format = load_policy("points-0", device="cuda")
    answered(model, chat_format, "captured", 1.0)
    generator = torch.Generator("cuda").manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.01 * weight.std() * torch.randn(weight.shape, generator=generator, device="cuda"))
    captured, growing = (answered(model, chat_format, kind, 0.0) for kind in ("captured", "growing"))
    assert sum(one.ids == other.ids for one, other in zip(captured, growing, strict=True)) >= 23


@pytest.mark.parametrize(("model", "study"), [("points-0", "points-text"), ("points-vision-0", "points-vision")])
def test_outcomes_are_those_of_the_cpu(model, study):
    task = load_study(study).build_task()
    (split, *_) = task.splits
    cpu, gpu = (
        evaluate(model, task, splits=[split], problems=24, placement=Placement(device=device)).rows
        for device in ("cpu", "cuda")
    )
    assert sum(one == other for one, other in zip(cpu, gpu, strict=True)) >= 46


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_sixteen_bits_answer_about_as_well(dtype):
    def success(placement):
        found = evaluate("points-0", "points", problems=64, decodings=["greedy"], placement=placement)
        return found.estimate("success_1", split="train", decoding="greedy").value

    whole, short = success(Placement(device="cuda")), success(Placement(device="cuda", dtype=dtype))
    assert short > 0.7 * whole
