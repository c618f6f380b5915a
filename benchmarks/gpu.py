"""What this project makes of a GPU, as ratios measured in one run, in under four minutes.

    python benchmarks/gpu.py          on a machine with a GPU; exit code 1 if a target is missed, 2 without a GPU
    python benchmarks/gpu.py --toy    everything at toy size on the CPU, which proves that the script runs

The model has random weights and the layers of Llama-3.2-1B, over a vocabulary of 49,152: 1.07e9 parameters. Prompts
have 156 tokens, and all answers exactly 128, for whoever writes them.

* matrix rate: a product of two square matrices in bfloat16, which the training steps are measured by.
* steps: SFT and PPO by the project's own loop, FLOPs as its ledger counts them, over the seconds of learning.
* rollouts: the project's policy with captured decode steps, beside `generate` of transformers with a static cache and
  compiled, and with a dynamic cache, and beside the project's own steps without capture.
* agreement: tokens and log-probabilities of captured steps and of uncaptured ones; outcomes on the GPU and on the CPU.

What there is no time left for is shown as "-". Targets are measured first. A part that fails counts as a missed target,
and the others are measured all the same.
"""

import argparse
import gc
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel

from gpu_words import Continue, Words
from shiftgym import ModelPolicy, Placement, evaluate, load_policy, load_study
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.training.loop import Limits, Loop
from shiftgym.training.recipes.ppo import PPO
from shiftgym.training.recipes.sft import SFT
from shiftgym.training.trainer import make_recipe

SECONDS = 200
"""After so many seconds nothing that takes long is begun any more."""


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    model: dict[str, int]
    rows: tuple[int, ...] = (256, 8, 64, 512)
    """Batches of the rollouts, in the order in which they are measured."""
    prompt: int = 156
    answer: int = 128
    batch: int = 228
    """Conversations of a training step: four passes."""
    tokens_per_pass: int = 16384
    matrix: int = 8192
    problems: int = 64
    """Hands that the shipped backbone is asked on both devices, in each of two decodings."""

    @property
    def task(self) -> Continue:
        return Continue(self.model["vocab_size"], self.prompt, self.answer)


LLAMA = {
    "vocab_size": 49152, "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64,
}  # fmt: skip
FULL = Size(LLAMA)
TOY = Size(
    {
        "vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8,
    },
    rows=(4, 2), prompt=9, answer=5, batch=6, tokens_per_pass=48, matrix=64, problems=2,
)  # fmt: skip


@dataclass
class Bench:
    """The device, the clock, and the table so far."""

    device: torch.device
    size: Size
    missed: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def captured(self) -> Any:
        """How the policy runs its decode steps: as those that would be captured, where nothing can be."""
        return "captured" if self.on_gpu else "fixed"

    @property
    def has_time(self) -> bool:
        return time.perf_counter() - self.began < SECONDS

    def seconds(self, run: Callable[[], Any]) -> float:
        """Seconds of a run, the device's work included."""
        self._wait()
        start = time.perf_counter()
        run()
        self._wait()
        return time.perf_counter() - start

    def _wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """What fails within is told and counts as missed."""
        try:
            yield
        except Exception:  # noqa: BLE001  whatever it is, the other parts are worth a line
            traceback.print_exc()
            self.missed.append(f"{what} failed")
        if self.on_gpu:
            gc.collect()
            torch.cuda.empty_cache()

    @contextmanager
    def memory(self, what: str) -> Iterator[None]:
        """Tell the most memory that was allocated within, and free what is left of it."""
        if self.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        yield
        if self.on_gpu:
            self.tell(what, torch.cuda.max_memory_allocated() / 2**30, "GiB")
            gc.collect()
            torch.cuda.empty_cache()

    def tell(self, what: str, value: float | None, unit: str = "", *, least: float = 0, most: float = 0) -> None:
        """Print one line of the table; "-" stands for what was not measured.

        Args:
            least, most: the target, if there is one. At toy size it says nothing, so none is missed.
        """
        line = f"{what:<60}{'-' if value is None else f'{value:.4g}':>9} {unit:<8}"
        if value is not None and (least or most):
            line += f" target at least {least:g}" if least else f" target at most {most:g}"
            missed = self.on_gpu and (value < least or (most and value > most))
            line += ": MISSED" if missed else ": PASS" if self.on_gpu else ""
            self.missed += [what] if missed else []
        print(line.rstrip(), flush=True)

    def model(self, dtype: torch.dtype) -> PreTrainedModel:
        """The model with random weights, made on the device."""
        config = LlamaConfig(
            **self.size.model, tie_word_embeddings=True, max_position_embeddings=4096,
            bos_token_id=None, eos_token_id=None, pad_token_id=0,
        )  # fmt: skip
        with self.device:
            return AutoModelForCausalLM.from_config(config, dtype=dtype).eval()


def matrix_rate(bench: Bench) -> float:
    """FLOPs a second of a product in bfloat16."""
    size = bench.size.matrix
    a, b = (torch.randn(size, size, dtype=torch.bfloat16, device=bench.device) for _ in range(2))
    times = 50

    def products() -> None:
        for _ in range(times):
            torch.mm(a, b)

    bench.seconds(products)
    rate = 2 * size**3 * times / bench.seconds(products)
    bench.tell(f"product of two matrices of {size} rows, bfloat16", rate / 1e12, "TFLOP/s")
    return rate


def steps(bench: Bench, kind: Any, dtype: torch.dtype, rate: float, least: float) -> None:
    """The share of the matrix rate that the third step of a recipe reaches when it learns."""
    size = bench.size
    sampled: dict[str, Any] = {
        "episodes_per_iteration": size.batch, "minibatch": size.batch, "epochs": 1, "max_new_tokens": size.answer
    }  # fmt: skip
    settings = kind.Settings(
        tokens_per_pass=size.tokens_per_pass,
        precision="bfloat16" if dtype == torch.float32 else "float32",
        optimizer={"learning_rate": 1e-5},
        **(sampled if kind is PPO else {"batch": size.batch}),
    )
    collected: list[tuple[float, int]] = []

    class Watched(kind):  # type: ignore[misc, valid-type]
        def collect(self, step: int) -> Any:
            found = super().collect(step)
            bench._wait()
            collected.append((time.perf_counter(), self.player.ledger.flops))
            return found

    called = f"{kind.name.upper()}, {str(dtype).removeprefix('torch.')} weights"
    with bench.memory(f"{called}: memory"), tempfile.TemporaryDirectory() as folder:
        model = bench.model(dtype)
        ledger = Ledger(ModelShape.of(model))
        words: Any = Words(size.model["vocab_size"])
        recipe = make_recipe(Watched, settings, model, words, size.task, seed=0, ledger=ledger)
        loop = Loop(recipe, Path(folder), Limits(steps=3))
        for _ in range(3):
            trained = ledger.tokens_trained
            began = time.perf_counter()
            loop.advance()
            bench._wait()
        ended, (at, flops) = time.perf_counter(), collected[-1]
        bench.tell(f"{called}: seconds to collect", at - began)
        bench.tell(f"{called}: tokens learned from a second", (ledger.tokens_trained - trained) / (ended - at))
        bench.tell(f"{called}: share of the matrix rate", (ledger.flops - flops) / (ended - at) / rate, least=least)
        del model, recipe, loop


CONTENDERS = {
    "captured": "ours, captured",
    "static": "generate, static and compiled",
    "uncaptured": "ours, not captured",
    "dynamic": "generate, dynamic",
}


def rollouts(bench: Bench) -> None:
    """Tokens a second of all contenders, with the weights in bfloat16."""
    model = bench.model(torch.bfloat16)
    for rows in bench.size.rows:
        rates: dict[str, float] = {}
        _measure(bench, model, rows, rates)
        for name, called in CONTENDERS.items():
            bench.tell(f"rollouts of {rows} rows: {called}", rates.get(name), "tokens/s")
        targets = {"static": 1.0 if rows == 256 else 0, "uncaptured": 4.0 if rows == 8 else 0, "dynamic": 0}
        for name, least in targets.items():
            ratio = rates["captured"] / rates[name] if rates.keys() >= {"captured", name} else None
            bench.tell(f"rollouts of {rows} rows: ours over {CONTENDERS[name]}", ratio, least=least)


def _measure(bench: Bench, model: PreTrainedModel, rows: int, rates: dict[str, float]) -> None:
    """Tokens a second of each contender that there is time for, into `rates`.

    What compiles or captures runs before. Ours runs twice, since its stores may grow while the first batch is answered,
    and steps are captured anew then.
    """
    size, words = bench.size, Words(bench.size.model["vocab_size"])
    decisions = [size.task.start(size.task.problem("train", index)) for index in range(rows)]
    ids = torch.tensor([words.prompt(each.prompt) for each in decisions], device=bench.device)

    def own(kind: Any) -> None:
        answers = _answers(model, words, decisions, kind, 1.0, size.answer)
        assert {len(tokens) for tokens, _ in answers} == {size.answer}

    def generate(**options: Any) -> None:
        written = model.generate(  # type: ignore[operator]
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=size.answer, do_sample=True, top_k=0,
            pad_token_id=0, **options,
        )  # fmt: skip
        assert written.shape == (rows, size.prompt + size.answer)

    def measure(name: str, run: Callable[[], None], *, before: int = 0) -> None:
        if bench.has_time:
            with bench.part(f"rollouts of {rows} rows: {CONTENDERS[name]}"):
                for _ in range(before):
                    run()
                rates[name] = rows * size.answer / bench.seconds(run)

    with bench.memory(f"rollouts of {rows} rows, captured: memory"):
        measure("captured", lambda: own(bench.captured), before=2)
    with bench.memory(f"rollouts of {rows} rows, static: memory"):
        torch.compiler.reset()  # each number of rows is compiled for itself, not for any number
        measure("static", lambda: generate(cache_implementation="static"), before=1)
    measure("uncaptured", lambda: own("growing"))
    measure("dynamic", generate)


def _answers(
    model: Any, chat_format: Any, decisions: Sequence[Any], kind: Any, temperature: float, longest: int
) -> list[tuple[list[int], list[float]]]:
    """Tokens and log-probabilities of an answer to each decision, by decode steps of that kind."""
    policy = ModelPolicy(model, chat_format, temperature=temperature, max_new_tokens=longest, seed=0, steps=kind)
    chat = policy.start(decisions, [["benchmark", row] for row in range(len(decisions))])
    chat.reply(range(len(decisions)), [[] for _ in decisions])
    return [(each.ids[slice(*each.spans[0])], each.logprobs[0]) for each in chat.transcripts()]


def agreement(bench: Bench) -> None:
    """Whether captured steps write what uncaptured ones do, and a GPU what a CPU does."""

    def compared(what: str, *asked: Any) -> None:
        captured, others = (_answers(*asked[:3], kind, *asked[3:]) for kind in (bench.captured, "growing"))
        gap = 0.0
        for (ids, logprobs), (other_ids, other_logprobs) in zip(captured, others, strict=True):
            # Behind the first token that differs, two answers have nothing in common.
            same = next((at for at, pair in enumerate(zip(ids, other_ids, strict=False)) if len({*pair}) > 1), len(ids))
            gap = max([gap, *(abs(x - y) for x, y in zip(logprobs[:same], other_logprobs[:same], strict=False))])
        equal = sum(one[0] == other[0] for one, other in zip(captured, others, strict=True))
        bench.tell(f"{what}: equal answers, captured and not", equal / len(captured), least=0.99)
        bench.tell(f"{what}: largest difference of log-probabilities", gap, "nats", most=1e-3)

    task = load_study("points-text").build_task()
    hands = [task.start(task.problem("id", index)) for index in range(2 * bench.size.problems)]
    compared("points-0, sampled", *load_policy("points-0", device=bench.device.type), hands, 1.0, 96)
    own, words = bench.size.task, Words(bench.size.model["vocab_size"])
    asked = [own.start(own.problem("train", index)) for index in range(8)]
    compared("float32 weights, greedy", bench.model(torch.float32), words, asked, 0.0, bench.size.answer)

    rows = [
        evaluate("points-0", task, splits=["id"], problems=bench.size.problems, placement=Placement(device=device)).rows
        for device in ("cpu", bench.device.type)
    ]
    same = sum(here == there for here, there in zip(*rows, strict=True)) / len(rows[0])
    bench.tell("points-0: equal outcomes, CPU and GPU", same, least=0.99)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="everything at toy size on the CPU")
    toy = parser.parse_args(arguments).toy
    if not toy and not torch.cuda.is_available():
        print(f"benchmarks/gpu.py: torch {torch.__version__} finds no GPU; --toy runs it at toy size", file=sys.stderr)
        return 2
    bench = Bench(torch.device("cpu" if toy else "cuda"), TOY if toy else FULL)
    named = "the CPU" if toy else torch.cuda.get_device_name()
    print(f"{named}, torch {torch.__version__}")
    rate = matrix_rate(bench)
    for kind in (SFT, PPO):
        for dtype, least in ((torch.bfloat16, 0.5), (torch.float32, 0.45)):
            with bench.part(f"{kind.name.upper()}, {str(dtype).removeprefix('torch.')} weights"):
                steps(bench, kind, dtype, rate, least if kind is SFT else 0)
    with bench.part("agreement"):
        agreement(bench)
    with bench.part("rollouts"):
        rollouts(bench)
    print(f"{time.perf_counter() - bench.began:.0f} seconds. ", end="")
    print("Missed: " + "; ".join(bench.missed) if bench.missed else "No target was missed.")
    return 1 if bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
