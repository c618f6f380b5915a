"""What all reinforcement recipes share: episodes are played, transcripts become sequences, tokens get PPO's loss.

A whole conversation is one sequence. Prompt and feedback are context; each answer is one action, and all of its
tokens have the advantage of their turn.
"""

import copy
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from statistics import fmean

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym import episodes
from shiftgym.episodes import Episode
from shiftgym.models.generate import ModelPolicy
from shiftgym.models.prefixes import branching
from shiftgym.models.score import Scores, score, trunk_states
from shiftgym.training.batches import Batch, Sequence, passes
from shiftgym.training.losses import clipped_policy_loss, kl_divergence
from shiftgym.training.recipe import Context
from shiftgym.training.settings import RolloutSettings


class Rollouts:
    """Plays episodes with the model in training and weighs their tokens.

    Log-probabilities under the sampling policy are those that generation recorded; they are never computed again.
    """

    def __init__(self, context: Context, settings: RolloutSettings, name: str) -> None:
        self.context = context
        self.settings = settings
        self._stream: list[str | int] = ["train", name]
        self._precision: torch.dtype = getattr(torch, settings.precision)
        self._device = context.model.device
        self._trees = branching(context.model)
        self._reference = _frozen(context.model) if settings.kl else None
        self._policy = ModelPolicy(
            context.model,
            context.form,
            temperature=settings.temperature,
            max_new_tokens=settings.max_new_tokens,
            seed=context.seed,
            ledger=context.ledger,
        )

    def play(self, problems: list[int], step: int) -> list[Episode]:
        """One episode on each of these problems of the training split, sampled from the current weights."""
        task, settings = self.context.task, self.settings
        stated = [task.problem(settings.train_on, index) for index in problems]
        stream = [*self._stream, step]
        return episodes.play(self._policy, task, stated, stream=stream, limit=settings.limit, ahead=True)

    def conversations(self, played: list[Episode]) -> list[Sequence]:
        """The conversation of each decision, in order, with the log-probabilities it was sampled at."""
        sequences = []
        for episode in played:
            for record in episode.decisions:
                transcript = record.transcript
                assert transcript is not None, "a model's chat keeps its tokens"
                logprobs = [value for answer in transcript.logprobs for value in answer]
                sequences.append(Sequence(transcript.ids, transcript.spans, logprobs=logprobs))
                self.context.ledger.tokens_prompt += len(transcript.ids) - len(logprobs)
        return sequences

    def judged(
        self, conversations: list[Sequence], advantages: list[float], returns: list[float] | None = None
    ) -> list[Sequence]:
        """The same conversations, given the advantage (and return) of each of their turns, listed in order, and the
        reference model's log-probabilities."""
        references: list[list[float]] = [[] for _ in conversations]
        if self._reference is not None:
            sizes = [conversation.answer_tokens for conversation in conversations]
            references = self.evaluate(conversations, self._reference_logprobs, sizes=sizes, head=True)
        sequences, turn = [], 0
        for conversation, reference in zip(conversations, references, strict=True):
            turns = slice(turn, turn + len(conversation.spans))
            turn = turns.stop
            sequences.append(
                replace(
                    conversation,
                    advantages=advantages[turns],
                    reference=reference,
                    returns=returns[turns] if returns else [],
                )
            )
        return sequences

    @torch.no_grad()
    def evaluate(
        self, sequences: list[Sequence], values: Callable[[Batch], Tensor], *, sizes: list[int], head: bool
    ) -> list[list[float]]:
        """Run `values` over all sequences without gradient; `sizes[i]` numbers belong to sequence i.

        Args:
            head: whether `values` applies the output embeddings to the answer tokens, which the ledger must know.
        """
        results: list[list[float]] = [[] for _ in sequences]
        size, pictures = self.settings.tokens_per_pass, self.context.form.pictures
        for batch in passes(sequences, size, self._device, trees=self._trees, pictures=pictures):
            flat, start = values(batch).tolist(), 0
            for member in batch.members:
                results[member] = flat[start : start + sizes[member]]
                start += sizes[member]
            rows, length = batch.packed.ids.shape
            ledger = self.context.ledger
            ledger.scored(rows=rows, length=length, head_positions=batch.answer_tokens if head else 0)
            ledger.looked(self.context.form.flops(batch.packed.shown), learned=False)
        return results

    def token_loss(self, batch: Batch) -> tuple[Scores, Tensor, dict[str, Tensor]]:
        """The loss that needs no value head, as this pass's share of the minibatch's mean over answer tokens."""
        settings, total = self.settings, batch.minibatch_answer_tokens
        scores = self._score(self.context.model, batch)
        policy, clipped = clipped_policy_loss(scores.logprobs, batch.logprobs, batch.advantages, settings.clip)
        loss = policy.sum() / total
        entropy = scores.entropy.sum() / total
        metrics = {"policy_loss": loss, "entropy": entropy, "clip_fraction": clipped.sum() / total}
        if settings.entropy:
            loss = loss - settings.entropy * entropy
        if self._reference is not None:
            kl = kl_divergence(scores.logprobs, batch.reference).sum() / total
            metrics["kl"] = kl
            loss = loss + settings.kl * kl
        return scores, loss, metrics

    def states(self, batch: Batch) -> Tensor:
        """(N, H) hidden states of the model at the token before each answer: what a value is read from."""
        return trunk_states(self.context.model, batch.packed, self._precision)[batch.turns]

    def _reference_logprobs(self, batch: Batch) -> Tensor:
        assert self._reference is not None
        return self._score(self._reference, batch).logprobs

    def _score(self, model: PreTrainedModel, batch: Batch) -> Scores:
        temperature = self.settings.temperature
        return score(model, batch.packed, batch.predictors, batch.targets, temperature, self._precision)


def _frozen(model: PreTrainedModel) -> PreTrainedModel:
    """A copy that keeps the weights of now."""
    frozen = copy.deepcopy(model)
    frozen.requires_grad_(False)
    return frozen


def by_episode(sequences: list[Sequence], played: list[Episode]) -> list[list[Sequence]]:
    """The conversations, listed in order, as one list an episode."""
    rest = iter(sequences)
    return [list(islice(rest, len(episode.decisions))) for episode in played]


def summary(played: list[Episode]) -> dict[str, float]:
    """What an iteration's episodes came to; rewards as the task gives them."""
    records = [record for episode in played for record in episode.decisions]
    attempts = [attempt for record in records for attempt in record.attempts]
    return {
        "reward": fmean(episode.reward for episode in played),
        "success": fmean(episode.success for episode in played),
        "success_1": fmean(record.attempts[0].verdict.correct for record in records),
        "attempts": len(attempts) / len(records),
        "answer_tokens": fmean(attempt.tokens for attempt in attempts),
    }
