"""Data sets as others' trainers read them. A row is one decision: its prompt, and what names it, as `opened` takes it.

In these trainers an episode is one growing conversation, and each decision has a conversation of its own.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import Problems
from shiftgym.messages import marked
from shiftgym.tasks.export import apart, expert_rows, images_column, problem_rows


def source_name(source: Problems, split: str) -> str:
    """By which a trainer groups its metrics, so that every split has its own."""
    return f"shiftgym/{source.task.name}/{split}"


def verl_rows(source: Problems, split: str, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Rows of verl: pictures are a column, and `<image>` stands for each of them in the prompt.

    The ground truth is the expert's answer, one of those that are right. It is shown in verl's logs and not judged by.
    """
    for row, decision in source.by_decision(split, indices):
        prompt = [{"role": message["role"], "content": marked(message)} for message in decision.prompt]
        answer = source.task.expert(decision)
        yield {
            "data_source": source_name(source, split),
            "prompt": prompt,
            "ability": source.task.name,
            "reward_model": {"style": "rule", "ground_truth": answer},
            "extra_info": row,
            **images_column(decision.prompt),
        }


def openrlhf_rows(source: Problems, split: str, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Rows of OpenRLHF: the label is the row as JSON, since a label is a text."""
    for row, decision in source.by_decision(split, indices):
        prompt = apart("prompt", decision.prompt)
        yield {**prompt, "label": json.dumps(row), "datasource": source_name(source, split)}


def skyrl_rows(source: Problems, split: str, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Rows of SkyRL, whose text environments carry no pictures.

    Raises:
        ConfigError: the problems are pictures.
    """
    for row, decision in source.by_decision(split, indices):
        if any("pictures" in message for message in decision.prompt):
            raise ConfigError("SkyRL's text environments carry no pictures; name a study whose problems are texts")
        yield {
            "data_source": source_name(source, split),
            "prompt": decision.prompt,
            "env_class": "shiftgym",
            "reward_spec": {"method": "rule", "ground_truth": source.task.expert(decision)},
            "extra_info": row,
        }


ROWS: Mapping[str, Callable[[Problems, str, Iterable[int]], Iterator[dict[str, Any]]]] = {
    "sft": lambda source, split, indices: expert_rows(source.task, split, indices),
    "problems": lambda source, split, indices: problem_rows(source.task, split, indices),
    "verl": verl_rows,
    "openrlhf": openrlhf_rows,
    "skyrl": skyrl_rows,
}
"""How the rows of each kind of data set are made, from problems, a split and the numbers of the problems."""
