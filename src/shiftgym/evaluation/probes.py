"""Memorisation and forgetting: how far a checkpoint is from the start, and whether it solves problems or recalls
answers.

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
from shiftgym.models.conversation import Judged
from shiftgym.models.generate import ModelPolicy
from shiftgym.models.ledger import Ledger, ModelShape
from shiftgym.models.player import Player
from shiftgym.tasks.base import Perturbed, Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Probe:
    """Probes the checkpoints of one branch.

    Args:
        start: the model that the branch starts from. The probe holds on to it, so its weights must not change.
        splits: those that are probed, the first `problems` problems of each.
        samples: first answers that are sampled for each decision.
        temperature: of sampling.
        max_new_tokens: longest answer.
        seed: of the sampled answers.
        learned: the fixed set of answers that the branch learns from; None if there is none.
    """

    def __init__(
        self,
        start: "PreTrainedModel",
        chat_format: ChatFormat,
        task: Task,
        *,
        splits: Sequence[str],
        problems: int,
        samples: int,
        temperature: float,
        max_new_tokens: int,
        seed: int,
        learned: set[str] | None,
    ) -> None:
        self._task, self._splits, self._count, self._samples, self._learned = task, splits, problems, samples, learned
        self._start = Player(
            start,
            chat_format,
            task,
            seed=seed,
            ledger=Ledger(ModelShape.of(start)),
            temperature=temperature,
            max_new_tokens=max_new_tokens,
        )
        self._before = {split: self._answers(self._start, split, 1) for split in splits}
        self._solved = {split: self._greedy(self._start, self._problems(split)) for split in splits}

    def measure(self, model: "PreTrainedModel") -> list[dict[str, Any]]:
        """One row a problem of each split; values are means over its decisions."""
        return [row for split in self._splits for row in self._split(model, split)]

    def _split(self, model: "PreTrainedModel", split: str) -> list[dict[str, Any]]:
        task, size = self._task, self._samples
        player = replace(self._start, model=model)
        problems = self._problems(split)
        sampled = self._answers(player, split, size)
        greedy = self._greedy(player, problems)
        changed = [task.perturbed(problem) if isinstance(task, Perturbed) else {} for problem in problems]
        near = {kind: self._greedy(player, [each[kind] for each in changed]) for kind in changed[0]}
        to_start = _divergences(player, self._start, sampled)
        from_start = _divergences(self._start, player, self._before[split])
        rows = []
        for index, records in enumerate(greedy):
            answers = [record.attempts[0].answer for record in records]
            probed = Probed(
                kl_to_start=to_start[index],
                kl_from_start=from_start[index],
                samples=size,
                right=[sum(verdict for _, verdict in samples) for samples in sampled[index]],
                before=_solved(self._solved[split][index]),
                now=_solved(records),
                changed={kind: _solved(after[index]) for kind, after in near.items()},
                copied=[answer in self._learned for answer in answers] if self._learned else None,
            )
            rows.append({"split": split, "index": index, **measure_probed(probed)})
        return rows

    def _problems(self, split: str) -> list[Any]:
        return [self._task.problem(split, index) for index in range(self._count)]

    def _answers(self, player: Player, split: str, size: int) -> list[Judged]:
        chunks = batches(self._task, self._problems(split), size)
        indices = [[problem.index for problem in chunk] for chunk in chunks]
        return [one for chunk in indices for one in player.answers(split, chunk, size, ["train", "probe"])]

    def _greedy(self, player: Player, problems: Sequence[Any]) -> list[list[DecisionRecord]]:
        policy = ModelPolicy(
            player.model,
            player.chat_format,
            temperature=0.0,
            max_new_tokens=player.max_new_tokens,
            seed=player.seed,
        )
        return [
            list(episode.decisions)
            for batch in batches(self._task, problems)
            for episode in play(policy, self._task, batch, limit=1, ahead=True)
        ]


def _divergences(player: Player, other: Player, answered: list[Judged]) -> list[float]:
    """KL(player || other) in nats an answer, of each problem, by the first answers of `player` to its decisions."""
    answers = [samples[0][0] for problem in answered for samples in problem]
    divergences = iter(player.divergences(answers, other.model))
    return [fmean(next(divergences) for _ in problem) for problem in answered]


def _solved(records: Sequence[DecisionRecord]) -> list[bool]:
    return [record.solved for record in records]
