"""The smallest difference of two branches that a study can detect: planned before a run, and measured after it.

The difference d[s, p] of two branches with seed s on problem p is the true difference, plus an effect of the seed, plus
an effect of the problem, plus noise of the answers. So the mean over S seeds and P problems with n sampled answers each
has the variance

    seeds^2 / S  +  problems^2 / P  +  answers^2 / (S P n)

where `seeds`, `problems` and `answers` are standard deviations. Its root is the standard error. A true difference is
detected in 80 of 100 studies where it is z_0.8 standard errors larger than half the width of the interval.

Half the width would be z_0.975 standard errors. But the bootstrap over seeds and problems (see `statistics`) counts the
noise of answers three times: with the seeds, with the problems and with their pairs. Its intervals are wider than
necessary where answers are few. Reports decide by these intervals, so power is planned with them.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from shiftgym.evaluation.statistics import LEVEL, Floats

POWER = 0.8
"""Share of studies that find a difference of the size given by `detectable_difference`."""


@dataclass(frozen=True, slots=True)
class Spreads:
    """Standard deviations of the paired difference of two branches in a share. 0.04 is four percentage points."""

    seeds: float
    """Between seeds, of the seed's own difference over all problems."""
    problems: float
    """Between problems, of the problem's own difference over all seeds."""
    answers: float = 0.5**0.5
    """Of single answers to one problem with one seed. The difference of two answers that are right with chance p has
    the variance 2 p (1 - p), at most one half: the default is this worst case."""


# Measured by `python scripts/spreads.py RUN` on a run of points-text with five seeds (docs/findings.md), success within
# the limit, sampled, every branch minus the start. Problems: the root mean square on rule_ood, 19.6 points. Seeds: the
# largest that was found on any split, 2.9 points (SFT on id); on rule_ood it was below what answer noise allows to see.
PLANNED = Spreads(seeds=0.03, problems=0.20)
"""The spreads that are assumed before a run."""


def detectable_difference(seeds: int, problems: int, samples: int = 1, spreads: Spreads = PLANNED) -> float:
    """The smallest true difference that is detected with `POWER` by a two-sided interval at `LEVEL`.

    Args:
        seeds: of post-training, each run once in both branches.
        problems: of one split, the same for all.
        samples: answers that are drawn to each problem.
        spreads: what makes the measured difference vary.

    Returns:
        the difference in shares: 0.1 is ten percentage points.
    """
    noise = spreads.answers**2 / (seeds * problems * samples)
    variance = spreads.seeds**2 / seeds + spreads.problems**2 / problems + noise
    # With one seed only problems are drawn anew, and noise counts once.
    bootstrapped = variance + 2 * noise if seeds > 1 else variance
    half_width = stats.norm.ppf((1 + LEVEL) / 2) * bootstrapped**0.5
    return float(half_width + stats.norm.ppf(POWER) * variance**0.5)


def spreads(a: Floats, b: Floats) -> Spreads:
    """The spreads of the difference of two branches, from the variance components of a table of seeds and problems
    (two-way random effects, by the method of moments; a component that comes out below zero is zero).

    The variation left after seeds and problems counts as `answers`: the noise of the mean of the answers that a row
    holds, and whatever a seed does to one problem only. With one seed the spread of seeds is unknown: it is then zero,
    and all variation counts as that of problems.

    Args:
        a: (seeds, problems), without NaN.
        b: the same of the other branch.
    """
    difference = a.astype(float) - b
    count_S, count_P = difference.shape
    of_seeds, of_problems = difference.mean(axis=1, keepdims=True), difference.mean(axis=0, keepdims=True)
    if count_S == 1:
        return Spreads(0.0, float(difference.std(ddof=1)), 0.0)
    rest = ((difference - of_seeds - of_problems + difference.mean()) ** 2).sum() / ((count_S - 1) * (count_P - 1))
    variances = (
        of_seeds.var(ddof=1) - rest / count_P,
        of_problems.var(ddof=1) - rest / count_S,
        rest,
    )
    return Spreads(*(float(np.sqrt(max(variance, 0.0))) for variance in variances))


def detected_difference(a: Floats, b: Floats) -> float | None:
    """`detectable_difference` of two branches that have run, by their own spreads.

    Args:
        a: (seeds, problems); NaN where a measure does not apply or a seed is not done.
        b: the same of the other branch.

    Returns:
        the difference in shares; None where fewer than two problems have a value with every seed that is done.
    """
    missing = np.isnan(a) | np.isnan(b)
    done = ~missing.all(axis=1)
    complete = ~missing[done].any(axis=0)
    a, b = a[done][:, complete], b[done][:, complete]
    seeds, problems = a.shape
    if not seeds or problems < 2:
        return None
    return detectable_difference(seeds, problems, spreads=spreads(a, b))
