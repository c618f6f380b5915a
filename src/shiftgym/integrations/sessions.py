"""The open sessions of a server: who may open, step and close them, and how long they live. It knows nothing of HTTP.

A client names problems by a served study, a split and an index, and nothing that could name code. Everything here is
called in one event loop. What takes long (making problems, drawing pictures, reading long answers) is done in one
thread beside it, so that the loop goes on answering.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shiftgym.errors import ConfigError
from shiftgym.integrations.limits import Limits
from shiftgym.integrations.session import Session
from shiftgym.policies.base import StopReason
from shiftgym.reading import nearest
from shiftgym.studies.config import Study
from shiftgym.tasks.base import Task

Result = TypeVar("Result")

LONG = 20_000
"""Characters above which an answer is read beside the loop."""

MAX_INDEX = 2**53 - 1
"""The largest whole number that every JSON reader takes for itself."""


class Refused(Exception):
    """What a client asked for cannot be done; the message says why and what could be."""

    def __init__(self, status: int, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.field = status, field
        """The status that HTTP has for it, and the field that is at fault."""


class OpenRequest(BaseModel):
    """What a client says to open a session."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    study: str | None = None
    """One of the served studies; it may be left out where only one is served."""
    split: str
    """One of its splits."""
    index: int = Field(ge=0, le=MAX_INDEX)
    """Which problem of the split, counted from 0."""
    decision: int | None = Field(None, ge=0, le=MAX_INDEX)
    """Play only this decision of the problem, counted from 0; by default all."""
    limit: int | None = Field(None, ge=1, le=1000)
    """Attempts a decision; by default those of the study."""
    feedback: bool = True
    """Whether the verifier's message is shown after a failed attempt, or only that it failed."""
    pictures: bool = True
    """Whether pictures are sent, as data URLs, or left out."""
    send: Literal["messages", "told"] = "messages"
    """What replies carry: the whole conversation that is to be answered, or only its end since the last answer."""


class StepRequest(BaseModel):
    """What a client says to answer."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)

    session: str
    """The id of the session."""
    text: str
    """The answer."""
    stop: StopReason = "end"
    """Why it ends. `too_long` says that the conversation does not fit the model, and ends the decision."""
    answered: int | None = Field(None, ge=0, le=MAX_INDEX)
    """How many answers the session had before this one, as the last reply said. A step that comes again is then not
    judged again: its reply is repeated."""


@dataclass(slots=True)
class _Open:
    """An open session."""

    session: Session
    send: Literal["messages", "told"]
    drawn: bool
    """Its prompts show pictures."""
    begun: float
    used: float
    answered: int = 0
    last: tuple[str, str, dict[str, Any]] | None = None
    """The last answer, why it ended, and the reply to it."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the step that is under way."""


class Sessions:
    """The sessions that are open on the problems of some studies.

    Args:
        studies: name of each served study and its task.
        limits: how many sessions, how long answers, how long lives.
        clock: seconds that never go back.
    """

    def __init__(
        self, studies: Mapping[str, Task], limits: Limits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.studies, self.limits, self._clock = studies, limits, clock
        self._open: dict[str, _Open] = {}
        # One thread: tasks need not bear several, and more would gain nothing under Python's lock.
        self._thread = ThreadPoolExecutor(1, "shiftgym-sessions")

    def __len__(self) -> int:
        return len(self._open)

    async def open(self, request: OpenRequest) -> dict[str, Any]:
        """Open a session.

        Returns:
            Its id, and where it stands.

        Raises:
            Refused: there is no such study, split or decision, or no room.
        """
        task = self._task(request.study)
        if request.split not in task.splits:
            told = f"split: unknown value {request.split!r}{nearest(request.split, task.splits)}"
            raise Refused(422, told, "split")
        self._make_room()
        try:
            session = await self._beside(_begin, task, request)
        except ConfigError as error:
            key = str(error).partition(":")[0]
            raise Refused(422, str(error), key if key in OpenRequest.model_fields else None) from None
        self._make_room()
        drawn = any(not isinstance(message["content"], str) for message in session.messages)
        now = self._clock()
        name = secrets.token_urlsafe(16)
        self._open[name] = _Open(session, request.send, drawn, begun=now, used=now)
        return _standing(name, self._open[name], request.send)

    async def step(self, request: StepRequest) -> dict[str, Any]:
        """Judge an answer and go on.

        Returns:
            The reward of the answer, whether the episode has ended, what is to be answered next, and `Session.info`.

        Raises:
            Refused: there is no such session, it has ended or stands elsewhere, or the answer is too long.
        """
        one = self._find(request.session)
        if len(request.text) > self.limits.max_text:
            raise Refused(
                413, f"text: {len(request.text)} characters; an answer has at most {self.limits.max_text}", "text"
            )
        async with one.lock:
            if request.answered is not None and request.answered != one.answered:
                return _repeated(one, request)
            if one.session.done:
                raise Refused(409, "the episode has ended; open another session", "session")
            if one.drawn or len(request.text) > LONG:
                step = await self._beside(one.session.step, request.text, request.stop)
            else:
                step = one.session.step(request.text, request.stop)
            one.answered += 1
            one.used = self._clock()
            reply = _standing(request.session, one, one.send, reward=step.reward)
            one.last = (request.text, request.stop, reply)
            return reply

    def state(self, name: str) -> dict[str, Any]:
        """Where a session stands, with the whole conversation."""
        return _standing(name, self._find(name), "messages")

    def close(self, name: str) -> dict[str, Any]:
        """Close a session."""
        self._find(name)
        del self._open[name]
        return {"session": name, "closed": True}

    def expire(self) -> None:
        """Close the sessions whose time is over."""
        now = self._clock()
        for name in [name for name, one in self._open.items() if self._over(one, now)]:
            del self._open[name]

    def end(self) -> None:
        """Close all sessions, and begin nothing more."""
        self._open.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _task(self, study: str | None) -> Task:
        if study is None and len(self.studies) == 1:
            return next(iter(self.studies.values()))
        if study is None:
            raise Refused(422, f"study: this key is missing; served are {', '.join(self.studies)}", "study")
        if study not in self.studies:
            raise Refused(422, f"study: {study!r} is not served{nearest(study, self.studies)}", "study")
        return self.studies[study]

    def _find(self, name: str) -> _Open:
        one, now = self._open.get(name), self._clock()
        if one is None or self._over(one, now):
            self._open.pop(name, None)
            raise Refused(
                404,
                "session: there is none of this name; it was closed, or it was not used for "
                f"{self.limits.idle:g} s, or it was open for {self.limits.life:g} s",
                "session",
            )
        one.used = now
        return one

    def _over(self, one: _Open, now: float) -> bool:
        over = now - one.used > self.limits.idle or now - one.begun > self.limits.life
        return over and not one.lock.locked()

    def _make_room(self) -> None:
        """If there is no room for another session, give up the oldest that has ended, or those whose time is over."""
        if len(self._open) < self.limits.max_sessions:
            return
        ended = next((name for name, one in self._open.items() if one.session.done), None)
        if ended is not None:
            del self._open[ended]
            return
        self.expire()
        if len(self._open) >= self.limits.max_sessions:
            raise Refused(429, f"{len(self._open)} sessions are open, which is the most; close some of them")

    async def _beside(self, call: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


def _begin(task: Task, request: OpenRequest) -> Session:
    return Session(
        task,
        task.problem(request.split, request.index),
        request.limit,
        feedback=request.feedback,
        decision=request.decision,
        pictures="url" if request.pictures else "none",
    )


def _repeated(one: _Open, request: StepRequest) -> dict[str, Any]:
    """The last reply, if this is the step that led to it."""
    if one.last is not None and request.answered == one.answered - 1 and one.last[:2] == (request.text, request.stop):
        return one.last[2]
    raise Refused(
        409,
        f"answered: {one.answered} were so far, not {request.answered}, and this is not the last answer again",
        "answered",
    )


def _standing(name: str, one: _Open, send: Literal["messages", "told"], **beside: Any) -> dict[str, Any]:
    """Where a session stands, in plain values."""
    session = one.session
    return {
        "session": name,
        "answered": one.answered,
        **beside,
        "done": session.done,
        send: session.messages if send == "messages" else session.told,
        "info": session.info,
    }


def ready_tasks(studies: Sequence[Study]) -> dict[str, Task]:
    """The task of each study by its name, ready to be played: what a task makes once, such as a city, is made now.

    Raises:
        ConfigError: two studies have the same name.
    """
    tasks: dict[str, Task] = {}
    for study in studies:
        if study.name in tasks:
            raise ConfigError(f"two studies are called {study.name!r}; a client could not tell them apart")
        task = study.build_task()
        for split in task.splits:
            Session(task, task.problem(split, 0), pictures="url")
        tasks[study.name] = task
    return tasks
