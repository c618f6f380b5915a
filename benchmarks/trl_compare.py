"""Steps of shiftgym's trainer against TRL's SFTTrainer and GRPOTrainer, side by side on one thread.

    make bench, or OMP_NUM_THREADS=1 .venv-bench/bin/python benchmarks/trl_compare.py [--steps 4] [--rounds 5]

Both sides train copies of the shipped backbone with AdamW at the same settings, on the same batches in the same
order; twice: with training passes in bfloat16, which TRL does by default and the shipped studies do too, so the promise
is about that, and in float32. SFT: prompts with the expert's answer, loss on the answer; both must report the same
loss. RL: GRPO with the same prompts, group size, number of completions, sampling and length limit, no KL term, one
update on each batch, and rewards from the same verifier; the learning rate is so small that both sides' answers stay
alike. TRL runs as shipped, with its KV cache; gradient checkpointing (on by default), logging, saving and progress bars
are off.

Rounds alternate, and the median of their ratios counts. Of each round, set-up and the first step are left out.
Seconds are those of the processor, so that with one thread other programs disturb little.
"""

import argparse
import copy
import math
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any, Literal

import datasets
import torch
import transformers
import trl
from huggingface_hub import constants
from transformers import PrinterCallback, TrainerCallback

from shiftgym.messages import assistant
from shiftgym.models.loading.load import load_policy
from shiftgym.tasks.points.task import PointsTask
from shiftgym.training.group import GroupSettings
from shiftgym.training.order import training_order
from shiftgym.training.recipes.sft import SFTSettings
from shiftgym.training.settings import OptimizerSettings
from shiftgym.training.trainer import train

MODEL = "points-0"
OPTIMIZER = OptimizerSettings(learning_rate=1e-6)
PROMISED = {"SFT": 1.5, "RL": 2.0}
TOLERANCE = {"bfloat16": 1e-2, "float32": 1e-3}
"""Largest relative difference of the two sides' losses."""


@dataclass
class Run:
    """What one side did in one round."""

    marks: list[tuple[float, int]] = field(default_factory=list)
    """Processor time, and tokens so far, at the end of each step."""
    results: list[float] = field(default_factory=list)
    """Loss (SFT) or share of right answers (RL), of each step or the mean of all."""

    def mark(self, tokens: int) -> None:
        self.marks.append((time.process_time(), tokens))

    @property
    def rate(self) -> float:
        """Tokens a second from the end of the first step, which warms up, to the end of the last."""
        (started, before), (ended, after) = self.marks[0], self.marks[-1]
        return (after - before) / (ended - started)


class Sides:
    """Both trainers, on the same model and the same problems.

    Args:
        batch: rows, or completions, of a step.
        group: completions of the same prompt.
        limit: longest completion in tokens.
        steps: steps of a round that count, after the one that warms up.
        precision: of training passes, bfloat16 (under autocast) or float32; weights are float32 either way.
    """

    def __init__(
        self, *, batch: int, group: int, limit: int, steps: int, precision: Literal["bfloat16", "float32"]
    ) -> None:
        self.model, self.chat_format = load_policy(MODEL)
        self.tokenizer = self.chat_format.tokenizer
        self.task = PointsTask(PointsTask.Options(), {"train": PointsTask.Setting()}, seed=0, train="train")
        self.batch, self.group, self.limit, self.steps = batch, group, limit, steps + 1
        self.precision = precision
        # A training set of one batch: the expert's answers are made in the step that warms up, as TRL's in its set-up.
        self.sft = SFTSettings(problems=batch, batch=batch, precision=precision, optimizer=OPTIMIZER)
        self.grpo = GroupSettings(
            episodes_per_iteration=batch,
            minibatch=batch,
            group_size=group,
            epochs=1,
            kl=0.0,
            max_new_tokens=limit,
            precision=precision,
            optimizer=OPTIMIZER,
        )

    def own_sft(self, seed: int) -> Run:
        return self._own("sft", self.sft, seed, "tokens_trained", "loss")

    def own_rl(self, seed: int) -> Run:
        return self._own("grpo", self.grpo, seed, "tokens_generated", "success")

    def trl_sft(self, seed: int) -> Run:
        problems = training_order(seed, "train", self.sft.problems, 0, self.batch * self.steps)
        decisions = [self.task.start(self.task.problem("train", index)) for index in problems]
        answers = [self.task.expert(decision) for decision in decisions]
        rows = [
            {"prompt": decision.prompt, "completion": [assistant(answer)]}
            for decision, answer in zip(decisions, answers, strict=True)
        ]
        # Both sides see the same rows, so TRL's tokens need no counting while it runs.
        lengths = [
            len(self.chat_format.prompt(decision.prompt)) + len(self.chat_format.answer(answer))
            for decision, answer in zip(decisions, answers, strict=True)
        ]
        run = Run()

        def trainer(arguments: dict[str, Any]) -> transformers.Trainer:
            return trl.SFTTrainer(
                copy.deepcopy(self.model),
                trl.SFTConfig(**arguments, train_sampling_strategy="sequential"),
                train_dataset=datasets.Dataset.from_list(rows),
                processing_class=self.tokenizer,
            )

        run.results.append(
            self._trl(run, trainer, seed, lambda: sum(lengths[: len(run.marks) * self.batch + self.batch]))
        )
        return run

    def trl_rl(self, seed: int) -> Run:
        problems = list(training_order(seed, "train", self.grpo.problems, 0, self.batch // self.group * self.steps))
        decisions = {index: self.task.start(self.task.problem("train", index)) for index in problems}
        rows = [{"prompt": decisions[index].prompt, "problem": index} for index in problems]
        run, tokens = Run(), 0

        def reward(
            completions: list[Any], completion_ids: list[list[int]], problem: list[int], **_: object
        ) -> list[float]:
            nonlocal tokens
            tokens += sum(map(len, completion_ids))
            answers = [completion[0]["content"] for completion in completions]
            verdicts = [decisions[index].judge(answer) for index, answer in zip(problem, answers, strict=True)]
            run.results.append(fmean(verdict.correct for verdict in verdicts))
            return [verdict.reward for verdict in verdicts]

        def trainer(arguments: dict[str, Any]) -> transformers.Trainer:
            return trl.GRPOTrainer(
                copy.deepcopy(self.model),
                reward,
                trl.GRPOConfig(
                    **arguments,
                    num_generations=self.group,
                    max_completion_length=self.limit,
                    temperature=self.grpo.temperature,
                    shuffle_dataset=False,
                ),
                train_dataset=datasets.Dataset.from_list(rows),
                processing_class=self.tokenizer,
            )

        self._trl(run, trainer, seed, lambda: tokens)
        return run

    def _own(self, recipe: str, settings: SFTSettings | GroupSettings, seed: int, tokens: str, result: str) -> Run:
        run = Run()

        def on_step(metrics: dict[str, Any]) -> None:
            run.mark(metrics[tokens])
            run.results.append(metrics[result])

        model = copy.deepcopy(self.model)
        with tempfile.TemporaryDirectory() as folder:
            train(
                (model, self.chat_format),
                recipe,
                self.task,
                settings=settings,
                seed=seed,
                folder=folder,
                steps=self.steps,
                on_step=on_step,
            )
        return run

    def _trl(
        self, run: Run, build: Callable[[dict[str, Any]], transformers.Trainer], seed: int, tokens: Callable[[], int]
    ) -> float:
        """Train with TRL, marking steps in `run`; the mean loss."""

        class Mark(TrainerCallback):
            def on_step_end(self, *_: object, **__: object) -> None:
                run.mark(tokens())

        with tempfile.TemporaryDirectory() as folder:
            trainer = build(
                {
                    "output_dir": folder,
                    "seed": seed,
                    "max_steps": self.steps,
                    "per_device_train_batch_size": self.batch,
                    "learning_rate": OPTIMIZER.learning_rate,
                    "lr_scheduler_type": "constant",
                    "adam_beta1": OPTIMIZER.betas[0],
                    "adam_beta2": OPTIMIZER.betas[1],
                    "weight_decay": OPTIMIZER.weight_decay,
                    "max_grad_norm": OPTIMIZER.max_grad_norm,
                    "use_cpu": True,
                    "bf16": self.precision == "bfloat16",
                    "activation_checkpointing": False,
                    "logging_strategy": "no",
                    "save_strategy": "no",
                    "report_to": "none",
                    "disable_tqdm": True,
                    "dataloader_pin_memory": False,
                }
            )
            trainer.remove_callback(PrinterCallback)
            trainer.add_callback(Mark())
            return trainer.train().training_loss


def compare(
    name: str, own: Callable[[int], Run], theirs: Callable[[int], Run], rounds: int, promised: float | None
) -> list[tuple[Run, Run]]:
    """Alternate between both sides, print the rates and their ratio, and return the runs."""
    runs = [(own(seed), theirs(seed)) for seed in range(rounds)]
    ratios = sorted(a.rate / b.rate for a, b in runs)
    ratio = median(ratios)
    verdict = "" if promised is None else f", promised {promised}: {'PASS' if ratio >= promised else 'BELOW'}"
    print(
        f"  {name}: shiftgym {median(a.rate for a, _ in runs):,.0f} tokens/s, TRL "
        f"{median(b.rate for _, b in runs):,.0f} tokens/s, ratio {ratio:.2f} (rounds {ratios[0]:.2f} to "
        f"{ratios[-1]:.2f}){verdict}"
    )
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {"batch": 64, "group": 8, "limit": 96, "steps": 4, "rounds": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    # TRL reports the use of its trainers to its makers; a benchmark has no need to.
    constants.HF_HUB_DISABLE_TELEMETRY = True
    warnings.simplefilter("ignore", FutureWarning)  # of transformers about names that TRL uses
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    print(
        f"{MODEL}, one thread; TRL {trl.__version__}, transformers {transformers.__version__}, torch "
        f"{torch.__version__}; median of {options.rounds} rounds of {options.steps} steps\n"
        f"SFT: {options.batch} rows; tokens are those of prompts and answers. GRPO: {options.batch} completions of at "
        f"most {options.limit} tokens, {options.group} a prompt; tokens are those generated, seconds those of the "
        "whole step"
    )
    for precision in ("bfloat16", "float32"):
        sides = Sides(
            batch=options.batch, group=options.group, limit=options.limit, steps=options.steps, precision=precision
        )
        promised = PROMISED if precision == "bfloat16" else {}
        print(f"training passes in {precision}")
        runs = compare("SFTTrainer", sides.own_sft, sides.trl_sft, options.rounds, promised.get("SFT"))
        own, theirs = runs[0]
        losses = fmean(own.results), theirs.results[0]
        assert own.marks[-1][1] == theirs.marks[-1][1], "the sides must see the same tokens"
        assert math.isclose(*losses, rel_tol=TOLERANCE[precision]), f"the sides must compute one loss, not {losses}"
        print(f"    mean loss {losses[0]:.4f} and {losses[1]:.4f}")
        runs = compare("GRPOTrainer", sides.own_rl, sides.trl_rl, options.rounds, promised.get("RL"))
        for name, column in zip(("shiftgym", "TRL"), zip(*runs, strict=True), strict=True):
            length = fmean(run.marks[-1][1] for run in column) / options.batch / sides.steps
            success = fmean(value for run in column for value in run.results)
            print(f"    {name}: {length:.1f} tokens a completion, {success:.1%} right")


if __name__ == "__main__":
    main()
