"""What is asked of every candidate follows from the study."""

import tomllib
from pathlib import Path

import pytest
from tests.candidates.conftest import make_model

from shiftgym.candidates.find import find_candidates
from shiftgym.candidates.judging import Judging, judged_study, with_recorded
from shiftgym.errors import ConfigError
from shiftgym.layout import RunFolder
from shiftgym.studies.config import load_study


def judging(*given: str, probes: bool = False, labels: tuple[str, ...] = ()) -> Judging:
    candidates = find_candidates(["points-0", *given], labels)
    return Judging(judged_study(load_study("points-text"), probes), tuple(candidates))


def record(run: RunFolder, of: Judging) -> None:
    run.path.mkdir(exist_ok=True)
    run.study.write_text(of.to_toml())


def test_a_comparison_knows_no_branches() -> None:
    study = judged_study(load_study("points-text"), probes=False)
    assert (study.compare.supervised, study.compare.reinforced, study.compare.controls) == (None, None, ())
    assert study.compare.margin == 0.05 and study.probes is None


def test_the_trained_split_is_asked_too() -> None:
    study = load_study("points-text", ["evaluation.splits=['id', 'rule_ood']"])
    assert judged_study(study, probes=False).evaluation.splits == ("id", "rule_ood", "train")


def test_probes_are_taken_at_home_and_under_the_shift() -> None:
    assert judging("points-0", probes=True).study.probes.splits == ("id", "rule_ood")  # type: ignore[union-attr]


def test_the_record_holds_no_training() -> None:
    found = tomllib.loads(judging("points-0", labels=("base", "tuned")).to_toml())
    assert not {"budget", "branches", "init"} & set(found)
    assert found["title"] == "tuned compared with base"
    assert found["candidates"]["tuned"] == {"label": "tuned", "checkpoints": [{"step": 0, "source": "points-0"}]}


def test_candidates_of_the_folder_stay(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    record(run, judging("a/one", "a/two"))
    joined = with_recorded(judging("a/three"), run)
    assert [one.label for one in joined.candidates] == ["points-0", "a/one", "a/two", "a/three"]


def test_a_trajectory_grows(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    make_model(tmp_path / "sft" / "checkpoint-1")
    record(run, judging(str(tmp_path / "sft")))
    make_model(tmp_path / "sft" / "checkpoint-2")
    (_, sft) = with_recorded(judging(str(tmp_path / "sft")), run).candidates
    assert [each.step for each in sft.checkpoints] == [1, 2]


def test_one_name_is_one_model(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    record(run, judging("a/one", labels=("base", "tuned")))
    with pytest.raises(ConfigError, match="'tuned' is a/one there, not a/two; give this one another --label"):
        with_recorded(judging("a/two", labels=("base", "tuned")), run)


def test_the_folder_of_a_study_is_refused(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.study.write_text(load_study("points-text").to_toml())
    with pytest.raises(ConfigError, match="holds a study that was run, not a comparison"):
        with_recorded(judging("points-0"), run)


def test_a_model_keeps_its_answers_when_its_name_grows(tmp_path: Path) -> None:
    """The name that is made from a path is longer once another model's path ends alike."""
    run = RunFolder(tmp_path / "out")
    first, second = (str(make_model(tmp_path / side / "run")) for side in ("a", "b"))
    record(run, judging(first))
    joined = with_recorded(judging(first, second), run)
    assert [(one.key, one.label) for one in joined.candidates[1:]] == [("run", "a/run"), ("b-run", "b/run")]


def test_base_is_one_model(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "out")
    record(run, judging("a/one"))
    other = make_model(tmp_path / "checkpoint-7")
    candidates = find_candidates([str(other), "a/one"])
    with pytest.raises(ConfigError, match=r"'points-0' is points-0 there, not .*checkpoint-7; give the same BASE"):
        with_recorded(Judging(judging("a/one").study, tuple(candidates)), run)


def test_the_end_of_a_training_that_went_on_is_one_checkpoint(tmp_path: Path) -> None:
    run, training = RunFolder(tmp_path / "out"), tmp_path / "sft"
    make_model(training, b"now")
    make_model(training / "checkpoint-1", b"1")
    record(run, judging(str(training)))
    make_model(training / "checkpoint-5", b"5")
    (_, sft) = with_recorded(judging(str(training)), run).candidates
    assert [each.step for each in sft.checkpoints] == [1, 5, 6]


def test_two_models_of_one_name_cannot_be_told_apart(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    record(run, judging("a/one", labels=("base", "old")))
    record(run, with_recorded(judging("a/one", labels=("base", "new")), run))
    with pytest.raises(ConfigError, match="another model that is called 'new'; give this one another --label"):
        with_recorded(judging("a/two", labels=("base", "new")), run)


def test_results_of_something_else_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").touch()
    with pytest.raises(ConfigError, match="holds results of something else"):
        with_recorded(judging("a/one"), RunFolder(tmp_path))
