"""Every setting is documented once, and what is printed of it is true."""

import tomllib
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.studies.config import Study, load_study, shipped_studies
from shiftgym.studies.keys import commented, keys, markdown, print_keys, tables
from shiftgym.tasks.registry import SHIPPED

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.mark.parametrize("name", tables())
def test_every_setting_has_a_sentence(name: str) -> None:
    for key in keys(tables()[name]):
        assert key.meaning.endswith("."), f"{key.name} has no docstring"
        assert key.values
    assert tables()[name].__doc__


def test_there_is_a_table_for_everything_that_a_study_holds() -> None:
    known = tables()
    assert {"study", "evaluation", "probes", "budget", "init", "branches", "optimizer", "recipe.ppo"} <= known.keys()
    assert {f"{table}.{task}" for table in ("task", "splits") for task in SHIPPED} <= known.keys()
    assert known["study"] is Study


def test_keys_have_type_bounds_default_and_meaning() -> None:
    evaluation = {key.name: key for key in keys(tables()["evaluation"])}
    assert evaluation["splits"].default == "required"
    assert evaluation["problems"].values == "integer at least 1"
    assert evaluation["problems"].default == "default 128"
    assert evaluation["decodings"].values == '["sampled" or "greedy", ...]'
    assert evaluation["temperature"].values == "number above 0"
    splits = {key.name: key for key in keys(tables()["splits.navigation"])}
    assert splits["legs"].values == "[integer, integer]"
    assert splits["expert"].default == "may be left out"


@pytest.mark.parametrize("name", [None, *tables()])
def test_tables_fit_80_columns(name: str | None) -> None:
    printed = print_keys(name)
    assert all(len(line) <= 80 for line in printed.splitlines())
    for key in keys(tables()[name]) if name else ():
        assert f"\n{key.name}: " in printed
    if name is None:
        assert all(f"{table} " in printed for table in tables())


def test_an_unknown_table_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="there is no table 'evalution'; did you mean 'evaluation'"):
        print_keys("evalution")


def test_the_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), (
        "docs/settings.md is out of date. Make it anew: shiftgym study keys --markdown > docs/settings.md"
    )


@pytest.mark.parametrize("name", shipped_studies())
def test_a_commented_study_reads_back_the_same(name: str, tmp_path: Path) -> None:
    study = load_study(name)
    text = commented(study)
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    assert load_study(path) == study
    assert tomllib.loads(text) == tomllib.loads(study.to_toml())
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith("#"))


def test_every_setting_of_a_shown_study_has_its_sentence_above_it(tiny_file: Path) -> None:
    lines = commented(load_study(tiny_file)).splitlines()
    bare = [
        line for above, line in zip(["", *lines], lines, strict=False) if " = " in line and not above.startswith("#")
    ]
    assert [line for line in bare if not line.startswith("#")] == []
    at = lines.index('start = "init"')
    assert lines[at - 2 : at] == [
        "# The branch of the same seed that it starts from; `init` is the short SFT that",
        "# all share, `model` the model as it is.",
    ]
