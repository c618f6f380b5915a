"""Supervised fine-tuning: the expert's answers, each token weighted alike."""

import torch
from torch import Tensor

from shiftgym.models.score import score
from shiftgym.tasks.walk import decisions
from shiftgym.training.batches import Batch, Sequence
from shiftgym.training.problems import stream
from shiftgym.training.recipe import Collection, Context
from shiftgym.training.settings import SFTSettings


class SFT:
    """Next-token prediction of expert answers and their end token, given the prompt; the mean over those tokens."""

    head = None
    head_rate = 1.0
    epochs = 1

    def __init__(self, context: Context, settings: SFTSettings) -> None:
        self.context = context
        self.settings = settings
        self.minibatch = settings.batch
        self._examples: dict[int, list[Sequence]] = {}

    def collect(self, step: int) -> Collection:
        settings = self.settings
        start = (step - 1) * settings.batch
        indices = stream(self.context.seed, settings.train_on, settings.problems, start, settings.batch)
        return Collection([self._expert(index) for index in indices])

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        precision = getattr(torch, self.settings.precision)
        scores = score(self.context.model, batch.packed, batch.predictors, batch.targets, precision=precision)
        return -scores.logprobs.sum() / batch.minibatch_answer_tokens, {}

    def _expert(self, index: int) -> list[Sequence]:
        """The expert's answer to each decision of a problem; kept, where the training set is a fixed one."""
        if index in self._examples:
            return self._examples[index]
        task, form = self.context.task, self.context.form
        examples = []
        for decision in decisions(task, task.problem(self.settings.train_on, index)):
            prompt, answer = form.prompt(decision.prompt), form.answer(task.expert(decision))
            examples.append(Sequence(prompt + answer, [(len(prompt), len(prompt) + len(answer))]))
        if self.settings.problems is not None:
            self._examples[index] = examples
        return examples
