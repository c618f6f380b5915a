"""`shiftgym track` and `--track`: what cannot be told is said in one line."""

from pathlib import Path

import pytest
from tests.cli.conftest import run

TRACKER = """
class Printing:
    where = "here"

    def __init__(self, whole):
        print(whole.name, whole.project)

    def begin(self, run): ...
    def log(self, run, points): ...
    def end(self, run, state): ...
    def close(self, summary):
        print(summary)
"""

TRAINING = 'steps = 1\n[recipe]\nrecipe = "sft"\n[track]\nproject = "of-the-run"\n'


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a training that has not begun, and a tracker."""
    (tmp_path / "a_printing_tracker.py").write_text(TRACKER)
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "training.toml").write_text(TRAINING)
    return folder


def test_a_run_is_told_to_a_tracker(training: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("track", str(training), "--to", "a_printing_tracker:Printing") == 0
    assert capsys.readouterr().out == "mine of-the-run\nPrinting: here\nNone\n"
    assert run("track", str(training), "--to", "a_printing_tracker:Printing", "--project", "mine") == 0
    assert capsys.readouterr().out.startswith("mine mine\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["track", "nothing", "--to", "tensorboard"], "nothing: no run folder (it has no study.toml)"),
        (["track", "RUN", "--to", "tensorbord"], "unknown tracker 'tensorbord'; did you mean 'tensorboard'?"),
        (["track", "RUN", "--to", "a_printing_tracker:Other"], "has no class 'Other'"),
        (["track", "RUN"], "--to"),
        (["study", "run", "points-text", "--track", "wandbb"], "unknown tracker 'wandbb'; did you mean 'wandb'?"),
        (["train", "points-0", "sft", "--out", "RUN", "--track", "x"], "track.to: unknown tracker 'x'"),
        (["compare", "points-0", "expert", "--track", "x"], "track.to: unknown tracker 'x'"),
    ],
)
def test_a_mistake_is_one_line(
    training: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert run(*[str(training) if each == "RUN" else each for each in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert reason in err


def test_a_missing_package_is_one_line(
    training: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("track", str(training), "--to", "wandb") == 2
    assert capsys.readouterr().err == "error: the tracker wandb is not installed: pip install 'shiftgym[wandb]'\n"
