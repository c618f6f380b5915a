"""Tasks for lm-evaluation-harness: the first answer to each decision of a study, judged by the verifier.

    lm-eval run --include_path "$(python -m shiftgym.integrations.lm_eval)" --tasks shiftgym_points_text ...

The files in `lm_eval_tasks/` name the functions here. The harness asks once for each document, so there is no
sequential revision; for that, use an integration that holds a conversation, or `shiftgym compare`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from shiftgym.integrations.problems import Problems, opened
from shiftgym.tasks.registry import require_split
from shiftgym.tasks.walk import decisions

TASKS = Path(__file__).with_name("lm_eval_tasks")
"""What the harness is given as `--include_path`."""

IMAGE = "<image>"
"""Where a picture stands in the text; the harness puts the picture there."""


def documents(
    study: str, split: str, problems: int | None = None, overrides: Sequence[str] = (), **_: Any
) -> dict[str, Any]:
    """The decisions of a split, as the harness asks for them by `custom_dataset`.

    It hands over the `metadata` of the task's file, with what the user gave by `--metadata` in place of it or beside
    it, and the arguments of the model, which are of no use here.

    Args:
        study: a shipped study or a study file.
        problems: how many, from the first on; by default as many as the study evaluates. Each decision of a problem is
            a document.
        overrides: `key.path=value` each, to change the study.

    Raises:
        ConfigError: there is no such study or split.
    """
    from datasets import Dataset

    return {"test": Dataset.from_list(rows(study, split, problems, overrides))}


def rows(study: str, split: str, problems: int | None = None, overrides: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A row for each decision, which says what `opened` has to know, with the `prompt` as a text."""
    source = Problems(study, overrides=overrides)
    require_split(source.task, split)
    count = source.study.evaluation.problems if problems is None else problems
    return [
        {**source.row(split, index, decision=number), "prompt": _text(decision.prompt)}
        for index in range(count)
        for number, decision in enumerate(decisions(source.task, source.task.problem(split, index)))
    ]


def pictures(row: Mapping[str, Any]) -> list[Image]:
    """The pictures of a decision, in the order in which they stand in its prompt."""
    contents = [message["content"] for message in opened(row).messages]
    return [part["image"] for content in contents for part in content if part["type"] == "image"]


def judged(row: Mapping[str, Any], answers: Sequence[str]) -> dict[str, float]:
    """Whether the answer is right, and its reward. What else the verifier says, `opened` tells of each row that
    `--log_samples` keeps: the harness can only write down what it can average."""
    session = opened(row)
    reward = session.step(answers[0]).reward
    return {"success_1": float(session.info["correct"]), "reward": reward}


def _text(prompt: Sequence[Mapping[str, Any]]) -> str:
    return "\n\n".join(message["content"] + IMAGE * len(message.get("pictures", ())) for message in prompt)


if __name__ == "__main__":
    print(TASKS)
