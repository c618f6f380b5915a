"""The [track] table, and a study with trackers that fail beside it."""

import json
import os
from pathlib import Path

import pytest
from tests.studies.conftest import TINY

from shiftgym.errors import ConfigError
from shiftgym.files import read_lines
from shiftgym.layout import RunFolder, companion_log
from shiftgym.studies.config import load_study, what_is_computed
from shiftgym.studies.run import resume_study, run_study
from shiftgym.studies.single import train_model
from shiftgym.studies.track import track_overrides

FAKES = """
import json, time
from pathlib import Path

class Raising:
    where = "nowhere"

    def __init__(self, whole):
        self.whole = whole

    def begin(self, run):
        raise ConnectionError("no route\\nto the tracker")

    def log(self, run, points): ...
    def end(self, run, state): ...
    def close(self, summary): ...

class Hanging(Raising):
    def begin(self, run):
        print("it hangs", flush=True)
        time.sleep(600)

class Sound(Raising):
    told = {}

    def begin(self, run):
        self.told[run.title] = []

    def log(self, run, points):
        self.told[run.title] += [point.step for point in points]

    def close(self, summary):
        said = {"told": self.told, "verdicts": summary.verdicts}
        (self.whole.folder / "sound.json").write_text(json.dumps(said))
"""


def test_the_table_names_trackers(tiny_file: Path) -> None:
    plain = load_study(tiny_file)
    assert plain.track is None
    study = load_study(tiny_file, track_overrides(["wandb", "mine.tracker:Mine", "wandb"]))
    assert study.track is not None
    assert study.track.to == ("wandb", "mine.tracker:Mine")
    # A run may go on with others.
    assert what_is_computed(study) == what_is_computed(plain)
    first, own = study.track.companions(Path("runs/x"))
    assert first.command == ("track", "runs/x", "--to", "wandb")
    assert first.later == "Replay it with: shiftgym track runs/x --to wandb"
    assert (own.name, own.patience) == ("Mine", 30.0)
    with pytest.raises(ConfigError, match=r"--set: track.to: unknown tracker 'wandbb'.*did you mean 'wandb'"):
        load_study(tiny_file, track_overrides(["wandbb"]))


@pytest.mark.parametrize(
    ("to", "said"),
    [
        (["mine:../../Mine"], "unknown tracker 'mine:../../Mine'"),
        (["mine:"], "unknown tracker 'mine:'"),
        (["../mine:Mine"], "unknown tracker"),
        (["mine:M\0"], "unknown tracker"),
        (["mine:Mine", "other:Mine"], "two trackers are called Mine"),
    ],
)
def test_a_tracker_has_the_name_of_a_class(tiny_file: Path, to: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_study(tiny_file, track_overrides(to))


@pytest.mark.parametrize("wait", ["inf", "nan", "1e10", "-1"])
def test_a_run_waits_a_day_at_most(tiny_file: Path, wait: str) -> None:
    with pytest.raises(ConfigError, match=r"track\.wait: should be"):
        load_study(tiny_file, [f"track.wait={wait}"])


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trackers that companions find."""
    (tmp_path / "fakes.py").write_text(FAKES)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")


@pytest.mark.slow
def test_trackers_that_fail_cost_a_warning_and_no_result(
    tiny_points: Path,
    tmp_path: Path,
    fakes: None,
    no_report: None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "tiny.toml"
    file.write_text(TINY.replace("MODEL", str(tiny_points)).partition("[branches.ppo]")[0])
    plain = run_study(load_study(file), runs=tmp_path / "plain", workers=2, plain=True).folder
    failing = load_study(file, [*track_overrides(["fakes:Raising", "fakes:Missing"]), "track.wait=120"])
    tracked = run_study(failing, runs=tmp_path / "tracked", workers=2, plain=True).folder
    assert (tracked / "results.jsonl").read_bytes() == (plain / "results.jsonl").read_bytes()

    def warned(out: str, name: str) -> str:
        (line,) = [line for line in out.splitlines() if line.startswith(f"warning: {name}: ")]
        log = f" (all of it: {companion_log(tracked, name)})"
        told = f"{log}. Replay it with: shiftgym track {tracked} --to fakes:{name}"
        assert line.endswith(told)
        return line.removeprefix(f"warning: {name}: ").removesuffix(told)

    out = capfd.readouterr().out
    assert warned(out, "Raising") == "ConnectionError: no route to the tracker"
    assert "module 'fakes' has no class 'Missing'" in warned(out, "Missing")

    # A run goes on with other trackers, each of which is told all of it.
    resume_study(tracked, overrides=[*track_overrides(["fakes:Hanging"]), "track.wait=1"], plain=True)
    assert warned(capfd.readouterr().out, "Hanging") == "it was not done 1 s after the run, and was stopped"
    resume_study(tracked, overrides=[*track_overrides(["fakes:Sound"]), "track.wait=120"], plain=True)
    out = capfd.readouterr().out
    assert "Sound: nowhere\n" in out
    assert "warning" not in out
    sound = json.loads((tracked / "sound.json").read_text())
    for title in ("init-seed0", "sft-seed0"):
        folder = RunFolder(tracked).branch(title)
        logged = [line["step"] for line in read_lines(folder.metrics)]
        evaluated = dict.fromkeys(row["step"] for row in read_lines(folder.results))
        assert sound["told"].pop(title) == [*logged, *evaluated]
    assert not sound["told"]
    assert sound["verdicts"]["effect/rule_ood"] in ("appeared", "did not appear", "undecided")


@pytest.mark.slow
def test_a_training_has_trackers_too(
    tiny_points: Path, tmp_path: Path, fakes: None, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "mine"
    overrides = [*track_overrides(["fakes:Raising"]), "track.wait=120", "recipe.batch=2"]
    train_model(str(tiny_points), "sft", task="points", steps=1, seed=0, overrides=overrides, out=out)
    printed = capfd.readouterr().out
    assert "warning: Raising: ConnectionError: no route to the tracker (all of it: " in printed
    assert printed.splitlines()[-1] == f"Model: {out / 'checkpoints' / 'step-000001'}"
