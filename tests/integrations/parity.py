"""The one table of texts that every integration judges: same texts, same outcomes, rewards and feedback everywhere.

A test of an integration plays `cases(study)`, or `cases(study, by_decision=True)` where its episode is one growing
conversation, gives the answers of each case in order, and compares what it is told with `case.judged`.
"""

import json
from dataclasses import dataclass
from functools import cache
from itertools import cycle

from shiftgym.episodes import play
from shiftgym.integrations.problems import Problems
from shiftgym.policies.scripted import ScriptedPolicy

STUDIES = ("points-text", "points-vision", "navigation-text", "navigation-vision")
SPLITS = ("id", "rule_ood")
LIMITS = {"points-text": 3, "points-vision": 3, "navigation-text": 2, "navigation-vision": 2}

WRONG = {
    "empty": lambda right, wrong: "",
    "prose": lambda right, wrong: "I do not know.",
    "thinking never ends": lambda right, wrong: f"<think>Perhaps {right}",
    "null": lambda right, wrong: json.dumps(dict.fromkeys(json.loads(right))),
    "a number": lambda right, wrong: json.dumps(dict.fromkeys(json.loads(right), 7)),
    "unfinished": lambda right, wrong: right[:-1],
    "wrong": lambda right, wrong: wrong,
    "right, then wrong": lambda right, wrong: f"{right}\nor rather {wrong}",
    "code": lambda right, wrong: right.replace('": "', "\": \"__import__('os').getpid() "),
    "deep": lambda right, wrong: "[" * 3000,
    "not ASCII": lambda right, wrong: "\u0000 é 卡 🂡 \u202e",
}
RIGHT = {
    "plain": lambda right, wrong: right,
    "thinking holds a draft": lambda right, wrong: f"<think>Try {wrong}, no.</think>\n{right}",
    "thinking was opened by the prompt": lambda right, wrong: f"Try {wrong}, no.\n</think>\n\n{right}",
    "fenced": lambda right, wrong: f"Here it is:\n```json\n{right}\n```\nDone.",
    "long thinking": lambda right, wrong: f"<think>{'Hm, no. ' * 1250}</think>{right}",
    "an example first": lambda right, wrong: f"For example: {wrong}\nMy answer: {right}",
    "inside another object": lambda right, wrong: f'{{"answer": {right}}}',
    "typographic": lambda right, wrong: right.replace("*", "×").replace("/", "÷").replace("-", "−"),
    "trailing comma": lambda right, wrong: right[:-1] + ",}",
}
"""Texts by kind, made from a right and a wrong answer to a decision."""


@dataclass(frozen=True)
class Judged:
    """What is said of one answer."""

    outcome: str
    reward: float
    feedback: str


@dataclass(frozen=True)
class Case:
    """Answers to one problem, or to one decision of it, and what is said of each."""

    study: str
    overrides: tuple[str, ...]
    split: str
    index: int
    decision: int | None
    answers: tuple[str, ...]
    judged: tuple[Judged, ...]
    success: bool


def wrong_answer(task, right):
    """A well-formed answer that is wrong."""
    fields = json.loads(right)
    fields[task.field] = "1+1" if task.name == "points" else "stop()" if "stop" not in right else "forward()"
    return json.dumps(fields)


@cache
def problems(study):
    return Problems(study, overrides=overrides(study))


def overrides(study):
    return (f"task.limit={LIMITS[study]}",)


@cache
def cases(study, by_decision=False):
    """Episodes until every text of the table was an answer, on either split."""
    source = problems(study)
    task, found = source.task, []
    for split in SPLITS:
        used, texts = set(), cycle([*WRONG.items(), *RIGHT.items(), *list(WRONG.items())[:1]])

        def answer(decision, messages, used=used, texts=texts):
            kind, text = next(texts)
            used.add(kind)
            right = task.expert(decision)
            return text(right, wrong_answer(task, right))

        index = 0
        while len(used) < len(WRONG | RIGHT):
            (episode,) = play(ScriptedPolicy(answer), task, [task.problem(split, index)], ahead=by_decision)
            parts = [[record] for record in episode.decisions] if by_decision else [episode.decisions]
            found += [
                Case(
                    study,
                    overrides(study),
                    split,
                    index,
                    number if by_decision else None,
                    tuple(attempt.answer for record in records for attempt in record.attempts),
                    tuple(
                        Judged(attempt.verdict.outcome, reward, attempt.verdict.feedback)
                        for record in records
                        for attempt, reward in zip(record.attempts, record.rewards, strict=True)
                    ),
                    all(record.solved for record in records),
                )
                for number, records in enumerate(parts)
            ]
            index += 1
    return found
