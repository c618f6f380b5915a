"""How a model's conversations are read: on the fast path or on the plain one, decided from the model itself.

The structure decides first: some kinds of attention cannot be read from trees or from a cache that several attempts
share. What remains is tried once for each model on a short branching conversation, and a model whose log-probabilities
are not those of whole rows takes the plain path.
"""

import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from weakref import WeakKeyDictionary

import torch
from PIL import Image
from transformers import PreTrainedModel

from shiftgym.errors import TrainingStopped
from shiftgym.messages import Messages, user
from shiftgym.models.chat import ChatFormat
from shiftgym.models.conversation import Conversation
from shiftgym.models.generate import ModelChat, ModelPolicy
from shiftgym.models.microbatches import microbatches
from shiftgym.models.plain import PlainChat, PlainPolicy
from shiftgym.models.positions import position_limit
from shiftgym.models.prefixes import decoder_config, layer_kinds, sliding_window
from shiftgym.models.score import score

FAST_LAYERS = {"full_attention", "sliding_attention", "global"}
"""Kinds of layers whose attention is all in the mask that is given to them."""

LONGEST = 256
"""Most tokens of a conversation that is tried. A longer window is trusted to be what the configuration says."""

SHORTEST = 32
"""The length that it has where there is no window."""

ATTEMPTS, ANSWER = 2, 2
"""How many answers of how many tokens."""

TEMPERATURE = 2.0
"""Sampling spreads over unlikely tokens, whose log-probabilities show more of what was attended to."""

TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.25}
"""Largest difference of a log-probability in nats that rounding explains."""


@dataclass(frozen=True, slots=True)
class ReadingPath:
    """How a model's conversations are read in generation and in training."""

    fast: bool
    """One cache over all attempts; on the plain path every conversation is read whole by the model's own `generate`."""
    why: str = ""
    """The reason for the plain path, as the end of a sentence; empty on the fast path."""
    trees: bool = False
    """In training, conversations that begin alike share a row."""
    padded: bool = True
    """On the plain path: conversations of different lengths are answered together."""
    cached: bool = True
    """On the plain path: the model keeps a cache within one answer."""
    trunk: bool = True
    """The output embeddings make the model's logits of the trunk's states; if not, the model is run whole."""


_PATHS: "WeakKeyDictionary[PreTrainedModel, ReadingPath]" = WeakKeyDictionary()


def reading_path(model: PreTrainedModel, chat_format: ChatFormat) -> ReadingPath:
    """The path of a model, found out at the first call and told on stderr if it is the plain one.

    It draws no random numbers, and its passes are charged to no ledger. A model without weights (on the device `meta`)
    is judged by its structure alone.
    """
    if model not in _PATHS:
        _PATHS[model] = _choose(model, chat_format)
        if not _PATHS[model].fast:
            tell(model.name_or_path or model.config.model_type, _PATHS[model].why)
    path = _PATHS[model]
    # Which kernel computes attention may be changed at any time, and trees need one that takes their mask.
    return replace(path, trees=path.trees and decoder_config(model)._attn_implementation in ("eager", "sdpa"))


@cache
def tell(name: str, why: str) -> None:
    """Say once on stderr that a model takes the plain path."""
    print(f"{name} takes the plain path, where every attempt reads its whole conversation anew: {why}", file=sys.stderr)


def _choose(model: PreTrainedModel, chat_format: ChatFormat) -> ReadingPath:
    why = obstacle(model, chat_format)
    if model.device.type == "meta":
        return ReadingPath(why is None, why or "", trees=_may_branch(model))
    prompts = _prompts(model, chat_format)
    training = model.training
    model.train(False)
    try:
        with torch.no_grad():
            return _tried(model, chat_format, prompts, why)
    except TrainingStopped:
        # Its weights are damaged, which is for whoever uses it to say.
        return ReadingPath(why is None, why or "", trees=_may_branch(model))
    finally:
        model.train(training)


def _tried(model: PreTrainedModel, chat_format: ChatFormat, prompts: list[Messages], why: str | None) -> ReadingPath:
    """The path on which log-probabilities are those of whole rows."""
    probe = _Probe(model, chat_format, prompts)
    if why is None:
        try:
            return probe.fast()
        except _Disagreement as found:
            why = str(found)
        except (torch.OutOfMemoryError, TrainingStopped):
            raise
        except Exception as error:  # noqa: BLE001  what a model does with a foreign cache or mask cannot be foreseen
            why = f"it cannot be run with a cache and masks of ours ({type(error).__name__})"
    return probe.plain(why)


def obstacle(model: PreTrainedModel, chat_format: ChatFormat) -> str | None:
    """What in a model's structure the fast path cannot hold, as the end of a sentence; None if there is nothing."""
    config = decoder_config(model)
    takes = inspect.signature(model.forward).parameters
    if others := sorted(set(layer_kinds(model)) - FAST_LAYERS):
        return f"it has {' and '.join(kind.replace('_', ' ') for kind in others)} layers"
    if model._is_stateful:
        return "its layers keep a state, which cannot go back to an earlier token"
    if getattr(config, "cross_attention_layers", None):
        return "it reads pictures by cross-attention"
    if getattr(config, "num_kv_shared_layers", 0):
        return "some of its layers share the keys of others"
    if getattr(config, "alibi", False) or "position_ids" not in takes:
        return "positions cannot be given to it"
    if "past_key_values" not in takes:
        return "it has no cache of keys and values"
    both_ways = "token_type_ids" in takes or getattr(config, "use_bidirectional_attention", None)
    if chat_format.pictures is not None and both_ways:
        return "tokens of a picture see those behind them"
    return None


def _may_branch(model: PreTrainedModel) -> bool:
    """Whether all layers attend to everything before them, so that a tree's mask is the whole mask."""
    return sliding_window(model) is None


class _Disagreement(Exception):
    """Log-probabilities are not those of whole rows."""


class _Probe:
    """A branching conversation and two attempts at it, on either path."""

    def __init__(self, model: PreTrainedModel, chat_format: ChatFormat, prompts: list[Messages]) -> None:
        self._model, self._chat_format, self._prompts = model, chat_format, prompts
        self._tolerance = TOLERANCE.get(model.dtype, TOLERANCE[torch.bfloat16])

    def fast(self) -> ReadingPath:
        """Raises _Disagreement if this model cannot take the fast path."""
        policy = ModelPolicy(self._model, self._chat_format, temperature=TEMPERATURE, max_new_tokens=ANSWER, seed=0)
        conversations, recorded = self._played(ModelChat(policy, self._prompts, self._names))
        truth = self._scored(conversations, plain=True, whole=True)
        if (gap := _gap(recorded, truth)) > self._tolerance:
            raise _Disagreement(f"answers read from a cache over two attempts differ from whole ones by {gap:.2g} nats")
        if _may_branch(self._model) and _gap(self._scored(conversations, trees=True), truth) <= self._tolerance:
            return ReadingPath(True, trees=True)
        if (gap := _gap(self._scored(conversations), truth)) > self._tolerance:
            raise _Disagreement(f"answers scored by its trunk and output embeddings differ by {gap:.2g} nats")
        return ReadingPath(True)

    def plain(self, why: str) -> ReadingPath:
        """The plain path as the model takes it: the first of three ways to generate, each slower than the one before,
        whose log-probabilities are those of whole rows; if none's are, the nearest."""
        found: list[ReadingPath] = []
        gaps: list[float] = []
        for padded, cached in ((True, True), (False, True), (False, False)):
            policy = PlainPolicy(
                self._model, self._chat_format, temperature=TEMPERATURE, max_new_tokens=ANSWER, seed=0, padded=padded,
                cached=cached,
            )  # fmt: skip
            conversations, recorded = self._played(PlainChat(policy, self._prompts, self._names))
            truth = self._scored(conversations, plain=True, whole=True)
            found.append(ReadingPath(False, why, padded=padded, cached=cached, trunk=self._trunk(conversations, truth)))
            gaps.append(_gap(recorded, truth))
            if gaps[-1] <= self._tolerance:
                return found[-1]
        best = gaps.index(min(gaps))
        unlike = f"; its answers differ from whole rows by {gaps[best]:.2g} nats all the same"
        return replace(found[best], why=why + unlike)

    def _trunk(self, conversations: list[Conversation], truth: list[float]) -> bool:
        """Whether the output embeddings make the model's logits of the trunk's states."""
        if self._model.base_model is self._model:
            return False
        return _gap(self._scored(conversations, plain=True), truth) <= self._tolerance

    @property
    def _names(self) -> list[list[str | int]]:
        return [["probe", row] for row in range(len(self._prompts))]

    def _played(self, chat: ModelChat | PlainChat) -> tuple[list[Conversation], list[float]]:
        """Two attempts of each conversation, and the log-probabilities they were sampled at."""
        rows = range(len(self._prompts))
        for attempt in range(ATTEMPTS):
            chat.reply(rows, [[user("No.")] if attempt else [] for _ in rows])
        transcripts = chat.transcripts()
        recorded = [value for each in transcripts for answer in each.logprobs for value in answer]
        return [Conversation(each.ids, each.spans) for each in transcripts], recorded

    def _scored(
        self, conversations: list[Conversation], *, trees: bool = False, plain: bool = False, whole: bool = False
    ) -> list[float]:
        """Log-probabilities of the answer tokens as training computes them."""
        (batch,) = microbatches(
            conversations, sys.maxsize, self._model.device, trees=trees, plain=plain,
            pictures=self._chat_format.pictures,
        )  # fmt: skip
        scores = score(self._model, batch.packed, batch.predictors, batch.targets, TEMPERATURE, whole=whole)
        flat, found = scores.logprobs.tolist(), {}
        for member in batch.members:
            size = conversations[member].answer_tokens
            found[member], flat = flat[:size], flat[size:]
        return [value for member in sorted(found) for value in found[member]]


@dataclass(frozen=True, slots=True)
class _Stripes:
    """A picture of black and white stripes."""

    width: int
    """Of a stripe, in pixels."""

    def draw(self) -> Image.Image:
        line = bytes(255 * (at // self.width % 2) for at in range(64))
        return Image.frombytes("L", (64, 64), line * 64).convert("RGB")


def _gap(some: Sequence[float], others: Sequence[float]) -> float:
    """The largest difference; infinite where one is no number."""
    differences = [abs(a - b) for a, b in zip(some, others, strict=True)]
    return max(differences) if all(each == each for each in differences) else float("inf")


def _prompts(model: PreTrainedModel, chat_format: ChatFormat) -> list[Messages]:
    """Two prompts that part late and one that is short; longer than the smallest window, where the model has room. A
    model that sees is shown a picture in each."""
    config = decoder_config(model)
    windows = [sliding_window(model), getattr(config, "attention_chunk_size", None)]
    lengths = [window + ANSWER for window in windows if isinstance(window, int) and window + ANSWER <= LONGEST]
    wanted = min([*lengths, LONGEST]) if lengths else SHORTEST
    room = position_limit(model) - ATTEMPTS * ANSWER - len(chat_format.reply([user("No.")]))
    one, other = ([_Stripes(width)] if chat_format.pictures is not None else [] for width in (3, 5))
    words, prompts = 1, [[user("Say A", *one)], [user("Say B", *one)], [user("Hi", *other)]]
    while True:
        longer = [[user("Say " + "one two three " * words + end, *one)] for end in "AB"]
        if len(chat_format.prompt(longer[0])) > room:
            return prompts
        prompts = [*longer, prompts[-1]]
        if len(chat_format.prompt(longer[0])) > wanted:
            return prompts
        words *= 2
