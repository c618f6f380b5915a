"""Prime Intellect's verifiers (v1), and so what stands on it, as prime-rl: a taskset, and an environment that plays it.

A package that exports the three classes is an environment of verifiers (examples/integrations/verifiers_points):

    from shiftgym.integrations.verifiers import ShiftEnv, ShiftHarness, ShiftTaskset

    __all__ = ["ShiftEnv", "ShiftHarness", "ShiftTaskset"]

An episode of shiftgym is one trace there. Each decision has a conversation of its own, which is a branch of the trace,
and so a training sample of prime-rl. The trace's reward is that of the whole episode.
"""

import asyncio
import ssl
from collections import Counter
from collections.abc import Iterator
from functools import cache
from statistics import fmean
from typing import Any

import verifiers.v1 as vf
from openai import APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import Field, model_validator

from shiftgym.episodes import Episode, play
from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import Problems, opened, posed
from shiftgym.integrations.session import Session
from shiftgym.policies.base import StopReason
from shiftgym.policies.expert import ExpertPolicy
from shiftgym.policies.faults import Fault, read_reply
from shiftgym.policies.openai import CUT
from shiftgym.tasks.base import Task
from shiftgym.tasks.registry import require_split


class ShiftTasksetConfig(vf.TasksetConfig):
    """Which problems: `--env.taskset.*` on the command line, `[env.taskset]` in a file."""

    study: str = "points-text"
    """A shipped study or a study file, whose task and splits are used."""
    overrides: list[str] = Field(default_factory=list)
    """`key.path=value` each, to change the study, as in `task.limit=3`."""
    split: str = "train"
    """The split. Train on `train`; the others measure."""
    problems: int = Field(64, ge=1)
    """How many problems of the split, from problem 0 on."""
    feedback: bool = True
    """Whether the verifier's message is shown after a failed attempt, or only that it failed."""

    @model_validator(mode="after")
    def _exists(self) -> "ShiftTasksetConfig":
        try:
            require_split(self.source().task, self.split)
        except ConfigError as error:
            raise ValueError(str(error)) from None  # which verifiers shows in one line
        return self

    def source(self) -> Problems:
        return Problems(self.study, overrides=self.overrides, feedback=self.feedback)


class ShiftData(vf.TaskData):
    """One problem, in plain values. It can be posed and judged where the study file is not."""

    split: str
    index: int
    settings: str
    """As `Problems.row` gives them."""


class ShiftTask(vf.Task[ShiftData]):
    """The rewards and metrics of an episode, as `ShiftHarness` found them."""

    @vf.reward
    async def reward(self, trace: vf.Trace) -> float:
        """The sum of the rewards of all answers."""
        return _found(trace)["reward"]

    @vf.metric
    async def measures(self, trace: vf.Trace) -> dict[str, float]:
        """Success on the whole problem, number of attempts, share of valid first answers, and how many answers had each
        outcome."""
        return {name: value for name, value in _found(trace).items() if name != "reward"}

    async def validate(self, runtime: vf.Runtime) -> bool:
        """The expert's answers are judged right."""
        return (await asyncio.to_thread(self._by_expert)).success

    def _by_expert(self) -> Episode:
        task, asked = posed(self.data.settings)
        (episode,) = play(ExpertPolicy(task), task, [task.problem(self.data.split, self.data.index)], **asked)
        return episode


class ShiftTaskset(vf.Taskset[ShiftTask, ShiftTasksetConfig]):
    """The first problems of a split."""

    def load(self) -> Iterator[ShiftTask]:
        source = self.config.source()
        for index in range(self.config.problems):
            row = source.row(self.config.split, index)
            prompt = source.session(self.config.split, index, pictures="url").messages
            name = f"{row['split']} {index}"
            data = ShiftData.model_validate({**row, "id": name, "name": name, "prompt": prompt})
            yield ShiftTask(data, self.config.task)


class ShiftHarness(vf.Harness[vf.HarnessConfig]):
    """Plays whole episodes inside the process of verifiers. Nothing is installed or started for a rollout, and many go
    on side by side. Every answer comes through the endpoint that verifiers gives, and so is on the trace.

    The trace's `info` holds the `episode`, as studies record it, and its `measures`.
    """

    APPENDS_SYSTEM_PROMPT = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: vf.Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: ShiftData,
    ) -> vf.ProgramResult:
        # What draws pictures runs in a thread, so that no other rollout waits for it.
        session = await asyncio.to_thread(opened, _row(data), pictures="url")
        system, _ = self.resolve_prompt(data)
        before = [] if system is None else [{"role": "system", "content": system}]
        try:
            async with _client(endpoint, secret) as client:
                while not session.done:
                    text, stop = await _answer(client, ctx.model, [*before, *session.messages])
                    await asyncio.to_thread(session.step, text, stop)
        except APIStatusError as error:
            # A limit of verifiers ended the episode, or the endpoint is broken: verifiers knows which.
            return vf.ProgramResult(exit_code=1, stdout="", stderr=str(error))
        finally:
            trace.info["episode"] = session.episode.record()
            trace.info["measures"] = _measures(posed(data.settings)[0], session)
        return vf.ProgramResult(exit_code=0, stdout="", stderr="")


class ShiftEnvConfig(vf.SingleAgentEnvConfig):
    """One agent, which needs no sandbox since it runs nothing."""

    agent: vf.AgentConfig = vf.AgentConfig(runtime=vf.SubprocessConfig())


class ShiftEnv(vf.SingleAgentEnv, vf.Env[ShiftEnvConfig]):
    """One episode, one trace, wherever the model is; by default on this machine instead of in a cloud."""


def _row(data: ShiftData) -> dict[str, Any]:
    return {"split": data.split, "index": data.index, "settings": data.settings}


@cache
def _certificates() -> ssl.SSLContext:
    """Those of this machine. Reading them for each rollout would take longer than most episodes."""
    return ssl.create_default_context()


def _client(endpoint: str, secret: str) -> AsyncOpenAI:
    """Asks again where that may help. How long a rollout may take is for verifiers to say."""
    http_client = DefaultAsyncHttpxClient(verify=_certificates())
    return AsyncOpenAI(base_url=endpoint, api_key=secret, timeout=None, http_client=http_client)


async def _answer(client: AsyncOpenAI, model: str, messages: list[Any]) -> tuple[str, StopReason]:
    """The answer to a conversation, and why it ends. A conversation that does not fit the model has an empty one."""
    try:
        reply = await client.chat.completions.create(model=model, messages=messages)
    except APIStatusError as error:
        if _too_long(error):
            return "", "too_long"
        raise
    choice = reply.choices[0]
    return choice.message.content or "", "length" if choice.finish_reason in CUT else "end"


def _too_long(error: APIStatusError) -> bool:
    try:
        read_reply(error.status_code, error.response.headers.get("Content-Type", ""), error.response.content, 0)
    except Fault as fault:
        return fault.kind == "too_long"
    return False


def _measures(task: Task, session: Session) -> dict[str, float]:
    """Of an episode, or of the part that was played: the reward and what `ShiftTask.measures` gives."""
    records = [record for record in session.episode.decisions if record.attempts]
    outcomes = Counter(attempt.verdict.outcome for record in records for attempt in record.attempts)
    firsts = [task.diagnose(record.decision, record.attempts[0].answer).valid for record in records]
    return {
        "reward": session.reward,
        "success": float(session.info["success"]),
        "attempts": float(outcomes.total()),
        "valid": fmean(firsts) if firsts else 0.0,
        **{f"outcome_{outcome}": float(outcomes[outcome]) for outcome in task.outcomes},
    }


def _found(trace: vf.Trace) -> dict[str, float]:
    """The measures that the harness left on a trace. Where nothing was answered, there is only a reward of 0."""
    if "measures" not in trace.info and trace.num_turns:
        raise ValueError("shiftgym's harness did not play this trace; leave out env.agent.harness")
    return trace.info.get("measures", {"reward": 0.0})
