"""Data to take elsewhere: supervised examples as chat messages, and problem sets. JSON lines or Parquet."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shiftgym.errors import ConfigError
from shiftgym.files import replacing
from shiftgym.messages import Messages, assistant, parts, png
from shiftgym.tasks.base import Task
from shiftgym.tasks.walk import decisions


def expert_rows(task: Task, split: str, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
    """One row a decision: the prompt and the expert's answer as `messages`, as SFT trainers read them."""
    for index in indices:
        for decision in decisions(task, task.problem(split, index)):
            messages = [*decision.prompt, assistant(task.expert(decision))]
            yield {"task": task.name, "split": split, "index": index, **apart("messages", messages)}


def problem_rows(task: Task, split: str, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
    """One row a problem: its record and the prompt of its first decision, without any answer."""
    for index in indices:
        problem = task.problem(split, index)
        prompt = apart("prompt", task.start(problem).prompt)
        yield {"task": task.name, "split": split, "index": index, **prompt, "problem": asdict(problem)}


def apart(column: str, messages: Messages) -> dict[str, Any]:
    """Messages as trainers read them. Where there are pictures, messages are lists of parts and the pictures a column
    of their own, `images`."""
    images = images_column(messages)
    if not images:
        return {column: messages}
    told = [
        {"role": message["role"], "content": parts(message, lambda _: {"type": "image", "text": ""})}
        for message in messages
    ]
    return {column: told, **images}


def images_column(messages: Messages) -> dict[str, Any]:
    """The pictures of messages as the column `images`, which `datasets` reads; no column where there are none."""
    shown = [picture for message in messages for picture in message.get("pictures", ())]
    return {"images": [{"bytes": png(picture), "path": "picture.png"} for picture in shown]} if shown else {}


def write_rows(rows: Iterable[dict[str, Any]], path: Path) -> int:
    """Write rows as the file's ending says (.jsonl or .parquet), whole or not at all; returns how many."""
    writer = WRITERS.get(path.suffix)
    if writer is None:
        raise ConfigError(f"{path}: data is written to a file that ends in {' or '.join(WRITERS)}")
    listed = list(rows)
    with replacing(path) as unfinished:
        writer(listed, unfinished)
    return len(listed)


def _write_json_lines(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Bytes of pictures as base64."""
    lines = (json.dumps(row, default=lambda data: base64.b64encode(data).decode()) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    table = pa.Table.from_pylist(list(rows))
    if "images" in table.column_names:
        features = {field.name: _feature(field.type) for field in table.schema}
        features["images"] = {"feature": {"_type": "Image"}, "_type": "List"}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)


def _feature(kind: pa.DataType) -> dict[str, Any]:
    """A type as `datasets` writes it: beside pictures, it wants to be told of every column."""
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": "float64" if kind == pa.float64() else str(kind), "_type": "Value"}


WRITERS: dict[str, Callable[[Sequence[dict[str, Any]], Path], None]] = {
    ".jsonl": _write_json_lines,
    ".parquet": _write_parquet,
}
