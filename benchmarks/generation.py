"""Tokens a second of shiftgym's own decoding against `model.generate()`, side by side on one thread.

    OMP_NUM_THREADS=1 python benchmarks/generation.py [--batch 256] [--rounds 5]

Three batches, all sampled at temperature 1 from the shipped backbone in float32:

* hands: different hands, answers end where the model ends them. This is evaluation, and what the promise is about.
* groups: eight answers to each hand, as GRPO and RLOO sample them.
* fixed: random prompts and no end token, so both sides do the very same matrix products.

Rounds alternate, and the best of each is compared. Tokens count up to the end token. Seconds are those of the
processor, so that with one thread other programs disturb little.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from shiftgym.messages import Message, Messages
from shiftgym.models.generation.generate import ModelPolicy
from shiftgym.models.loading.load import load_policy
from shiftgym.tasks.points.task import PointsTask

MODEL = "points-0"
PROMISED = 1.7
GROUP = 8
FIXED = (25, 57)
"""Tokens of prompt and answer in the fixed batch: the means of the task."""


class Tokens:
    """A chat format whose prompts are their own numbers and whose answers never end."""

    end_ids = frozenset({-1})
    pictures = None
    opening = ""

    def prompt(self, messages: Messages) -> list[int]:
        return [int(number) for number in messages[0]["content"].split()]

    def text(self, ids: list[int]) -> str:
        return ""


@dataclass
class Numbers:
    """A decision whose prompt is token ids."""

    prompt: Messages


def compare(name: str, model: Any, chat_format: Any, decisions: list[Any], limit: int, rounds: int) -> float:
    """Print both rates and return their ratio."""
    prompts = [chat_format.prompt(decision.prompt) for decision in decisions]
    width, ends = max(map(len, prompts)), sorted(chat_format.end_ids)
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    policy = ModelPolicy(model, chat_format, temperature=1.0, max_new_tokens=limit, seed=0)

    def own() -> int:
        noise = [["benchmark", row] for row in range(len(decisions))]
        answers = policy.start(decisions, noise).reply(range(len(decisions)), [[] for _ in decisions])
        return sum(answer.tokens for answer in answers)

    def generate() -> int:
        written = model.generate(
            ids,
            attention_mask=mask,
            max_new_tokens=limit,
            do_sample=True,
            top_k=0,
            eos_token_id=ends if ends[0] >= 0 else None,
            pad_token_id=0,
        )[:, width:]
        ended = torch.isin(written, torch.tensor(ends))
        return int(torch.where(ended.any(1), ended.int().argmax(1) + 1, written.shape[1]).sum())

    own(), generate()
    rates = [(rate(own), rate(generate)) for _ in range(rounds)]
    ours, theirs = (max(column) for column in zip(*rates, strict=True))
    print(f"{name:<8}shiftgym {ours:>7,.0f} tokens/s, model.generate() {theirs:>7,.0f}, ratio {ours / theirs:.2f}")
    return ours / theirs


def rate(run: Callable[[], int]) -> float:
    start = time.process_time()
    tokens = run()
    return tokens / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"batch": 256, "rounds": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)  # noqa: TID251  generate() samples from torch's global generator
    model, chat_format = load_policy(MODEL)
    task = PointsTask(PointsTask.Options(), {"test": PointsTask.Setting(hands="test")}, seed=0, train=None)
    hands = [task.start(task.problem("test", index)) for index in range(options.batch)]
    groups = [hand for hand in hands[: options.batch // GROUP] for _ in range(GROUP)]
    prompt, answer = FIXED
    fixed = torch.randint(8, len(chat_format.tokenizer), (options.batch, prompt)).tolist()
    numbers = [Numbers([Message(role="user", content=" ".join(map(str, ids)))]) for ids in fixed]

    ratio = compare("hands", model, chat_format, hands, 96, options.rounds)
    compare("groups", model, chat_format, groups, 96, options.rounds)
    compare("fixed", model, Tokens(), numbers, answer, options.rounds)
    print(f"promised for hands {PROMISED}: {'PASS' if ratio >= PROMISED else 'BELOW'}")


if __name__ == "__main__":
    main()
