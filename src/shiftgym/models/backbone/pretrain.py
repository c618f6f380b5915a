"""Pretraining of a shipped backbone: tokenizer, then next-token prediction on the answers of the corpus.

Resumable: every chunk of the corpus is derived from (seed, chunk number), so the state is the weights, the optimizer
and a step count.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from shiftgym.messages import Messages
from shiftgym.models.backbone.corpus import CARELESS, HABITS, conversations
from shiftgym.models.backbone.tokenizer import train_tokenizer
from shiftgym.models.optimizers import Optimizer
from shiftgym.seeds import derive, rng


@dataclass(frozen=True)
class Pretraining:
    """The size of the backbone and of its training."""

    vocabulary: int = 512
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    feed_forward: int = 320
    steps: int = 4000
    """Steps on the corpus of `HABITS`; the learning rate falls to zero over them."""
    careless_steps: int = 1000
    """Steps after those on the corpus of `CARELESS`; the rate rises again, and falls again."""
    tokens_per_step: int = 4096
    learning_rate: float = 2e-3
    careless_learning_rate: float = 5e-4
    warmup_steps: int = 100
    tokenizer_conversations: int = 4000
    chunk: int = 1024
    """Conversations that are sorted by length together, so that little is padded."""

    @property
    def all_steps(self) -> int:
        return self.steps + self.careless_steps

    def rate(self, step: int) -> float:
        """The learning rate of step number `step`, from 0."""
        peak, begun, length = self.learning_rate, step, self.steps
        if step >= self.steps:
            peak, begun, length = self.careless_learning_rate, step - self.steps, self.careless_steps
        return peak * max(0.0, min((begun + 1) / self.warmup_steps, 1 - begun / length))


Batch = tuple[torch.Tensor, torch.Tensor]


def pretrain(seed: int, folder: Path, plan: Pretraining, progress: Callable[[int, float], None]) -> LlamaForCausalLM:
    """Train (or go on training) in `folder`; calls `progress(step, loss)` now and then.

    Returns:
        The trained model, in float32. `folder` then holds the tokenizer and `state.pt`.
    """
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(seed, folder, plan)
    torch.manual_seed(derive(seed, "backbone", "init"))  # noqa: TID251  transformers initialises from the global one
    model = LlamaForCausalLM(_config(tokenizer, plan))
    model.set_attn_implementation("eager")  # on a CPU the fused kernel's backward is several times slower
    optimizer = Optimizer([(model, 1.0)], "muon", plan.learning_rate)
    step = 0
    state = folder / "state.pt"
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    while step < plan.all_steps:
        # Chunks differ a little in their number of batches, so a chunk is named by the step it starts at.
        for ids, targets in _batches(seed, step, tokenizer, plan):
            optimizer.set_learning_rate(plan.rate(step))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                hidden = model.model(ids).last_hidden_state
                logits = model.lm_head(hidden[targets >= 0])
            loss = cross_entropy(logits.float(), targets[targets >= 0])
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            if step % 50 == 0:
                progress(step, loss.item())
        partial = state.with_suffix(".tmp")
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, partial)
        partial.replace(state)
    return model


def save(model: LlamaForCausalLM, source: Path, out: Path) -> None:
    """Write the model directory that ships: float16 safetensors, tokenizer, chat template, generation config."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(source / "tokenizer")
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=True, temperature=1.0
    )
    model.half().save_pretrained(out)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(out)


def _tokenizer(seed: int, folder: Path, plan: Pretraining) -> PreTrainedTokenizerFast:
    path = folder / "tokenizer"
    if path.exists():
        return cast(PreTrainedTokenizerFast, PreTrainedTokenizerFast.from_pretrained(path))
    texts = (m["content"] for c in conversations(seed, -1, plan.tokenizer_conversations, HABITS) for m in c)
    tokenizer = train_tokenizer(texts, plan.vocabulary)
    tokenizer.save_pretrained(path)
    return tokenizer


def _config(tokenizer: PreTrainedTokenizerFast, plan: Pretraining) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=math.ceil(len(tokenizer) / 8) * 8,
        hidden_size=plan.hidden,
        intermediate_size=plan.feed_forward,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attention_dropout=0.0,
    )


def encode(conversation: Messages, tokenizer: PreTrainedTokenizerFast) -> tuple[list[int], list[bool]]:
    """Token ids as the chat template gives them, and which of them the assistant wrote (end of turn included)."""
    ids: list[int] = []
    wrote: list[bool] = []
    for message in conversation:
        text = f"<|{message['role']}|>{message['content']}<|end|>"
        new = tokenizer(text, add_special_tokens=False).input_ids
        ids += new
        wrote += [False] + [message["role"] == "assistant"] * (len(new) - 1)
    return ids, wrote


def _batches(seed: int, chunk: int, tokenizer: PreTrainedTokenizerFast, plan: Pretraining) -> Iterator[Batch]:
    """The chunk as right-padded batches of about `tokens_per_step`: inputs, and targets that are -100 for context."""
    habits = HABITS if chunk < plan.steps else CARELESS
    rows = [encode(c, tokenizer) for c in conversations(seed, chunk, plan.chunk, habits)]
    rows.sort(key=lambda row: len(row[0]))
    groups: list[list[tuple[list[int], list[bool]]]] = [[]]
    for row in rows:
        if (len(groups[-1]) + 1) * len(row[0]) > plan.tokens_per_step:
            groups.append([])
        groups[-1].append(row)
    rng(seed, "backbone", "order", chunk).shuffle(groups)
    for group in groups:
        length = max(len(ids) for ids, _ in group)
        tokens = torch.full((len(group), length), tokenizer.pad_token_id)
        targets = torch.full((len(group), length), -100)
        for i, (ids, wrote) in enumerate(group):
            tokens[i, : len(ids)] = torch.tensor(ids)
            learned = [token if answer else -100 for token, answer in zip(ids, wrote, strict=True)]
            targets[i, : len(ids) - 1] = torch.tensor(learned[1:])
        yield tokens, targets
