"""The `[compare]` table."""

from shiftgym.evaluation.compare import Compare

COMPARE = Compare(supervised="a", reinforced="b", controls=("c",), measures={"look": "whole"})


def test_a_split_may_have_a_primary_measure_of_its_own() -> None:
    assert (COMPARE.primary("look"), COMPARE.primary("rule")) == ("whole", "success")


def test_every_branch_is_one_thing() -> None:
    assert [COMPARE.part(branch) for branch in "abcd"] == ["supervised", "reinforced", "control", "further"]
