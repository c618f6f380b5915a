"""Tokens a second of shiftgym's own decoding against `model.generate()`, side by side on one thread.

    OMP_NUM_THREADS=1 python benchmarks/generation.py [--batch 256] [--prompt 25] [--new 57] [--rounds 5]

Both sample at temperature 1 from the same model of the shipped backbone's size, without an end token, so that both
generate exactly batch x new tokens. Rounds alternate, and the best of each is compared. Seconds are those of the
processor, so that with one thread other programs disturb little.
"""

import argparse
import time
from collections.abc import Callable

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from shiftgym.messages import Message, Messages
from shiftgym.models.generate import ModelPolicy


class Tokens:
    """A chat format whose prompts are their own numbers and whose answers never end."""

    end_ids = frozenset({-1})

    def prompt(self, messages: Messages) -> list[int]:
        return [int(number) for number in messages[0]["content"].split()]

    def reply(self, messages: Messages) -> list[int]:
        return self.prompt(messages)

    def text(self, ids: list[int]) -> str:
        return ""


class Numbers:
    """A decision whose prompt is random token ids."""

    def __init__(self, ids: list[int]) -> None:
        self.prompt: Messages = [Message(role="user", content=" ".join(map(str, ids)))]


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"batch": 256, "prompt": 25, "new": 57, "rounds": 5, "vocabulary": 600}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.manual_seed(0)  # noqa: TID251  weights, and generate(), use torch's global generator
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=options.vocabulary,
            hidden_size=128,
            intermediate_size=320,
            num_hidden_layers=4,
            num_attention_heads=4,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=None,
        )
    ).eval()
    prompts = torch.randint(options.vocabulary, (options.batch, options.prompt))
    decisions = [Numbers(ids) for ids in prompts.tolist()]
    policy = ModelPolicy(model, Tokens(), temperature=1.0, max_new_tokens=options.new, seed=0)  # type: ignore[arg-type]

    def own() -> None:
        policy.start(decisions, ["benchmark"]).reply(range(len(decisions)), [[] for _ in decisions])  # type: ignore[arg-type]

    def generate() -> None:
        model.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            max_new_tokens=options.new,
            do_sample=True,
            top_k=0,
            pad_token_id=0,
        )

    own(), generate()
    times = [(seconds(own), seconds(generate)) for _ in range(options.rounds)]
    ours, theirs = (options.batch * options.new / min(column) for column in zip(*times, strict=True))
    print(f"shiftgym {ours:,.0f} tokens/s, model.generate() {theirs:,.0f} tokens/s, ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
