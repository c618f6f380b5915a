"""A model at a task: it plays episodes, and scores answers, its own and the expert's.

Passes through the model are charged to the ledger here. Only `score` leaves that to its caller.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from shiftgym import episodes
from shiftgym.batching import BatchLimit, within_memory
from shiftgym.episodes import Episode, by_episode
from shiftgym.errors import ConfigError
from shiftgym.models.at_once import decisions_at_once
from shiftgym.models.conversations.chat import ChatFormat
from shiftgym.models.conversations.conversation import Conversation, Judged
from shiftgym.models.crossing import crossed
from shiftgym.models.exchange import in_order_of_appearance, play_over
from shiftgym.models.generation.paths import ReadingPath, reading_path
from shiftgym.models.generation.policy import model_policy
from shiftgym.models.generation.positions import position_limit
from shiftgym.models.ledger import HeadTokens, Ledger
from shiftgym.models.lora import has_adapter
from shiftgym.models.microbatches import Microbatch, Pass, collate, padded_tokens, passes
from shiftgym.models.parallel import ALONE, Ranks
from shiftgym.models.recompute import recomputed
from shiftgym.models.score import Scores, score, trunk_states
from shiftgym.models.sharding import gathered
from shiftgym.models.spreading import kept_copy
from shiftgym.models.value import ValueHead
from shiftgym.seeds import Names
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions

TOKENS_PER_PASS = 4096
"""Most padded tokens in one pass where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Player:
    """A model with everything that it needs to play a task."""

    model: PreTrainedModel
    chat_format: ChatFormat
    task: Task
    _: KW_ONLY
    seed: int
    """Seed of sampling. With the names of the noise it fixes every answer."""
    ledger: Ledger
    """The ledger that compute is charged to."""
    temperature: float = 1.0
    """Temperature of sampling, and of log-probabilities unless another is given."""
    max_new_tokens: int = 96
    """Longest answer in tokens."""
    precision: torch.dtype = torch.float32
    """Scoring runs the trunk under autocast to this format. Generation has the precision of the weights."""
    pass_limit: BatchLimit = field(default_factory=lambda: BatchLimit(TOKENS_PER_PASS))
    """Most padded tokens in one pass. Copies of this player share it."""
    decision_limit: BatchLimit = field(default_factory=BatchLimit)
    """Most decisions that are answered at the same time. Copies of this player share it."""
    gradient_checkpointing: bool = False
    """Whether scoring with gradients keeps only the inputs of layers, which then run again in the backward pass."""
    value_head: ValueHead | None = None
    """The critic, for `values`."""
    ranks: Ranks = ALONE
    """The processes that play and score together. Each does its share, and all are given everything."""

    def fits(self, ids: Sequence[int]) -> bool:
        """Whether the model takes so many tokens at once."""
        return len(ids) <= position_limit(self.model)

    @property
    def path(self) -> ReadingPath:
        """How the model's conversations are read."""
        return reading_path(self.model, self.chat_format)

    def frozen(self) -> "Player":
        """The same with a copy of the model, which keeps its present weights; see `kept_copy`."""
        return replace(self, model=kept_copy(self.model, self.chat_format, self.ranks))

    def with_value_head(self) -> "Player":
        """The same with a new, untrained critic."""
        head = ValueHead(self.model.config.get_text_config().hidden_size, self.seed)
        return replace(self, value_head=head.to(self.model.device if self.ranks.alone else self.ranks.device))

    def play(
        self,
        split: str,
        indices: Sequence[int],
        noise: Sequence[Names],
        limit: int | None = None,
        *,
        feedback: bool = True,
    ) -> list[Episode]:
        """One episode on each of these problems of a split, sampled from the present weights.

        Args:
            noise: of each episode, the name of the random stream that its answers are sampled from.
            limit: attempts a decision; the task's own limit if None.
            feedback: whether the verifier's message is shown after a failed attempt.
        """
        problems = [self.task.problem(split, index) for index in indices]
        named = list(zip(problems, noise, strict=True))
        play = partial(self._play, limit=limit, feedback=feedback)
        with gathered(self.model):
            if self.ranks.alone:
                return play(named)
            return play_over(self.ranks, named, play, self.task, self.chat_format.pictures, self.ledger)

    def _play(self, named: Sequence[tuple[Any, Names]], limit: int | None, feedback: bool) -> list[Episode]:
        """One episode on each of these problems, by this process; of each the name of its random stream."""
        policy = model_policy(
            self.model,
            self.chat_format,
            temperature=self.temperature,
            max_new_tokens=self.max_new_tokens,
            seed=self.seed,
            ledger=self.ledger,
        )
        problems, noise = [problem for problem, _ in named], [names for _, names in named]
        if problems:
            self.decision_limit.lower(decisions_at_once(policy, self.task, problems[0], limit))
        return episodes.play(
            policy, self.task, problems, noise=noise, limit=limit, feedback=feedback, ahead=True,
            batch=self.decision_limit, meter=self.ledger,
        )  # fmt: skip

    def conversations(self, played: Sequence[Episode]) -> list[Conversation]:
        """The conversation of each decision, in order, with the log-probabilities it was sampled at: those that
        generation recorded, which are never computed again. This charges their prompt tokens, so call it once."""
        found = []
        for record in (record for episode in played for record in episode.decisions):
            transcript = record.transcript
            assert transcript is not None, "a model's chat keeps its tokens"
            logprobs = [value for answer in transcript.logprobs for value in answer]
            found.append(Conversation(transcript.ids, transcript.spans, logprobs=logprobs))
            self.ledger.tokens_prompt += len(transcript.ids) - len(logprobs)
        return found

    def answers(
        self, split: str, indices: Sequence[int], group_size: int, noise: Names, limit: int = 1
    ) -> list[Judged]:
        """Of each of these problems, `group_size` sampled conversations about every decision, with their verdicts.

        Args:
            noise: first names of the random stream of each answer; split, index and sample are added.
            limit: attempts a decision.
        """
        several = [(index, sample) for index in indices for sample in range(group_size)]
        named = [[*noise, split, index, sample] for index, sample in several]
        played = self.play(split, [index for index, _ in several], named, limit)
        conversations = by_episode(self.conversations(played), played)
        verdicts = [[record.solved for record in episode.decisions] for episode in played]
        judged = [list(zip(*pair, strict=True)) for pair in zip(conversations, verdicts, strict=True)]
        return [
            [list(alike) for alike in zip(*judged[start : start + group_size], strict=True)]
            for start in range(0, len(judged), group_size)
        ]

    def expert(self, split: str, index: int) -> list[Conversation]:
        """The expert's answer to each decision of a problem.

        Raises:
            ConfigError: one does not fit the model.
        """
        found = []
        for decision in decisions(self.task, self.task.problem(split, index)):
            prompt = self.chat_format.prompt(decision.prompt, closed=True)
            answer = self.chat_format.answer(self.task.expert(decision))
            if not self.fits(prompt + answer):
                raise ConfigError(
                    f"splits.{split}: problem {index} with its answer has {len(prompt + answer)} tokens, and the model "
                    f"takes {position_limit(self.model)}; make the problems shorter, or give a model that takes more"
                )
            found.append(Conversation(prompt + answer, [(len(prompt), len(prompt) + len(answer))]))
        return found

    def microbatches(self, conversations: list[Conversation]) -> Iterator[Microbatch]:
        """The conversations as this model reads them; see `models/microbatches.py`."""
        return (self.collated(rows, conversations) for rows in self.passes(conversations))

    def passes(self, conversations: list[Conversation]) -> list[Pass]:
        """The rows of each microbatch, as many as `pass_limit` has room for."""
        path, tokens = self.path, self.pass_limit.size
        assert tokens is not None
        pictures, order = self.chat_format.pictures, None
        if pictures is not None and not self.ranks.alone:
            # All ranks cut alike, though their pictures have other numbers.
            order = in_order_of_appearance([each.ids for each in conversations])
        return passes(conversations, tokens, trees=path.trees, pictures=pictures, plain=not path.fast, order=order)

    def collated(self, rows: Pass, conversations: list[Conversation], width: int | None = None) -> Microbatch:
        """One of the passes of these conversations.

        Args:
            width: see `Packed.of`.
        """
        device, pictures = self.model.device, self.chat_format.pictures
        return collate(rows, conversations, device, pictures, plain=not self.path.fast, width=width)

    def halve(self, rows: Pass, told: str) -> None:
        """Make passes half as large as this one, which ran out of memory.

        Args:
            told: what would help, if it is one conversation.

        Raises:
            ConfigError: it is one conversation, which cannot be split.
        """
        alone = sum(len(tree.members) for tree in rows) == 1
        tokens = padded_tokens(rows)
        self.pass_limit.halve(1 if alone else tokens, f"one conversation of {tokens} tokens does not fit; {told}")

    def score(self, batch: Microbatch, *, temperature: float | None = None) -> Scores:
        """Scores of a microbatch's answer tokens; not charged, since only the caller knows whether a backward
        pass follows."""
        at = self.temperature if temperature is None else temperature
        whole = not self.path.trunk
        again = self.gradient_checkpointing and torch.is_grad_enabled()
        with recomputed(self.model) if again else nullcontext():
            return score(self.model, batch.packed, batch.predictors, batch.targets, at, self.precision, whole=whole)

    def charge(self, batch: Microbatch, *, head: HeadTokens | None = None, backward: bool = False) -> None:
        """Charge a pass of this microbatch; see `Ledger.scored`."""
        if head is None and not self.path.trunk:
            # The model is run whole, and makes the logits of all tokens.
            head = HeadTokens(*[batch.packed.ids.numel()] * 2)
        shown, pictures = batch.packed.shown, self.chat_format.pictures
        forward = learned = 0
        if pictures is not None:
            rows, tokens = batch.packed.ids.shape
            crossing = partial(crossed, self.model, pictures=len(shown), rows=rows, tokens=tokens)
            forward = pictures.flops(shown) + crossing()
            learned = pictures.backward_flops(shown) + crossing(backward=True) if backward else 0
        self.ledger.scored(
            batch,
            forward,
            head=head,
            backward=backward,
            encoder_backward=learned,
            recomputed=self.gradient_checkpointing,
            adapted=has_adapter(self.model),
        )

    def logprobs(self, conversations: list[Conversation]) -> list[list[float]]:
        """Log-probability of every answer token of each conversation."""
        sizes = [each.answer_tokens for each in conversations]
        return self._evaluate(conversations, lambda batch: self.score(batch).logprobs, sizes)

    def divergences(self, conversations: list[Conversation], other: PreTrainedModel) -> list[float]:
        """KL(this model || other) in nats of each conversation, summed over its answer tokens."""
        them = replace(self, model=other)

        def divergence(batch: Microbatch) -> Tensor:
            """(A,) of each answer token."""
            them.charge(batch)
            return self.score(batch).divergence(them.score(batch))

        with gathered(other):
            found = self._evaluate(conversations, divergence, [each.answer_tokens for each in conversations])
        return [sum(tokens) for tokens in found]

    def values(self, conversations: list[Conversation]) -> list[list[float]]:
        """The critic's value of every attempt before it is made. The last answer is not read."""
        head = self.value_head
        assert head is not None, "this player has no critic"
        ends = [each.spans[-1][0] for each in conversations]
        read = [
            replace(each, ids=each.ids[:end], spans=[*each.spans[:-1], (end, end)], weights=[])
            for each, end in zip(conversations, ends, strict=True)
        ]

        def values(batch: Microbatch) -> Tensor:
            """(N,) of each attempt."""
            states = trunk_states(self.model, batch.packed, self.precision, whole=not self.path.trunk)
            return torch.as_tensor(head(states[batch.attempts]))

        return self._evaluate(read, values, [len(each.spans) for each in read], head=HeadTokens(0, 0))

    @torch.no_grad()
    def _evaluate(
        self,
        conversations: list[Conversation],
        numbers: Callable[[Microbatch], Tensor],
        sizes: list[int],
        *,
        head: HeadTokens | None = None,
    ) -> list[list[float]]:
        """Run `numbers` over all conversations without gradient; `sizes[i]` numbers belong to conversation i.

        Args:
            numbers: (A,) or (N,) of a microbatch, one for each answer token or each attempt.
            head: see `Ledger.scored`.
        """
        results: dict[int, list[float]] = {}
        with gathered(self.model):
            while left := [index for index in range(len(conversations)) if index not in results]:
                read = [conversations[index] for index in left]
                cut = self.passes(read)
                work = partial(self._found, conversations=read, numbers=numbers, head=head)
                failed: list[Pass] = []
                for rows, found in zip(cut, self.ranks.spread(cut, work, self.ledger), strict=True):
                    if found is None:
                        failed.append(rows)
                        continue
                    start = 0
                    for member in [member for tree in rows for member in tree.members]:
                        results[left[member]] = found[start : start + sizes[left[member]]]
                        start += sizes[left[member]]
                if failed:
                    self.halve(failed[0], "lower max_new_tokens, or give the weights less room (dtype)")
        return [results[index] for index in range(len(conversations))]

    def _found(
        self,
        cut: Sequence[Pass],
        conversations: list[Conversation],
        numbers: Callable[[Microbatch], Tensor],
        head: HeadTokens | None,
    ) -> list[list[float] | None]:
        """What `_evaluate` wants of some passes, by `numbers`, (A,) or (N,) of a microbatch; None from the first on
        that runs out of memory."""
        results: list[list[float] | None] = [None] * len(cut)
        for at, rows in enumerate(cut):
            results[at] = within_memory(partial(self._numbers, rows, conversations, numbers, head), self.ledger)
            if results[at] is None:
                break
        return results

    def _numbers(
        self,
        rows: Pass,
        conversations: list[Conversation],
        numbers: Callable[[Microbatch], Tensor],
        head: HeadTokens | None,
    ) -> list[float]:
        """What `_evaluate` wants of one pass, by `numbers`, (A,) or (N,) of a microbatch."""
        batch = self.collated(rows, conversations)
        found: list[float] = numbers(batch).tolist()
        self.charge(batch, head=head)
        return found
