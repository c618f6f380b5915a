"""`shiftgym compare`: a comparison of checkpoints in the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from shiftgym.candidates.compared import Compared
from shiftgym.candidates.judging import Judging
from shiftgym.candidates.plan import print_plan
from shiftgym.candidates.run import carry_out
from shiftgym.layout import RunFolder
from shiftgym.reports.terminal import result_table
from shiftgym.studies.companions import Companions
from shiftgym.studies.run_folder import new_folder


def compare_models(
    judging: Judging, *, out: Path | None, runs: Path, workers: int | None, fail_on: Sequence[str], dry_run: bool
) -> int:
    """Carry out the comparison and print what it found; the exit code: 1 if a model could not answer, or if one got a
    verdict of `fail_on` on any shifted split."""
    console = Console(markup=False, highlight=False)
    if dry_run:
        print_plan(judging, out, console)
        return 0
    folder = out or new_folder(runs, f"compare-{judging.study.name}")
    console.print(f"Run folder: {folder}", soft_wrap=True)
    try:
        failed = carry_out(judging, folder, console, workers=workers)
    except KeyboardInterrupt:
        console.print(f"Interrupted. To resume, add: --out {folder}", soft_wrap=True)
        raise
    found = Compared(folder, failed)
    report = found.report()
    if judging.study.track:
        # All is told at the end, since nothing goes on here that one would want to follow in a tracker.
        with Companions(judging.study.track.companions(folder), folder, console) as companions:
            companions.start()
    console.print(result_table(folder))
    console.print(f"Verdicts: {RunFolder(folder).verdict}\nReport: {report}", soft_wrap=True)
    for label, verdicts in found.verdicts.items():
        for split, one in verdicts.items():
            if one.word in fail_on:
                console.print(f"failed: {label} {one.word} on {split}", soft_wrap=True)
                return 1
    return 1 if failed else 0
