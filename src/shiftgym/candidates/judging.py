"""What is asked of every candidate, as it stands in `study.toml` of a run folder."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tomli_w

from shiftgym.candidates.find import BASE, Candidate, Checkpoint
from shiftgym.errors import ConfigError
from shiftgym.layout import RunFolder
from shiftgym.policies.endpoint import DEFAULT_SETTINGS, EndpointSettings
from shiftgym.studies.config import Study
from shiftgym.studies.tables import Probes

TAKEN = (
    "name",
    "note",
    "chat_template",
    "template_variables",
    "device",
    "dtype",
    "attention",
    "data_seed",
    "task",
    "splits",
    "compare",
    "evaluation",
    "probes",
    "ladders",
    "track",
)
"""The keys that a comparison takes over from its study. The rest is about training."""


@dataclass(frozen=True, slots=True)
class Judging:
    """The problems and the candidates of one comparison."""

    study: Study
    """Whose splits, evaluation and primary measure are used."""
    candidates: tuple[Candidate, ...]
    """BASE first."""
    seed: int = 0
    """Seed of sampled answers."""
    endpoint: EndpointSettings = DEFAULT_SETTINGS
    """How endpoints are asked. No answer depends on it."""

    @property
    def base(self) -> Candidate:
        return self.candidates[0]

    def asked(self) -> dict[str, Any]:
        """What every candidate is asked."""
        return self.study.model_dump(mode="json", include={"evaluation", "probes"})

    def record(self) -> dict[str, Any]:
        """What `study.toml` of the run folder holds."""
        names = [candidate.label for candidate in self.candidates[1:]]
        return {
            **self.study.model_dump(mode="json", include={*TAKEN}, exclude_none=True),
            "title": f"{', '.join(names)} compared with {self.base.label}",
            "model": self.base.checkpoints[0].source,
            "seeds": [self.seed],
            "candidates": {each.key: _candidate_record(each) for each in self.candidates},
        }

    def to_toml(self) -> str:
        return tomli_w.dumps(self.record())


def judged_study(study: Study, probes: bool) -> Study:
    """The study as a comparison uses it: without branches in `[compare]`, with the trained split among those that are
    evaluated, and with probes of every evaluated split where they are asked for.

    Raises:
        ConfigError: no split of it differs from training.
    """
    compare, evaluation = study.compare, study.evaluation
    if not compare.shifted:
        raise ConfigError(f"{study.name}: no split of it differs from training, so it cannot tell what generalises")
    if compare.train not in evaluation.splits:
        evaluation = evaluation.model_copy(update={"splits": (*evaluation.splits, compare.train)})
    probing = study.probes or Probes(splits=tuple(dict.fromkeys((compare.home, *compare.shifted))))
    return study.model_copy(
        update={
            "compare": compare.model_copy(update={"supervised": None, "reinforced": None, "controls": ()}),
            "evaluation": evaluation,
            "probes": probing if probes else None,
        }
    )


def with_recorded(judging: Judging, run: RunFolder) -> Judging:
    """The same with the candidates that `run` has already, if it is the run folder of a comparison.

    Raises:
        ConfigError: it is the run folder of a study, or one of its candidates is another model of the same name.
    """
    if not run.study.is_file():
        if run.results.is_file():
            raise ConfigError(f"{run.path}: holds results of something else; give another folder")
        return judging
    recorded = tomllib.loads(run.study.read_text(encoding="utf-8"))
    if "candidates" not in recorded:
        raise ConfigError(f"{run.path}: holds a study that was run, not a comparison; give another folder")
    before = {old.key: old for old in recorded_candidates(run)}
    base, *given = [
        _joined(before[one.key], one, run) if one.key in before else one
        for one in _under_old_keys(judging.candidates, before)
    ]
    asked_now = {one.key for one in (base, *given)}
    candidates = (base, *(old for key, old in before.items() if key not in asked_now), *given)
    _check_labels(candidates, run)
    return replace(judging, candidates=candidates)


def _under_old_keys(given: Sequence[Candidate], before: Mapping[str, Candidate]) -> list[Candidate]:
    """The candidates, each with the key under which the same model has answered before, if it has. Its label may be
    another now, since labels that are made from paths depend on what else is given."""
    unclaimed = {key: old for key, old in before.items() if key not in {one.key for one in given}}
    found = []
    for one in given:
        sources = {each.source for each in one.checkpoints}
        same = next((key for key, old in unclaimed.items() if {at.source for at in old.checkpoints} <= sources), None)
        if one.key in before or one.policy is not None or same is None:
            found.append(one)
        else:
            del unclaimed[same]
            found.append(replace(one, key=same))
    return found


def recorded_candidates(run: RunFolder) -> tuple[Candidate, ...]:
    """The candidates that a comparison has already, BASE first; none if `run` is no comparison yet."""
    if not run.study.is_file():
        return ()
    return tuple(
        Candidate(key, record["label"], tuple(Checkpoint(**each) for each in record["checkpoints"]))
        for key, record in tomllib.loads(run.study.read_text(encoding="utf-8")).get("candidates", {}).items()
    )


def _joined(old: Candidate, new: Candidate, run: RunFolder) -> Candidate:
    """A candidate with the checkpoints that it has now and those that were there before. A model that lies where one
    of another step lay, such as the end of a training that went on, takes its place."""
    if new.policy is not None:
        return new
    now = {each.step: each for each in new.checkpoints}
    moved = {each.source for each in new.checkpoints}
    before = {each.step: each for each in old.checkpoints if each.step in now or each.source not in moved}
    # BASE is one model, so a second one cannot be a later checkpoint of it.
    for step in before if old.key == BASE else before.keys() & now.keys():
        if step not in now or before[step].source != now[step].source:
            raise ConfigError(
                f"{run.path}: {old.label!r} is {before[step].source} there, not {new.checkpoints[-1].source}; give "
                f"{'the same BASE' if old.key == BASE else 'this one another --label'}, or give another folder"
            )
    steps = before | now
    return replace(new, checkpoints=tuple(steps[step] for step in sorted(steps)))


def _check_labels(candidates: Iterable[Candidate], run: RunFolder) -> None:
    for label, times in Counter(one.label for one in candidates).items():
        if times > 1:
            raise ConfigError(f"{run.path}: has another model that is called {label!r}; give this one another --label")


def _candidate_record(candidate: Candidate) -> dict[str, Any]:
    checkpoints = [
        {"step": each.step, "source": each.source, **({} if each.flops is None else {"flops": each.flops})}
        for each in candidate.checkpoints
    ]
    record = {"label": candidate.label, "checkpoints": checkpoints}
    return record if candidate.chat_template is None else record | {"chat_template": candidate.chat_template}
