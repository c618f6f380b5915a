"""Data that other tools load, offline."""

import base64
import json

import pytest

from shiftgym.errors import ConfigError
from shiftgym.tasks.export import expert_rows, problem_rows, write_rows
from shiftgym.tasks.registry import build_task

TASK = build_task("points", splits={"train": {}, "rule_ood": {"rule": "faces_as_11_12_13", "faces": True}})


def test_expert_rows_are_chats_that_end_with_a_right_answer():
    rows = list(expert_rows(TASK, "rule_ood", range(5)))
    assert [row["index"] for row in rows] == list(range(5))
    for row in rows:
        decision = TASK.start(TASK.problem(row["split"], row["index"]))
        *prompt, answer = row["messages"]
        assert prompt == decision.prompt
        assert answer["role"] == "assistant"
        assert decision.judge(answer["content"]).correct


def test_problem_rows_hold_no_answer():
    row = next(problem_rows(TASK, "train", [3]))
    hand = TASK.problem("train", 3)
    assert row["problem"]["cards"][0] == {"rank": hand.cards[0].rank, "suit": hand.cards[0].suit}
    assert set(row) == {"task", "split", "index", "prompt", "problem"}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
@pytest.mark.parametrize("make", [expert_rows, problem_rows])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside datasets and what it imports, not ours
def test_datasets_loads_what_is_written(ending, make, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    rows = list(make(TASK, "train", range(20)))
    file = tmp_path / "data" / f"points.{ending}"
    assert write_rows(rows, file) == 20
    assert list(file.parent.iterdir()) == [file]
    kind = "json" if ending == "jsonl" else "parquet"
    loaded = datasets.load_dataset(kind, data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert json.loads(json.dumps(rows)) == loaded.to_list()


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"\.jsonl or \.parquet"):
        write_rows([], tmp_path / "data.csv")


SEEN = build_task("points", options={"modality": "vision", "size": 96}, splits={"train": {"look": "red"}})


@pytest.mark.parametrize("make", [expert_rows, problem_rows])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside datasets and what it imports, not ours
def test_datasets_loads_pictures_as_pictures(make, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    file = tmp_path / "seen.parquet"
    write_rows(make(SEEN, "train", range(5)), file)
    loaded = datasets.load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.features["images"] == datasets.List(datasets.Image())
    messages = loaded[3]["messages" if make is expert_rows else "prompt"]
    assert [part["type"] for part in messages[0]["content"]] == ["text", "image"]
    (picture,) = loaded[3]["images"]
    assert picture.tobytes() == SEEN.problem("train", 3).picture.draw().tobytes()
    plain = tmp_path / "seen.jsonl"
    write_rows(make(SEEN, "train", range(1)), plain)
    (shown,) = json.loads(plain.read_text())["images"]
    assert base64.b64decode(shown["bytes"]).startswith(b"\x89PNG")
