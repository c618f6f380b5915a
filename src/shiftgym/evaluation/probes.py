"""Memorisation and forgetting: how far a policy is from the one that it started from, and whether it solves problems or
recalls answers.

What each measure is and where it comes from: `docs/measures.md`. Compute spent here is not part of any ledger.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from shiftgym.batching import BatchLimit
from shiftgym.episodes import Episode, play
from shiftgym.evaluation.evaluate import batches
from shiftgym.evaluation.probed import Probed, measure_probed
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.models.resolve import resolve_policy
from shiftgym.policies.base import Policy
from shiftgym.tasks.base import Perturbed, Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from shiftgym.models.conversations.chat import ChatFormat
    from shiftgym.models.player import Player


@dataclass(frozen=True, slots=True)
class Subject:
    """What is probed."""

    policy: Callable[[float], Policy]
    """What answers, as a function of the temperature, of which 0 is greedy."""
    player: "Player | None" = None
    """What scores answers; None where there are no log-probabilities, as of an endpoint."""

    @classmethod
    def local(
        cls, model: "PreTrainedModel", chat_format: "ChatFormat", task: Task, *, seed: int, max_new_tokens: int
    ) -> "Subject":
        """A model on this machine.

        Args:
            seed: of its sampled answers.
            max_new_tokens: longest answer.
        """
        from shiftgym.models.ledger import Ledger, ModelShape
        from shiftgym.models.player import Player

        policy = resolve_policy((model, chat_format), task, max_new_tokens=max_new_tokens, seed=seed)
        return cls(policy, Player(model, chat_format, task, seed=seed, ledger=Ledger(ModelShape.of(model))))


class Probe:
    """Probes policies against what they started from.

    Args:
        start: it is asked and scored whenever another is measured, so its weights must not change.
        splits: those that are probed.
        problems: indices of the problems of each split.
        samples: first answers that are sampled for each decision.
        temperature: of sampling, and of the distributions whose divergence is taken.
        learned: the fixed set of answers that is learned from; None if there is none, or it is not known.
        solved: `solved` of an earlier probe with this start, so that it is not asked again.
    """

    start: Subject
    """What others are measured against."""
    solved: Mapping[str, list[list[bool]]]
    """Split -> of each problem, which decisions the start's greedy first answers solved."""

    def __init__(
        self,
        start: Subject,
        task: Task,
        *,
        splits: Sequence[str],
        problems: Sequence[int],
        samples: int,
        temperature: float,
        learned: set[str] | None,
        solved: Mapping[str, list[list[bool]]] | None = None,
    ) -> None:
        self.start, self._task, self._samples, self._learned = start, task, samples, learned
        self._temperature, self._limit = temperature, BatchLimit()
        self._problems = {split: [task.problem(split, index) for index in problems] for split in splits}
        self._before = {split: self._sampled(start, of, 1) for split, of in self._problems.items() if start.player}
        self.solved = solved or {
            split: [_solved(episode) for episode in self._greedy(start, of)] for split, of in self._problems.items()
        }

    def measure(self, subject: Subject) -> list[dict[str, Any]]:
        """One row a problem of each split; values are means over its decisions."""
        return [row for split in self._problems for row in self._split(subject, split)]

    def _split(self, subject: Subject, split: str) -> list[dict[str, Any]]:
        task, problems = self._task, self._problems[split]
        if not problems:
            return []
        sampled = self._sampled(subject, problems, self._samples)
        greedy = self._greedy(subject, problems)
        changed = [task.perturbed(problem) if isinstance(task, Perturbed) else {} for problem in problems]
        near = {kind: self._greedy(subject, [each[kind] for each in changed]) for kind in changed[0]}
        to_start: Sequence[float | None] = [None] * len(problems)
        from_start = to_start
        if subject.player and self.start.player and _token_space(subject.player) == _token_space(self.start.player):
            to_start = self._divergences(subject.player, self.start.player, sampled)
            from_start = self._divergences(self.start.player, subject.player, self._before[split])
        rows = []
        for index, episode in enumerate(greedy):
            answers = [record.attempts[0].answer for record in episode.decisions]
            probed = Probed(
                kl_to_start=to_start[index],
                kl_from_start=from_start[index],
                samples=self._samples,
                right=[sum(verdicts) for verdicts in zip(*map(_solved, sampled[index]), strict=True)],
                before=self.solved[split][index],
                now=_solved(episode),
                changed={kind: _solved(after[index]) for kind, after in near.items()},
                copied=[answer in self._learned for answer in answers] if self._learned else None,
            )
            rows.append({"split": split, "index": episode.problem.index, **measure_probed(probed)})
        return rows

    def _sampled(self, subject: Subject, problems: Sequence[Any], size: int) -> list[list[Episode]]:
        """Of each problem, `size` episodes of one attempt a decision."""
        policy = subject.policy(self._temperature)
        played = []
        for batch in batches(self._task, problems, size):
            several = [(problem, sample) for problem in batch for sample in range(size)]
            noise = [["train", "probe", problem.split, problem.index, sample] for problem, sample in several]
            asked = [problem for problem, _ in several]
            played += play(policy, self._task, asked, noise=noise, limit=1, ahead=True, batch=self._limit)
        return [played[start : start + size] for start in range(0, len(played), size)]

    def _greedy(self, subject: Subject, problems: Sequence[Any]) -> list[Episode]:
        """Of each problem, the episode of one greedy attempt a decision."""
        policy = subject.policy(0.0)
        return [
            episode
            for batch in batches(self._task, problems)
            for episode in play(policy, self._task, batch, limit=1, ahead=True, batch=self._limit)
        ]

    def _divergences(self, player: "Player", other: "Player", sampled: Sequence[Sequence[Episode]]) -> list[float]:
        """KL(player || other) in nats an answer, of each problem, by the first answers of `player` to its decisions."""
        records = [record for first, *_ in sampled for record in first.decisions]
        transcripts = [record.transcript for record in records]
        answers = [Conversation(each.ids, each.spans) for each in transcripts if each is not None]
        scorer = replace(player, temperature=self._temperature)
        found = iter(scorer.divergences(answers, other.model))
        return [fmean(next(found) for _ in first.decisions) for first, *_ in sampled]


def _token_space(player: "Player") -> tuple[Any, ...]:
    """What two models have to share for a divergence of their next-token distributions to be defined: the vocabulary,
    the width of the logits (which may be padded) and, where they see, the kind of model, which decides what stands for
    a picture. Chat templates may differ: both models then read each conversation as the one that answered had it."""
    chat_format, config = player.chat_format, player.model.config
    sees = config.model_type if chat_format.pictures else None
    return chat_format.tokenizer.get_vocab(), config.get_text_config().vocab_size, sees


def _solved(episode: Episode) -> list[bool]:
    return [record.solved for record in episode.decisions]
