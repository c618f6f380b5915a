"""A run is told from its beginning to its end, whether it is over or goes on."""

import fcntl
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.tracking.conftest import STEPS, Recorder, rows, write_steps

from shiftgym.errors import ConfigError, DataError
from shiftgym.files import append_lines, write_text
from shiftgym.following.driver import Standing
from shiftgym.layout import BranchFolder, RunFolder, SuiteFolder
from shiftgym.tracking import tell
from shiftgym.tracking.base import Point, Whole
from shiftgym.tracking.tell import read_run

Record = Callable[..., Recorder]


def test_a_run_that_is_over_is_told_whole(
    run_folder: RunFolder, record: Record, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "read_summary", lambda folder: None)
    told = record(run_folder.path)
    assert capsys.readouterr().out == "recorder: nowhere\n"
    assert told.begun == ["init-seed0", "init-seed1", "sft-seed0", "sft-seed1", "ppo-seed0", "ppo-seed1"]
    assert told.ended == dict.fromkeys(told.begun, "done")
    steps = [point.step for point in told.points["ppo-seed1"] if "train/loss" in point.values]
    assert steps == [1, 2, 3, 4]
    checkpoints = {point.step: point.values for point in told.points["ppo-seed1"] if "train/loss" not in point.values}
    assert {step: values["eval/rule_ood/success"] for step, values in checkpoints.items()} == {2: 0.75, STEPS: 0.75}
    assert told.whole.name == "made-up-20260101-120000"
    assert told.whole.project == "of-the-run"
    assert "track" not in told.whole.config


def test_a_run_that_goes_on_is_followed_to_its_end(
    run_folder: RunFolder, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "read_summary", lambda folder: None)
    monkeypatch.setattr(tell, "POLL", 0.01)
    folder = run_folder.branch("sft-seed0")
    for file in (folder.done, folder.results, *folder.logs[:2]):
        file.unlink()

    write_text(run_folder.states, json.dumps(Standing({"ppo-seed0": "waiting"}).record()))

    def go_on(lock: int) -> None:
        write_steps(folder, [1])
        time.sleep(0.05)
        write_steps(folder, [2])
        append_lines(folder.results, rows("sft", 0, 2, {"id": 2, "rule_ood": 1}))
        fcntl.flock(lock, fcntl.LOCK_UN)

    with run_folder.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        driver = threading.Thread(target=go_on, args=(lock.fileno(),))
        driver.start()
        told = record(run_folder.path, "another")
        driver.join()
    assert told.whole.project == "another"
    assert [point.step for point in told.points["sft-seed0"]] == [1, 2, 2]
    assert told.ended["sft-seed0"] == "interrupted"
    assert told.ended["sft-seed1"] == "done"
    # What waits is told at the end, if it had begun before the run was resumed.
    assert [*told.ended][-2:] == ["ppo-seed0", "sft-seed0"]


def test_a_log_that_is_cut_back_to_nothing_is_told_from_its_beginning(
    run_folder: RunFolder, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a process is lost before its first checkpoint: the first steps may come later than the cut is seen."""
    _, sources = read_run(run_folder.path)
    source = next(one for one in sources if one.tracked.title == "ppo-seed0")
    point = [Point(1, {"train/loss": 1.0}, {})]
    monkeypatch.setattr(source, "state", lambda: None)
    told, begun = Recorder(Whole(run_folder.path, "a", None, {}, "id")), {}
    for anew, points in ((False, point), (True, []), (False, point)):
        monkeypatch.setattr(source, "new", lambda anew=anew, points=points: (anew, points))
        tell._hand_over(told, source, begun)
    assert told.begun == ["ppo-seed0"] * 2 and len(told.points["ppo-seed0"]) == 1


def test_ids_follow_from_the_run_and_not_from_where_it_lies(run_folder: RunFolder, tmp_path: Path) -> None:
    before, sources = read_run(run_folder.path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = run_folder.path.rename(elsewhere / run_folder.path.name)
    after, again = read_run(moved)
    assert before.id == after.id
    ids = [source.tracked.id for source in sources]
    assert ids == [source.tracked.id for source in again]
    assert len({*ids, before.id}) == len(ids) + 1
    text = run_folder.study.name
    study = (moved / text).read_text()
    # Where it is computed, and who hears of it, makes no other run of it.
    (moved / text).write_text('device = "cuda"\nranks = 2\n' + study.replace("tensorboard", "wandb"))
    assert read_run(moved)[0].id == before.id
    (moved / text).write_text(study.replace("batch = 8", "batch = 9"))
    assert read_run(moved)[0].id != before.id
    (moved / text).write_text(study)
    assert read_run(moved.rename(elsewhere / "another"))[0].id != before.id


def test_a_study_of_a_suite_is_named_with_it(run_folder: RunFolder) -> None:
    SuiteFolder(run_folder.path.parent).suite.write_text("")
    assert read_run(run_folder.path)[0].name == f"{run_folder.path.parent.name}/{run_folder.path.name}"
    with pytest.raises(ConfigError, match=r"this is a suite; give the folder of one of its studies"):
        read_run(run_folder.path.parent)


def test_a_branch_has_the_settings_that_hold_for_it(run_folder: RunFolder) -> None:
    configs = {source.tracked.title: source.tracked.config for source in read_run(run_folder.path)[1]}
    own = configs["sft-seed1"]
    assert (own["branch"], own["seed"], own["batch"], own["label"]) == ("sft", 1, 8, "SFT")
    assert own["budget"] == {"flops": 4e9, "checkpoints": [0.5, 1.0]}
    assert not {"branches", "init", "seeds", "track"} & own.keys()


def test_candidates_are_told_once_they_have_answered(
    run_folder: RunFolder, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tell, "read_summary", lambda folder: None)
    text = run_folder.study.read_text()
    candidates = """
[candidates.init]
label = "base"
checkpoints = [{ step = 0, source = "points-0" }]
[candidates.tuned]
label = "tuned"
checkpoints = [{ step = 10, source = "a" }, { step = 20, source = "b" }]
"""
    run_folder.study.write_text(text + candidates)
    for step in (10, 20):
        folder = run_folder.candidate("tuned", step)
        folder.path.mkdir(parents=True)
        # It was once asked more.
        wider = rows("tuned", 0, step, {"id": 2, "rule_ood": 1, "train": 4})
        append_lines(folder.results, wider)
    folder.done.write_text("{}")
    told = record(run_folder.path)
    assert [point.step for point in told.points["tuned"]] == [20]
    assert "eval/train/success" not in told.points["tuned"][0].values
    assert told.ended == {"tuned": "interrupted"}
    write_text(run_folder.states, json.dumps(Standing({"tuned at step 10": "failed"}).record()))
    assert record(run_folder.path).ended == {"tuned": "failed"}


def test_a_training_is_told(tmp_path: Path, record: Record) -> None:
    folder = BranchFolder(tmp_path / "mine")
    write_steps(folder, [1, 2])
    settings = 'model = "points-0"\nsteps = {}\nseed = 3\nranks = 1\n[recipe]\nrecipe = "sft"\n'
    folder.training.write_text(settings.format(3))
    told = record(folder.path)
    assert told.ended == {"mine": "interrupted"}
    assert [point.step for point in told.points["mine"]] == [1, 2]
    before = read_run(folder.path)[1][0].tracked
    folder.training.write_text(settings.format(2))
    assert record(folder.path).ended == {"mine": "done"}
    # Another training in a folder of the same name is another one.
    assert read_run(folder.path)[1][0].tracked.id != before.id


@pytest.mark.parametrize("wrong", ["nothing", "file"])
def test_what_is_no_run_folder_is_said_in_a_line(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "file").write_text(json.dumps({}))
    with pytest.raises(DataError, match=r"no run folder \(it has no study.toml\)"):
        read_run(tmp_path / wrong)
