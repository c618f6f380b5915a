"""A suite's file is checked whole: every fault names the file, the key, the reason and the nearest valid name."""

from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import load_study
from shiftgym.studies.suite import Scale, is_suite, load_suite, shipped_suites

SUITE = """
title = "Mine"
studies = ["tiny.toml", "points-text-quick"]

[figures]
tiny = ["trajectory-rule_ood"]

[scales.smoke.study]
"evaluation.problems" = 2
"probes.samples" = 2

[scales.smoke.branches]
batch = 3
minibatch = 2

[[claims]]
text = "PPO ends above SFT"
paper = "15.0 from 11.5"
study = "tiny"
a = "ppo"
b = "sft"
split = "rule_ood"
"""

FAULTS = [
    ('"tiny.toml"', '"tiny.tom"', "studies[0]: 'tiny.tom' is no shipped study, and there is no file"),
    ("points-text-quick", "points-text-quik", "; did you mean 'points-text-quick'?"),
    ('"points-text-quick"', '"./tiny.toml"', "studies[1]: 'tiny' is the name of an earlier study of the list"),
    ('study = "tiny"', 'study = "tinny"', "claims[0].study: the suite has no study 'tinny'; did you mean 'tiny'?"),
    ('a = "ppo"', 'a = "pop"', "claims[0].a: tiny has no branch 'pop'; did you mean 'ppo'?"),
    ('b = "sft"', 'b = "stf"', "claims[0].b: tiny has no branch 'stf'; did you mean 'sft'?"),
    ('= "rule_ood"', '= "impossible"', "claims[0].split: tiny does not evaluate the split 'impossible'"),
    ('= "rule_ood"', '= "rule_odd"', "claims[0].split: tiny does not evaluate the split 'rule_odd'; did you mean"),
    ("a = ", 'measure = "sucess"\na = ', "claims[0].measure: there is no measure 'sucess'; did you mean 'success'?"),
    ("a = ", "mesure = 1\na = ", "claims[0].mesure: unknown key; did you mean 'measure'?"),
    ("a = ", 'expect = "fal"\na = ', "claims[0].expect: unknown value 'fal'; did you mean 'fall'?"),
    ("tiny = [", "tinny = [", "figures.tinny: the suite has no study 'tinny'; did you mean 'tiny'?"),
    ("trajectory-", "trajctory-", "figures.tiny[0]: the report of tiny has no figure 'trajctory-rule_ood'; did you"),
    ("evaluation.problems", "evaluation.problms", "scales.smoke.study.evaluation.problms: unknown key; did you mean"),
    ("evaluation.problems", "evalution.problems", "scales.smoke.study.evalution.problems: a study has no key"),
    ("= 2\n", '= "two"\n', "scales.smoke.study.evaluation.problems: should be a valid integer"),
    ("batch =", "btch =", "scales.smoke.branches.btch: no recipe of the suite has a setting 'btch'; did you mean"),
    ("batch = 3", "batch = 0", "scales.smoke.branches.batch: should be greater than 0, not 0"),
    ("scales.smoke.study", "scales.smoke.studi", "scales.smoke.studi: unknown key; did you mean 'study'?"),
    ("title", "titel", "titel: unknown key; did you mean 'title'?"),
    ('studies = ["tiny.toml", "points-text-quick"]', "studies = 3", "studies: should be a valid tuple, not 3"),
    ("[figures]", "[figures", "no valid TOML"),
]


@pytest.fixture
def suite_file(tiny_file: Path) -> Path:
    """A suite beside the study that it names, in a folder that is not the current one."""
    path = tiny_file.with_name("mine.toml")
    path.write_text(SUITE)
    return path


def test_a_users_suite_is_read(suite_file: Path) -> None:
    suite = load_suite(suite_file, scale="smoke", overrides=["seeds=[7]"])
    assert suite.name == "mine"
    assert list(suite.studies) == ["tiny", "points-text-quick"]
    tiny = suite.studies["tiny"]
    assert (tiny.seeds, tiny.evaluation.problems, tiny.probes) == ((7,), 2, None)
    assert tiny.branches["sft"].batch == 3  # type: ignore[union-attr]
    assert load_suite(suite_file).studies["tiny"] == load_study(suite_file.with_name("tiny.toml"))


@pytest.mark.parametrize(("old", "new", "message"), FAULTS, ids=[message[:40] for *_, message in FAULTS])
def test_a_fault_is_named(suite_file: Path, old: str, new: str, message: str) -> None:
    assert old in SUITE
    suite_file.write_text(SUITE.replace(old, new, 1) if "rule_ood" not in old else new.join(SUITE.rsplit(old, 1)))
    with pytest.raises(ConfigError) as caught:
        load_suite(suite_file)
    text = str(caught.value)
    assert text.startswith(f"{suite_file}: ")
    assert message in text
    assert "\n" not in text


def test_a_fault_in_a_study_names_the_studys_file(suite_file: Path) -> None:
    study = suite_file.with_name("tiny.toml")
    study.write_text(study.read_text().replace("flops", "flop"))
    with pytest.raises(ConfigError, match=r"tiny\.toml: budget\.flop: unknown key; did you mean 'flops'"):
        load_suite(suite_file)


def test_an_unknown_scale_is_answered_with_the_nearest(suite_file: Path) -> None:
    with pytest.raises(ConfigError, match="there is no scale 'smok'; did you mean 'smoke'"):
        load_suite(suite_file, scale="smok")


def test_content_says_what_a_file_is(suite_file: Path, tmp_path: Path) -> None:
    assert is_suite(str(suite_file))
    assert not is_suite(str(suite_file.with_name("tiny.toml")))
    assert is_suite("paper")
    assert not is_suite("points-text")
    other = tmp_path / "other.toml"
    other.write_text("title = 'x'")
    with pytest.raises(ConfigError, match=r"other\.toml: neither a suite, with a list `studies`, nor a study"):
        is_suite(str(other))
    with pytest.raises(ConfigError, match="papr: no shipped study or suite, and no file; did you mean 'paper'"):
        is_suite("papr")


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suites_are_sound(name: str) -> None:
    suite = load_suite(name)
    for claim in suite.tables.claims:
        assert set(suite.studies[claim.study].evaluation.decodings) == {"sampled", "greedy"}, claim.text


def test_a_scale_changes_only_what_a_study_has() -> None:
    scale = Scale(study={"seeds": [0], "probes.samples": 2}, branches={"batch": 2, "minibatch": 4})
    changes = scale.changes(load_study("points-text"))
    assert changes["seeds"] == [0]
    assert "probes.samples" not in changes
    assert changes["branches.sft.batch"] == 2
    assert changes["branches.ppo.minibatch"] == 4
    assert "branches.ppo.batch" not in changes
