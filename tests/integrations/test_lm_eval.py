"""lm-evaluation-harness asks for each decision once, and its metrics say what the verifier said."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integrations.parity import STUDIES, cases, overrides, problems

from shiftgym.errors import ConfigError
from shiftgym.integrations.lm_eval import IMAGE, TASKS, judged, pictures, rows
from shiftgym.integrations.problems import opened
from shiftgym.studies.config import load_study

ROOT = Path(__file__).parents[2]
FILES = {path.stem: path.read_text(encoding="utf-8") for path in TASKS.glob("*.yaml")}


@pytest.mark.parametrize("name", STUDIES)
def test_first_answers_are_judged_as_everywhere(name):
    table = cases(name, by_decision=True)
    first = {}
    for case in table:
        if case.split not in first:
            count = 1 + max(other.index for other in table if other.split == case.split)
            made = rows(name, case.split, count, overrides(name))
            first[case.split] = {(row["index"], row["decision"]): json.loads(json.dumps(row)) for row in made}
        row = first[case.split][case.index, case.decision]
        wanted, right = case.judged[0], len(case.judged) == 1 and case.success
        assert judged(row, [case.answers[0]]) == {"success_1": right, "reward": wanted.reward}
        session = opened(row)
        session.step(case.answers[0])
        assert (session.info["outcome"], session.info["feedback"]) == (wanted.outcome, wanted.feedback)


@pytest.mark.parametrize("name", STUDIES)
def test_a_document_is_a_decision_as_it_is_posed_everywhere(name):
    for row in rows(name, "rule_ood", 1):
        (message,) = problems(name).session("rule_ood", row["index"], decision=row["decision"]).messages
        if isinstance(message["content"], str):
            assert row["prompt"] == message["content"]
        else:
            text, picture = message["content"]
            assert row["prompt"] == text["text"] + IMAGE, "the picture stands behind the text"
            assert [shown.tobytes() for shown in pictures(row)] == [picture["image"].tobytes()]


def test_how_many_documents():
    study = load_study("navigation-text")
    assert len({row["index"] for row in rows("navigation-text", "id")}) == study.evaluation.problems
    with pytest.raises(ConfigError, match="unknown split 'ood'"):
        rows("points-text", "ood", 1)


def test_every_study_of_the_table_has_a_task_for_each_split_it_evaluates():
    wanted = {}
    for name in STUDIES:
        group = f"shiftgym_{name.replace('-', '_')}"
        study = load_study(name)
        splits = [study.compare.home, *study.compare.shifted]
        wanted[group] = [f"{group}_{split}" for split in splits if split in study.evaluation.splits]
        assert re.findall("^  - (.+)$", FILES[group], re.MULTILINE) == wanted[group]
        for split, task in zip(splits, wanted[group], strict=False):
            assert f"\ntask: {task}\n" in FILES[task]
            assert f"\n  study: {name}\n  split: {split}\n" in FILES[task]
    assert set(FILES) == {*wanted, *(task for group in wanted.values() for task in group)}


def test_the_path_for_include_path_is_printed():
    told = subprocess.run(
        [sys.executable, "-m", "shiftgym.integrations.lm_eval"], capture_output=True, text=True, check=True
    )
    assert told.stdout == f"{TASKS}\n"


@pytest.fixture(scope="module")
def manager():
    pytest.importorskip("lm_eval")
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=str(TASKS), include_defaults=False, metadata={"problems": 2})


@pytest.mark.filterwarnings("ignore")
def test_the_harness_poses_and_judges(manager):
    """The expert answers the first problem of each split, and the second gets no answer."""
    from lm_eval import simple_evaluate
    from lm_eval.api.model import LM

    def answer(request):
        if request.doc["index"]:
            return "no"
        study = "navigation-text" if "navigation" in request.task_name else "points-text"
        return problems(study).task.expert(opened(request.doc).episode.decisions[0].decision)

    class Scripted(LM):
        def generate_until(self, requests):
            return [answer(request) for request in requests]

        def loglikelihood(self, requests): ...

        def loglikelihood_rolling(self, requests): ...

    groups = ["shiftgym_points_text", "shiftgym_navigation_text"]
    found = simple_evaluate(Scripted(), tasks=groups, task_manager=manager, bootstrap_iters=0, log_samples=True)
    assert len(found["samples"]) == 4
    for task, samples in found["samples"].items():
        right = [sample["doc"]["index"] == 0 for sample in samples]
        assert {True, False} == set(right)
        assert found["results"][task]["success_1,none"] == pytest.approx(sum(right) / len(right))
        wrong = -3 if "points" in task else -1
        assert {sample["reward"] for sample in samples if sample["doc"]["index"]} == {wrong}


@pytest.mark.filterwarnings("ignore")
def test_the_harness_gets_the_pictures(manager):
    task = manager.load("shiftgym_points_vision_look_ood")["tasks"]["shiftgym_points_vision_look_ood"]
    doc = task.test_docs()[1]
    (prompt, _, shown) = task.construct_requests(doc, task.doc_to_text(doc)).args
    assert prompt.endswith(IMAGE)
    assert shown["visual"][0].size == pictures(doc)[0].size


def command(*arguments):
    """What a command of the harness prints. Nothing is asked of the hub."""
    folder = Path(sys.executable).parent
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    more = {"PATH": path, "PYTHONPATH": str(ROOT / "src"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(arguments, capture_output=True, text=True, env={**os.environ, **more})
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_the_harness_finds_every_task():
    pytest.importorskip("lm_eval")
    told = command("lm-eval", "validate", "--tasks", ",".join(FILES), "--include_path", TASKS)
    assert "All tasks found and valid" in told


def test_the_example(tmp_path):
    """The shipped backbone, which at home solves nearly every hand greedily."""
    pytest.importorskip("lm_eval")
    command("sh", ROOT / "examples" / "integrations" / "lm_eval.sh", "8", tmp_path)
    (results,) = tmp_path.rglob("results_*.json")
    found = json.loads(results.read_text(encoding="utf-8"))["results"]
    assert found["shiftgym_points_text_id"]["success_1,none"] >= 0.75
    assert set(found) >= {"shiftgym_points_text_id", "shiftgym_points_text_rule_ood"}
    (samples,) = tmp_path.rglob("samples_shiftgym_points_text_rule_ood_*.jsonl")
    for line in samples.read_text(encoding="utf-8").splitlines():
        sample = json.loads(line)
        session = opened(sample["doc"])
        reward = session.step(sample["resps"][0][0]).reward
        assert (session.info["correct"], reward) == (sample["success_1"], sample["reward"])
