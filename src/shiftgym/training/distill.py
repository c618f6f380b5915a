"""On-policy self-distillation from feedback (SDPO; Hübotter et al. 2026, arXiv 2601.20802): the model that has read
what the verifier said of its answer is the teacher of the model that has not."""

from dataclasses import replace

from torch import Tensor

from shiftgym.messages import user
from shiftgym.models.microbatches import Conversation, Microbatch
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.rollouts import Rollouts, by_episode, summary
from shiftgym.training.settings import DistillSettings


class Distill:
    """A token of a failed first answer is as good as feedback makes it likelier: its advantage is its log-probability
    when the same answer is given again after the feedback, less that under which it was sampled. This is the policy
    gradient of the paper's reverse KL divergence, estimated on the sampled token."""

    head = None
    head_rate = 1.0

    def __init__(self, context: Context, settings: DistillSettings) -> None:
        self.epochs, self.minibatch = settings.epochs, settings.minibatch
        self._context, self._settings = context, settings
        self._rollouts = Rollouts(context, settings, settings.recipe)

    def collect(self, step: int) -> Collection:
        settings = self._settings
        count = settings.episodes_per_iteration
        problems = list(
            training_order(self._context.seed, settings.train_on, settings.problems, (step - 1) * count, count)
        )
        played = self._rollouts.collect(problems, step)
        conversations = self._rollouts.conversations(played)
        attempts = [record.attempts[0] for episode in played for record in episode.decisions]
        failed = [place for place, attempt in enumerate(attempts) if not attempt.verdict.correct]
        students = [conversations[place] for place in failed]
        hindsight = [self._hindsight(conversations[place], attempts[place].verdict.feedback) for place in failed]
        taught = self._rollouts.logprobs(hindsight, self._context.model)
        weighed = {}
        for place, student, teacher in zip(failed, self._rollouts.referred(students), taught, strict=True):
            gains = [now - then for now, then in zip(teacher, student.logprobs, strict=True)]
            weighed[place] = replace(student, advantages=[settings.reward_scale * gain for gain in gains])
        groups = by_episode([weighed.get(place) for place in range(len(attempts))], played)
        learned = [[sequence for sequence in group if sequence is not None] for group in groups]
        return Collection([group for group in learned if group], summary(played), played)

    def loss(self, batch: Microbatch) -> tuple[Tensor, dict[str, Tensor]]:
        _, loss, metrics = self._rollouts.token_loss(batch)
        return loss, metrics

    def _hindsight(self, conversation: Conversation, feedback: str) -> Conversation:
        """The conversation, the feedback, and the same answer once more: the only one to be scored."""
        chat_format, ids = self._context.chat_format, conversation.ids
        ((start, stop),) = conversation.spans
        told = chat_format.reply([user(feedback)])[1 if ids[-1] in chat_format.end_ids else 0 :]
        context = [*ids, *told]
        return Conversation([*context, *ids[start:stop]], [(len(context), len(context) + stop - start)])
