"""Where everything lies in a run folder. Whoever reads or writes one takes the names from here.

runs/points-text-20260101-120000/   RunFolder
    branches/ppo-seed0/             BranchFolder
        checkpoints/step-000040/    CheckpointFolder
        try-1/                      BranchFolder, while the branch runs
runs/compare-points-text-20260101-120000/   RunFolder
    candidates/sft/step-000040/     BranchFolder
runs/paper-20260101-120000/         SuiteFolder
    points-text/                    RunFolder
"""

import re
from pathlib import Path

_FIGURES = "figures"
_RESULTS = "results.jsonl"
_BRANCHES = "branches"
_CANDIDATES = "candidates"
_PROBES = "probes.jsonl"
_EVALUATION_EPISODES = "evaluation_episodes.jsonl"
_TRY = re.compile(r"try-(\d+)")


class RunFolder:
    """One study that was carried out, or one comparison of checkpoints."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.study = path / "study.toml"
        """The study with every default written out."""
        self.environment = path / "environment.json"
        """Versions, machines, git commit."""
        self.results = path / _RESULTS
        """The rows of all branches, in the order of the plan; written when the study ends."""
        self.probes = path / _PROBES
        """Of a comparison of checkpoints: the measures of memorisation and forgetting."""
        self.episodes = path / _EVALUATION_EPISODES
        """Of a comparison of checkpoints: a few whole episodes of each."""
        self.verdict = path / "verdict.json"
        """Of a comparison of checkpoints: the verdict on every candidate."""
        self.report = path / "report.html"
        self.figures = path / _FIGURES
        """Figures of the report, each as SVG and PNG."""
        self.lock = path / ".lock"
        """Held by the process that works on the run."""
        self.states = path / "states.json"
        """How every branch stands, as the driver says (`following/driver.py`); its age is a sign of life."""
        self.token = path / ".token"
        """A random text, by which another machine knows that it sees this folder and no other."""
        self.model = path / "model"
        """A copy of the model, if a machine did not find it by its name."""

    def branch(self, title: str) -> "BranchFolder":
        return BranchFolder(self.path / _BRANCHES / title)

    def candidate(self, key: str, step: int) -> "BranchFolder":
        """The answers of one candidate at one of its checkpoints."""
        return BranchFolder(self.path / _CANDIDATES / key / f"step-{step:06d}")

    def begun(self) -> list["BranchFolder"]:
        """The branches that have a folder, by name."""
        return [BranchFolder(path) for path in sorted((self.path / _BRANCHES).glob("*"))]


class BranchFolder:
    """One branch with one seed, what `shiftgym train` writes to, or the answers of one candidate."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics.jsonl"
        """One line a training step."""
        self.timings = path / "timings.jsonl"
        """Seconds of every step, apart from the metrics, which are the same each time."""
        self.episodes = path / "episodes.jsonl"
        """The training episodes that led to each checkpoint."""
        self.logs = (self.metrics, self.timings, self.episodes)
        """What training appends to."""
        self.results = path / _RESULTS
        """One line for each evaluated problem: whole checkpoints only, oldest first, and likewise in the next two."""
        self.evaluation_episodes = path / _EVALUATION_EPISODES
        """A few whole episodes of every evaluation."""
        self.probes = path / _PROBES
        """Measures of memorisation and forgetting, one line for each probed problem."""
        self.done = path / "done.json"
        """How the branch ended, `{"state": "done" or "stopped", "message": ...}`; nothing is left to do.
        Of a candidate: what it was asked, and what a comparison has to know of it beside its rows."""
        self.training = path / "training.toml"
        """Of `shiftgym train`: what is trained, with every default written out."""
        self.log = path / "log.txt"
        """What the branch's process printed."""
        self.answering = path / "answering.json"
        """Of a candidate: what answers here, so that answers of two models are never mixed."""
        self._checkpoints = path / "checkpoints"

    def checkpoint(self, step: int) -> "CheckpointFolder":
        return CheckpointFolder(self._checkpoints / f"step-{step:06d}")

    def checkpoints(self) -> list["CheckpointFolder"]:
        """The complete checkpoints, oldest first."""
        return [CheckpointFolder(path) for path in sorted(self._checkpoints.glob("step-*"))]

    def tries(self) -> list["BranchFolder"]:
        """The folders in which processes of this branch wrote, oldest first. Nothing in them counts until it is
        published, which is to say that it lies here too."""
        names = [path.name for path in self.path.glob("try-*")]
        numbers = sorted(int(found[1]) for found in map(_TRY.fullmatch, names) if found)
        return [BranchFolder(self.path / f"try-{number}") for number in numbers]

    def next_try(self) -> "BranchFolder":
        """The folder of the next process, which is still to be made."""
        last = [int(each.path.name.removeprefix("try-")) for each in self.tries()[-1:]]
        return BranchFolder(self.path / f"try-{sum(last) + 1}")


class CheckpointFolder:
    """A model and its tokenizer as `from_pretrained` loads them (of a training with LoRA, the adapter as peft loads
    it), the value head of a recipe that has one, and the state of training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.optimizer = path / "trainer.pt"
        """State of the optimizer; kept for the latest checkpoint only."""
        self.state = path / "state.json"
        """Step, fraction, ledger, and how many lines the branch's logs had."""


class SuiteFolder:
    """Several studies carried out one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.suite = path / "suite.toml"
        """What the suite's file said when the run began."""

    def run(self, study: str) -> RunFolder:
        return RunFolder(self.path / study)

    def claims(self, suite: str) -> Path:
        """The page with the verdict on every claim, written again after every study."""
        return self.path / f"{suite}-study.md"

    def figures(self, suite: str) -> Path:
        """The figures that the page of claims shows."""
        return self.path / _FIGURES / suite


def candidate_title(label: str, step: int, *, several: bool) -> str:
    """What a candidate at one of its checkpoints is called: with the step where it has several."""
    return f"{label} at step {step}" if several else label


def branch_title(name: str, seed: int) -> str:
    """What a branch with one seed is called: the name of its folder and of its job."""
    return f"{name}-seed{seed}"


def companion_log(folder: Path, name: str) -> Path:
    """What a companion of a run prints (see `studies/companions.py`): a tracker, or the page of `--view`."""
    return folder / "companions" / f"{name}.txt"
