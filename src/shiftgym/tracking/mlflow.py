"""MLflow: a run for each branch and seed, below a run of the whole, in `RUN/mlflow/` unless $MLFLOW_TRACKING_URI says
otherwise."""

import os
import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from shiftgym.tracking.base import PROJECT, Point, Summary, Tracked, Whole, by_compute, flat, require

ADDRESS, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"
ALLOWED = "MLFLOW_ALLOW_FILE_STORE"
"""Without it MLflow refuses to write to a folder, which is all that its small package can do without a server."""

ID = "shiftgym.id"
"""The tag by which a replay finds its runs again."""

PARENT = "mlflow.parentRunId"

BATCH, PARAMS, LONGEST = 1000, 100, 6000
"""Most metrics and parameters that MLflow takes at once, and characters of a parameter."""

SIGN = re.compile(r"^train/flops$|^eval.*/success$")
"""Metrics that are part of every step of training, and of every evaluation."""

STATES = {"done": "FINISHED", "stopped": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class Mlflow:
    """See `tracking.base.Tracker`. MLflow can only be added to. So a run that is there gets the steps that it does not
    have yet, and steps that a resumed branch repeats keep their first values."""

    def __init__(self, whole: Whole) -> None:
        require("mlflow")
        address = os.environ.get(ADDRESS)
        if address is None:
            os.environ.setdefault(ALLOWED, "true")
            address = (whole.folder / "mlflow").absolute().as_uri()
        from mlflow.tracking import MlflowClient

        self.where = f"MLflow at {address}"
        self._client = MlflowClient(address)
        self._experiment = self._find(whole.project or os.environ.get(EXPERIMENT, PROJECT))
        self._whole = self._open(whole.name, whole.id, whole.config, {})
        self._runs: dict[str, str] = {}
        """Title -> id of its run."""
        self._told: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        """Id of a run -> what keys begin with -> the steps that it has."""

    def begin(self, run: Tracked) -> None:
        key = self._open(run.title, run.id, run.config, {PARENT: self._whole, "shiftgym.branch": run.kind})
        self._runs[run.title] = key
        # Points come whole, so one key of each kind tells which there are.
        signs = {_kind(each): each for each in self._client.get_run(key).data.metrics if SIGN.search(each)}
        for kind, sign in signs.items():
            self._told[key][kind] = {each.step for each in self._client.get_metric_history(key, sign)}

    def log(self, run: Tracked, points: list[Point]) -> None:
        self._add(self._runs[run.title], [*points, *by_compute(points)])

    def end(self, run: Tracked, state: str) -> None:
        self._end(self._runs.pop(run.title), state)

    def close(self, summary: Summary | None) -> None:
        if summary is not None:
            told = self._client.get_run(self._whole).data.metrics
            new = {key: value for key, value in summary.values.items() if told.get(key) != value}
            self._add(self._whole, [Point(0, new, {})])
            for key, verdict in summary.verdicts.items():
                self._client.set_tag(self._whole, _name(key), verdict)
            self._client.log_text(self._whole, summary.text, "result.txt")
            if summary.report is not None:
                self._client.log_artifact(self._whole, str(summary.report))
        self._end(self._whole, "interrupted" if summary is None else "done")

    def _find(self, name: str) -> str:
        """The id of an experiment, which is made if there is none."""
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _open(self, name: str, key: str, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """The run with this key, found or made."""
        from mlflow.entities import Param

        found = self._client.search_runs([self._experiment], f"tags.`{ID}` = '{key}'", max_results=1)
        if found:
            self._client.update_run(found[0].info.run_id, status="RUNNING")
            return str(found[0].info.run_id)
        run = self._client.create_run(self._experiment, run_name=name, tags={ID: key, **tags}).info.run_id
        params = [Param(name, str(value)[:LONGEST]) for name, value in flat(config).items()]
        for start in range(0, len(params), PARAMS):
            self._client.log_batch(run, params=params[start : start + PARAMS])
        return str(run)

    def _add(self, run: str, points: Iterable[Point]) -> None:
        """Add what a run does not have yet."""
        from mlflow.entities import Metric

        now, batches = round(1000 * time.time()), list[list[Metric]]([[]])
        for step, values, _ in points:
            told = self._told[run][_kind(next(iter(values), ""))]
            if step not in told:
                told.add(step)
                if len(batches[-1]) + len(values) > BATCH:
                    batches.append([])
                batches[-1] += [Metric(_name(key), value, now, step) for key, value in values.items()]
        for batch in batches:
            self._client.log_batch(run, metrics=batch)

    def _end(self, run: str, state: str) -> None:
        self._client.set_tag(run, "shiftgym.state", state)
        self._client.set_terminated(run, STATES[state])


def _name(key: str) -> str:
    """A key without the characters that MLflow does not take, which a recipe of a user's own may have."""
    return re.sub(r"[^\w\-. :/]", "_", key, flags=re.ASCII)


def _kind(key: str) -> str:
    """What a key begins with: `train`, `eval` and so on."""
    return key.partition("/")[0]
