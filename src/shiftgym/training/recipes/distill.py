"""On-policy self-distillation from feedback (SDPO; Hübotter et al. 2026, arXiv 2601.20802): the model that has
read the verifier's message on its answer teaches the model that has not."""

from dataclasses import replace
from typing import Literal

from shiftgym.episodes import by_episode
from shiftgym.messages import user
from shiftgym.models.conversations.conversation import Conversation
from shiftgym.training.recipe import Collection, PolicyGradient
from shiftgym.training.rollouts import summary
from shiftgym.training.settings import RolloutSettings


class DistillSettings(RolloutSettings):
    """On-policy self-distillation: first answers that failed are judged token by token by the model that has read the
    feedback on them."""

    limit: Literal[1] = 1
    """Attempts a decision in training: only first answers are learned from."""


class Distill(PolicyGradient):
    """The advantage of a token of a failed first answer is its log-probability when the same answer is given again
    after the feedback, minus the log-probability at which it was sampled. This is the policy gradient of that paper's
    reverse KL divergence, estimated on the sampled token."""

    name = "distill"
    Settings = DistillSettings
    family = "between"
    settings: DistillSettings

    def collect(self, step: int) -> Collection:
        settings = self.settings
        played = self.play(self.problems(step, settings.episodes_per_iteration), step)
        conversations = self.player.conversations(played)
        attempts = [record.attempts[0] for episode in played for record in episode.decisions]
        failed = [index for index, attempt in enumerate(attempts) if not attempt.verdict.correct]
        told = {index: self._hindsight(conversations[index], attempts[index].verdict.feedback) for index in failed}
        hindsight = {index: each for index, each in told.items() if self.player.fits(each.ids)}
        weighed = {}
        for index, teacher in zip(hindsight, self.player.logprobs([*hindsight.values()]), strict=True):
            student = conversations[index]
            gains = [now - then for now, then in zip(teacher, student.logprobs, strict=True)]
            weighed[index] = replace(student, weights=[settings.reward_scale * gain for gain in gains])
        groups = by_episode([weighed.get(index) for index in range(len(attempts))], played)
        learned = [[conversation for conversation in group if conversation is not None] for group in groups]
        return Collection([group for group in learned if group], summary(played), played)

    def _hindsight(self, conversation: Conversation, feedback: str) -> Conversation:
        """The conversation, the feedback, and the same answer again, which alone is scored."""
        chat_format, ids = self.player.chat_format, conversation.ids
        ((start, stop),) = conversation.spans
        context = [*ids, *chat_format.reply([user(feedback)], ids[-1])]
        return Conversation([*context, *ids[start:stop]], [(len(context), len(context) + stop - start)])
