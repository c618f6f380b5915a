"""Training curves: the columns of metrics.jsonl over steps, thinned so that a page can draw them."""

import math
from array import array
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from shiftgym.following.lines import is_finite

POINTS = 300
"""Most points of a curve."""

AXES = ("step", "flops", "flops_paper")
"""What a curve is drawn over."""

TOKENS = ("tokens_trained", "tokens_generated")
"""Tokens that were read in training and generated, until the end of a step."""

LEFT_OUT = {*TOKENS, "collect", "learn"}
"""Columns that are no curve: they count up, or are drawn as tokens a second."""


class Column(NamedTuple):
    """How a curve is called."""

    label: str
    unit: str = ""


COLUMNS = {
    "reward": Column("reward", "mean of an episode"),
    "success": Column("success in training", "share"),
    "success_1": Column("success with one attempt in training", "share"),
    "kl": Column("KL from the start", "nats a token"),
    "entropy": Column("entropy", "nats a token"),
    "loss": Column("loss"),
    "grad_norm": Column("gradient norm"),
    "explained_variance": Column("explained variance"),
    "tokens_per_second": Column("tokens a second", "read in training and generated"),
    "learning_rate": Column("learning rate"),
    "policy_loss": Column("policy loss"),
    "value_loss": Column("value loss"),
    "clip_fraction": Column("clipped", "share of tokens"),
    "rewards_alike": Column("groups whose rewards are all alike", "share"),
    "answer_tokens": Column("tokens of an answer"),
    "attempts": Column("attempts a decision"),
}
"""The curves that pages show first, in this order. What else a recipe writes comes after them, by its own name."""


class Curve:
    """The steps of one branch, thinned: of every `stride` steps the first is kept, and the last step of all. The stride
    is the smallest power of two that leaves at most `POINTS` points, so what is kept does not depend on when it was
    looked at."""

    def __init__(self) -> None:
        self.steps = 0
        """How many steps there were."""
        self.last: Mapping[str, Any] = {}
        """The last of them, as it was given."""
        self._stride = 1
        self._kept: dict[str, array[float]] = {}
        """Column -> its values at the steps that are kept; NaN: none."""
        self._end: dict[str, float] = {}
        """The values of the last step."""

    def add(self, metrics: Mapping[str, Any]) -> None:
        """Take the next step: its lines of metrics.jsonl and timings.jsonl in one."""
        self._end = {name: float(value) for name, value in metrics.items() if _is_drawn(name, value)}
        seconds = _sum(metrics, "collect", "learn")
        if seconds:
            self._end["tokens_per_second"] = (_sum(metrics, *TOKENS) - _sum(self.last, *TOKENS)) / seconds
        self.last = metrics
        if self.steps % self._stride == 0:
            count = math.ceil(self.steps / self._stride)
            for name in self._end.keys() - self._kept.keys():
                self._kept[name] = array("d", [math.nan] * count)
            for name, values in self._kept.items():
                values.append(self._end.get(name, math.nan))
            # One place is left for the last step.
            if count + 1 == POINTS:
                self._stride *= 2
                self._kept = {name: values[::2] for name, values in self._kept.items()}
        self.steps += 1

    def columns(self) -> dict[str, list[float | None]]:
        """Column -> its values; None where a step has none, or one that is not finite."""
        if not self.steps:
            return {}
        # Whether the last step is kept anyway.
        is_kept = (self.steps - 1) % self._stride == 0
        there = self._kept.keys() | self._end.keys()
        count = math.ceil(self.steps / self._stride)
        found = {}
        for name in ordered(there):
            values = [*self._kept.get(name, [math.nan] * count)]
            if not is_kept:
                values.append(self._end.get(name, math.nan))
            found[name] = [_short(name, value) for value in values]
        return found


def ordered(columns: Collection[str]) -> list[str]:
    """Columns in the order in which pages show them."""
    known = [*AXES, *COLUMNS]
    return [name for name in known if name in columns] + sorted({*columns}.difference(known))


def _sum(metrics: Mapping[str, Any], *names: str) -> float:
    """The sum of what there is of some columns."""
    return float(sum(metrics[name] for name in names if _is_number(metrics.get(name))))


def _is_drawn(name: str, value: Any) -> bool:
    return name not in LEFT_OUT and _is_number(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (is_finite(value) and not isinstance(value, bool))


def _short(name: str, value: float) -> float | None:
    """A value with as many digits as can be seen; steps are exact."""
    if not math.isfinite(value):
        return None
    return int(value) if name == "step" else float(f"{value:.5g}")
