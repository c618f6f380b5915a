"""Pretraining of a shipped backbone: tokenizer, then next-token prediction on the answers of the corpus.

Resumable: every chunk of the corpus is derived from (seed, chunk number), so the state is the weights, the optimizer
and a step count.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
)

from shiftgym.backbones.corpus import Corpus
from shiftgym.backbones.tokenizer import train_tokenizer
from shiftgym.backbones.vision import Encoder, add_encoder, processor_of
from shiftgym.files import replacing
from shiftgym.messages import Messages
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.heap import hand_back
from shiftgym.models.optimizers import Optimizer
from shiftgym.models.prefixes import Packed, Tree, pack_prefix_trees
from shiftgym.models.score import TokenIndices
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
    """Steps on the corpus as it is mostly written; the learning rate falls to zero over them."""
    careless_steps: int = 1000
    """Steps after those on its careless end; the rate rises again, and falls again."""
    tokens_per_step: int = 4096
    learning_rate: float = 2e-3
    careless_learning_rate: float = 5e-4
    warmup_steps: int = 100
    tokenizer_problems: int = 4000
    chunk: int = 1024
    """Problems whose conversations are sorted by length together, so that little is padded."""
    tree: int = 0
    """Most tokens in a row that conversations which begin alike share; 0 gives each a row of its own."""
    encoder: Encoder | None = None
    """How it sees, if it does. Its decoder then is that of a backbone that reads, and sizes above say nothing."""

    @property
    def all_steps(self) -> int:
        return self.steps + self.careless_steps

    def rate(self, step: int) -> float:
        """The learning rate of step number `step`, from 0."""
        peak, begun, length = self.learning_rate, step, self.steps
        if step >= self.steps:
            peak, begun, length = self.careless_learning_rate, step - self.steps, self.careless_steps
        return peak * max(0.0, min((begun + 1) / self.warmup_steps, 1 - begun / length))


Microbatch = tuple[Packed, TokenIndices, torch.Tensor]
"""Tokens, row and column of the token before each answer token, and the answer tokens."""


def pretrain(
    corpus: Corpus, seed: int, folder: Path, plan: Pretraining, progress: Callable[[int, float], None]
) -> tuple[PreTrainedModel, ChatFormat]:
    """Train (or go on training) in `folder`; calls `progress(step, loss)` now and then.

    Returns:
        The trained model, in float32, and how its conversations are written. `folder` then holds `state.pt` and, for
        a model that reads, the tokenizer.
    """
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    model, reader, modules = _start(corpus, seed, folder, plan)
    chat_format = ChatFormat.of(model, reader)
    model.set_attn_implementation("eager")  # on a CPU the fused kernel's backward is several times slower
    optimizer = Optimizer(modules, "muon", plan.learning_rate)
    step = 0
    state = folder / "state.pt"
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        step = saved["step"]
    while step < plan.all_steps:
        # Chunks differ a little in their number of batches, so a chunk is named by the step it starts at.
        for packed, predictors, targets in _batches(corpus, seed, step, chat_format, plan):
            optimizer.set_learning_rate(plan.rate(step))
            with torch.autocast("cpu", dtype=torch.bfloat16):
                mask = None if packed.visible is None else packed.attention_mask(torch.bfloat16)
                hidden = model.base_model(**packed.inputs, attention_mask=mask, use_cache=False).last_hidden_state
                logits = model.get_output_embeddings()(hidden[predictors])  # type: ignore[no-untyped-call]
            loss = cross_entropy(logits.float(), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            hand_back()
            if step % 50 == 0:
                progress(step, loss.item())
        with replacing(state) as unfinished:
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, unfinished)
    return model, chat_format


def save(model: PreTrainedModel, chat_format: ChatFormat, out: Path) -> None:
    """Write the model directory that ships: float16 safetensors, tokenizer, chat template, generation config."""
    tokenizer = chat_format.tokenizer
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=True, temperature=1.0
    )
    model.half().save_pretrained(out)  # type: ignore[no-untyped-call]
    chat_format.reader.save_pretrained(out)


def _start(
    corpus: Corpus, seed: int, folder: Path, plan: Pretraining
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast | ProcessorMixin, list[tuple[nn.Module, float]]]:
    """The untrained model, its tokenizer or processor, and the parts of it with the factor on the rate of each."""
    torch.manual_seed(derive(seed, "backbone", "init"))  # noqa: TID251  transformers initialises from the global one
    if plan.encoder is None:
        tokenizer = _tokenizer(corpus, seed, folder, plan)
        model = LlamaForCausalLM(_config(tokenizer, plan))
        return model, tokenizer, [(model, 1.0)]
    processor = processor_of(plan.encoder, seed)
    seeing = add_encoder(plan.encoder, seed, processor)
    decoder = seeing.model.text_model
    return seeing, processor, [
        (seeing.model.vision_model, 1.0), (seeing.model.connector, 1.0), (decoder, plan.encoder.reader_rate)
    ]  # fmt: skip


def _tokenizer(corpus: Corpus, seed: int, folder: Path, plan: Pretraining) -> PreTrainedTokenizerFast:
    path = folder / "tokenizer"
    if path.exists():
        return cast(PreTrainedTokenizerFast, PreTrainedTokenizerFast.from_pretrained(path))
    problems = corpus.problems(seed, -1, plan.tokenizer_problems, corpus.habits)
    texts = (message["content"] for problem in problems for conversation in problem for message in conversation)
    tokenizer = train_tokenizer(texts, plan.vocabulary, corpus.pieces, corpus.numbers)
    with replacing(path) as unfinished:
        tokenizer.save_pretrained(unfinished)
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


def encode(conversation: Messages, chat_format: ChatFormat) -> tuple[list[int], list[bool]]:
    """Token ids as the chat template gives them, and which of them the assistant wrote (end token included)."""
    ids: list[int] = []
    wrote: list[bool] = []
    for message in conversation:
        shown = (
            [chat_format.pictures.tokens(each) for each in message.get("pictures", ())] if chat_format.pictures else []
        )
        new = chat_format.tokenizer(f"<|{message['role']}|>{message['content']}", add_special_tokens=False).input_ids
        new += [*chain(*shown), chat_format.end_id]
        ids += new
        wrote += [False] + [message["role"] == "assistant"] * (len(new) - 1)
    return ids, wrote


def _batches(corpus: Corpus, seed: int, chunk: int, chat_format: ChatFormat, plan: Pretraining) -> Iterator[Microbatch]:
    """The chunk as right-padded batches of about `tokens_per_step`; only answers are learned."""
    habits = corpus.habits if chunk < plan.steps else corpus.careless
    problems = corpus.problems(seed, chunk, plan.chunk, habits)
    texts = [encode(conversation, chat_format) for problem in problems for conversation in problem]
    trees = sorted(pack_prefix_trees([ids for ids, _ in texts], plan.tree), key=len)
    groups: list[list[Tree]] = [[]]
    for tree in trees:
        if (len(groups[-1]) + 1) * len(tree) > plan.tokens_per_step:
            groups.append([])
        groups[-1].append(tree)
    rng(seed, "backbone", "order", chunk).shuffle(groups)
    for group in groups:
        indices: list[tuple[int, int]] = []
        targets: list[int] = []
        for row, tree in enumerate(group):
            for member, path in zip(tree.members, tree.paths, strict=True):
                ids, wrote = texts[member]
                learned = [at for at, answer in enumerate(wrote) if answer]
                indices += [(row, path[at - 1]) for at in learned]
                targets += [ids[at] for at in learned]
        rows, columns = torch.tensor(indices).unbind(1)
        yield Packed.of(group, torch.device("cpu"), chat_format.pictures), (rows, columns), torch.tensor(targets)
