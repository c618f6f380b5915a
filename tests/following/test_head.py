import json

from tests.following.made import Made

from shiftgym.following.declaration import read_declaration
from shiftgym.following.head import head
from shiftgym.reports.analysis import Analysis
from shiftgym.reports.load import load_run


def test_the_head_says_what_a_run_declares(tmp_path):
    folder = Made().write(tmp_path / "run-1")
    found = head(read_declaration(folder), ["step", "flops", "reward", "of_mine"])
    json.dumps(found, allow_nan=False)
    assert (found["kind"], found["noun"], found["budget"], found["equal"]) == (
        "study", "branch", 1e12, "flops"
    )  # fmt: skip
    assert [(one["name"], one["part"]) for one in found["branches"]] == [
        ("init", "start"), ("branch-0", "supervised"), ("branch-1", "reinforced")
    ]  # fmt: skip
    assert found["curves"] == {
        "reward": {"label": "reward", "unit": "mean of an episode"},
        "of_mine": {"label": "of mine", "unit": ""},
    }


def test_views_are_those_of_the_report_the_primary_ones_first(tmp_path):
    folder = Made().write(tmp_path / "run")
    found = head(read_declaration(folder), [])["views"]
    analysis = Analysis([load_run(folder)])
    splits = analysis.splits
    assert [view["primary"] for view in found] == [True] * len(splits) + [False] * (len(found) - len(splits))
    shown = [(view["split"], view["decoding"], view["measure"], view["label"]) for view in found]
    asked = [(split, *view) for split in splits for view in analysis.asked(split)]
    assert sorted(shown) == sorted(asked)
    assert shown[: len(splits)] == [(split, *analysis.primary(split)) for split in splits]
