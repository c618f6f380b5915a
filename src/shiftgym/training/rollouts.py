"""From played episodes to what is learned: tokens take the advantage of their attempt, and an iteration is
summarised."""

from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean

from shiftgym.episodes import Episode
from shiftgym.errors import ConfigError
from shiftgym.models.conversations.conversation import Conversation


def weighted(
    conversations: list[Conversation], advantages: list[float], returns: list[float] | None = None
) -> list[Conversation]:
    """The same conversations, given the advantage (and return) of each of their attempts, listed in order. All tokens
    of an answer have the advantage of their attempt."""
    found, attempt = [], 0
    for conversation in conversations:
        attempts = slice(attempt, attempt + len(conversation.spans))
        attempt = attempts.stop
        pairs = zip(advantages[attempts], conversation.spans, strict=True)
        tokens = [advantage for advantage, (start, stop) in pairs for _ in range(start, stop)]
        found.append(replace(conversation, weights=tokens, returns=returns[attempts] if returns else []))
    return found


def summary(played: list[Episode]) -> dict[str, float]:
    """Metrics of an iteration's episodes. Rewards are as the task gives them, not scaled."""
    records = [record for episode in played for record in episode.decisions]
    attempts = [attempt for record in records for attempt in record.attempts]
    return {
        "reward": fmean(episode.reward for episode in played),
        "success": fmean(episode.success for episode in played),
        "success_1": fmean(record.attempts[0].verdict.correct for record in records),
        "attempts": len(attempts) / len(records),
        "answer_tokens": fmean(attempt.tokens for attempt in attempts),
    }


def require_answers(conversations: Iterable[Conversation]) -> None:
    """ConfigError if there are conversations and not one has an answer: a budget would then never be spent."""
    answered = [each.answer_tokens > 0 for each in conversations]
    if answered and not any(answered):
        raise ConfigError(
            "no problem fits the model, so there is nothing to learn from; give a model that takes more tokens, or "
            "shorter problems"
        )
