"""The task: which questions are asked, and what its settings can be."""

import subprocess
import sys

import pytest

from shiftgym.errors import ConfigError
from shiftgym.tasks.reasoning_gym import library
from shiftgym.tasks.reasoning_gym.task import kind_of_question
from shiftgym.tasks.registry import build_task

SPLITS = {
    "train": {},
    "id": {"population": "test"},
    "all": {"population": "all"},
    "longer": {"population": "test", "config": {"min_terms": 4, "max_terms": 4}},
}


def sums(config=None, **options):
    return build_task(
        "reasoning_gym",
        options={"generator": "chain_sum", "config": {"max_digits": 1, "max_terms": 3, **(config or {})}, **options},
        splits=SPLITS,
    )


def test_populations_share_no_question_whatever_the_configuration():
    task = sums()
    asked = {split: [task.problem(split, index).question for index in range(40)] for split in SPLITS}
    kinds = {split: {kind_of_question(question) for question in questions} for split, questions in asked.items()}
    assert kinds == {"train": {"train"}, "id": {"test"}, "all": {"train", "test"}, "longer": {"test"}}
    assert all(question.count("+") + question.count(" - ") == 3 for question in asked["longer"])
    assert len(set(asked["id"])) > 30, "problems differ from index to index"


def test_the_same_question_in_another_order_is_on_the_same_side():
    assert kind_of_question("What is 4 + 3?") == kind_of_question("What is 3 + 4?")


def test_a_setting_changes_only_its_split():
    other = build_task("reasoning_gym", options={"generator": "chain_sum"}, splits={"id": SPLITS["id"]})
    assert sums().problem("id", 0) != other.problem("id", 0)
    same = sums({}, limit=1, hint="none", form="lines")
    assert [same.problem("id", index) for index in range(3)] == [sums().problem("id", index) for index in range(3)]


def test_what_an_answer_shows():
    task = sums()
    decision = task.start(task.problem("id", 0))
    assert task.diagnose(decision, task.expert(decision)).style == "direct"
    worked = task.diagnose(decision, '{"steps": "4 and 3", "answer": "8"}')
    assert (worked.valid, worked.style, worked.perseverated, worked.translated) == (True, "worked", None, None)
    assert (task.diagnose(decision, "8").valid, task.diagnose(decision, "8").style) == (False, "none")


@pytest.mark.parametrize(
    ("options", "splits", "reason"),
    [
        ({"generator": "chain_smu"}, {}, r"task\.generator: unknown generator 'chain_smu'; did you mean 'chain_sum'"),
        ({"generator": "puzzle24"}, {}, r"task\.generator: 'puzzle24' is not taken: its scorer evaluates"),
        ({"generator": "chain_sum", "config": {"max_term": 3}}, {}, r"task\.config\.max_term: unknown key; did you"),
        ({"generator": "chain_sum"}, {"a": {"config": {"seed": 1}}}, r"splits\.a\.config\.seed: unknown key"),
        ({"generator": "chain_sum"}, {"a": {"config": {"min_terms": 9}}}, r"splits\.a\.config: chain_sum refuses it"),
        ({"generator": "chain_sum"}, {"a": {"population": "dev"}}, r"splits\.a\.population: unknown value 'dev'"),
        (
            {"generator": "prime_factorization", "config": {"min_value": 7, "max_value": 7}},
            {"a": {}, "b": {"population": "test"}},
            r"splits\.[ab]: no t.* question in 100 draws of prime_factorization; its config leaves too few",
        ),
    ],
)
def test_what_cannot_be_asked_is_told_when_the_task_is_made(options, splits, reason):
    with pytest.raises(ConfigError, match=reason) as told:
        build_task("reasoning_gym", options=options, splits=splits or {"train": {}})
    assert "\n" not in str(told.value)


def test_a_generator_that_finds_nothing_to_ask_says_so_in_its_own_words(monkeypatch):
    def refuse(*_):
        raise ValueError("no such puzzle")

    monkeypatch.setattr(library, "item", refuse)
    with pytest.raises(
        ConfigError, match=r"splits\.train: no train question in 100 draws .*; the generator said: no such"
    ):
        sums()


WITHOUT = """
import sys
sys.modules["reasoning_gym"] = None
import shiftgym
from shiftgym.cli.main import main
from shiftgym.cli.study import list_studies
from shiftgym.studies.keys import markdown
from shiftgym.tasks.verify import verify_line
assert "## task.reasoning_gym" in markdown()
problem = '{"generator": "chain_sum", "question": "4 + 3 =", "answer": "7"}'
print(verify_line('{"task": "reasoning_gym", "problem": ' + problem + ', "answer": "{answer: 7}"}'))
list_studies()
main(["check", "reasoning_gym"])
"""


def test_the_package_is_only_needed_where_its_generators_are():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    verified, *studies = done.stdout.splitlines()
    assert verified.startswith("{'error': \"task 'reasoning_gym' needs the package"), "and not that 7 is wrong"
    assert any(line.startswith("rg-shift ") for line in studies)
    assert done.stderr == (
        "error: task 'reasoning_gym' needs the package reasoning-gym, which is not installed: "
        "pip install 'shiftgym[rg]'\n"
    )
