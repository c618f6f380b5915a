"""What a comparison will take, before anything is asked: requests and tokens of every model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shiftgym.candidates.answer import answered
from shiftgym.candidates.find import Candidate, Checkpoint
from shiftgym.candidates.judging import Judging, with_recorded
from shiftgym.evaluation.power import PLANNED, POWER, detectable_difference
from shiftgym.files import read_lines
from shiftgym.layout import RunFolder
from shiftgym.tasks.walk import decisions

CHARACTERS_A_TOKEN = 3.5
"""Of English prose with numbers, for models whose tokenizer is not at hand."""


def print_plan(judging: Judging, out: Path | None, console: Console) -> None:
    """A line for every model: how many requests it will answer, and with how many tokens.

    Fewest requests: every first answer is right. Most: no answer is.
    """
    if out is not None:
        judging = with_recorded(judging, RunFolder(out))
    of, task = judging.study.evaluation, judging.study.build_task()
    times = sum(of.samples if decoding == "sampled" else 1 for decoding in of.decodings)
    prompts = list(_prompts(judging))
    least = times * len(prompts)
    read = times * sum(prompts) / CHARACTERS_A_TOKEN
    # Every further attempt reads the prompt, the earlier answers and the verifier's messages again.
    most_read = task.limit * read + least * of.max_new_tokens * task.limit * (task.limit - 1) / 2
    table = Table("model", "checkpoints", "requests", "tokens read", "tokens written", box=None, pad_edge=False)
    for candidate in judging.candidates:
        shares = [_left(judging, candidate, checkpoint, out) for checkpoint in candidate.checkpoints]
        left = sum(shares)
        table.add_row(
            Text(candidate.label),
            f"{sum(map(bool, shares))} of {len(shares)} left",
            f"{left * least:,.0f} to {left * least * task.limit:,.0f}",
            f"{left * read / 1e3:,.0f}k to {left * most_read / 1e3:,.0f}k",
            f"at most {left * least * task.limit * of.max_new_tokens / 1e3:,.0f}k",
        )
    console.print(table)
    # One checkpoint is compared with another, so no spread of seeds comes in.
    samples = of.samples if "sampled" in of.decodings else 1
    smallest = detectable_difference(1, of.problems, samples, replace(PLANNED, seeds=0.0))
    console.print(
        f"{judging.study.name}: {of.problems} problems a split, splits {', '.join(of.splits)}, decodings "
        f"{', '.join(of.decodings)}. The fewest requests are needed if every first answer is right, the most if none "
        f"is. Tokens are estimated at {CHARACTERS_A_TOKEN:g} characters each; pictures are not counted. "
        f"{'Probes are not counted. ' if judging.study.probes else ''}"
        f"The smallest true difference of two checkpoints that this can tell is about {100 * smallest:.0f} points "
        f"({100 * POWER:.0f} % power, noisy answers); --problems gives more.",
        highlight=False,
        markup=False,
    )


def _left(judging: Judging, candidate: Candidate, checkpoint: Checkpoint, out: Path | None) -> float:
    """The share of what is asked that a checkpoint has not answered in `out` yet."""
    if out is None or candidate.policy is not None:
        return 1.0
    if answered(judging, candidate, checkpoint, out):
        return 0.0
    of = judging.study.evaluation
    rows = read_lines(RunFolder(out).candidate(candidate.key, checkpoint.step).results)
    done = sum(
        row["split"] in of.splits and row["decoding"] in of.decodings and row["problem"] < of.problems for row in rows
    )
    return float(1 - done / (len(of.splits) * len(of.decodings) * of.problems))


def _prompts(judging: Judging) -> Iterator[int]:
    """Characters of the prompt of every decision."""
    of, task = judging.study.evaluation, judging.study.build_task()
    for split in of.splits:
        for index in range(of.problems):
            for decision in decisions(task, task.problem(split, index)):
                yield sum(len(message["content"]) for message in decision.prompt)
