"""The commands about studies, as functions: what they print, and what they call. Misuse is held in test_main.py."""

from pathlib import Path
from typing import Any

import pytest

from shiftgym.cli import study
from shiftgym.errors import ConfigError
from shiftgym.studies.config import shipped_studies
from shiftgym.studies.run import Finished
from shiftgym.studies.suite import shipped_suites

NO_MODEL = "model=nobody/nothing"
"""A hub id that these commands never look up."""

SUITE = 'title = "Mine"\nstudies = ["points-text"]\n'


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the commands call, and with what; a branch of every second run fails."""
    made: list[tuple[str, Any]] = []

    def stand_in(name: str) -> Any:
        def call(given: Any, **options: Any) -> Any:
            made.append((name, (getattr(given, "name", str(given)), options)))
            ended = Finished(Path(), {}, {} if len(made) % 2 else {"ppo-seed0": "killed"})
            return [ended] if "suite" in name else ended

        return call

    for module, name in (
        ("run", "run_study"), ("run", "resume_study"), ("suite_run", "run_suite"), ("suite_run", "resume_suite"),
    ):  # fmt: skip
        monkeypatch.setattr(f"shiftgym.studies.{module}.{name}", stand_in(name))
    return made


def test_a_study_is_run_with_its_overrides_and_a_failed_branch_is_code_1(calls: list[Any], tmp_path: Path) -> None:
    options = {"workers": 3, "plain": True, "runs": tmp_path, "engine": "ray", "address": "10.0.0.1:6379", "view": True}
    assert [study.run("points-text", overrides=[NO_MODEL, "name=mine"], **options) for _ in range(2)] == [0, 1]
    assert calls == [("run_study", ("mine", options))] * 2


def test_a_suite_is_run_in_a_scale(calls: list[Any], tmp_path: Path) -> None:
    assert study.run("paper", scale="smoke", overrides=["seeds=[1]"], runs=tmp_path) == 0
    ((called, (name, options)),) = calls
    assert (called, name) == ("run_suite", "paper")
    kept = {"scale": "smoke", "overrides": ["seeds=[1]"], "runs": tmp_path, "workers": None, "plain": False}
    assert options == {**kept, "engine": None, "address": None, "view": False}


@pytest.mark.parametrize("holds", ["study", "suite"])
def test_either_command_resumes_what_the_folder_holds(calls: list[Any], tmp_path: Path, holds: str) -> None:
    (tmp_path / f"{holds}.toml").touch()
    given = {"workers": 1, "engine": "ray", "address": "auto", "view": True}
    assert [study.resume_run(tmp_path, **given), study.run(resume=tmp_path, **given)] == [0, 1]
    assert [name for name, _ in calls] == [f"resume_{holds}"] * 2
    assert all(name == str(tmp_path.name) and given.items() <= options.items() for _, (name, options) in calls)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        (None, {}, "give the name of a study"),
        ("paper", {"dry_run": True}, "--dry-run is for one study; a suite has several"),
        ("points-text", {"scale": "smoke"}, "--scale is for suites, and points-text is one study"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    calls: list[Any], name: str | None, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        study.run(name, **options)
    assert calls == []


def test_a_suite_goes_on_as_it_began(calls: list[Any], tmp_path: Path) -> None:
    (tmp_path / "suite.toml").touch()
    for changed in ({"name": "paper"}, {"scale": "smoke"}):
        with pytest.raises(ConfigError, match="a suite resumes with the (settings|studies) it began with"):
            study.run(changed.pop("name", None), resume=tmp_path, **changed)
    assert calls == []


def test_a_dry_run_only_plans(calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[Any] = []

    def plan(study: Any, workers: int, device_memory: float | None) -> bool:
        planned.append((study.seeds, workers, device_memory))
        return device_memory is None

    monkeypatch.setattr("shiftgym.studies.estimate.print_plan", plan)
    assert study.run("points-text", dry_run=True, overrides=[NO_MODEL, "seeds=[4]"], workers=2) == 0
    small = study.run("points-text", dry_run=True, overrides=[NO_MODEL, "seeds=[4]"], workers=1, device_memory=8)
    assert small == 1, "a branch does not fit"
    assert planned == [((4,), 2, None), ((4,), 1, 8)] and calls == []
    with pytest.raises(ConfigError, match="--device-memory is for --dry-run"):
        study.run("points-text", overrides=[NO_MODEL], device_memory=8)


def test_every_shipped_study_and_suite_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    study.list_studies()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [*shipped_studies(), *shipped_suites()]
    assert all(len(line.split()) > 2 for line in lines), "each has a title"


def test_a_shown_study_is_a_study_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study.show("points-text", overrides=[NO_MODEL, "seeds=[4]"])
    path = tmp_path / "mine.toml"
    path.write_text(capsys.readouterr().out)
    study.show(str(path))
    assert capsys.readouterr().out == path.read_text()


def test_a_suite_is_checked_and_shown_as_its_file_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(SUITE)
    study.show(str(path))
    assert capsys.readouterr().out == SUITE
    with pytest.raises(ConfigError, match="--set is for one study"):
        study.show(str(path), overrides=["seeds=[4]"])
    path.write_text(SUITE.replace("text", "txt"))
    with pytest.raises(ConfigError, match=r"mine\.toml: studies\[0\]: 'points-txt' is no shipped study"):
        study.show(str(path))


def test_settings_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    study.keys("budget")
    assert "flops: number above 0; required" in capsys.readouterr().out
    study.keys(markdown=True)
    assert "## recipe.ppo" in capsys.readouterr().out


def test_the_help_of_resume_says_which_settings_may_change(capsys: pytest.CaptureFixture[str]) -> None:
    study.study(["resume", "--help"], result_action="return_value")
    said = capsys.readouterr().out
    assert all(key in said for key in ("device", "attention", "gradient_checkpointing", "tokens_per_pass"))
