"""Sequential revision, batched: the one loop that training, evaluation and endpoints all use (paper, section 3).

After a failed attempt the next input is the prompt, every earlier answer and every verifier message.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from shiftgym.batching import BatchLimit, Meter
from shiftgym.messages import Messages, recorded, user
from shiftgym.policies.base import Answer, Policy, StopReason, Transcript
from shiftgym.seeds import Names
from shiftgym.tasks.base import Decision, Task
from shiftgym.tasks.walk import decision_at, decisions
from shiftgym.verdicts import OUT_OF_ATTEMPTS_REWARD, Verdict

Found = TypeVar("Found")

SCHEMA = 1
"""Version of the episode record."""

TRY_AGAIN = "Try again."
"""What the policy is told after a failed attempt when feedback is off: history only."""


ONE_DECISION = (
    "the answers to one decision do not fit; lower max_new_tokens or the limit of attempts, or give the weights less "
    "room (dtype)"
)
"""What is said when a batch of decisions cannot be made smaller."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One answer with its verdict."""

    answer: str
    verdict: Verdict
    tokens: int
    stop: StopReason


@dataclass(slots=True)
class DecisionRecord:
    """One decision and its attempts."""

    decision: Decision
    attempts: list[Attempt] = field(default_factory=list)
    transcript: Transcript | None = None

    @property
    def solved(self) -> bool:
        return bool(self.attempts) and self.attempts[-1].verdict.correct

    @property
    def rewards(self) -> list[float]:
        """Reward of each attempt; the last one carries the terminal penalty if the attempts ran out."""
        rewards = [attempt.verdict.reward for attempt in self.attempts]
        if rewards and not self.solved:
            rewards[-1] += OUT_OF_ATTEMPTS_REWARD
        return rewards


@dataclass(slots=True)
class Episode:
    """All decisions and attempts of one policy on one problem."""

    problem: Any
    decisions: list[DecisionRecord] = field(default_factory=list)

    @property
    def success(self) -> bool:
        """Every decision was solved within its attempts."""
        return bool(self.decisions) and all(record.solved for record in self.decisions)

    @property
    def reached(self) -> list[DecisionRecord]:
        """The decisions up to the first that failed, where an episode ends (paper, appendix B.3)."""
        failed = next((at for at, record in enumerate(self.decisions) if not record.solved), len(self.decisions))
        return self.decisions[: failed + 1]

    @property
    def reward(self) -> float:
        return sum(sum(record.rewards) for record in self.decisions)

    def record(self) -> dict[str, Any]:
        """The JSON record: enough to judge every attempt again offline."""
        return {
            "schema": SCHEMA,
            "problem": asdict(self.problem),
            "success": self.success,
            "reward": self.reward,
            "decisions": [
                {
                    "prompt": recorded(record.decision.prompt),
                    "attempts": [
                        {"answer": a.answer, **asdict(a.verdict), "tokens": a.tokens, "stop": a.stop}
                        for a in record.attempts
                    ],
                }
                for record in self.decisions
            ],
        }


def play(
    policy: Policy,
    task: Task,
    problems: Sequence[Any],
    *,
    noise: Sequence[Names] | None = None,
    limit: int | None = None,
    feedback: bool = True,
    ahead: bool = False,
    only: Sequence[int] | None = None,
    batch: BatchLimit | None = None,
    meter: Meter | None = None,
) -> list[Episode]:
    """Play one episode on each problem, all side by side, or as many decisions at a time as memory has room for.

    Args:
        noise: of each episode, the name of the random stream that its answers are sampled from; decision and attempt
            are added to it. By default split, index, and how often the problem came before.
        limit: attempts a decision; the task's own limit by default.
        feedback: whether the verifier's message is shown after a failed attempt. Off, the policy sees its earlier
            answers and only that they failed.
        ahead: answer all decisions of a problem side by side, those behind a failed one too. What a decision is does
            not depend on the answers before it, so they can share their history. `Episode.reached` tells which of
            them an episode that ends with its first failure would have had.
        only: of each problem, the number of the one decision that is answered, counted from 0. By default all are.
        batch: how many decisions are answered at the same time, lowered where they run out of memory; all by default.
        meter: what the policy counts its work with. What ran out of memory is not counted.

    Raises:
        ConfigError: one decision alone runs out of memory, or a problem has no decision of that number.
    """
    limit = task.limit if limit is None else limit
    batch = BatchLimit() if batch is None else batch
    noise = _occurrences(problems) if noise is None else noise
    episodes = [Episode(problem) for problem in problems]
    asked: list[Iterable[tuple[int, Decision]]]
    if only is None:
        asked = [enumerate(islice(decisions(task, problem), None if ahead else 1)) for problem in problems]
    else:
        pairs = zip(problems, only, strict=True)
        asked = [[(number, decision_at(task, problem, number))] for problem, number in pairs]
    pending: list[_Pending] = [
        _Pending(episode, decision, [*names, number])
        for episode, names, each in zip(episodes, noise, asked, strict=True)
        for number, decision in each
    ]
    while pending:
        answered = partial(_answered, policy, limit=limit, feedback=feedback)
        records = batch.run(pending, answered, told=ONE_DECISION, meter=meter)
        following = []
        for (episode, decision, (*names, number)), record in zip(pending, records, strict=True):
            episode.decisions.append(record)
            if record.solved and only is None and not ahead and (after := decision.next()) is not None:
                following.append(_Pending(episode, after, [*names, int(number) + 1]))
        pending = following
    return episodes


def revise(record: DecisionRecord, answer: Answer, *, limit: int, feedback: bool = True) -> Messages:
    """Judge an answer and put it on record.

    Returns:
        What the policy is told before its next attempt; nothing where the decision has ended: it is solved, `limit`
        answers were judged, or it is too long to go on.
    """
    verdict = record.decision.judge(answer.text)
    record.attempts.append(Attempt(answer.text, verdict, answer.tokens, answer.stop))
    if verdict.correct or answer.stop == "too_long" or len(record.attempts) >= limit:
        return []
    return [user(verdict.feedback if feedback else TRY_AGAIN)]


class _Pending(NamedTuple):
    """A decision that is to be answered."""

    episode: Episode
    decision: Decision
    noise: Names


def _occurrences(problems: Sequence[Any]) -> list[Names]:
    """Split and index of each problem, and how often it came before."""
    seen: Counter[tuple[str, int]] = Counter()
    names: list[Names] = []
    for problem in problems:
        key = (problem.split, problem.index)
        names.append([*key, seen[key]])
        seen[key] += 1
    return names


def _answered(policy: Policy, asked: Sequence[_Pending], *, limit: int, feedback: bool) -> list[DecisionRecord]:
    """Answer and revise each decision until it is solved, `limit` answers were judged, or it is too long to go on."""
    records = [DecisionRecord(each.decision) for each in asked]
    chat = policy.start([each.decision for each in asked], [each.noise for each in asked])
    rows = list(range(len(records)))
    messages: list[Messages] = [[] for _ in rows]
    while rows:
        open_rows, told = [], []
        for row, answer in zip(rows, chat.reply(rows, messages), strict=True):
            if after := revise(records[row], answer, limit=limit, feedback=feedback):
                open_rows.append(row)
                told.append(after)
        rows, messages = open_rows, told
    transcripts = chat.transcripts()
    if transcripts is not None:
        for record, transcript in zip(records, transcripts, strict=True):
            record.transcript = transcript
    return records


def by_episode(values: Iterable[Found], played: Sequence[Episode]) -> list[list[Found]]:
    """What was found of each decision, listed in order, as one list an episode."""
    rest = iter(values)
    return [list(islice(rest, len(episode.decisions))) for episode in played]
