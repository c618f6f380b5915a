"""Whether a task keeps the contract of `tasks/base.py`: what a study takes for granted, tried out.

findings = check_task("my_package.my_module:MyTask")
assert all(finding.ok for finding in findings)
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import FrozenInstanceError, asdict, dataclass
from functools import cached_property
from itertools import islice, permutations
from typing import Any, TypeVar

from shiftgym.seeds import rng
from shiftgym.tasks.base import Decision, Task
from shiftgym.tasks.registry import build_task, default_splits, load_task, population_field
from shiftgym.tasks.walk import decisions
from shiftgym.verdicts import MAX_FEEDBACK, Verdict

Trial = TypeVar("Trial")

PROBLEMS = 100
"""Problems of each split that are checked."""

MAX_DECISIONS = 1000
"""A problem with more decisions than this is taken to have no end."""

MAX_PICTURES = 50
"""Pictures that are drawn, twice each."""

MAX_SECONDS = 1.0
"""Longest that one judgement may take; far above what it should, for the sake of busy machines."""

GARBAGE = (
    "", " \n\t", "{", "}" * 50, "[" * 5000, '{"a":' * 3000, "null", "true", "NaN", "-1e999", '{"formula": null}',
    "\x00\ud800\U0001f0a1", "I do not know.", "__import__('os').getpid()", "9" * 5000, "(" * 5000, "**" * 2000,
)  # fmt: skip
"""Texts that no verifier may stumble over."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One property that was checked."""

    check: str
    """What should hold."""
    ok: bool
    detail: str
    """What was found instead; empty if it holds."""


def check_task(
    name: str,
    *,
    options: Mapping[str, object] | None = None,
    splits: Mapping[str, Mapping[str, object]] | None = None,
    seed: int = 0,
    train: str | None = "train",
) -> list[Finding]:
    """Try out the task of that name under these settings; the arguments are those of `build_task`.

    Without `splits`, a `train` split of default settings is checked, and a `test` split beside it if the settings have
    a field that may be both `train` and `test`.

    Raises:
        ConfigError: there is no such task, or the settings are not ones that it has.
    """
    trial = _Trial(name, options, splits, seed, train)
    findings = []
    for check in CHECKS:
        detail = first_fault(check, trial)
        findings.append(Finding((check.__doc__ or "").rstrip("."), not detail, detail))
    return findings


def first_fault(check: Callable[[Trial], Iterator[str]], trial: Trial) -> str:
    """The first fault that `check` finds. Whatever a user's class raises is a fault of that class."""
    try:
        return next(check(trial), "")
    except Exception as error:  # noqa: BLE001
        trace, where = error.__traceback__, ""
        while trace is not None:
            where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            trace = trace.tb_next
        return f"{type(error).__name__}: {error} ({where})"


class _Trial:
    """A task under trial, and the means to make it again with other settings."""

    def __init__(
        self,
        name: str,
        options: Mapping[str, object] | None,
        splits: Mapping[str, Mapping[str, object]] | None,
        seed: int,
        train: str | None,
    ) -> None:
        self.cls: Any = load_task(name)
        self.name, self.options, self.seed, self.train = name, options, seed, train
        self.population = population_field(self.cls)
        self.splits = {split: dict(values) for split, values in (splits or default_splits(self.cls)).items()}
        self.task = self.make()

    def make(self, splits: Mapping[str, Mapping[str, object]] | None = None, seed: int | None = None) -> Task:
        return build_task(
            self.name,
            options=self.options,
            splits=splits or self.splits,
            seed=self.seed if seed is None else seed,
            train=self.train,
        )

    @cached_property
    def contents(self) -> dict[str, list[str]]:
        """Of every split, the content of its problems."""
        return {split: _contents(self.task, split) for split in self.splits}

    @cached_property
    def seen(self) -> dict[str, dict[str, set[str]]]:
        """Of every split, for each field of its problems, the values that it has."""
        return {split: _seen(self.task, split) for split in self.splits}

    @cached_property
    def decisions(self) -> list[Decision]:
        """Every decision of a tenth of the problems of every split."""
        return [
            decision
            for split in self.splits
            for index in range(PROBLEMS // 10)
            for decision in islice(decisions(self.task, self.task.problem(split, index)), MAX_DECISIONS)
        ]

    def settings(self, split: str) -> dict[str, Any]:
        values: dict[str, Any] = self.task.splits[split].model_dump()
        return values


Check = Callable[[_Trial], Iterator[str]]
"""Yields what is wrong; nothing if all is well. Its docstring says what should hold."""


def _same_seed(trial: _Trial) -> Iterator[str]:
    """The same seed gives the same problem, in any order."""
    other = trial.make()
    for split, here in trial.contents.items():
        for index in reversed(range(PROBLEMS)):
            if _content(other.problem(split, index)) != here[index]:
                yield f"{split} {index} differs between two tasks of seed {trial.seed}"


def _other_seed(trial: _Trial) -> Iterator[str]:
    """Another seed gives other problems."""
    for seed in (trial.seed + 1, trial.seed + 2):
        other = trial.make(seed=seed)
        for split in trial.splits:
            here, there = set(trial.contents[split]), set(_contents(other, split))
            if len(here & there) > len(here) / 2:
                yield f"seeds {trial.seed} and {seed} share {len(here & there)} of {len(here)} problems of {split}"


def _frozen(trial: _Trial) -> Iterator[str]:
    """A problem is frozen, knows its split and index, and its record is JSON."""
    for split in trial.splits:
        problem = trial.task.problem(split, 7)
        if (problem.split, problem.index) != (split, 7):
            yield f"{split} 7 calls itself {problem.split} {problem.index}"
        json.dumps(asdict(problem), allow_nan=False)
        try:
            problem.index = 8
        except FrozenInstanceError:
            continue
        yield f"{type(problem).__name__} can be changed; make it a dataclass with frozen=True"


def _messages(trial: _Trial) -> Iterator[str]:
    """A prompt is a list of messages that ends with the user's, and equal pictures in it are drawn alike."""
    for decision in trial.decisions:
        if not decision.prompt or decision.prompt[-1]["role"] != "user":
            yield "a prompt does not end with a user's message"
        for message in decision.prompt:
            keys = set(message) - {"pictures"}
            if keys != {"role", "content"} or message["role"] not in ("system", "user", "assistant"):
                yield f"a message has keys {sorted(message)} and role {message.get('role')!r}"
            if not isinstance(message["content"], str) or not message["content"].strip():
                yield f"a message says {message['content']!r}"
    shown = (picture for each in trial.decisions for message in each.prompt for picture in message.get("pictures", ()))
    for picture in islice(shown, MAX_PICTURES):
        image, again = picture.draw(), picture.draw()
        if image.mode != "RGB" or image.tobytes() != again.tobytes():
            yield f"a picture of mode {image.mode} is drawn otherwise at the second time, or is not RGB"


def _expert(trial: _Trial) -> Iterator[str]:
    """The expert is judged correct at every decision, to the end."""
    for split in trial.splits:
        for index in range(PROBLEMS):
            walk = enumerate(decisions(trial.task, trial.task.problem(split, index)))
            for number, decision in walk:
                verdict = decision.judge(trial.task.expert(decision))
                if not verdict.correct or verdict.outcome != trial.task.outcomes[0]:
                    yield f"{split} {index}, decision {number}: {verdict.outcome}: {verdict.feedback}"
                if number >= MAX_DECISIONS:
                    yield f"{split} {index} has more than {MAX_DECISIONS} decisions"
                    break


def _garbage(trial: _Trial) -> Iterator[str]:
    """Any text is judged, in bounded time, and garbage is not paid."""
    for decision in trial.decisions:
        for text in GARBAGE:
            started = time.thread_time()
            verdict = decision.judge(text)
            if verdict.correct or verdict.reward > 0:
                yield f"{text[:40]!r} is paid {verdict.reward:+g}"
            if time.thread_time() - started > MAX_SECONDS:
                yield f"{text[:40]!r} takes longer than {MAX_SECONDS:g} s"


def _verdicts(trial: _Trial) -> Iterator[str]:
    """Verdicts on damaged answers are of the task's outcomes, and correct means the best of them."""
    for _, _, verdict in _damaged(trial):
        if verdict.outcome not in trial.task.outcomes:
            yield f"outcome {verdict.outcome!r} is not one of {', '.join(trial.task.outcomes)}"
        if verdict.correct != (verdict.outcome == trial.task.outcomes[0]):
            yield f"outcome {verdict.outcome!r} has correct={verdict.correct}"


def _feedback(trial: _Trial) -> Iterator[str]:
    """Feedback is short and gives no solution away."""
    for decision, solution, verdict in _damaged(trial):
        if len(verdict.feedback) > MAX_FEEDBACK:
            yield f"feedback of {len(verdict.feedback)} characters; the most is {MAX_FEEDBACK}"
        if verdict.correct:
            continue
        if decision.judge(verdict.feedback).correct or any(part in verdict.feedback for part in solution):
            yield f"feedback holds a solution: {verdict.feedback!r}"


def _diagnosis(trial: _Trial) -> Iterator[str]:
    """Any answer can be diagnosed, and the expert's is valid."""
    for decision in trial.decisions:
        for text in GARBAGE:
            trial.task.diagnose(decision, text)
        found = trial.task.diagnose(decision, trial.task.expert(decision))
        if not found.valid or found.translated is False:
            yield f"the expert's answer is found valid={found.valid}, translated={found.translated}"


def _disjoint(trial: _Trial) -> Iterator[str]:
    """Training and test populations share no problem."""
    if trial.population is None:
        return
    for split in trial.splits:
        prompts = []
        for population in ("train", "test"):
            task = trial.make({**trial.splits, split: {**trial.settings(split), trial.population: population}})
            first = (task.start(task.problem(split, index)) for index in range(PROBLEMS))
            prompts.append({_words(decision) for decision in first})
        if shared := prompts[0] & prompts[1]:
            yield f"{split}: {len(shared)} of {PROBLEMS} problems are both train and test, such as {min(shared)[:80]}"


def _shift(trial: _Trial) -> Iterator[str]:
    """A shift changes only its factor."""
    for here, there in permutations(trial.splits, 2):
        settings, other = trial.settings(here), trial.settings(there)
        for factor in (key for key in settings if settings[key] != other[key]):
            task = trial.make({**trial.splits, here: {**settings, factor: other[factor]}})
            before, after = trial.seen[here], _seen(task, here)
            for key in before.keys() & (settings.keys() - {factor}):
                if len(before[key]) == 1 and before[key] != after.get(key, set()):
                    yield f"{here}: setting {factor} as in {there} also changes {key} of its problems"


CHECKS: tuple[Check, ...] = (
    _same_seed,
    _other_seed,
    _frozen,
    _messages,
    _expert,
    _garbage,
    _verdicts,
    _feedback,
    _diagnosis,
    _disjoint,
    _shift,
)


def _content(problem: Any) -> str:
    """The record of a problem without its split and index."""
    record = asdict(problem)
    return json.dumps({key: record[key] for key in record if key not in ("split", "index")}, sort_keys=True)


def _words(decision: Decision) -> str:
    """The words of a prompt, and those that its pictures show, in alphabetical order: so the same problem in another
    order is the same."""
    shown = [asdict(picture) for message in decision.prompt for picture in message.get("pictures", ())]
    said = [message["content"] for message in decision.prompt]
    return " ".join(sorted(re.findall(r"\w+", " ".join([*said, *_texts(shown)]))))


def _texts(value: Any) -> Iterator[str]:
    """Every text in a plain value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _contents(task: Task, split: str) -> list[str]:
    """The content of the problems of a split."""
    return [_content(task.problem(split, index)) for index in range(PROBLEMS)]


def _seen(task: Task, split: str) -> dict[str, set[str]]:
    """For each field of the problems of a split, the values that it has, as JSON."""
    found: dict[str, set[str]] = {}
    for index in range(PROBLEMS // 4):
        for key, value in asdict(task.problem(split, index)).items():
            found.setdefault(key, set()).add(json.dumps(value, sort_keys=True))
    return found


def _damaged(trial: _Trial) -> Iterator[tuple[Decision, list[str], Verdict]]:
    """Each decision with the texts of its expert's answer that would give it away, and verdicts on that answer cut
    short and with characters changed."""
    for number, decision in enumerate(trial.decisions):
        answer = trial.task.expert(decision)
        solution = [text for text in re.findall(r'"([^"]*)"', answer) if len(text) >= 5 and not text.isalpha()]
        stream = rng(trial.seed, "check", number)
        for _ in range(10):
            cut = answer[: stream.randrange(len(answer) + 1)]
            yield decision, solution, decision.judge(cut)
            changed = list(answer)
            changed[stream.randrange(len(answer))] = stream.choice("0123456789+-*/()={}[]\"', abc")
            yield decision, solution, decision.judge("".join(changed))
