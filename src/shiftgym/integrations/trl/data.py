"""The problems of a study as the data set of a GRPOTrainer.

Each row says which decision it poses twice: in columns, which reward functions and environments are handed, and in its
prompt, which is all that a rollout function is handed.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import Problems
from shiftgym.integrations.session import text_of
from shiftgym.reading import require_count
from shiftgym.tasks.base import Decision
from shiftgym.tasks.export import apart

if TYPE_CHECKING:
    from datasets import Dataset

AS_THEY_ARE = "train on what shiftgym.integrations.trl.dataset gives, with its prompts as they are"

POSES = "poses"
"""The key of a prompt's last message under which its row stands. Chat templates do not read it."""


def dataset(problems: Problems, split: str, count: int) -> "Dataset":
    """The first `count` problems of a split, one row a decision, since each decision has a conversation of its own.

    Columns are `prompt`, those of `Problems.row` and, where the task shows pictures, `images`.

    Raises:
        ConfigError: there is no such split, or `count` is no number of problems.
    """
    from datasets import Dataset, Image, List

    require_count("count", count, "problems")
    rows = []
    for row, decision in problems.by_decision(split, range(count)):
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
        raise ConfigError(f"rollout_func: a prompt does not say which problem it poses; {AS_THEY_ARE}")
    return row


def require_as_posed(prompt: Sequence[Mapping[str, Any]], decision: Decision) -> None:
    """ConfigError if a prompt says anything but what its row poses, which is all that the model would read."""
    # Pictures are left out: the Trainer puts them where their places were.
    said, posed = ([(each["role"], text_of(each)) for each in messages] for messages in (prompt, decision.prompt))
    if said != posed:
        raise ConfigError(f"rollout_func: a prompt is not the one that its row poses; {AS_THEY_ARE}")
