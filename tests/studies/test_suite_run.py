"""Suites carried out: a user's, resumed after its file is gone, and the paper's at toy size."""

import re
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies import suite_run
from shiftgym.studies.companions import Companions
from shiftgym.studies.config import load_study
from shiftgym.studies.run import Finished, prepare
from shiftgym.studies.suite import load_suite
from shiftgym.studies.suite_run import resume_suite, run_suite

SUITE = """
title = "Mine"
studies = ["other/tiny.toml"]

[figures]
tiny = ["validity"]

[scales.smaller.study]
"evaluation.problems" = 2
"evaluation.decodings" = ["sampled"]

[[claims]]
text = "PPO ends above SFT"
paper = "15.0 from 11.5"
study = "tiny"
a = "ppo"
b = "sft"
split = "rule_ood"
"""


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
def test_a_users_suite_is_resumed_without_its_file(
    faulty_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    study = tmp_path / "other" / "tiny.toml"
    sound = faulty_file.read_text().split("[branches.diverging]")[0]
    study.write_text(re.sub(r"controls = .*", "controls = []", sound))
    file = tmp_path / "mine.toml"
    file.write_text(SUITE)
    runs = tmp_path / "runs"
    (finished,) = run_suite(str(file), scale="smaller", overrides=["seeds=[3]"], runs=runs, workers=2, plain=True)
    assert finished.failed == {}
    (folder,) = runs.iterdir()
    assert finished.folder == folder / "tiny"
    page = folder / "mine-study.md"
    first = page.read_text()
    assert f"shiftgym study run {file} --scale smaller --set seeds=[3]" in first
    assert "no data" not in first
    assert (folder / re.findall(r"\]\((.*?)\)", first)[0]).is_file()
    monkeypatch.setattr("shiftgym.reports.page.write_report", lambda of: of.first.folder / "report.html")  # is there
    page.unlink()
    file.unlink()
    study.unlink()
    assert resume_suite(folder, workers=2, plain=True) == [finished]
    assert page.read_text() == first


def test_a_broken_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text("title = 'x'")
    with pytest.raises(ConfigError, match=r"suite\.toml: studies: this key is missing"):
        resume_suite(tmp_path)


def test_one_page_shows_all_studies_of_a_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    class Beside(Companions):
        def start(self) -> None:
            said.extend(" ".join(one.command) for one in self.wanted)

        def __exit__(self, *_: object) -> None:
            said.append("ended")

    def resume(path: Path, **_: object) -> Finished:
        said.append(path.name)
        return Finished(path, {}, {})

    monkeypatch.setattr(suite_run, "Companions", Beside)
    monkeypatch.setattr(suite_run, "resume_study", resume)
    monkeypatch.setattr(suite_run, "recorded_study", lambda *_, **__: None)
    (tmp_path / "suite.toml").write_text('title = "x"\nname = "x"\ncommand = "x"\nstudies = ["a", "b"]\n')
    resume_suite(tmp_path, view=True)
    assert said == [f"view {tmp_path} --open", "a", "b", "ended"]
    said.clear()
    resume_suite(tmp_path)
    assert said == ["a", "b", "ended"]


def test_a_suite_goes_on_with_what_changes_no_result_of_any_study(
    tiny_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    went_on: list[tuple[str, list[str]]] = []

    def resume(path: Path, *, overrides: list[str], **_: object) -> Finished:
        went_on.append((path.name, overrides))
        return Finished(path, {}, {})

    monkeypatch.setattr(suite_run, "resume_study", resume)
    for name in ("a", "b"):
        prepare(tmp_path / name, load_study(tiny_file))
    (tmp_path / "suite.toml").write_text('title = "x"\nname = "x"\ncommand = "x"\nstudies = ["a", "b"]\n')
    with pytest.raises(ConfigError, match=r"seeds = \(0,\), not \(1,\); start a new run instead"):
        resume_suite(tmp_path, overrides=["seeds=[1]"])
    assert went_on == []
    resume_suite(tmp_path, overrides=["track.to=['tensorboard']"])
    assert went_on == [(name, ["track.to=['tensorboard']"]) for name in ("a", "b")]


@pytest.mark.longest
@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
def test_the_whole_paper_runs_at_toy_size(tmp_path: Path) -> None:
    suite = load_suite("paper")
    finished = run_suite("paper", scale="smoke", overrides=(), runs=tmp_path, workers=2, plain=True)
    assert [one.failed for one in finished] == [{}] * len(suite.studies)
    (folder,) = tmp_path.iterdir()
    page = (folder / "paper-study.md").read_text(encoding="utf-8")
    assert "shiftgym study run paper --scale smoke" in page
    assert "no data" not in page, "every claim was held against a run"
    shown = re.findall(r"\]\((.*?)\)", page)
    assert len(shown) == sum(map(len, suite.tables.figures.values()))
    assert all((folder / path).is_file() for path in shown)
