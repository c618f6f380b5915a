"""Memorisation and forgetting: how far a checkpoint is from the start, and whether it solves or recalls.

What each measure is and where it comes from: `docs/measures.md`. Compute spent here is not part of any ledger.
"""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from shiftgym.episodes import DecisionRecord, play
from shiftgym.evaluation.evaluate import batches
from shiftgym.evaluation.probed import Probed, measure_probed
from shiftgym.models.chat import ChatFormat
from shiftgym.models.generate import ModelPolicy
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.studies.config import Study
from shiftgym.studies.plan import PlannedBranch
from shiftgym.tasks.base import Perturbed
from shiftgym.tasks.walk import decisions
from shiftgym.training.losses import exact_kl
from shiftgym.training.own import Answered, answer
from shiftgym.training.recipe import Context
from shiftgym.training.rollouts import Player
from shiftgym.training.settings import ReplaySettings, SamplingSettings, SFTSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Probe:
    """Probes the checkpoints of one branch.

    Args:
        start: the weights that the branch starts from; they are kept.
    """

    def __init__(self, start: "PreTrainedModel", chat_format: ChatFormat, study: Study, branch: PlannedBranch) -> None:
        assert study.probes is not None
        self._settings, self._evaluation = study.probes, study.evaluation
        self._start = start
        self._context = Context(start, chat_format, study.build_task(), branch.seed, Ledger(ModelShape.of(start)))
        self._before = {split: self._answers(start, split, 1) for split in self._settings.splits}
        self._solved = {split: self._greedy(start, self._problems(split)) for split in self._settings.splits}
        self._data = self._learned(branch)

    def _learned(self, branch: PlannedBranch) -> set[str] | None:
        """The expert's answers that the branch learns from; None if it does not, or if they never come again."""
        learned, task = branch.settings, self._context.task
        if not isinstance(learned, SFTSettings | ReplaySettings) or learned.problems is None:
            return None
        problems = [task.problem(learned.train_on, index) for index in range(learned.problems)]
        return {task.expert(decision) for problem in problems for decision in decisions(task, problem)}

    def measure(self, model: "PreTrainedModel") -> list[dict[str, Any]]:
        """One row a problem of each split; values are means over its decisions."""
        return [row for split in self._settings.splits for row in self._split(model, split)]

    def _split(self, model: "PreTrainedModel", split: str) -> list[dict[str, Any]]:
        task, size = self._context.task, self._settings.samples
        problems = self._problems(split)
        sampled = self._answers(model, split, size)
        greedy = self._greedy(model, problems)
        changed = [task.perturbed(problem) if isinstance(task, Perturbed) else {} for problem in problems]
        near = {kind: self._greedy(model, [each[kind] for each in changed]) for kind in changed[0]}
        to_start = self._divergences(model, self._start, sampled)
        from_start = self._divergences(self._start, model, self._before[split])
        rows = []
        for place, records in enumerate(greedy):
            answers = [record.attempts[0].answer for record in records]
            probed = Probed(
                kl_to_start=to_start[place],
                kl_from_start=from_start[place],
                samples=size,
                right=[sum(verdict for _, verdict in samples) for samples in sampled[place]],
                before=_solved(self._solved[split][place]),
                now=_solved(records),
                changed={kind: _solved(after[place]) for kind, after in near.items()},
                copied=[answer in self._data for answer in answers] if self._data else None,
            )
            rows.append({"split": split, "index": place, **measure_probed(probed)})
        return rows

    def _problems(self, split: str) -> list[Any]:
        return [self._context.task.problem(split, index) for index in range(self._settings.problems)]

    def _answers(self, model: "PreTrainedModel", split: str, size: int) -> list[Answered]:
        player = self._player(model)
        task = self._context.task
        chunks = batches(task, self._problems(split), size)
        indices = [[problem.index for problem in chunk] for chunk in chunks]
        return [one for chunk in indices for one in answer(player, split, chunk, size, [])]

    def _greedy(self, model: "PreTrainedModel", problems: Sequence[Any]) -> list[list[DecisionRecord]]:
        settings, context = self._evaluation, self._context
        policy = ModelPolicy(
            model, context.chat_format, temperature=0.0, max_new_tokens=settings.max_new_tokens, seed=context.seed
        )
        return [
            list(episode.decisions)
            for batch in batches(context.task, problems)
            for episode in play(policy, context.task, batch, limit=1, ahead=True)
        ]

    def _divergences(self, model: "PreTrainedModel", other: "PreTrainedModel", answered: list[Answered]) -> list[float]:
        """KL(model || other) in nats an answer, of each problem, by the first answers of `model` to its decisions."""
        player = self._player(model)
        answers = [samples[0][0] for problem in answered for samples in problem]
        sizes = [conversation.answer_tokens for conversation in answers]
        found = player.evaluate(
            answers,
            lambda batch: exact_kl(player.score(model, batch).log_softmax, player.score(other, batch).log_softmax),
            sizes=sizes,
            head=True,
        )
        divergences = iter([sum(tokens) for tokens in found])
        return [fmean(next(divergences) for _ in problem) for problem in answered]

    def _player(self, model: "PreTrainedModel") -> Player:
        settings = self._evaluation
        sampling = SamplingSettings(temperature=settings.temperature, max_new_tokens=settings.max_new_tokens)
        return Player(replace(self._context, model=model), sampling, "probe")


def _solved(records: Sequence[DecisionRecord]) -> list[bool]:
    return [record.solved for record in records]
