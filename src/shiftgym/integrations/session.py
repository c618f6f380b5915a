"""A task step by step, for trainers and evaluators that own the loop: the same episode as `shiftgym.play` gives.

    session = Session(task, task.problem("id", 3))
    while not session.done:
        messages, reward, done = session.step(my_model(session.messages))

Every integration of this package is a thin file over it.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from shiftgym.episodes import DecisionRecord, Episode, revise
from shiftgym.errors import ConfigError
from shiftgym.messages import Message, Picture, assistant, data_url, parts
from shiftgym.policies.base import Answer, StopReason
from shiftgym.reading import require_count
from shiftgym.tasks.base import Decision, Task
from shiftgym.tasks.walk import decision_at
from shiftgym.verdicts import Verdict

if TYPE_CHECKING:
    from PIL.Image import Image

Pictures = Literal["pil", "url", "none"]
"""How pictures are handed over: as PIL images; as data URLs, which is how chat endpoints and JSON have them; or not at
all, for those who have them already."""

_drawn_url = lru_cache(256)(data_url)
"""Trainers often open several sessions on one problem, and a picture takes long to draw."""

_PART: Mapping[Pictures, Callable[[Picture], dict[str, Any]]] = {
    "pil": lambda picture: {"type": "image", "image": picture.draw()},
    "url": lambda picture: {"type": "image_url", "image_url": {"url": _drawn_url(picture)}},
}


class Step(NamedTuple):
    """What one answer led to."""

    messages: list[dict[str, Any]]
    """The conversation that is to be answered next, as `Session.messages`."""
    reward: float
    """Of this answer. The last one of a decision that ran out of attempts carries the terminal penalty."""
    done: bool
    """The episode has ended."""


class Session:
    """One episode: all decisions of a problem, each with sequential revision (paper, section 3).

    Args:
        task: from `build_task` or `load_study(...).build_task()`.
        problem: one of its problems, as `task.problem(split, index)` gives it.
        limit: attempts a decision; the task's own limit by default.
        feedback: whether the verifier's message is shown after a failed attempt, or only that it failed.
        decision: play only this decision of the problem, counted from 0. What a decision is does not depend on the
            answers before it. This is for trainers whose episode is one growing conversation, since each decision has
            a conversation of its own. By default all are played.
        pictures: as what pictures are handed over.

    Raises:
        ConfigError: the limit is below 1, or the problem has no such decision.
    """

    episode: Episode
    """What was answered so far. Once it has ended, `episode.record()` is the JSON record that studies write."""
    number: int
    """Which decision of the problem is answered now, or was answered last, counted from 0."""
    reward: float
    """The sum of all rewards so far."""
    done: bool
    """The episode has ended: every decision was solved, or one was not within its attempts."""
    verdict: Verdict | None
    """On the last answer; None before the first."""

    def __init__(
        self,
        task: Task,
        problem: Any,
        limit: int | None = None,
        *,
        feedback: bool = True,
        decision: int | None = None,
        pictures: Pictures = "pil",
    ) -> None:
        self.limit = task.limit if limit is None else limit
        require_count("limit", self.limit, "attempts")
        self._feedback, self._pictures, self._only = feedback, pictures, decision
        self.episode = Episode(problem)
        self.reward, self.done, self.verdict = 0.0, False, None
        first = 0 if decision is None else decision
        self._begin(decision_at(task, problem, first))
        self.number = int(first)  # tables of others have numbers of NumPy, and floats

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation of the present decision: its prompt, every earlier answer and every verifier message.

        Each message has a `role` and a `content`: a text or, beside pictures, a list of parts. It ends with the user's
        message while an answer is asked for, and with the last answer once the episode has ended.
        """
        return list(self._messages)

    @property
    def told(self) -> list[dict[str, Any]]:
        """The end of `messages` that came since the last answer: the verifier's message, or the whole prompt of a
        decision that now begins; nothing once the episode has ended."""
        return self._messages[self._answered :]

    @property
    def info(self) -> dict[str, Any]:
        """Where the episode stands, in plain values: the last verdict, whose `outcome`, `feedback` and `correct` are
        None before the first answer; split, index and decision; attempts at it; success and reward so far."""
        verdict, problem = self.verdict, self.episode.problem
        return {
            "outcome": verdict and verdict.outcome,
            "feedback": verdict and verdict.feedback,
            "correct": verdict and verdict.correct,
            "split": problem.split,
            "index": problem.index,
            "decision": self.number,
            "attempts": len(self.episode.decisions[-1].attempts),
            "success": self.done and self.episode.success,
            "total_reward": self.reward,
        }

    def step(self, text: str, stop: StopReason = "end") -> Step:
        """Judge an answer and go on.

        Args:
            text: the answer.
            stop: why it ends. After `too_long`, which says that the conversation does not fit the model, its decision
                has ended, as in `play`.

        Raises:
            ConfigError: the answer is no text.
            ValueError: the episode has ended.
        """
        if self.done:
            raise ValueError("the episode has ended; open another session")
        if not isinstance(text, str):
            raise ConfigError(f"step: an answer is a text, not {type(text).__name__}")
        record = self.episode.decisions[-1]
        told = revise(record, Answer(text, 0, stop), limit=self.limit, feedback=self._feedback)
        self.verdict = record.attempts[-1].verdict
        reward = self.verdict.reward if told else record.rewards[-1]
        self.reward += reward
        self._messages.append(assistant(text))
        self._answered = len(self._messages)
        self._messages += told
        if not told:
            after = record.decision.next() if record.solved and self._only is None else None
            if after is None:
                self.done = True
            else:
                self.number += 1
                self._begin(after)
        return Step(self.messages, reward, self.done)

    def _begin(self, decision: Decision) -> None:
        self.episode.decisions.append(DecisionRecord(decision))
        # Only a prompt has pictures: an answer and what the verifier says of it are texts.
        self._messages: list[Any] = [_plain(message, self._pictures) for message in decision.prompt]
        self._answered = 0


def in_parts(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Messages of a session whose content is a list of parts in each of them: the chat templates of some processors
    take no other."""
    return [
        {**message, "content": [{"type": "text", "text": message["content"]}]}
        if isinstance(message["content"], str)
        else dict(message)
        for message in messages
    ]


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message of a session, or of one whose parts a data set has filled up with None."""
    content = message["content"]
    return content if isinstance(content, str) else "".join([part.get("text") or "" for part in content])


def images(messages: Iterable[Mapping[str, Any]]) -> list["Image"]:
    """The pictures in messages of a session that hands them over as PIL images, in their order."""
    parts_of = [message["content"] for message in messages if not isinstance(message["content"], str)]
    return [part["image"] for content in parts_of for part in content if part["type"] == "image"]


def _plain(message: Message, pictures: Pictures) -> dict[str, Any]:
    """A message with its pictures in that form; a list of parts only where there are pictures."""
    if "pictures" not in message:
        return dict(message)
    content = message["content"] if pictures == "none" else parts(message, _PART[pictures])
    return {"role": message["role"], "content": content}
