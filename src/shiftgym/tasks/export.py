"""Data to take elsewhere: supervised examples as chat messages, and problem sets. JSON lines or Parquet."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shiftgym.errors import ConfigError
from shiftgym.messages import assistant
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions


def expert_rows(task: Task, split: str, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
    """One row a decision: the prompt and the expert's answer as `messages`, the form that SFT trainers read."""
    for index in indices:
        for decision in decisions(task, task.problem(split, index)):
            messages = [*decision.prompt, assistant(task.expert(decision))]
            yield {"task": task.name, "split": split, "index": index, "messages": messages}


def problem_rows(task: Task, split: str, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
    """One row a problem: its record and the prompt of its first decision, without any answer."""
    for index in indices:
        problem = task.problem(split, index)
        prompt = task.start(problem).prompt
        yield {"task": task.name, "split": split, "index": index, "prompt": prompt, "problem": asdict(problem)}


def write_rows(rows: Iterable[dict[str, Any]], path: Path) -> int:
    """Write rows as the file's ending says (.jsonl or .parquet), whole or not at all; returns how many."""
    writer = WRITERS.get(path.suffix)
    if writer is None:
        raise ConfigError(f"{path}: data is written to a file that ends in {' or '.join(WRITERS)}")
    listed = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    writer(listed, unfinished)
    unfinished.replace(path)
    return len(listed)


def _write_json_lines(rows: Sequence[dict[str, Any]], path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


WRITERS: dict[str, Callable[[Sequence[dict[str, Any]], Path], None]] = {
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
}
