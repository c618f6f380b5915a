"""What recipes share that learn from the model's own answers: episodes are played, transcripts become sequences, and in
reinforcement tokens get PPO's loss.

A whole conversation is one sequence. Prompt and feedback are context; each answer is one action.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from statistics import fmean
from typing import TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym import episodes
from shiftgym.episodes import Episode
from shiftgym.models.generate import ModelPolicy
from shiftgym.models.microbatches import Conversation, Microbatch, microbatches
from shiftgym.models.prefixes import branching
from shiftgym.models.score import Scores, score, trunk_states
from shiftgym.seeds import Names
from shiftgym.training.losses import clipped_policy_loss, kl_divergence
from shiftgym.training.recipe import Context
from shiftgym.training.settings import RolloutSettings, SamplingSettings

T = TypeVar("T")


class Player:
    """Plays episodes with the model of its context."""

    def __init__(self, context: Context, settings: SamplingSettings, name: str) -> None:
        self.context = context
        self._sampling = settings
        self._stream: list[str | int] = ["train", name]
        self._precision: torch.dtype = getattr(torch, settings.precision)
        self._trees = branching(context.model)
        self._policy = ModelPolicy(
            context.model,
            context.chat_format,
            temperature=settings.temperature,
            max_new_tokens=settings.max_new_tokens,
            seed=context.seed,
            ledger=context.ledger,
        )

    def play(
        self, split: str, problems: list[int], noise: Sequence[Names], limit: int | None, *, feedback: bool = True
    ) -> list[Episode]:
        """One episode on each of these problems of a split, sampled from the current weights.

        Args:
            noise: what tells the random stream of each episode from those of all others of this recipe.
            limit: attempts a decision; the task's own limit if None.
            feedback: whether the verifier's message is shown after a failed attempt.
        """
        task = self.context.task
        stated = [task.problem(split, index) for index in problems]
        named = [[*self._stream, *names] for names in noise]
        return episodes.play(self._policy, task, stated, noise=named, limit=limit, feedback=feedback, ahead=True)

    def conversations(self, played: list[Episode]) -> list[Conversation]:
        """The conversation of each decision, in order, with the log-probabilities it was sampled at: those that
        generation recorded, which are never computed again."""
        sequences = []
        for episode in played:
            for record in episode.decisions:
                transcript = record.transcript
                assert transcript is not None, "a model's chat keeps its tokens"
                logprobs = [value for answer in transcript.logprobs for value in answer]
                sequences.append(Conversation(transcript.ids, transcript.spans, logprobs=logprobs))
                self.context.ledger.tokens_prompt += len(transcript.ids) - len(logprobs)
        return sequences

    @torch.no_grad()
    def evaluate(
        self, sequences: list[Conversation], values: Callable[[Microbatch], Tensor], *, sizes: list[int], head: bool
    ) -> list[list[float]]:
        """Run `values` over all sequences without gradient; `sizes[i]` numbers belong to sequence i.

        Args:
            head: whether `values` applies the output embeddings to the answer tokens, which the ledger must know.
        """
        results: list[list[float]] = [[] for _ in sequences]
        size, pictures = self._sampling.tokens_per_pass, self.context.chat_format.pictures
        for batch in microbatches(sequences, size, self.context.model.device, trees=self._trees, pictures=pictures):
            flat, start = values(batch).tolist(), 0
            for member in batch.members:
                results[member] = flat[start : start + sizes[member]]
                start += sizes[member]
            rows, length = batch.packed.ids.shape
            ledger = self.context.ledger
            ledger.scored(rows=rows, length=length, head_positions=batch.answer_tokens if head else 0)
            ledger.encoded(self.context.chat_format.flops(batch.packed.shown), learned=False)
        return results

    def logprobs(self, sequences: list[Conversation], model: PreTrainedModel) -> list[list[float]]:
        """Of every answer token under a model, at the sampling temperature."""
        sizes = [sequence.answer_tokens for sequence in sequences]
        return self.evaluate(sequences, lambda batch: self.score(model, batch).logprobs, sizes=sizes, head=True)

    def score(self, model: PreTrainedModel, batch: Microbatch) -> Scores:
        temperature = self._sampling.temperature
        return score(model, batch.packed, batch.predictors, batch.targets, temperature, self._precision)


class Rollouts(Player):
    """Plays episodes with the model in training and weighs their tokens."""

    def __init__(self, context: Context, settings: RolloutSettings, name: str) -> None:
        super().__init__(context, settings, name)
        self.settings = settings
        self._reference = frozen(context.model) if settings.kl else None

    def collect(self, problems: list[int], step: int) -> list[Episode]:
        """One episode on each of these problems of the training split, as the settings have it."""
        settings = self.settings
        noise = [[step, episode] for episode in range(len(problems))]
        return self.play(settings.train_on, problems, noise, settings.limit, feedback=settings.feedback)

    def judged(
        self, conversations: list[Conversation], advantages: list[float], returns: list[float] | None = None
    ) -> list[Conversation]:
        """The same conversations, given the advantage (and return) of each of their turns, listed in order, and the
        reference model's log-probabilities. All tokens of an answer have the advantage of their turn."""
        sequences, turn = [], 0
        for conversation in conversations:
            turns = slice(turn, turn + len(conversation.spans))
            turn = turns.stop
            weights = zip(advantages[turns], conversation.spans, strict=True)
            tokens = [weight for weight, (start, stop) in weights for _ in range(start, stop)]
            sequences.append(replace(conversation, advantages=tokens, returns=returns[turns] if returns else []))
        return self.referred(sequences)

    def referred(self, sequences: list[Conversation]) -> list[Conversation]:
        """The same sequences with the reference model's log-probabilities, if there is a KL term."""
        if self._reference is None:
            return sequences
        references = self.logprobs(sequences, self._reference)
        return [replace(one, reference=reference) for one, reference in zip(sequences, references, strict=True)]

    def token_loss(self, batch: Microbatch) -> tuple[Scores, Tensor, dict[str, Tensor]]:
        """The loss that needs no value head, as this pass's share of the minibatch's mean over answer tokens."""
        settings, total = self.settings, batch.minibatch_answer_tokens
        scores = self.score(self.context.model, batch)
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

    def states(self, batch: Microbatch) -> Tensor:
        """(N, H) hidden states of the model at the token before each answer: what a value is read from."""
        return trunk_states(self.context.model, batch.packed, self._precision)[batch.attempts]


def frozen(model: PreTrainedModel) -> PreTrainedModel:
    """A copy that keeps the weights of now."""
    kept = copy.deepcopy(model)
    kept.requires_grad_(False)
    return kept


def by_episode(values: list[T], played: list[Episode]) -> list[list[T]]:
    """What was found of each decision, listed in order, as one list an episode."""
    rest = iter(values)
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
