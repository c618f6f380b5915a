"""The verifier's reward in a GRPOTrainer."""

import pytest
from tests.integrations.parity import STUDIES, Judged, cases, problems
from tests.integrations.trl.steps import GROUP, QUIET, SOURCE, a_trainer, logged

from shiftgym import load_policy
from shiftgym.episodes import play
from shiftgym.errors import ConfigError
from shiftgym.integrations.problems import Problems
from shiftgym.integrations.trl.data import dataset
from shiftgym.integrations.trl.rewards import COLUMNS, reward_funcs, verdict
from shiftgym.policies.scripted import ScriptedPolicy
from shiftgym.verdicts import OUT_OF_ATTEMPTS_REWARD

pytestmark = QUIET


def columns(rows):
    return {name: [row[name] for row in rows] for name in COLUMNS}


@pytest.mark.parametrize(("study", "conversational"), [*((study, True) for study in STUDIES), (STUDIES[0], False)])
def test_every_text_of_the_table_is_judged_alike(study, conversational):
    source = problems(study)
    texts, rows, wanted = [], [], []
    for case in cases(study, by_decision=True)[: 8 if study.endswith("vision") else None]:
        for number, (text, judged) in enumerate(zip(case.answers, case.judged, strict=True)):
            texts.append([{"role": "assistant", "content": text}] if conversational else text)
            rows.append(source.row(case.split, case.index, decision=case.decision))
            last = not case.success and number == len(case.answers) - 1
            reward = judged.reward - (OUT_OF_ATTEMPTS_REWARD if last else 0)
            wanted.append(Judged(judged.outcome, reward, judged.feedback))
    told = {}
    rewards = verdict(texts, log_extra=told.__setitem__, **columns(rows))
    assert [Judged(*each) for each in zip(told["outcome"], rewards, told["feedback"], strict=True)] == wanted


def test_a_single_attempt_that_fails_is_charged_as_the_last():
    row = Problems("points-text", limit=1).row("id", 0, decision=0)
    assert verdict(["no"], **columns([row])) == [-3 + OUT_OF_ATTEMPTS_REWARD]


def test_a_data_set_without_its_columns_is_refused():
    for given in ({}, {"split": ["id"], "index": [0], "decision": [0], "settings": None}):
        with pytest.raises(
            ConfigError, match="no column settings; train on what .*trl.dataset gives, with its columns"
        ):
            verdict(["no"], **given)


def test_an_answer_without_content_is_an_empty_one():
    rows = [SOURCE.row("id", 0, decision=0)] * 3
    answers = [[{"role": "assistant", **said}] for said in ({}, {"content": None}, {"content": ""})]
    assert verdict(answers, **columns(rows)) == [-3] * 3


def test_the_attempts_of_a_rollout_are_summed_and_the_last_tells():
    task = SOURCE.task
    hands = [task.problem("id", index) for index in range(4)]

    def answer(decision, messages):
        again = len(messages) > 1
        return task.expert(decision) if decision.problem.index > 1 or (again and decision.problem.index) else "no"

    played = play(ScriptedPolicy(answer), task, hands)
    told, beside = {}, {}
    records = [episode.decisions[0] for episode in played]
    rewards = verdict(["read by nobody"] * 4, records, told.__setitem__, beside.__setitem__)
    assert rewards == [episode.reward for episode in played] == [-7, 2, 5, 5]
    assert told == {"success": 0.75}
    assert beside["outcome"] == ["illegal", "correct", "correct", "correct"]
    assert beside["feedback"][1:] == ["Correct."] * 3


def test_two_steps_with_one_attempt_each(tiny_points, tmp_path):
    pytest.importorskip("trl")
    answers = []

    def keep(completions, **_):
        answers.extend(each[0]["content"] for each in completions)
        return [0.0] * len(completions)

    trainer = a_trainer(tiny_points, tmp_path, reward_funcs=[*reward_funcs, keep])
    trainer.train()
    rewards = trainer._logs["rewards"]["verdict"]
    assert len(answers) == 2 * GROUP
    assert list(rewards) == [-3.0] * GROUP, "gibberish is illegal"
    assert logged(trainer, "rewards/verdict/mean") == [-3, -3]
    assert logged(trainer, "success") == [0, 0]


@pytest.mark.slow
def test_answers_about_pictures(tmp_path):
    pytest.importorskip("trl")
    model, chat_format = load_policy("points-vision-0")
    trainer = a_trainer(
        None,
        tmp_path,
        model=model,
        processing_class=chat_format.reader,
        train_dataset=dataset(Problems("points-vision"), "train", 2),
        reward_funcs=reward_funcs,
        max_completion_length=96,
        max_steps=1,
    )
    trainer.train()
    outcomes = list(trainer._logs["extra"]["outcome"])
    assert len(outcomes) == GROUP
    assert "correct" in outcomes, "the model reads the cards that the verifier holds its answer against"
