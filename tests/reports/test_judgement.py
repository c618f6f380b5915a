"""The table of signs, word by word, as docs/measures.md gives it."""

from types import SimpleNamespace

import numpy as np
import pytest

from shiftgym.evaluation.statistics import Interval, difference
from shiftgym.following.declaration import View
from shiftgym.reports.comparison import Difference
from shiftgym.reports.entries import Entry
from shiftgym.reports.judgement import Word, _against, word_of
from shiftgym.seeds import rng

UP, DOWN, WIDE, NONE = (Interval(0, *limits) for limits in ((0.01, 0.2), (-0.2, -0.01), (-0.2, 0.2), (-0.04, 0.04)))


@pytest.mark.parametrize(
    ("home", "shifted", "word"),
    [
        (UP, UP, "generalised"),
        (UP, DOWN, "memorised"),
        (UP, NONE, "gained at home only"),
        (UP, WIDE, "undecided"),
        (DOWN, UP, "lost"),
        (DOWN, DOWN, "lost"),
        (DOWN, NONE, "lost"),
        (DOWN, WIDE, "undecided"),
        *((home, shifted, "undecided") for home in (WIDE, NONE) for shifted in (UP, DOWN, WIDE, NONE)),
    ],
)
def test_the_table_of_signs(home: Interval, shifted: Interval, word: str) -> None:
    assert word_of(home, shifted, 0.05) == word


def test_the_margin_decides_what_counts_as_no_change() -> None:
    assert word_of(UP, NONE, 0.03) == "undecided"
    assert word_of(UP, Interval(0, -0.05, 0.01), 0.05) == "undecided"  # the limit itself is not inside


def test_noise_alone_is_rarely_judged() -> None:
    """200 pairs of equally good policies with independent noise, 128 problems: at most 5 % get any verdict."""
    told = 0
    for draw in range(200):
        chance = rng(draw, "noise")
        a, b, c, d = (np.array([[float(chance.random() < 0.5) for _ in range(128)]]) for _ in range(4))
        told += word_of(difference(a, b), difference(c, d), 0.05) != "undecided"
    assert told <= 10


def test_every_word_can_be_asked_to_fail_on() -> None:
    from shiftgym.cli import checkpoints

    assert checkpoints.Word == Word


@pytest.mark.parametrize(
    ("change", "said"), [(DOWN, "greedy, one attempt fell by 0.0 points"), (UP, None), (WIDE, None)]
)
def test_a_measure_that_moved_the_other_way_is_told(change: Interval, said: str | None) -> None:
    before, after = (Entry(name, name, "further", name, (1.0,)) for name in ("before", "after"))
    analysis = SimpleNamespace(
        secondary=lambda split: [View("greedy", "success_1", "greedy, one attempt")],
        difference=lambda a, b, *asked: Difference(a, b, change),
    )
    against = _against(analysis, Difference(after, before, UP), "rule_ood")  # type: ignore[arg-type]
    assert (against is not None and said in against) if said else against is None
