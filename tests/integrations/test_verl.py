"""verl's reward function: without verl, and as verl's reward manager calls for it on a row of the parquet."""

import pytest
from tests.integrations.parity import STUDIES, cases, problems

from shiftgym.errors import DataError
from shiftgym.integrations.problems import opened
from shiftgym.integrations.verl import compute_score, scored
from shiftgym.verdicts import OUT_OF_ATTEMPTS_REWARD


@pytest.mark.parametrize("study", STUDIES)
def test_one_attempt_is_judged_as_everywhere(study):
    source = problems(study)
    # Opening a row draws its pictures, which takes time, and what judges an answer never sees them.
    for case in cases(study, by_decision=True)[:: 1 if study.endswith("text") else 9]:
        row = source.row(case.split, case.index, decision=case.decision)
        for number, (text, wanted) in enumerate(zip(case.answers, case.judged, strict=True), start=1):
            last = number == len(case.answers)
            assert compute_score("shiftgym", text, "", row, reward_router_address=None) == {
                "score": wanted.reward - (OUT_OF_ATTEMPTS_REWARD if last and not case.success else 0),
                "acc": float(last and case.success),
                "outcome": wanted.outcome,
                "feedback": wanted.feedback,
            }


def test_scored_is_the_whole_episode():
    task = problems("points-text").task
    session = opened(problems("points-text").row("id", 0, decision=0))
    first = session.step("no").reward
    assert scored(session)["acc"] == 0
    last = session.step(task.expert(task.start(task.problem("id", 0)))).reward
    assert scored(session) == {"score": first + last, "acc": 1, "outcome": "correct", "feedback": "Correct."}


@pytest.mark.parametrize("extra_info", [None, {}, {"index": 3, "split": "train"}])
def test_data_of_others_is_refused(extra_info):
    with pytest.raises(DataError, match="openai/gsm8k: extra_info names no problem; write the data by"):
        compute_score("openai/gsm8k", "7", "7", extra_info)
