"""Episodes as one rank tells the others of them.

Decisions follow from the problem, so only answers are told. Numbers of pictures differ between processes, so the
pictures are told with them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from typing import Any

from shiftgym.episodes import Attempt, DecisionRecord, Episode
from shiftgym.messages import Picture
from shiftgym.models.conversations.pictures import Known, Pictures
from shiftgym.models.parallel import Counter, Ranks
from shiftgym.policies.base import Transcript
from shiftgym.seeds import Names
from shiftgym.tasks.base import Problem, Task
from shiftgym.tasks.walk import decisions


@dataclass(frozen=True, slots=True)
class ToldEpisode:
    """An episode in which all decisions were answered; it can be pickled."""

    problem: Problem
    answered: list[tuple[list[Attempt], Transcript | None]]
    """Attempts and tokens of each decision. Token -1 - n stands for picture n of `pictures`."""
    pictures: list[tuple[Picture, Known]]

    @classmethod
    def of(cls, episode: Episode, pictures: Pictures | None) -> "ToldEpisode":
        transcripts = [record.transcript for record in episode.decisions]
        numbers = dict.fromkeys(-1 - token for each in transcripts if each for token in each.ids if token < 0)
        names = {number: place for place, number in enumerate(numbers)}
        answered = [(record.attempts, _renumbered(record.transcript, names)) for record in episode.decisions]
        return cls(episode.problem, answered, pictures.tell(numbers) if pictures is not None else [])

    def episode(self, task: Task, pictures: Pictures | None) -> Episode:
        """The episode as this process would have it."""
        numbers = pictures.learn(self.pictures) if pictures is not None else []
        names = dict(enumerate(numbers))
        records = [
            DecisionRecord(decision, attempts, _renumbered(transcript, names))
            for decision, (attempts, transcript) in zip(decisions(task, self.problem), self.answered, strict=True)
        ]
        return Episode(self.problem, records)


def play_over(
    ranks: Ranks,
    named: Sequence[tuple[Problem, Names]],
    play: Callable[[Sequence[tuple[Any, Names]]], list[Episode]],
    task: Task,
    pictures: Pictures | None,
    meter: Counter,
) -> list[Episode]:
    """One episode on each of these problems, in which each rank plays a share, and all are given all.

    Args:
        named: problems, and of each the name of the random stream that its answers are sampled from.
        play: plays one episode on each of some problems, and counts it with `meter`.
    """
    # Those of one problem in turn read its prompt once, so one rank plays them if there is enough for all.
    groups = [list(group) for _, group in groupby(named, key=lambda each: (each[0].split, each[0].index))]
    if len(groups) < ranks.count:
        groups = [[each] for each in named]

    def played(share: Sequence[list[tuple[Problem, Names]]]) -> list[list[ToldEpisode]]:
        told = iter([ToldEpisode.of(episode, pictures) for episode in play(list(chain(*share)))])
        return [list(islice(told, len(group))) for group in share]

    return [each.episode(task, pictures) for told in ranks.spread(groups, played, meter) for each in told]


def in_order_of_appearance(sequences: Sequence[list[int]]) -> list[list[int]]:
    """The same sequences with pictures numbered as they first appear in them: the same on all ranks."""
    names: dict[int, int] = {}
    return [[token if token >= 0 else names.setdefault(token, -1 - len(names)) for token in each] for each in sequences]


def _renumbered(transcript: Transcript | None, names: dict[int, int]) -> Transcript | None:
    """The same tokens with other numbers of pictures, by the old ones."""
    if transcript is None or not names:
        return transcript
    return replace(transcript, ids=[-1 - names[-1 - token] if token < 0 else token for token in transcript.ids])
