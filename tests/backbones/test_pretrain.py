"""Pretraining: what is learned, at which rate, and that it resumes."""

from itertools import islice
from pathlib import Path

import pytest
import torch

from shiftgym.backbones import pretrain as pretraining
from shiftgym.backbones.points import CORPUS
from shiftgym.backbones.pretrain import Pretraining, encode, pretrain
from shiftgym.models.conversations.chat import ChatFormat

SMALL = Pretraining(
    hidden=16, layers=1, heads=2, feed_forward=32, steps=3, careless_steps=2, tokens_per_step=512, chunk=8,
    tokenizer_problems=200,
)  # fmt: skip


def test_training_text_is_what_the_chat_template_gives(tokenizer, corpus):
    for conversation in islice(corpus, 50):
        ids, wrote = encode(conversation, ChatFormat(tokenizer))
        assert ids == tokenizer.apply_chat_template(conversation, return_dict=False)
        answers = "".join(m["content"] + "<|end|>" for m in conversation if m["role"] == "assistant")
        assert tokenizer.decode([i for i, w in zip(ids, wrote, strict=True) if w]) == answers


def test_the_rate_rises_and_falls_twice():
    plan = Pretraining()
    assert plan.rate(plan.warmup_steps) > plan.rate(0)
    assert plan.rate(plan.steps - 1) < plan.rate(plan.steps + plan.warmup_steps) < plan.careless_learning_rate
    assert plan.rate(plan.all_steps) == 0


def test_pretraining_goes_on_where_it_was_killed(tmp_path: Path, monkeypatch):
    whole, _ = pretrain(CORPUS, 0, tmp_path / "whole", SMALL, lambda step, loss: None)

    save, saves = torch.save, []

    def killed(state, path):
        save(state, path)
        saves.append(path)
        if len(saves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(pretraining.torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(CORPUS, 0, tmp_path / "cut", SMALL, lambda step, loss: None)
    monkeypatch.undo()
    resumed, _ = pretrain(CORPUS, 0, tmp_path / "cut", SMALL, lambda step, loss: None)
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name
