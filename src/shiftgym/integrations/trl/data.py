"""The problems of a study as the data set of a GRPOTrainer.

Each row says which decision it poses twice: in columns, which reward functions and environments are handed, and in its
prompt, which is all that a rollout function is handed.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import Problems
from shiftgym.tasks.export import apart
from shiftgym.tasks.registry import require_split
from shiftgym.tasks.walk import decisions

if TYPE_CHECKING:
    from datasets import Dataset

POSES = "poses"
"""The key of a prompt's last message under which its row stands. Chat templates do not read it."""


def dataset(problems: Problems, split: str, count: int) -> "Dataset":
    """The first `count` problems of a split, one row a decision, since each decision has a conversation of its own.

    Columns are `prompt`, those of `Problems.row` and, where the task shows pictures, `images`.

    Raises:
        ConfigError: there is no such split.
    """
    from datasets import Dataset, Image, List

    task = problems.task
    require_split(task, split)
    rows = []
    for index in range(count):
        for number, decision in enumerate(decisions(task, task.problem(split, index))):
            row = problems.row(split, index, decision=number)
            told = apart("prompt", decision.prompt)
            told["prompt"] = [*told["prompt"][:-1], {**told["prompt"][-1], POSES: row}]
            rows.append({**told, **row})
    found = Dataset.from_list(rows)
    return found.cast_column("images", List(Image())) if "images" in found.column_names else found


def posed_by(prompt: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The row, as `Problems.row` gives it, that a prompt of `dataset` belongs to.

    Raises:
        ConfigError: it is another prompt.
    """
    row: Mapping[str, Any] | None = prompt[-1].get(POSES) if isinstance(prompt[-1], Mapping) else None
    if row is None:
        raise ConfigError(
            "rollout_func: a prompt does not say which problem it poses; "
            "train on what shiftgym.integrations.trl.dataset gives, with its prompts as they are"
        )
    return row
