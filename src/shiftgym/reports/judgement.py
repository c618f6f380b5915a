"""What a checkpoint learned, in one word for each shifted split: a table of signs at home and under the shift.

The two differences are those of one checkpoint and BASE by the primary measure, paired on identical problems. The word
speaks of this checkpoint, not of the recipe that made it, since another seed of training may end elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from shiftgym.evaluation.statistics import Interval
from shiftgym.following.declaration import START
from shiftgym.reports import words
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.comparison import Comparison, Difference, Verdict, verdict_of
from shiftgym.reports.entries import Entry, at_checkpoint
from shiftgym.reports.runs import LoadedComparison, LoadedRun

Word = Literal["generalised", "memorised", "gained at home only", "lost", "undecided"]

SCOPE = (
    "A verdict speaks of this checkpoint, not of the recipe that made it: another seed of training may end elsewhere. "
    "It cannot tell whether the problems at home were trained on elsewhere."
)
"""What a verdict does not say."""

SIGNS: dict[tuple[Verdict, Verdict], Word] = {
    ("rose", "rose"): "generalised",
    ("rose", "undecided"): "gained at home only",
    ("rose", "fell"): "memorised",
    ("undecided", "rose"): "undecided",
    ("undecided", "undecided"): "undecided",
    ("undecided", "fell"): "undecided",
    ("fell", "rose"): "lost",
    ("fell", "undecided"): "lost",
    ("fell", "fell"): "lost",
}
"""What the change at home and the change under the shift say together. Where the second does not tell its sign, the
word holds only if its whole interval is smaller than the margin; else nothing is decided."""


def word_of(home: Interval, shifted: Interval, margin: float) -> Word:
    """The verdict on a change at home and a change under a shift.

    Args:
        margin: a change whose whole interval is smaller than this counts as none.
    """
    signs = verdict_of(home), verdict_of(shifted)
    if signs[1] == "undecided" and not (-margin < shifted.low and shifted.high < margin):
        return "undecided"
    return SIGNS[signs]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one checkpoint of a candidate and one shifted split."""

    split: str
    home: Difference
    """Its change from BASE at home, by the primary measure of the shifted split."""
    shifted: Difference
    """Its change from BASE on the shifted split."""
    word: Word
    sentence: str
    """The word with its numbers."""
    against: str | None
    """What other measures of success say against it; None where none does."""

    def record(self) -> dict[str, Any]:
        """As it stands in `verdict.json`; changes and limits are shares, not points."""
        sides = {"home": self.home, "shifted": self.shifted}
        sentences = {"sentence": self.sentence, "against": self.against}
        plain = {key: told and told.replace("\u00a0", " ") for key, told in sentences.items()}
        return (
            {"verdict": self.word}
            | plain
            | {
                name: {
                    "change": side.interval.value,
                    "low": side.interval.low,
                    "high": side.interval.high,
                    "sign": side.verdict,
                }
                for name, side in sides.items()
            }
        )


def judge(comparison: Analysis, entry: Entry, split: str) -> Judgement | None:
    """The verdict on an entry and a shifted split; None where the start or an answer is missing."""
    compare, start = comparison.compare, comparison.start
    if start is None:
        return None
    asked = compare.decoding, compare.primary(split)
    home, shifted = (comparison.difference(entry, start, of, *asked) for of in (compare.home, split))
    if home is None or shifted is None:
        return None
    # Where all answers are alike on both sides, nothing can be told from the difference.
    told = home.level is None and shifted.level is None
    word = word_of(home.interval, shifted.interval, compare.margin) if told else "undecided"
    sentence = _sentence(comparison, word, home, shifted, split)
    return Judgement(split, home, shifted, word, sentence, _against(comparison, shifted, split))


def judge_all(comparison: Analysis, entry: Entry) -> dict[str, Judgement]:
    """Shifted split -> the verdict on an entry."""
    found = {split: judge(comparison, entry, split) for split in comparison.compare.shifted}
    return {split: one for split, one in found.items() if one is not None}


def judged_entries(run: LoadedRun) -> list[Entry]:
    """Every candidate at its last checkpoint."""
    return [
        at_checkpoint(run, branch, max(fractions))
        for branch in run.branches
        if branch.name != START and (fractions := run.cube.checkpoints(branch.name))
    ]


def _against(comparison: Analysis, shifted: Difference, split: str) -> str | None:
    """The other measures of success that moved another way on a shifted split than the primary one."""
    found = [
        f"{view.label} {words.moved(one)}"
        for view in comparison.secondary(split)
        if (one := comparison.difference(shifted.a, shifted.b, split, view.decoding, view.measure))
        and one.verdict not in ("undecided", shifted.verdict)
    ]
    return f"Other measures disagree on {split}: {words.join(found)}" if found else None


def headline(judged: Sequence[tuple[Entry, Mapping[str, Judgement]]]) -> str:
    """Every verdict in one line, as in `SFT: memorised on rule_ood. PPO: generalised on rule_ood.`"""
    said = []
    for entry, found in judged:
        by_word: dict[Word, list[str]] = {}
        for split, one in found.items():
            by_word.setdefault(one.word, []).append(split)
        told = [f"{word} on {words.join(splits)}" for word, splits in by_word.items()]
        said.append(f"{entry.label}: {', '.join(told) or 'not judged'}.")
    return " ".join(said)


def opening(analysis: Analysis) -> str:
    """What is said first of one run: the verdicts of a comparison of checkpoints, or what a study found on every
    shifted split; where it has none, its title."""
    if isinstance(analysis.first, LoadedComparison):
        return headline([(entry, judge_all(analysis, entry)) for entry in judged_entries(analysis.first)])
    found = [f"{words.headline(analysis, split)}." for split in analysis.shifted]
    return " ".join(found) or str(analysis.first.study["title"])


def template_warning(run: LoadedRun) -> str | None:
    """Which models have another chat template than BASE, if any."""
    others = run.other_templates
    if not others:
        return None
    return (
        f"The chat template of {words.join(others)} is not that of {run.backbone}, which may change answers by itself. "
        "With --chat-template FILE all models have the same one."
    )


def _sentence(comparison: Comparison, word: Word, home: Difference, shifted: Difference, split: str) -> str:
    told = f"{words.moved(home)} on {comparison.compare.home} and {words.moved(shifted)} on {split}"
    if not any((home.interval.low, home.interval.high, shifted.interval.low, shifted.interval.high)):
        told = f"does not differ from {home.b.label} on a single problem"
    return f"{word}: it {told}, in {words.primary(comparison, split)}"
