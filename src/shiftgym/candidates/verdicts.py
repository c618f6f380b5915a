"""From the answers of the candidates to the files of the run folder: rows, verdicts, report."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from shiftgym.candidates.answer import answered, origin
from shiftgym.candidates.find import Candidate
from shiftgym.candidates.judging import Judging
from shiftgym.evaluation.statistics import Interval
from shiftgym.files import read_json, read_lines, write_lines, write_text
from shiftgym.layout import BranchFolder, RunFolder
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.entries import Entry
from shiftgym.reports.judgement import judge_all, judged_entries
from shiftgym.reports.load import load_run
from shiftgym.reports.words import scope

SCHEMA = 1
"""Version of `verdict.json`."""


def finish(judging: Judging, folder: Path, failed: Mapping[str, str] | None = None) -> None:
    """Put together what the candidates have answered, and judge them by it. Only whole checkpoints count.

    Args:
        failed: what could not answer, with the reason.
    """
    run = RunFolder(folder)
    whole = [_whole(judging, candidate, folder) for candidate in judging.candidates]
    judging = replace(judging, candidates=tuple(candidate for candidate in whole if candidate.checkpoints))
    write_text(run.study, judging.to_toml())
    write_lines(run.episodes, _gather(judging, folder, lambda of: of.evaluation_episodes))
    write_lines(run.probes, _gather(judging, folder, lambda of: of.probes))
    write_lines(run.results, _gather(judging, folder, lambda of: of.results))
    write_text(
        run.verdict,
        json.dumps({**_record(judging, folder), "failed": dict(failed or {})}, indent=1, ensure_ascii=False) + "\n",
    )


def _whole(judging: Judging, candidate: Candidate, folder: Path) -> Candidate:
    """A candidate with the checkpoints that have answered everything."""
    whole = [each for each in candidate.checkpoints if answered(judging, candidate, each, folder)]
    if not whole:
        return replace(candidate, checkpoints=())
    template = read_json(RunFolder(folder).candidate(candidate.key, whole[-1].step).done)["chat_template"]
    digest = sha256(template.encode()).hexdigest()[:16] if template else None
    # What is judged is then not what was given, so its name has to say so.
    last = whole[-1] == candidate.checkpoints[-1]
    label = candidate.label if last else f"{candidate.label} (only up to step {whole[-1].step})"
    return replace(candidate, label=label, checkpoints=tuple(whole), chat_template=digest)


def _gather(judging: Judging, folder: Path, file: Callable[[BranchFolder], Path]) -> Iterator[dict[str, Any]]:
    """The records of all candidates that belong to what is asked, at their place among the checkpoints."""
    of = judging.study.evaluation
    for candidate in judging.candidates:
        for checkpoint in candidate.checkpoints:
            place = origin(judging, candidate, checkpoint)
            for record in read_lines(file(RunFolder(folder).candidate(candidate.key, checkpoint.step))):
                # An earlier call may have asked more.
                problem = record["problem"] if "problem" in record else record["index"]
                index = problem["index"] if isinstance(problem, dict) else problem
                # Probes take answers of both decodings into one row.
                decoded = record.get("decoding") in (None, *of.decodings)
                if decoded and record["split"] in of.splits and index < of.problems:
                    yield record | place


def _record(judging: Judging, folder: Path) -> dict[str, Any]:
    run = load_run(folder)
    analysis = Analysis([run])
    entries = {entry.branch: entry for entry in judged_entries(run)}
    return {
        "schema": SCHEMA,
        "study": judging.study.name,
        "base": judging.base.label,
        "base_source": judging.base.checkpoints[0].source,
        "decoding": run.compare.decoding,
        "measures": {split: run.compare.primary(split) for split in run.compare.shifted},
        "margin": run.compare.margin,
        "candidates": {
            candidate.label: {
                "source": candidate.checkpoints[-1].source,
                "step": candidate.checkpoints[-1].step,
                "verdicts": {split: one.record() for split, one in judge_all(analysis, entries[candidate.key]).items()},
                "secondary": _secondary(analysis, entries[candidate.key]),
            }
            for candidate in judging.candidates[1:]
        },
        "other_chat_template": run.other_templates,
        "evidence": scope(analysis),
    }


def _secondary(analysis: Analysis, entry: Entry) -> dict[str, Any]:
    """What helps to understand a verdict; shares with their intervals, null where a measure does not apply."""
    compare, home = analysis.compare, analysis.primary(analysis.home)
    found: dict[str, Any] = {
        split: {
            name: _interval(analysis.rate(entry, split, compare.decoding, name))
            for name in (compare.primary(split), "perseverated", "valid")
        }
        | {view.label: _interval(analysis.rate(entry, split, *view[:2])) for view in analysis.secondary(split)}
        for split in analysis.splits
    }
    if analysis.gapped:
        found[f"{compare.train} - {compare.home}"] = _interval(analysis.gap(entry, home))
    for name, rungs in analysis.first.ladders.items():
        found[f"ladder {name}, change a rung"] = _interval(analysis.slope(entry, rungs, home))
    for split in analysis.first.probed:
        found[f"probes on {split}"] = {
            column.head: _interval(value) for column, value in analysis.probed(entry, split).items()
        }
    return found


def _interval(found: Interval | None) -> dict[str, float] | None:
    return None if found is None else {"value": found.value, "low": found.low, "high": found.high}
