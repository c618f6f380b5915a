"""Data sets for others' trainers: a row a decision, which opens the episode that its prompt begins."""

import json

import pytest
from PIL import Image
from tests.cli.conftest import run
from tests.integrations.parity import STUDIES, problems

from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import opened
from shiftgym.integrations.rows import ROWS, openrlhf_rows, skyrl_rows, verl_rows
from shiftgym.messages import png
from shiftgym.tasks.export import write_rows
from shiftgym.tasks.walk import decisions

TEXTS = [study for study in STUDIES if study.endswith("text")]
NAMED = {
    "verl": lambda row: row["extra_info"],
    "openrlhf": lambda row: json.loads(row["label"]),
    "skyrl": lambda row: row["extra_info"],
}
"""Where the row of each kind names its problem."""


@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize("study", TEXTS)
def test_every_decision_has_a_row_that_opens_it(study, kind):
    source = problems(study)
    rows = list(ROWS[kind](source, "rule_ood", range(3)))
    asked = [each for index in range(3) for each in decisions(source.task, source.task.problem("rule_ood", index))]
    assert len(rows) == len(asked)
    for row, decision in zip(rows, asked, strict=True):
        session = opened(NAMED[kind](json.loads(json.dumps(row))))
        assert row["prompt"] == decision.prompt == session.messages
        assert session.step(source.task.expert(decision)).done, "one decision and no more"
        name = row["datasource" if kind == "openrlhf" else "data_source"]
        assert name == f"shiftgym/{source.task.name}/rule_ood"


def test_the_ground_truth_is_right():
    for row in [*verl_rows(problems("points-text"), "id", [5]), *skyrl_rows(problems("points-text"), "id", [5])]:
        truth = row.get("reward_model", row.get("reward_spec"))["ground_truth"]
        session = opened(row["extra_info"])
        session.step(truth)
        assert session.verdict.correct


def test_pictures_stand_where_verl_and_openrlhf_look_for_them():
    source = problems("points-vision")
    (verl,), (openrlhf,) = verl_rows(source, "id", [0]), openrlhf_rows(source, "id", [0])
    (message,) = source.task.start(source.task.problem("id", 0)).prompt
    assert verl["prompt"] == [{"role": "user", "content": message["content"] + "<image>"}]
    assert [part["type"] for part in openrlhf["prompt"][0]["content"]] == ["text", "image"]
    assert [each["bytes"] for each in verl["images"]] == [png(message["pictures"][0])]
    assert openrlhf["images"] == verl["images"]
    with pytest.raises(ConfigError, match="carry no pictures"):
        list(skyrl_rows(source, "id", [0]))


def test_routes_in_pictures_show_every_street_view():
    source = problems("navigation-vision")
    for row, decision in zip(
        verl_rows(source, "id", [0]), decisions(source.task, source.task.problem("id", 0)), strict=True
    ):
        shown = sum(len(message.get("pictures", ())) for message in decision.prompt)
        assert shown == len(row["images"]) == sum(each["content"].count("<image>") for each in row["prompt"])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside datasets and what it imports, not ours
@pytest.mark.parametrize("study", ["navigation-text", "points-vision"])
def test_datasets_loads_what_verl_reads(study, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    rows = list(verl_rows(problems(study), "id", range(2)))
    write_rows(rows, tmp_path / "rows.parquet")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "rows.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    for row, read in zip(rows, loaded, strict=True):
        assert all(isinstance(each, Image.Image) for each in read.get("images", ()))
        assert {**row, "images": ...} == {**read, "images": ...}


def test_the_command_writes_each_kind(tmp_path, capsys):
    for kind in ROWS:
        file = tmp_path / f"{kind}.jsonl"
        assert run("data", kind, str(file), "--count=2", "--split=id", "--set=task.limit=3") == 0
        assert f"2 rows in {file}" in capsys.readouterr().out
    (row, _) = map(json.loads, (tmp_path / "verl.jsonl").read_text().splitlines())
    assert opened(row["extra_info"]).limit == 3
    assert run("data", "verl", str(tmp_path / "x.parquet"), "--split=idd") == 2
