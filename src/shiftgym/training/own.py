"""A model's own answers to some problems, judged: what rejection sampling, rehearsal and DPO learn from."""

from dataclasses import replace

from shiftgym.models.microbatches import Conversation
from shiftgym.seeds import Names
from shiftgym.training.recipe import Context
from shiftgym.training.rollouts import Player, by_episode, frozen
from shiftgym.training.settings import DPOSettings, ReplaySettings, RFTSettings

AT_ONCE = 128
"""Answers that are sampled side by side, for problems of one decision."""

Answered = list[list[tuple[Conversation, bool]]]
"""Of one problem: for each decision some conversations, and whether each ended with a right answer."""


def answer(
    player: Player, split: str, problems: list[int], group_size: int, noise: Names, limit: int = 1
) -> list[Answered]:
    """Sample `group_size` conversations about every decision of each problem.

    Args:
        noise: what tells these answers from all others of this recipe; split, index and sample are added to it.
        limit: attempts a decision.
    """
    several = [(index, sample) for index in problems for sample in range(group_size)]
    named = [[*noise, split, index, sample] for index, sample in several]
    played = player.play(split, [index for index, _ in several], named, limit)
    conversations = by_episode(player.conversations(played), played)
    verdicts = [[record.solved for record in episode.decisions] for episode in played]
    judged = [list(zip(*pair, strict=True)) for pair in zip(conversations, verdicts, strict=True)]
    return [
        [list(alike) for alike in zip(*judged[start : start + group_size], strict=True)]
        for start in range(0, len(judged), group_size)
    ]


class Beforehand:
    """Answers sampled once, before the first step, by the model that the branch starts with.

    A branch that is resumed samples the same ones again, which its ledger does not count a second time.
    """

    def __init__(
        self,
        context: Context,
        settings: RFTSettings | ReplaySettings | DPOSettings,
        split: str,
        group_size: int,
        limit: int = 1,
    ) -> None:
        self._context = replace(context, model=frozen(context.model))
        self._settings, self._split, self._group_size, self._limit = settings, split, group_size, limit

    def answers(self, step: int) -> list[Answered]:
        """To all problems of the training set, in their order.

        Args:
            step: the step that asks for them; only the first one pays.
        """
        paid = self._context if step == 1 else replace(self._context, ledger=replace(self._context.ledger))
        player = Player(paid, self._settings, self._settings.recipe)
        count, size = self._settings.problems, max(1, AT_ONCE // self._group_size)
        assert count is not None
        chunks = [list(range(count)[start : start + size]) for start in range(0, count, size)]
        return [
            one
            for chunk in chunks
            for one in answer(player, self._split, chunk, self._group_size, ["before"], self._limit)
        ]
