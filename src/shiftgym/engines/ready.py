"""Which jobs are started next, whichever engine starts them."""

from collections.abc import Callable, Sequence

from shiftgym.engines.base import Job, State


def start_ready(jobs: Sequence[Job], states: dict[str, State], start: Callable[[Job], bool]) -> None:
    """Start the jobs that wait for nothing, in order, and skip those that need a job without a result.

    Args:
        states: the state of every job, which is brought up to date.
        start: starts a job if there is room for it now; whether there was.
    """
    held_back = False
    for job in jobs:
        if states[job.name] != "waiting":
            continue
        needed = states[job.needs] if job.needs is not None else "done"
        if needed in ("failed", "skipped"):
            states[job.name] = "skipped"
        elif needed == "done" and not held_back:
            if start(job):
                states[job.name] = "running"
            else:
                # Otherwise single processes would take every place that becomes free.
                held_back = job.ranks > 1
