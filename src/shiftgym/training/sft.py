"""Supervised fine-tuning: the likelihood of given answers is raised."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym.models.microbatches import Conversation, Microbatch
from shiftgym.models.score import Scores, score
from shiftgym.tasks.walk import decisions
from shiftgym.training.losses import exact_kl
from shiftgym.training.order import training_order
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.rollouts import frozen
from shiftgym.training.settings import SFTSettings, SupervisedSettings


class Supervised:
    """Next-token prediction of answers and their end token, given the prompt; the mean over those tokens."""

    head = None
    head_rate = 1.0
    epochs = 1
    dynamic = False
    """Each token weighs as much as its probability (DFT; Wu et al. 2025, arXiv 2508.05629): the gradient of
    the answers' mean probability instead of that of their log-likelihood, which rare tokens dominate."""

    def __init__(self, context: Context, settings: SupervisedSettings) -> None:
        self.context = context
        self.minibatch = settings.batch
        self._kl = settings.kl
        self._precision = getattr(torch, settings.precision)
        self._start = frozen(context.model) if settings.kl else None

    def loss(self, batch: Microbatch) -> tuple[Tensor, dict[str, Tensor]]:
        scores, total = self._score(self.context.model, batch), batch.minibatch_answer_tokens
        weights = scores.logprobs.detach().exp() if self.dynamic else torch.ones_like(scores.logprobs)
        loss = -(weights * scores.logprobs).sum() / total
        if self._start is None:
            return loss, {}
        with torch.no_grad():
            before = self._score(self._start, batch)
        rows, length = batch.packed.ids.shape
        self.context.ledger.scored(rows=rows, length=length, head_positions=batch.answer_tokens)
        self.context.ledger.encoded(self.context.chat_format.flops(batch.packed.shown), learned=False)
        kl = exact_kl(scores.log_softmax, before.log_softmax).sum() / total
        return loss + self._kl * kl, {"kl": kl}

    def _score(self, model: PreTrainedModel, batch: Microbatch) -> Scores:
        return score(model, batch.packed, batch.predictors, batch.targets, precision=self._precision)


class SFT(Supervised):
    """On the expert's answers."""

    def __init__(self, context: Context, settings: SFTSettings) -> None:
        super().__init__(context, settings)
        self.dynamic = settings.recipe == "dft"
        self._settings = settings
        self._experts = Experts(context, settings)

    def collect(self, step: int) -> Collection:
        settings = self._settings
        start = (step - 1) * settings.batch
        indices = training_order(self.context.seed, settings.train_on, settings.problems, start, settings.batch)
        return Collection([self._experts.answers(index) for index in indices])


class Experts:
    """The expert's answers to the problems of a training set; kept, where it is a fixed one."""

    def __init__(self, context: Context, settings: SupervisedSettings) -> None:
        self._context, self._split, self._keep = context, settings.train_on, settings.problems is not None
        self._known: dict[int, list[Conversation]] = {}

    def answers(self, index: int) -> list[Conversation]:
        """To each decision of a problem."""
        if index in self._known:
            return self._known[index]
        task, chat_format = self._context.task, self._context.chat_format
        examples = []
        for decision in decisions(task, task.problem(self._split, index)):
            prompt, answer = chat_format.prompt(decision.prompt), chat_format.answer(task.expert(decision))
            examples.append(Conversation(prompt + answer, [(len(prompt), len(prompt) + len(answer))]))
        if self._keep:
            self._known[index] = examples
        return examples
