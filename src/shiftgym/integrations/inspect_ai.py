"""Evaluations for inspect_ai: each shipped study as a task, sequential revision as a solver, the verifier as a scorer.

    inspect eval shiftgym/points-text -T split=rule_ood --model openai/gpt-5-mini

The entry point `inspect_ai` of this package names this file, so inspect knows the tasks wherever shiftgym is installed.
"""

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import transcript
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, ContentImage, ContentText, ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, accuracy, ci, ci_wilson, frequency, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import span

from shiftgym.integrations.problems import Problems, opened
from shiftgym.integrations.session import Session
from shiftgym.policies.base import StopReason
from shiftgym.studies.config import shipped_studies

PLAYED = "shiftgym"
"""Where the solver leaves in the sample's store what the scorer reads: the `info` of the session and its attempts."""

STOPS: dict[str, StopReason] = {"max_tokens": "length", "model_length": "too_long"}
"""Why an answer ended, in our words, where it did not end by itself."""


@task
def study(
    study: str | Path = "points-text",
    split: str | None = None,
    problems: int | None = None,
    limit: int | None = None,
    feedback: bool = True,
    overrides: str | Sequence[str] = (),
) -> Task:
    """The problems of one split of a study; each is a sample.

    Args:
        study: a shipped study or a study file; its task, splits and data seed are used.
        split: the home split of the study by default, which is where nothing is shifted.
        problems: how many, from the first on; by default as many as the study evaluates, so that `shiftgym compare`
            asks the same ones.
        limit: attempts a decision; the task's own limit by default.
        feedback: whether the verifier's message is shown after a failed attempt, or only that it failed.
        overrides: `key.path=value` each, to change the study, as in `task.limit=3`.

    Raises:
        ConfigError: there is no such study or split.
    """
    overrides = [overrides] if isinstance(overrides, str) else overrides
    source = Problems(study, overrides=overrides, limit=limit, feedback=feedback)
    split = source.study.compare.home if split is None else split
    count = source.study.evaluation.problems if problems is None else problems
    samples = [
        Sample(
            input=_chat(source.session(split, index, pictures="url").messages),
            id=index,
            metadata=source.row(split, index),
        )
        for index in range(count)
    ]
    return Task(
        MemoryDataset(samples, name=f"{source.study.name}, {split}"),
        solver=sequential_revision(),
        scorer=[verifier(), outcome()],
        metadata={"study": source.study.name, "split": split},
    )


def _register(name: str) -> None:
    """A shipped study is a task by its own name, with the other arguments of `study`."""

    @task(name=name)
    def shipped(**settings: Any) -> Task:
        return study(name, **settings)


for _name in shipped_studies():
    _register(_name)


@solver
def sequential_revision() -> Solver:
    """Plays the whole episode: after a failed attempt the model reads the prompt, all its earlier answers and what the
    verifier said of them. Each decision is a conversation of its own, which begins with the system messages, if there
    are any. In the log all of them follow each other."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        session = opened(state.metadata, pictures="url")
        system = [message for message in state.messages if isinstance(message, ChatMessageSystem)]
        state.messages = [*system]
        attempts: list[dict[str, Any]] = []
        while not session.done:
            conversation, number = [*system], session.number
            async with span(f"decision {number}"):
                while not session.done and session.number == number:
                    told = _chat(session.told)
                    state.messages += told
                    asked = copy(state)
                    asked.messages = [*conversation, *told]
                    asked = await generate(asked, tool_calls="none")
                    conversation = asked.messages
                    state.output = asked.output
                    state.messages.append(asked.output.message)
                    attempts.append(_attempt(session, asked.output))
                    transcript().info(attempts[-1], source="verifier")
                    state.store.set(PLAYED, {**session.info, "attempts": attempts})
        return state

    return solve


@scorer(
    metrics={
        "success": [accuracy(), stderr(), ci_wilson()],
        "reward": [mean(), stderr(), ci()],
        "attempts": [mean(), stderr(), ci()],
    }
)
def verifier() -> Scorer:
    """What the verifier said of the whole episode, with each attempt in the explanation and in the metadata."""

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        played = _played(state)
        attempts = played["attempts"]
        return Score(
            value={
                "success": int(played["success"]),
                "reward": played["total_reward"],
                "attempts": len(attempts),
            },
            answer=state.output.completion,
            explanation="\n".join(
                f"- decision {each['decision']}: **{each['outcome']}**, reward {each['reward']:g}. {each['feedback']}"
                for each in attempts
            ),
            metadata={"attempts": attempts},
        )

    return score


@scorer(metrics=[frequency()])
def outcome() -> Scorer:
    """The outcome of the last attempt. It is a scorer of its own, since inspect averages all values of one."""

    async def score(state: TaskState, target: Target) -> Score:  # noqa: ARG001
        return Score(value=_played(state)["outcome"])

    return score


def _played(state: TaskState) -> dict[str, Any]:
    """What `sequential_revision` has played. The answer that another solver ended with is judged as one attempt."""
    played: dict[str, Any] | None = state.store.get(PLAYED)
    if played is None:
        session = opened(state.metadata)
        attempts = [_attempt(session, state.output)]
        played = {**session.info, "attempts": attempts}
    return played


def _attempt(session: Session, output: ModelOutput) -> dict[str, Any]:
    """Judge what a model answered; the record of this attempt."""
    decision = session.number
    stop: StopReason = "end" if output.empty else STOPS.get(output.stop_reason, "end")
    # Where the conversation does not fit the model, the text is the provider's error message.
    answer = "" if stop == "too_long" else output.completion
    reward = session.step(answer, stop=stop).reward
    info = session.info
    return {
        "decision": decision,
        "answer": answer,
        "outcome": info["outcome"],
        "reward": reward,
        "feedback": info["feedback"],
        "stop": stop,
    }


def _chat(messages: list[dict[str, Any]]) -> list[ChatMessage]:
    """Messages of the user or of the system in inspect's words."""
    kinds = {"user": ChatMessageUser, "system": ChatMessageSystem}
    return [kinds[message["role"]](content=_content(message["content"])) for message in messages]


def _content(content: str | list[dict[str, Any]]) -> str | list[ContentText | ContentImage]:
    if isinstance(content, str):
        return content
    return [
        ContentText(text=part["text"]) if part["type"] == "text" else ContentImage(image=part["image_url"]["url"])
        for part in content
    ]
