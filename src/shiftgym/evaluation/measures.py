"""The measures of an episode, in one table. The columns of `results.jsonl`, the columns and words of reports,
`docs/measures.md` and the check of names in study files and suites follow from it.

A new measure is one row of `MEASURES` and its function.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator

from shiftgym.episodes import Attempt, DecisionRecord, Episode
from shiftgym.errors import ConfigError
from shiftgym.reading import nearest
from shiftgym.tasks.base import Diagnosis, Task

Subject = TypeVar("Subject")


class Where(StrEnum):
    """What a measure applies to, in the words of `docs/measures.md`."""

    EVERYWHERE = "everything"
    REVISION = "tasks that allow several attempts"
    SEVERAL = "problems of several decisions"
    SYMBOLS = "decisions in which a symbol has to be read"
    OTHER_RULE = "splits under another rule than the trained one"
    PICTURES = "problems shown in pictures"
    ONE_TOKENIZER = "models on this machine that share the tokenizer of the start"
    SOLVED = "problems in which the start solved a decision"
    LEARNS_EXPERT = "branches that learn from a fixed set of the expert's answers"
    NEIGHBOURS = "tasks that can change a problem a little"
    ENDS = "evaluations that recorded how answers ended"


@dataclass(frozen=True, slots=True)
class Measure(Generic[Subject]):
    """One measure: a row of a table of measures."""

    name: str
    """Its key in the rows of a run, in claims and in study files."""
    label: str
    """Its name in reports; see `called`."""
    definition: str
    """One plain sentence, without the full stop."""
    of: Callable[[Subject], Any]
    """The function that computes it: a number, None where it does not apply, or one number for each of several
    variants."""
    phrase: str = ""
    """Its name in a sentence, where the label alone is not enough, with braces as in `label`."""
    source: str = ""
    """Where the measure comes from: a section of the paper (arXiv 2501.17161), or another publication."""
    better: Literal[1, 0, -1] = 1
    """1: more is better; -1: less is better; 0: neither."""
    where: Where = Where.EVERYWHERE
    """What it applies to."""
    share: bool = True
    """Whether it is a share, which reports give in percent; else it is a plain number."""

    @property
    def nullable(self) -> bool:
        """Whether a row may hold null. What depends on the task alone has a value in every row. Rows that were written
        before the ends of answers were recorded have no value of `Where.ENDS`."""
        return self.where not in (Where.EVERYWHERE, Where.REVISION, Where.SEVERAL)

    def called(self, variant: Any) -> str:
        """The label, with the number of attempts or the variant in its braces, where it has some."""
        return self.label.format(variant)


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """An episode in which every decision was answered, those after a failed one too, and diagnoses of first answers."""

    episode: Episode
    diagnoses: Sequence[Diagnosis]
    """Of the first answer to each decision."""

    @property
    def records(self) -> Sequence[DecisionRecord]:
        return self.episode.decisions

    @property
    def answers(self) -> Sequence[Attempt]:
        """Every answer to every decision."""
        return [attempt for record in self.records for attempt in record.attempts]


def success_1(of: Diagnosed) -> float:
    return fmean(record.attempts[0].verdict.correct for record in of.records)


def success(of: Diagnosed) -> float:
    return fmean(record.solved for record in of.records)


def whole(of: Diagnosed) -> float:
    return float(of.episode.success)


def per_step(of: Diagnosed) -> float:
    reached = of.episode.reached
    return sum(record.solved for record in reached) / sum(len(record.attempts) for record in reached)


def attempts(of: Diagnosed) -> float:
    return float(len(of.answers))


def reward(of: Diagnosed) -> float:
    return of.episode.reward


def valid(of: Diagnosed) -> float:
    return fmean(diagnosis.valid for diagnosis in of.diagnoses)


def translated(of: Diagnosed) -> float | None:
    return _share([diagnosis.translated for diagnosis in of.diagnoses])


def perseverated(of: Diagnosed) -> float | None:
    return _share([diagnosis.perseverated for diagnosis in of.diagnoses])


def recognised(of: Diagnosed) -> float | None:
    return _share([diagnosis.recognised for diagnosis in of.diagnoses])


def tokens(of: Diagnosed) -> float:
    return fmean(record.attempts[0].tokens for record in of.records)


def cut(of: Diagnosed) -> float:
    return fmean(attempt.stop == "length" for attempt in of.answers)


def empty(of: Diagnosed) -> float:
    return fmean(not attempt.answer.strip() for attempt in of.answers)


def too_long(of: Diagnosed) -> float:
    return fmean(attempt.stop == "too_long" for attempt in of.answers)


def _share(values: Sequence[bool | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def table(*rows: Measure[Subject]) -> Mapping[str, Measure[Subject]]:
    """Name -> measure, in the order of the columns that they become."""
    return {measure.name: measure for measure in rows}


MEASURES = table(
    Measure(
        "success_1",
        "one attempt",
        "Share of decisions whose first answer is right",
        success_1,
        phrase="success with one attempt",
    ),
    Measure(
        "success",
        "{} attempts",
        "Share of decisions that are right within the task's limit of attempts",
        success,
        phrase="success with {} attempts",
        source="paper, C.3",
        where=Where.REVISION,
    ),
    Measure(
        "whole",
        "whole problem",
        "Share of problems in which every decision is right within the limit of attempts",
        whole,
        phrase="success on whole problems",
        source="paper, overall success",
        where=Where.SEVERAL,
    ),
    Measure(
        "per_step",
        "per step",
        "Share of right answers among all answers up to the first failed decision, as a mean over problems",
        per_step,
        phrase="accuracy per step",
        source="paper, per-step accuracy",
        where=Where.SEVERAL,
    ),
    Measure(
        "attempts",
        "attempts",
        "Number of answers to a problem, over all its decisions",
        attempts,
        phrase="the number of attempts",
        better=-1,
        where=Where.REVISION,
        share=False,
    ),
    Measure(
        "reward",
        "reward",
        "Sum of the rewards of all answers to a problem",
        reward,
        source="paper, section 3",
        share=False,
    ),
    Measure(
        "valid",
        "valid",
        "Share of first answers that obey the syntax and use allowed operations only, whatever their value",
        valid,
        phrase="validity",
        source="arXiv 2510.00237",
    ),
    Measure(
        "translated",
        "translation",
        "Share of first answers in which every symbol has its value under the rule in force",
        translated,
        where=Where.SYMBOLS,
    ),
    Measure(
        "perseverated",
        "perseveration",
        "Share of first answers in which a symbol has its value under the trained rule although another is in force",
        perseverated,
        source="named after the card-sorting test of Grant and Berg (1948)",
        better=-1,
        where=Where.OTHER_RULE,
    ),
    Measure(
        "recognised",
        "recognition",
        "Share of first answers that state correctly what the picture shows, whether or not they are right",
        recognised,
        source="paper, Fig. 8",
        where=Where.PICTURES,
    ),
    Measure(
        "tokens",
        "tokens",
        "Number of tokens of a first answer",
        tokens,
        phrase="length in tokens",
        better=0,
        share=False,
    ),
    Measure(
        "cut",
        "cut off",
        "Share of all answers, later attempts too, that were cut off at the longest answer allowed",
        cut,
        better=-1,
        where=Where.ENDS,
    ),
    Measure(
        "empty",
        "empty",
        "Share of all answers, later attempts too, that have no text but blanks",
        empty,
        better=-1,
        where=Where.ENDS,
    ),
    Measure(
        "too_long",
        "too long",
        "Share of all answers, later attempts too, for which the conversation left no room in the model's context",
        too_long,
        better=-1,
        where=Where.ENDS,
    ),
)
"""The measures of `results.jsonl`."""


def measure_episode(task: Task, episode: Episode) -> dict[str, Any]:
    """The measures of one episode in which every decision was answered, those after a failed one too.

    Returns:
        name -> value, for every row of `MEASURES`, and `decisions`: of each decision its outcomes, the attempt that was
        right (0 if none was), the style of the first answer, and the kinds that the decision counts as.
    """
    records = episode.decisions
    diagnoses = [task.diagnose(record.decision, record.attempts[0].answer) for record in records]
    subject = Diagnosed(episode, diagnoses)
    return {
        **{name: measure.of(subject) for name, measure in MEASURES.items()},
        "decisions": [
            {
                "outcomes": [attempt.verdict.outcome for attempt in record.attempts],
                "right": len(record.attempts) if record.solved else 0,
                "style": diagnosis.style,
                "kinds": list(diagnosis.kinds),
            }
            for record, diagnosis in zip(records, diagnoses, strict=True)
        ],
    }


def require_measure(name: str) -> Measure[Diagnosed]:
    """The measure of that name.

    Raises:
        ConfigError: there is none; the message gives the nearest known name.
    """
    if name not in MEASURES:
        raise ConfigError(f"there is no measure {name!r}{nearest(name, MEASURES)}")
    return MEASURES[name]


def _known(name: str) -> str:
    try:
        return require_measure(name).name
    except ConfigError as error:
        raise ValueError(str(error)) from None


MeasureName = Annotated[str, AfterValidator(_known)]
"""Type of a settings field that names a measure; `reading.typed` reports a wrong name with its key."""
