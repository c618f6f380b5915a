"""What a study compares where its file leaves it out, and what it is asked where that is not obvious."""

from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import load_study

UNSEEN = "splits.unseen={rule='faces_as_ten', hands='test'}"
SHOWN = "evaluation.splits=['rule_ood', 'unseen', 'train']"


def test_the_obvious_is_filled_in(tiny_file: Path) -> None:
    assert load_study(tiny_file).compare.model_dump() == {
        "train": "train",
        "home": "train",
        "shifted": ("rule_ood",),
        "supervised": "sft",
        "reinforced": "ppo",
        "controls": (),
        "measure": "success",
        "decoding": "sampled",
        "margin": 0.05,
        "measures": {},
    }


def test_home_is_the_trained_setting_on_other_problems(tiny_file: Path) -> None:
    compare = load_study(tiny_file, [UNSEEN, SHOWN]).compare
    assert (compare.home, compare.shifted) == ("unseen", ("rule_ood",))


def test_nothing_hangs_on_names(tiny_file: Path) -> None:
    text = tiny_file.read_text()
    for old, new in (
        ("[splits.train]", "[splits.zulu]"),
        ('"train"', '"zulu"'),
        ("rule_ood", "alpha"),
        ("[branches.sft]", "[branches.ppo2]"),
        ("[branches.ppo]", "[branches.sft2]"),
    ):
        text = text.replace(old, new)
    tiny_file.write_text(text.replace("[evaluation]", '[compare]\ntrain = "zulu"\n\n[evaluation]'))
    study = load_study(tiny_file)
    assert (study.compare.home, study.compare.shifted) == ("zulu", ("alpha",))
    assert (study.compare.supervised, study.compare.reinforced) == ("ppo2", "sft2")
    # Recipes that name no split learn from the one that the table names.
    assert {study.init.train_on, *(branch.train_on for branch in study.branches.values())} == {"zulu"}


def test_the_first_decoding_is_taken_where_answers_are_not_sampled(tiny_file: Path) -> None:
    assert load_study(tiny_file, ["evaluation.decodings=['greedy']"]).compare.decoding == "greedy"


@pytest.mark.parametrize(
    "branch",
    [
        "{recipe='sft', label='x', train_on='impossible'}",
        "{recipe='sft', label='x', start='ppo'}",
        "{recipe='rft', label='x'}",
    ],
)
def test_a_branch_that_asks_something_else_is_no_candidate(tiny_file: Path, branch: str) -> None:
    assert load_study(tiny_file, [f"branches.other={branch}"]).compare.supervised == "sft"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["branches.other={recipe='sft', label='x'}"], "compare.supervised: sft and other could be it; name the one"),
        (["branches.other={recipe='rloo', label='x'}"], "compare.reinforced: ppo and other could be it; name the one"),
        (
            [UNSEEN, "splits.more={rule='faces_as_ten', hands='test'}", "evaluation.splits=['unseen', 'more']"],
            "compare.home: unseen and more could be it; name the one",
        ),
        (["evaluation.splits=['rule_ood']"], "compare.home: no evaluated split has the setting of 'train'"),
    ],
)
def test_where_several_could_be_meant_the_file_has_to_say(tiny_file: Path, changes: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_study(tiny_file, changes)
    assert message in str(caught.value)


def test_what_is_said_is_not_guessed(tiny_file: Path) -> None:
    other = "branches.other={recipe='sft', label='x'}"
    assert load_study(tiny_file, [other, "compare.controls=['other']"]).compare.supervised == "sft"
    assert load_study(tiny_file, [other, "compare.supervised='other'"]).compare.supervised == "other"
    assert load_study(tiny_file, ["compare.shifted=[]"]).compare.shifted == ()
