"""A run folder as a report reads it: the study, what the branches are, the rows, the environment, sampled episodes."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from shiftgym.evaluation.rows import Cube
from shiftgym.evaluation.summaries import Summary, summarise
from shiftgym.files import read_json, read_lines, read_log
from shiftgym.following.declaration import START, BranchInfo, ComparisonDeclaration, Declaration
from shiftgym.layout import BranchFolder, RunFolder, branch_title
from shiftgym.models.loading.shipped import backbone_folder
from shiftgym.training.idle import idleness


@dataclass(frozen=True)
class LoadedRun(Declaration):
    """One study on one backbone."""

    template: ClassVar[str] = "report.html.j2"
    """The page of a run of this kind, and the words that it uses."""
    end: ClassVar[str] = "at the end of the budget"
    origin: ClassVar[str] = "the backbone"
    spent: ClassVar[str] = "Compute"
    curved: ClassVar[bool] = True
    """Whether it has training curves."""
    train: ClassVar[str] = "trained on"

    rows: pa.Table

    @cached_property
    def cube(self) -> Cube:
        return Cube.of(self.rows)

    @cached_property
    def summaries(self) -> list[Summary]:
        return summarise(self.rows)

    @cached_property
    def _summaries_at(self) -> dict[tuple[str, float, str, str], dict[int, Summary]]:
        # Where several steps stand for the same fraction (the start), the last one replaces the others.
        found: dict[tuple[str, float, str, str], dict[int, Summary]] = defaultdict(dict)
        for of in sorted(self.summaries, key=lambda of: of.step):
            found[of.branch, of.fraction, of.split, of.decoding][of.seed] = of
        return found

    def summaries_at(self, branch: str, fraction: float, split: str, decoding: str) -> list[Summary]:
        """The summaries of one checkpoint, one a seed."""
        return list(self._summaries_at[branch, fraction, split, decoding].values())

    @property
    def backbone(self) -> str:
        return Path(self.study["model"]).name

    @property
    def beginning(self) -> str:
        """What everything is compared with, in a sentence."""
        return "the start"

    @property
    def samples(self) -> int:
        """Answers to each problem under the sampled decoding."""
        return int(self.study["evaluation"].get("samples", 1))

    @property
    def max_new_tokens(self) -> int:
        """Longest answer, in tokens."""
        return int(self.study["evaluation"]["max_new_tokens"])

    @property
    def other_templates(self) -> list[str]:
        """The models whose chat template is not that of the start; branches have the one of their start."""
        return []

    @property
    def failures(self) -> list[str]:
        """Sentences about models that could not answer. The log of a study tells of its branches."""
        return []

    def trains(self, branch: str) -> bool:
        """Whether a branch is trained on the split that the study trains on."""
        table = self.study["init"] if branch == START else self.study["branches"][branch]
        return bool(table.get("train_on", self.compare.train) == self.compare.train)

    @cached_property
    def unfinished(self) -> list[str]:
        """What has no evaluation at the end of the budget yet, as `branch seed k`."""
        done = {(of.branch, of.seed) for of in self.summaries if of.fraction == 1 or of.branch == START}
        return [
            f"{branch.name} seed {seed}"
            for branch in self.branches
            for seed in self.seeds
            if (branch.name, seed) not in done
        ]

    @cached_property
    def idle(self) -> dict[str, str]:
        """Branch with its seed -> that it had nothing to learn from in many of its steps, of those where it is so."""
        found = {folder.path.name: idleness(read_log(folder.metrics)) for folder in self._branch_folders}
        return {title: told for title, told in found.items() if told}

    def probes(self, branch: str, fraction: float, split: str) -> list[dict[str, Any]]:
        """The measures of memorisation and forgetting of one checkpoint, one a seed and problem; none if not taken."""
        return self._probes_at.get((branch, fraction, split), [])

    @cached_property
    def _probes_at(self) -> dict[tuple[str, float, str], list[dict[str, Any]]]:
        found: dict[tuple[str, float, str], list[dict[str, Any]]] = defaultdict(list)
        for row in self._probes():
            found[row["branch"], row["fraction"], row["split"]].append(row)
        return found

    def _probes(self) -> Iterator[dict[str, Any]]:
        for folder in self._branch_folders:
            yield from read_lines(folder.probes)

    @property
    def _branch_folders(self) -> list[BranchFolder]:
        """One for each branch and seed, begun or not."""
        pairs = itertools.product(self.branches, self.seeds)
        return [RunFolder(self.folder).branch(branch_title(branch.name, seed)) for branch, seed in pairs]

    @property
    def ladders(self) -> dict[str, list[str]]:
        """What is shifted -> splits in the order of their distance from training."""
        return dict(self.study.get("ladders", {}))

    @property
    def probed(self) -> list[str]:
        """Splits on which memorisation and forgetting were measured."""
        return list(self.study.get("probes", {}).get("splits", ()))

    def environment(self) -> dict[str, Any]:
        """Versions and machine of the run; empty if they were not recorded."""
        path = RunFolder(self.folder).environment
        return read_json(path) if path.is_file() else {}

    def model_card(self) -> str | None:
        """The model card of a backbone or of a model directory; None where there is none on this machine."""
        path = backbone_folder(self.study["model"]) / "README.md"
        return path.read_text(encoding="utf-8") if path.is_file() else None

    def episodes(self, branches: Sequence[BranchInfo]) -> Iterator[dict[str, Any]]:
        """The episodes of some branches that were kept to be read, seed by seed and branch by branch."""
        run = RunFolder(self.folder)
        for seed, branch in itertools.product(self.seeds, branches):
            yield from read_lines(run.branch(branch_title(branch.name, seed)).evaluation_episodes)


class LoadedComparison(ComparisonDeclaration, LoadedRun):
    """Candidates that answered the problems of a study. BASE is the start, and every other candidate is a branch."""

    template = "comparison.html.j2"
    end = "at the last checkpoint"
    origin = "the model before training"
    spent = "Training"
    curved = False
    train = "the training split"

    @property
    def backbone(self) -> str:
        return str(self.study["candidates"][START]["label"])

    @property
    def beginning(self) -> str:
        return self.backbone

    @property
    def failures(self) -> list[str]:
        verdict = RunFolder(self.folder).verdict
        failed = read_json(verdict)["failed"] if verdict.is_file() else {}
        return [f"{title} could not answer: {reason}." for title, reason in failed.items()]

    @property
    def other_templates(self) -> list[str]:
        of = self.study["candidates"]
        known = {one["label"]: one["chat_template"] for one in of.values() if "chat_template" in one}
        base = known.get(self.backbone)
        return [label for label, own in known.items() if base is not None and own != base]

    def trains(self, branch: str) -> bool:
        return True

    @property
    def unfinished(self) -> list[str]:
        return []

    def _probes(self) -> Iterator[dict[str, Any]]:
        return read_lines(RunFolder(self.folder).probes)

    @property
    def idle(self) -> dict[str, str]:
        return {}

    def episodes(self, branches: Sequence[BranchInfo]) -> Iterator[dict[str, Any]]:
        names = {branch.name for branch in branches}
        return (record for record in read_lines(RunFolder(self.folder).episodes) if record["branch"] in names)
