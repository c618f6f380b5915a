"""Every candidate answers the same problems; what was answered is not asked again."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from tests.candidates.conftest import SMALL, Coin

from shiftgym.candidates.answer import answer
from shiftgym.candidates.run import carry_out, prepare
from shiftgym.engines.base import Job, State, Watch
from shiftgym.engines.local import LocalEngine
from shiftgym.errors import ConfigError
from shiftgym.evaluation.written import claim
from shiftgym.layout import RunFolder
from shiftgym.tasks.base import Task

QUIET = Console(quiet=True)


def rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in RunFolder(folder).results.read_text().splitlines()]


@pytest.mark.slow
def test_models_answer_in_processes_and_only_what_is_new_is_asked(tmp_path: Path, tiny_points: Path) -> None:
    def compared(*tuned: str, labels: tuple[str, ...]) -> None:
        judging = prepare([str(tiny_points), *tuned], study="points-text", overrides=SMALL, labels=labels)
        assert carry_out(judging, tmp_path, QUIET, workers=2) == {}

    compared(str(tiny_points), labels=("base", "copy"))
    run = RunFolder(tmp_path)
    first = {path: path.stat().st_mtime_ns for path in tmp_path.glob("candidates/*/*/done.json")}
    assert len(first) == 2
    assert [row["branch"] for row in rows(tmp_path)] == ["init"] * 18 + ["copy"] * 18
    # A copy of BASE with the same noise gives the same answers.
    mine, copy = ([row | {"branch": ""} for row in rows(tmp_path) if row["branch"] == key] for key in ("init", "copy"))
    assert mine == [row | {"fraction": 1.0} for row in copy]
    compared("points-0", labels=("base", "other"))
    assert {path: path.stat().st_mtime_ns for path in first} == first
    assert list(json.loads(run.verdict.read_text())["candidates"]) == ["copy", "other"]


def test_a_folder_holds_answers_to_one_set_of_questions(tmp_path: Path) -> None:
    given = ["expert", "expert"]
    judging = prepare(given, study="points-text", overrides=SMALL)
    answer(judging, judging.base, judging.base.checkpoints[0], tmp_path)
    changed = prepare(given, study="points-text", overrides=[*SMALL, "evaluation.temperature=0.5"])
    with pytest.raises(
        ConfigError, match=r"its answers were given with temperature = 1.0, not 0.5; give another folder"
    ):
        carry_out(changed, tmp_path, QUIET)


def test_more_problems_may_be_asked_later(tmp_path: Path, task: Task) -> None:
    given = [Coin(task, 0.5), Coin(task, 0.9)]
    carry_out(prepare(given, study="points-text", overrides=SMALL), tmp_path, QUIET)
    more = prepare(given, study="points-text", overrides=[*SMALL, "evaluation.problems=8"])
    carry_out(more, tmp_path, QUIET)
    assert len(rows(tmp_path)) == 2 * 3 * 8


def test_what_an_earlier_call_asked_beyond_this_one_is_left_out(tmp_path: Path) -> None:
    given = ["expert", "expert"]
    for decodings in ("['sampled', 'greedy']", "['sampled']"):
        settings = [*SMALL, f"evaluation.decodings={decodings}"]
        judging = prepare(given, study="points-text", overrides=settings)
        for one in judging.candidates:
            answer(judging, one, one.checkpoints[0], tmp_path)
        carry_out(judging, tmp_path, QUIET)
    assert {row["decoding"] for row in rows(tmp_path)} == {"sampled"}


def test_a_study_without_a_shift_judges_nothing() -> None:
    with pytest.raises(ConfigError, match="no split of it differs from training"):
        prepare(
            ["points-0", "points-0"],
            study="points-text",
            overrides=["evaluation.splits=['train', 'id']", "compare.shifted=[]"],
        )


def test_a_model_that_changed_is_not_mixed_with_what_it_was(tmp_path: Path, task: Task) -> None:
    from tests.candidates.conftest import make_model

    model = make_model(tmp_path / "tuned")
    judging = prepare([Coin(task, 0.5), str(model)], study="points-text", overrides=SMALL)
    folder = RunFolder(tmp_path / "run").candidate("tuned", 0)
    claim(folder, {"fingerprint": "of other weights"})
    with pytest.raises(ConfigError, match=r"the files of the model have changed since it answered"):
        carry_out(judging, tmp_path / "run", QUIET)


def test_an_object_answers_anew(tmp_path: Path, task: Task) -> None:
    """Nothing tells whether it is the one that answered before."""

    def right(chance: float) -> float:
        carry_out(prepare([Coin(task, 0.5), Coin(task, chance)], study="points-text", overrides=SMALL), tmp_path, QUIET)
        return sum(float(str(row["success"])) for row in rows(tmp_path) if row["branch"] != "init")

    assert right(0.0) == 0
    assert right(1.0) == 18


def test_what_fails_leaves_the_others_alone(tmp_path: Path, task: Task) -> None:
    class Broken:
        def start(self, *_: object) -> object:
            raise ConfigError("it is broken")

    given = [Coin(task, 0.5), Broken(), Coin(task, 0.9)]
    judging = prepare(given, study="points-text", overrides=SMALL, labels=["base", "bad", "good"])
    assert carry_out(judging, tmp_path, QUIET) == {"bad": "it is broken"}
    assert list(json.loads(RunFolder(tmp_path).verdict.read_text())["candidates"]) == ["good"]
    for name, probes in (("other", False), ("probed", True)):
        judging = prepare(given[1:], study="points-text", overrides=SMALL, probes=probes)
        with pytest.raises(ConfigError, match="BASE could not answer: it is broken"):
            carry_out(judging, tmp_path / name, QUIET)


def test_a_model_that_has_answered_may_be_removed(tmp_path: Path, task: Task) -> None:
    from tests.candidates.conftest import make_model

    model, folder = make_model(tmp_path / "tuned"), tmp_path / "run"
    judging = prepare([Coin(task, 0.5), str(model)], study="points-text", overrides=SMALL)
    (tuned,) = judging.candidates[1:]
    answer(judging, replace(tuned, policy=Coin(task, 0.9)), tuned.checkpoints[0], folder)
    shutil.rmtree(model)
    assert carry_out(judging, folder, QUIET) == {}
    assert len([row for row in rows(folder) if row["branch"] == "tuned"]) == 18


def test_models_of_this_machine_get_gpus_and_endpoints_none(
    tmp_path: Path, nvidia_smi: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    nvidia_smi(2)
    jobs: list[Job] = []

    class Recorded(LocalEngine):
        def run(self, given: Sequence[Job], watch: Watch) -> dict[str, State]:
            jobs.extend(given)
            return {job.name: "failed" for job in given}

    monkeypatch.setattr("shiftgym.engines.local.LocalEngine", Recorded)

    def asked(*given: str, workers: int | None = None, probes: bool = False) -> list[tuple[float, str]]:
        jobs.clear()
        judging = prepare(given, study="points-text", overrides=SMALL, probes=probes, labels=["base"])
        folder = tmp_path / str(len([*tmp_path.iterdir()]))
        with pytest.raises(ConfigError, match="BASE could not answer"):
            carry_out(judging, folder, QUIET, workers=workers)
        return [(job.gpus, job.begin().args[0].study.device) for job in jobs]

    model, endpoint = "points-0", "http://127.0.0.1:1/v1#served"
    assert asked(model, endpoint) == [(1.0, "cuda"), (0.0, "cuda")]
    assert asked(model, model, "expert", workers=4) == [(0.5, "cuda"), (0.5, "cuda"), (0.0, "cuda")]
    # A probe of an endpoint asks BASE again, which is a model of this machine.
    assert asked(model, endpoint, probes=True) == [(1.0, "cuda"), (1.0, "cuda")]
    assert asked(endpoint, "expert") == [(0.0, "cpu"), (0.0, "cpu")]
