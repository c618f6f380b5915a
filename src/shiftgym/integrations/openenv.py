"""Tasks as environments of OpenEnv, served to trainers by HTTP and WebSocket, with the splits of a study.

    python -m shiftgym.integrations.openenv points-text --port 8000

`create_app` makes the same server for a package of one's own, as in `examples/integrations/openenv_points/`.
"""

import random
import sys
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any
from uuid import uuid4

from cyclopts import App, Parameter
from pydantic import Field

import shiftgym
from shiftgym.errors import ConfigError, ShiftgymError
from shiftgym.integrations.problems import Problems
from shiftgym.integrations.session import Session
from shiftgym.reading import require_count
from shiftgym.seeds import rng
from shiftgym.serving.listening import address, listening
from shiftgym.tasks.registry import population_field, require_split

MISUSE = 2

try:
    import uvicorn
    from openenv.core.env_server import http_server
    from openenv.core.env_server.interfaces import Environment
    from openenv.core.env_server.types import Action, EnvironmentMetadata, Observation, State
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
except ModuleNotFoundError:
    if __name__ != "__main__":
        raise
    print("OpenEnv is not installed: pip install 'shiftgym[openenv]'", file=sys.stderr)
    sys.exit(MISUSE)

COUNT = 1000
"""Problems of each split that trainers are told of; a split has as many as one likes."""
SESSIONS = 256


class AnswerAction(Action):
    """An answer to the conversation."""

    text: str = Field(description="The whole text of the answer; any text is judged.")


class ConversationObservation(Observation):
    """The conversation that is to be answered next, and what was said of the last answer."""

    messages: list[dict[str, Any]] = Field(description="Chat messages; pictures are parts of type image_url.")
    outcome: str | None = Field(description="Of the last answer; null before the first, as the next two are.")
    feedback: str | None = Field(description="What the verifier said of it.")
    correct: bool | None = Field(description="Whether it solved its decision.")
    split: str
    index: int = Field(description="Which problem of the split.")
    decision: int = Field(description="Which decision of the problem, counted from 0.")
    attempts: int = Field(description="Answers to this decision so far.")
    success: bool = Field(description="The episode has ended, and every decision was solved.")
    total_reward: float = Field(description="The sum of all rewards so far.")


class EpisodeState(State):
    """Where the present episode stands; split and index are null before the first reset."""

    split: str | None = None
    index: int | None = None
    decision: int = 0


class ShiftEnvironment(Environment[AnswerAction, ConversationObservation, EpisodeState]):
    """One episode a problem: each step is an answer, and each reward is that of its verdict.

    Args:
        problems: of a study. Several environments may share them.
        split: where a problem is drawn from if `reset` names no split.
        count: how many problems each split has for trainers.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    session: Session

    def __init__(self, problems: Problems, split: str, count: int) -> None:
        super().__init__()
        self.problems, self.split, self.count = problems, split, count
        self._state = EpisodeState()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str | None = None,
        index: int | None = None,
        **others: Any,
    ) -> ConversationObservation:
        """Begin an episode.

        Args:
            seed: decides which problem is drawn if `index` is not given.
            episode_id: how the state names the episode; by default a random name.
            split: of the problem; by default that of the environment.
            index: which problem of the split.

        Raises:
            ConfigError: there is no such argument, split or problem.
        """
        if others:
            raise ConfigError(f"reset: unknown key {min(others)!r}; known are seed, episode_id, split, index")
        split = self.split if split is None else str(split)
        if index is None:
            drawn = random.SystemRandom() if seed is None else rng(seed, "openenv", split)
            index = drawn.randrange(self.count)
        self.session = self.problems.session(split, index, pictures="url")
        self._state = EpisodeState(episode_id=episode_id or str(uuid4()), split=split, index=index)
        return self._observed(None)

    def step(self, action: AnswerAction, timeout_s: float | None = None, **others: Any) -> ConversationObservation:
        """Judge an answer.

        Raises:
            ConfigError: no episode was begun.
            ValueError: the episode has ended.
        """
        if self._state.episode_id is None:
            raise ConfigError("step: no episode was begun; connect to /ws and reset, since /reset and /step share none")
        reward = self.session.step(action.text).reward
        self._state.step_count += 1
        self._state.decision = self.session.number
        return self._observed(reward)

    @property
    def state(self) -> EpisodeState:
        return self._state

    def get_metadata(self) -> EnvironmentMetadata:
        study = self.problems.study
        return EnvironmentMetadata(name=study.name, description=study.title, version=shiftgym.__version__)

    def list_splits(self) -> list[dict[str, str]]:
        """The splits of the study. What OpenEnv calls their type is whether they hold training or test problems."""
        task = self.problems.task
        field = population_field(type(task))

        def kind(split: str) -> str:
            population = getattr(task.splits[split], field) if field else None
            trained = population == "train" if field else split == self.problems.study.trained
            return "train" if trained else "test"

        return [{"name": split, "type": kind(split)} for split in self.problems.splits]

    def num_tasks(self, split: str) -> int:
        require_split(self.problems.task, split)
        return self.count

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        """What names a problem: `reset` takes its split and index.

        Raises:
            IndexError: the index is not below `num_tasks`.
        """
        if not 0 <= index < self.num_tasks(split):
            raise IndexError(index)
        return {"id": f"{split}-{index}", "split": split, "index": index}

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[dict[str, Any]]:
        return [self.get_task(split, index) for index in range(self.num_tasks(split))[start:stop]]

    def list_tasks(self, split: str) -> list[dict[str, Any]]:
        return self.get_task_range(split)

    def _observed(self, reward: float | None) -> ConversationObservation:
        session = self.session
        return ConversationObservation(messages=session.messages, done=session.done, reward=reward, **session.info)


def create_app(
    study: str = "points-text",
    *,
    split: str | None = None,
    count: int = COUNT,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    feedback: bool = True,
    sessions: int = SESSIONS,
) -> Starlette:
    """The server of a study. Each connection to `/ws` has an environment of its own.

    Args:
        study: a shipped study or a study file, whose task, splits and data seed are used. Its name is the server's.
        split: where a problem is drawn from if `reset` names no split; by default the one that the study trains on.
        count: how many problems each split has for trainers.
        overrides: `key.path=value` each, to change the study.
        limit: attempts a decision; the task's own limit by default.
        feedback: whether the verifier's message is shown after a failed attempt, or only that it failed.
        sessions: most connections at a time.

    Raises:
        ConfigError: there is no such study or split.
    """
    problems = Problems(study, overrides=overrides, limit=limit, feedback=feedback)
    require_count("count", count, "problems")
    require_count("sessions", sessions, "connections")
    environment = partial(ShiftEnvironment, problems, problems.study.trained if split is None else split, count)
    environment().reset(index=0)  # what is wrong with the arguments is said now, not at the first reset
    app: Starlette = http_server.create_app(
        environment,
        AnswerAction,
        ConversationObservation,
        env_name=problems.study.name,
        max_concurrent_envs=sessions,
        state_cls=EpisodeState,
    )
    app.state.study = problems.study.name
    app.add_exception_handler(ShiftgymError, _refused)
    return app


def _refused(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)


def serve(
    study: str = "points-text",
    /,
    *,
    split: str | None = None,
    count: int = COUNT,
    overrides: Annotated[list[str] | None, Parameter(name="--set", negative=())] = None,
    limit: int | None = None,
    feedback: bool = True,
    sessions: int = SESSIONS,
    host: str = "127.0.0.1",
    port: int = 8000,
) -> None:
    """Serve a study to trainers that speak OpenEnv.

    Parameters
    ----------
    study
        A shipped study or a study file.
    split
        Where a problem is drawn from if a reset names no split; by default the one that the study trains on.
    count
        How many problems each split has for trainers.
    overrides
        A setting to change, as in --set task.hint=detail; may be repeated.
    limit
        Attempts a decision; by default the task's own limit.
    feedback
        Whether the verifier's message is shown after a failed attempt, or only that it failed.
    sessions
        Most connections at a time.
    host
        Address to listen on.
    port
        Port to listen on; 0 for any that is free.
    """
    app = create_app(
        study,
        split=split,
        count=count,
        overrides=overrides or (),
        limit=limit,
        feedback=feedback,
        sessions=sessions,
    )
    with listening(host, port) as listener:
        print(f"{app.state.study}: {address(host, listener)}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        App(name="python -m shiftgym.integrations.openenv", default_command=serve)(arguments)
    except ShiftgymError as error:
        print(error, file=sys.stderr)
        sys.exit(MISUSE)


if __name__ == "__main__":
    main()
