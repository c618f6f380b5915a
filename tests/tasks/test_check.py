"""The check finds points sound, and finds each fault that is put into it."""

import json
from dataclasses import dataclass, replace

import pytest

from shiftgym.tasks.check import CHECKS, check_task
from shiftgym.tasks.points import PointsTask

SPLITS = {
    "train": {},
    "id": {"hands": "test"},
    "rule_ood": {"rule": "faces_as_11_12_13", "hands": "test", "faces": True},
    "train_diverse": {"rule": "random"},
}


def test_points_is_sound():
    for splits in (None, SPLITS):
        findings = check_task("points", splits=splits)
        assert len(findings) == len(CHECKS)
        assert [finding for finding in findings if not finding.ok] == []


def test_navigation_is_sound():
    splits = {
        "train": {},
        "id": {"routes": "test"},
        "rule_ood": {"rule": "relative", "routes": "test"},
        "look_ood": {"city": "london", "routes": "test"},
    }
    assert [finding for finding in check_task("navigation", splits=splits) if not finding.ok] == []


class Faulty:
    """A decision with one thing changed."""

    def __init__(self, decision, **changes):
        self._decision = decision
        self.__dict__.update(changes)

    def __getattr__(self, name):
        return getattr(self._decision, name)


class RandomDeal(PointsTask):
    count = 0

    def problem(self, split, index):
        type(self).count += 1
        return super().problem(split, index + type(self).count)


class SeedPlusIndex(PointsTask):
    def problem(self, split, index):
        task = PointsTask(self.options, self.splits, 0, None)
        return replace(task.problem(split, index + self.seed, None), index=index)


@dataclass
class Thawed:
    split: str
    index: int
    hand: object


class NotFrozen(PointsTask):
    def problem(self, split, index):
        return Thawed(split, index, super().problem(split, index))

    def start(self, problem):
        return super().start(problem.hand)


class NoUser(PointsTask):
    def start(self, problem):
        decision = super().start(problem)
        return Faulty(decision, prompt=[{"role": "system", "content": decision.prompt[0]["content"]}])


class BadExpert(PointsTask):
    def expert(self, decision):
        return json.dumps({"formula": "1+1"})


class Raises(PointsTask):
    def start(self, problem):
        decision = super().start(problem)

        def judge(answer):
            return decision.judge(json.dumps(json.loads(answer)))

        return Faulty(decision, judge=judge)


class OtherOutcome(PointsTask):
    def start(self, problem):
        decision = super().start(problem)
        return Faulty(decision, judge=lambda answer: replace(decision.judge(answer), outcome="good enough"))


class Leaks(PointsTask):
    def start(self, problem):
        decision = super().start(problem)
        solution = json.loads(self.expert(decision))["formula"]
        return Faulty(decision, judge=lambda text: replace(decision.judge(text), feedback=f"It is {solution}."))

    def expert(self, decision):
        return PointsTask.expert(self, decision)


class OneDeck(PointsTask):
    """Train and test hands are dealt alike."""

    def problem(self, split, index):
        setting = self.splits[split].model_copy(update={"hands": "all"})
        return replace(PointsTask(self.options, {"x": setting}, self.seed, None).problem("x", index), split=split)


class ShiftsTwo(PointsTask):
    """Under the shifted rule the target changes too."""

    def problem(self, split, index):
        setting = self.splits[split]
        target = 24 if setting.rule == "faces_as_ten" else 25
        changed = {split: setting.model_copy(update={"target": target})}
        return PointsTask(self.options, changed, self.seed, None).problem(split, index)


@pytest.mark.parametrize(
    ("task", "check"),
    [
        (RandomDeal, "same seed"),
        (SeedPlusIndex, "Another seed"),
        (NotFrozen, "frozen"),
        (NoUser, "prompt"),
        (BadExpert, "expert is judged"),
        (Raises, "Any text"),
        (OtherOutcome, "outcomes"),
        (Leaks, "solution away"),
        (OneDeck, "share no problem"),
        (ShiftsTwo, "only its factor"),
    ],
)
def test_a_fault_is_found(task, check, monkeypatch):
    monkeypatch.setattr("shiftgym.tasks.check.load_task", lambda name: task)
    monkeypatch.setattr("shiftgym.tasks.registry.load_task", lambda name: task)
    monkeypatch.setattr("shiftgym.tasks.check.PROBLEMS", 40)
    findings = {finding.check: finding for finding in check_task("faulty", splits=SPLITS)}
    found = next(finding for text, finding in findings.items() if check in text)
    assert not found.ok
    assert found.detail
