"""inspect_ai plays whole episodes, and its logs hold what the verifier said of every attempt."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.integrations.parity import STUDIES, Judged, cases, overrides, problems

pytest.importorskip("inspect_ai")

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.solver import generate, system_message

from shiftgym.errors import ConfigError
from shiftgym.integrations.inspect_ai import outcome, sequential_revision, study, verifier
from shiftgym.studies.config import shipped_studies

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.filterwarnings("ignore")  # those of inspect itself are not ours


def output(text, stop="stop"):
    """An answer that says how many tokens it has. The tokenizer that inspect counts them by would be downloaded."""
    made = ModelOutput.from_content("mockllm/model", text, stop_reason=stop)
    made.usage = ModelUsage()
    return made


def run(task, answer, tmp_path):
    """The log of a task whose answers are made from the conversation."""
    model = get_model("mockllm/model", custom_outputs=lambda asked, *_: answer(asked), memoize=False)
    (log,) = inspect_ai.eval(task, model=model, display="none", log_dir=str(tmp_path))
    assert log.status == "success", log.error
    return read_eval_log(log.location, resolve_attachments=True)


def plain(messages):
    """Role, texts and pictures of each message of a session or of inspect, to compare them."""
    told = []
    for message in messages:
        role, content = (
            (message["role"], message["content"]) if isinstance(message, dict) else (message.role, message.content)
        )
        if not isinstance(content, str):
            parts = [part if isinstance(part, dict) else part.model_dump() for part in content]
            content = [part.get("text") or part.get("image") or part["image_url"]["url"] for part in parts]
        told.append([role, content])
    return json.dumps(told)


def attempts(sample):
    return sample.scores["verifier"].metadata["attempts"]


@pytest.mark.parametrize("split", ["id", "rule_ood"])
@pytest.mark.parametrize("name", STUDIES)
def test_the_table_is_judged_as_everywhere_and_asked_as_in_a_session(name, split, tmp_path):
    table = [case for case in cases(name) if case.split == split]
    answers = {}
    for case in table:
        session = problems(name).session(split, case.index, pictures="url")
        for text in case.answers:
            answers[plain(session.messages)] = text
            session.step(text)
    task = study(name, split, problems=len(table), overrides=overrides(name))
    log = run(task, lambda asked: output(answers[plain(asked)]), tmp_path)
    for case, sample in zip(table, log.samples, strict=True):
        told = attempts(sample)
        assert tuple(each["answer"] for each in told) == case.answers
        assert tuple(Judged(each["outcome"], each["reward"], each["feedback"]) for each in told) == case.judged
        assert sample.scores["verifier"].value == {
            "success": case.success,
            "reward": sum(each.reward for each in case.judged),
            "attempts": len(case.judged),
        }
        assert sample.scores["outcome"].value == case.judged[-1].outcome
    results = {score.name: score.metrics for score in log.results.scores}
    share = sum(case.success for case in table) / len(table)
    assert results["success"]["accuracy"].value == pytest.approx(share)
    assert results["success"]["ci_wilson_lower"].value <= share <= results["success"]["ci_wilson_upper"].value


def expert(name, split, index, wrong=()):
    """Right answers to a problem, but for the decisions in `wrong`, whose first attempt is none."""
    session = problems(name).session(split, index)
    answers = []
    while not session.done:
        record = session.episode.decisions[-1]
        text = problems(name).task.expert(record.decision)
        if session.number in wrong and not record.attempts:
            text = "I do not know."
        answers.append(text)
        session.step(text)
    return answers


def test_a_log_shows_the_whole_dialogue_and_every_verdict(tmp_path):
    answers = expert("navigation-text", "id", 0, wrong=(1,))
    ready = iter(answers)
    task = study("navigation-text", problems=1)
    (sample,) = run(task, lambda _: output(next(ready)), tmp_path).samples
    said = [message.text for message in sample.messages if message.role == "assistant"]
    assert said == answers
    prompts = [message.text for message in sample.messages if message.text.startswith("Walk through a city")]
    assert len(prompts) == len(set(prompts)) == len(answers) - 1, "each decision has a prompt of its own"
    told = attempts(sample)
    assert [each["outcome"] for each in told].count("correct_action") == len(answers) - 1
    feedback = told[1]["feedback"]
    assert feedback in [message.text for message in sample.messages if message.role == "user"]
    verdicts = [event.data for event in sample.events if event.event == "info" and event.source == "verifier"]
    assert verdicts == told
    assert f"- decision 1: **illegal_action**, reward -1. {feedback}" in sample.scores["verifier"].explanation


def test_system_messages_begin_every_conversation(tmp_path):
    ready, asked = iter(expert("navigation-text", "id", 0)), []
    task = study("navigation-text", problems=1)
    task.solver = [system_message("Be brief."), sequential_revision()]
    run(task, lambda messages: asked.append([each.role for each in messages]) or output(next(ready)), tmp_path)
    assert len(asked) > 2
    assert asked == [["system", "user"]] * len(asked)


def test_the_answer_of_another_solver_is_judged_as_one_attempt(tmp_path):
    task = study("points-text", "rule_ood", problems=1)
    task.solver = generate()
    answers = [*expert("points-text", "rule_ood", 0), "no"]
    for text, value, said in zip(answers, (1, 0), ("correct", "illegal"), strict=True):
        (sample,) = run(task, lambda _, text=text: output(text), tmp_path).samples
        assert sample.scores["verifier"].value["success"] == value
        assert sample.scores["verifier"].value["attempts"] == 1
        assert sample.scores["outcome"].value == said


def test_how_answers_end(tmp_path):
    """An answer that was cut off is judged; where the conversation does not fit, the text is no answer."""
    ends = iter([output("{", "max_tokens"), output("Your prompt is too long.", "model_length")])
    (sample,) = run(study("points-text", problems=1), lambda _: next(ends), tmp_path).samples
    cut, ended = attempts(sample)
    assert (cut["answer"], cut["stop"]) == ("{", "length")
    assert (ended["answer"], ended["stop"]) == ("", "too_long")
    assert sample.scores["verifier"].value["success"] == 0


def test_what_was_played_before_a_limit_of_inspect_is_scored(tmp_path):
    ready = iter(expert("navigation-text", "id", 0))
    task = study("navigation-text", problems=1)
    task.message_limit = 5
    (sample,) = run(task, lambda _: output(next(ready)), tmp_path).samples
    assert sample.limit.type == "message"
    assert sample.scores["verifier"].value == {"success": 0, "reward": 2, "attempts": 2}


def test_settings_of_a_task():
    task = study("points-text", problems=3, limit=2, feedback=False, overrides="task.hint=none")
    assert [sample.id for sample in task.dataset] == [0, 1, 2]
    settings = json.loads(task.dataset[0].metadata["settings"])
    assert (settings["limit"], settings["feedback"]) == (2, False)
    assert settings["task"]["options"]["hint"] == "none"
    assert task.dataset[0].metadata["split"] == "id", "the home split, where nothing is shifted"
    assert len(study("points-text").dataset) == 128, "as many as the study evaluates"
    with pytest.raises(ConfigError, match="unknown split 'ood'"):
        study("points-text", "ood")


def test_a_data_set_of_ones_own(tmp_path):
    """The solver and the scorers need only a row."""
    row = problems("points-text").row("rule_ood", 2)
    task = Task([Sample(input="4 cards", metadata=row)], solver=sequential_revision(), scorer=[verifier(), outcome()])
    ready = iter(["no", *expert("points-text", "rule_ood", 2)])
    (sample,) = run(task, lambda _: output(next(ready)), tmp_path).samples
    assert sample.scores["verifier"].value == {"success": 1, "reward": 2, "attempts": 2}


@pytest.fixture
def outside(tmp_path):
    """What a process is given so that this tree is installed there, with the entry points of its pyproject, and so that
    inspect counts the tokens of its mock model without downloading a tokenizer."""
    entries = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    told = tmp_path / "path" / "shiftgym-0.1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: shiftgym\nVersion: 0.1.0\n")
    (told / "direct_url.json").write_text(json.dumps({"url": ROOT.as_uri(), "dir_info": {"editable": True}}))
    lines = [
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in of.items()) for group, of in entries.items()
    ]
    (told / "entry_points.txt").write_text("".join(lines))
    (tmp_path / "path" / "tiktoken.py").write_text(
        "class Words:\n    def encode(self, text, **_):\n        return text.split()\n\n\n"
        "def get_encoding(name):\n    return Words()\n"
    )
    path = os.pathsep.join(map(str, (tmp_path / "path", ROOT / "src")))
    return {**os.environ, "PYTHONPATH": path, "INSPECT_LOG_DIR": str(tmp_path / "logs")}


def inspect(environment, *arguments):
    done = subprocess.run(
        [Path(sys.executable).with_name("inspect"), *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (log,) = Path(environment["INSPECT_LOG_DIR"]).glob("*.eval")
    return read_eval_log(str(log))


def test_the_command_finds_a_shipped_study(outside):
    chosen = ["-T", "split=rule_ood", "-T", "problems=2", "-T", "limit=2"]
    log = inspect(outside, "eval", "shiftgym/points-text", "--model", "mockllm/model", "--display", "none", *chosen)
    assert (log.status, log.eval.task) == ("success", "shiftgym/points-text")
    for index, sample in enumerate(log.samples):
        session = problems("points-text").session("rule_ood", index)
        assert sample.messages[0].text == session.messages[0]["content"]
        told = attempts(sample)
        assert [(each["outcome"], each["reward"]) for each in told] == [("illegal", -3), ("illegal", -4)]
        assert sample.messages[2].text == told[0]["feedback"]


def test_every_shipped_study_is_a_task(outside):
    code = (
        "from inspect_ai._util.registry import registry_lookup; import sys; "
        "sys.exit([name for name in sys.argv[1:] if registry_lookup('task', f'shiftgym/{name}') is None] != [])"
    )
    done = subprocess.run([sys.executable, "-c", code, "study", *shipped_studies()], env=outside, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_the_example(tmp_path):
    example = ROOT / "examples" / "integrations" / "inspect_points.py"
    model = get_model("mockllm/model", custom_outputs=lambda *_: output("no"), memoize=False)
    logs = inspect_ai.eval(
        str(example.relative_to(Path.cwd())),
        model=model,
        task_args={"problems": 1},
        display="none",
        log_dir=str(tmp_path),
    )
    assert [log.eval.metadata["split"] for log in logs] == ["id", "rule_ood"]
    assert {log.status for log in logs} == {"success"}
