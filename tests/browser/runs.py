"""Runs that pages show: made up, with answers that attack the page, and one that a writer adds to as a branch does."""

import fcntl
import json
import shutil
from pathlib import Path
from typing import Any

from tests.candidates.conftest import Coin
from tests.reports.conftest import EFFECT, write_run

import shiftgym
from shiftgym.files import write_lines, write_text
from shiftgym.following.driver import Standing, this_machine
from shiftgym.layout import BranchFolder, RunFolder
from shiftgym.studies.config import load_study

ATTACK = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)>"
    '"\'><iframe srcdoc="<script>parent.alert(4)</script>"></iframe>{{7*7}}${alert(5)}<style>*{display:none}</style>'
)
"""What a model answers, and what runs and branches are called."""


def finish(run: RunFolder) -> Path:
    """Give every branch of a made-up run a training curve and an end; the folder of the run."""
    for branch in run.begun():
        steps = [
            {"step": step, "flops": 1e10 * step, "flops_paper": 8e9 * step, "reward": step / 10, "loss": 1 / step}
            for step in range(1, 61)
        ]
        write_lines(branch.metrics, steps)
        write_lines(branch.timings, [{"step": one["step"], "collect": 0.5, "learn": 0.5} for one in steps])
        write_text(branch.done, '{"state": "done", "message": ""}')
    return run.path


def study(folder: Path, name: str, **options: Any) -> Path:
    """A study in `folder / name` that has ended. The options are those of `write_run`."""
    made = write_run(folder, **options)
    return finish(RunFolder(made.rename(folder / name)))


def attacked(folder: Path, name: str) -> Path:
    """A study in pictures whose answers and titles attack the page, and one branch of which has failed."""
    made = study(folder, name, answer=ATTACK, modality="vision", seeds=(0, 1), problems=6, fractions=(0.5, 1.0))
    run = RunFolder(made)
    text = run.study.read_text(encoding="utf-8").replace('"Synthetic numbers, no model"', json.dumps(ATTACK))
    run.study.write_text(text.replace('"PPO, noisy steps"', json.dumps(ATTACK)), encoding="utf-8")
    failed = run.branch("ppo-noisy-seed1")
    failed.done.unlink()
    failed.log.write_text(f"Traceback\nValueError: {ATTACK}\n", encoding="utf-8")
    write_text(run.states, json.dumps(Standing(states={"ppo-noisy-seed1": "failed"}).record()))
    return made


def compared(folder: Path, name: str) -> Path:
    """A comparison whose problems have pictures and maps of routes."""
    overrides = ("evaluation.problems=3", "evaluation.samples=1", "evaluation.decodings=['sampled']")
    task = load_study("navigation-vision", overrides).build_task()
    models = [Coin(task, chance, seed) for seed, chance in enumerate((0.3, 0.9, 0.6))]
    labels = ["before", "after", ATTACK[:60]]
    shiftgym.compare(*models, study="navigation-vision", overrides=overrides, labels=labels, folder=folder / name)
    return folder / name


def large(folder: Path, name: str) -> Path:
    """100 branches with 50 checkpoints each."""
    names = {**EFFECT, **{f"more-{number}": (0.9, 0.3, 0.2) for number in range(100 - len(EFFECT))}}
    fractions = tuple((number + 1) / 50 for number in range(50))
    few = {"seeds": (0,), "problems": 3, "decodings": ("sampled",), "splits": ("id", "rule_ood")}
    return study(folder, name, rates=names, fractions=fractions, **few)


class Writer:
    """Goes on with one branch of a run that has ended, as its driver and its process do: the branch has only its first
    checkpoint at the beginning.

    Args:
        folder: the run, which is changed.
        title: the branch.
    """

    def __init__(self, folder: Path, title: str) -> None:
        self.run, self.title = RunFolder(folder), title
        self.run.lock.touch()
        self._lock = self.run.lock.open()
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # what tells that there is a driver
        published = self.run.branch(title)
        self.at = BranchFolder(published.path / "try-1")
        self.at.path.mkdir()
        for of in (published.metrics, published.timings, published.results, published.evaluation_episodes):
            shutil.move(of, self.at.path)
        published.done.unlink()
        self.run.results.unlink(missing_ok=True)
        self._rows = [json.loads(line) for line in self.at.results.read_text(encoding="utf-8").splitlines()]
        self.waiting = sorted({row["step"] for row in self._rows})
        self._states("running")
        self.checkpoint()

    def checkpoint(self) -> int:
        """Write the rows of the next checkpoint; its step."""
        step = self.waiting.pop(0)
        write_lines(self.at.results, [row for row in self._rows if row["step"] <= step])
        return step

    def end(self) -> None:
        """The branch has ended, and so has the run."""
        published = self.run.branch(self.title)
        for of in (self.at.metrics, self.at.timings, self.at.results, self.at.evaluation_episodes):
            shutil.move(of, published.path)
        write_text(published.done, '{"state": "done", "message": ""}')
        self._states("done")
        self._lock.close()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def _states(self, state: str) -> None:
        states = {each.path.name: "done" for each in self.run.begun()} | {self.title: state}
        write_text(self.run.states, json.dumps(Standing(states=states, machine=this_machine()).record()))
