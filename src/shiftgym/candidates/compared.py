"""`shiftgym.compare`: a comparison of checkpoints from Python, and what it found."""

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from shiftgym.candidates.run import carry_out, prepare
from shiftgym.errors import ConfigError
from shiftgym.evaluation.measures import MEASURES
from shiftgym.placement import DEFAULT_PLACEMENT, Placement
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings
from shiftgym.reading import nearest
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.judgement import Judgement, judge_all, judged_entries
from shiftgym.reports.load import load_run
from shiftgym.reports.notebook import Run

if TYPE_CHECKING:
    from shiftgym.evaluation.statistics import Interval
    from shiftgym.models.resolve import PolicyLike


class Compared(Run):
    """What a comparison found. It shows itself as every `Run` does.

    Args:
        folder: the run folder.
        failed: what could not answer, with the reason.
        temporary: whether the folder is removed together with this object.
    """

    def __init__(self, folder: Path, failed: dict[str, str], *, temporary: bool = False) -> None:
        super().__init__(folder)
        self.failed = failed
        if temporary:
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)

    @cached_property
    def _analysis(self) -> Analysis:
        return Analysis([load_run(self.folder)])

    @cached_property
    def verdicts(self) -> dict[str, dict[str, Judgement]]:
        """Label of a candidate -> shifted split -> the verdict on its last checkpoint."""
        return {entry.label: judge_all(self._analysis, entry) for entry in judged_entries(self._analysis.first)}

    def difference(self, a: str, b: str, split: str, measure: str | None = None) -> "Interval | None":
        """The mean of a measure of one model minus that of another, paired, with its interval; by default the primary
        measure of the split. None where it applies to no answer.

        Args:
            a: label of a model.
            b: label of the model that it is compared with.

        Raises:
            ConfigError: there is no such model, split or measure.
        """
        entries = {entry.label: entry for entry in self._analysis.entries}
        of = self._analysis.compare
        for given, known in ((a, entries), (b, entries), (split, self._analysis.splits), (measure, (None, *MEASURES))):
            if given not in known:
                near = nearest(str(given), [*filter(None, known)])
                raise ConfigError(f"there is no {given!r} in this comparison{near}")
        found = self._analysis.difference(
            entries[a], entries[b], split, of.decoding, of.primary(split) if measure is None else measure
        )
        return found.interval if found else None


def compare(
    base: "PolicyLike",
    *tuned: "PolicyLike",
    study: str | Path = "points-text",
    overrides: Sequence[str] = (),
    labels: Sequence[str] = (),
    folder: str | Path | None = None,
    probes: bool = False,
    seed: int = 0,
    chat_template: str | None = None,
    served: str | None = None,
    flops_per_step: float | None = None,
    endpoint: EndpointSettings = DEFAULT_SETTINGS,
    workers: int | None = None,
    placement: Placement = DEFAULT_PLACEMENT,
) -> Compared:
    """Judge models that anyone trained: did they memorise or generalise, compared with the model they came from?

        found = compare("points-0", "runs/first/checkpoints/step-000010")
        found.verdicts["step-000010"]["rule_ood"].word

    Models given by name answer in processes of their own, so a script calls this under `if __name__ == "__main__":`.

    Args:
        base: the model before training: a shipped backbone, a model directory, a hub id `owner/name` with an optional
            `@revision`, a directory with a LoRA adapter, an endpoint as `URL#MODEL`, a policy, or the pair from
            `load_policy`.
        tuned: one or more models after training, given in the same ways, or folders of checkpoints.
        study: a shipped study or a study file, whose splits, `[evaluation]` table and primary measure are used.
        overrides: `key.path=value` each, to change the study.
        labels: what the models are called, BASE first.
        folder: the run folder. What it holds already is not asked again. By default a temporary one, which is removed
            together with the result.
        probes: also measure memorisation and forgetting (`docs/measures.md`).
        seed: of sampled answers.
        chat_template: a Jinja template, or the path of its file. It replaces that of every local model which is given
            by name.
        served: the model of an endpoint that is given without `#MODEL`.
        flops_per_step: FLOPs of a training step, for folders of checkpoints that do not say.
        endpoint: how endpoints are asked.
        workers: processes side by side, one thread each; by default one a GPU, or one a core on the CPU. More than
            there are GPUs share them.
        placement: where models that are given by name run, and in which form; what is left out is as the study says.

    Raises:
        ConfigError: something given is no model, BASE cannot answer the study's problems, or `folder` holds something
            else.
    """
    judging = prepare(
        [base, *tuned],
        study=study,
        overrides=overrides,
        labels=labels,
        probes=probes,
        seed=seed,
        chat_template=chat_template,
        served=served,
        flops_per_step=flops_per_step,
        endpoint=endpoint,
        placement=placement,
    )
    at = Path(tempfile.mkdtemp(prefix="shiftgym-") if folder is None else folder)
    failed = carry_out(judging, at, Console(stderr=True), workers=workers)
    return Compared(at, failed, temporary=folder is None)
