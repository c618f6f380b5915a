"""Tokens a second of shiftgym's SFT step against a bare torch loop over the same model, rows and optimizer.

    OMP_NUM_THREADS=1 python benchmarks/training.py [--batch 64] [--steps 12]

The bare loop is a page of torch: one batch of the same rows, padded once (and, for the vision-language model, the same
pictures, prepared once), `model(ids, mask, labels)`, backward, clipping, AdamW. Ours is all that a step
of `train` does, from drawing problems to the line in metrics.jsonl. The two alternate step by step, and the best of
each is compared; tokens count without padding. Seconds are those of the processor, so that with one thread other
programs disturb little.
"""

import argparse
import tempfile
import time
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from shiftgym.backbones.points import CORPUS
from shiftgym.backbones.tokenizer import train_tokenizer
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.loading.load import load_policy
from shiftgym.tasks.points.task import HandDecision, PointsTask
from shiftgym.training.trainer import train

PROMISED = {"text": 0.9, "pictures": 0.85}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"batch": 64, "steps": 12, "vocabulary": 600}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.manual_seed(0)  # noqa: TID251 (a benchmark's weights may come from the global generator)

    text = PointsTask(PointsTask.Options(), {"train": PointsTask.Setting()}, seed=0, train="train")
    chat_format = ChatFormat(
        train_tokenizer(texts(text, options.batch), options.vocabulary, CORPUS.pieces, CORPUS.numbers)
    )
    config = LlamaConfig(
        vocab_size=options.vocabulary,
        hidden_size=128,
        intermediate_size=320,
        num_hidden_layers=4,
        num_attention_heads=4,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=None,
    )
    compare("text", text, [(LlamaForCausalLM(config), chat_format) for _ in range(2)], options)

    pictures = PointsTask(
        PointsTask.Options(modality="vision"), {"train": PointsTask.Setting(nuisance=0.25)}, seed=0, train="train"
    )
    compare("pictures", pictures, [load_policy("points-vision-0") for _ in range(2)], options)


def decisions(task: PointsTask, batch: int) -> list[HandDecision]:
    return [task.start(task.problem("train", index)) for index in range(batch)]


def texts(task: PointsTask, batch: int) -> list[str]:
    dealt = decisions(task, batch)
    return [each.prompt[0]["content"] for each in dealt] + [task.expert(each) for each in dealt]


def compare(name: str, task: PointsTask, models: list[tuple[PreTrainedModel, ChatFormat]], options: Any) -> None:
    """Print both rates and their ratio. One training set of just a batch: every step has the same rows, so best times
    can be compared."""
    (model, chat_format), (bare, other) = models
    rows = [(other.prompt(d.prompt), other.answer(task.expert(d))) for d in decisions(task, options.batch)]
    tokens = sum(len(prompt) + len(answer) for prompt, answer in rows)
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.tensor([prompt + answer + [0] * (width - len(prompt + answer)) for prompt, answer in rows])
    mask = torch.tensor([[1] * len(p + a) + [0] * (width - len(p + a)) for p, a in rows])
    labels = torch.tensor([[-100] * len(p) + a + [-100] * (width - len(p + a)) for p, a in rows])
    seen: dict[str, torch.Tensor] = {}
    if other.pictures is not None:
        seen = other.pictures.inputs([number for prompt, _ in rows for number in other.pictures.order(prompt)])
        ids = torch.where(ids < 0, other.pictures.token, ids)
    adamw = torch.optim.AdamW(bare.parameters(), lr=1e-4)

    def bare_step() -> None:
        adamw.zero_grad()
        bare(input_ids=ids, attention_mask=mask, labels=labels, **seen).loss.backward()
        torch.nn.utils.clip_grad_norm_(bare.parameters(), 1.0)
        adamw.step()

    own: list[float] = []
    theirs: list[float] = []
    started = time.process_time()

    def alternate(_metrics: dict[str, Any]) -> None:
        nonlocal started
        own.append(time.process_time() - started)
        started = time.process_time()
        bare_step()
        theirs.append(time.process_time() - started)
        started = time.process_time()

    with tempfile.TemporaryDirectory() as folder:
        settings = {"problems": options.batch, "batch": options.batch}
        policy = model, chat_format
        train(policy, "sft", task, settings=settings, folder=folder, steps=options.steps, on_step=alternate)
    ours, bare_rate = tokens / min(own), tokens / min(theirs)
    print(
        f"training, {name}: shiftgym {ours:,.0f} tokens/s, bare torch loop {bare_rate:,.0f} tokens/s, "
        f"ratio {ours / bare_rate:.2f}, promised {PROMISED[name]} "
        f"({options.batch} rows of {tokens / options.batch:.0f} tokens)"
    )


if __name__ == "__main__":
    main()
