"""The boundary to the package."""

import sys
from datetime import date

import pytest

from shiftgym.errors import ConfigError
from shiftgym.reading import WrongValue
from shiftgym.tasks.reasoning_gym import library


def test_values_are_typed_as_the_configuration_has_them():
    assert library.typed_config("countdown", {"operators": ["+", "-"], "min_value": 2}, "x") == {
        "operators": ("+", "-"),
        "min_value": 2,
    }


@pytest.mark.parametrize(
    ("config", "path", "reason"),
    [
        ({"min_trems": 3}, "x.min_trems", "did you mean 'min_terms'?"),
        ({"seed": 3}, "x.seed", "unknown key"),
        ({"size": 3}, "x.size", "unknown key"),
        ({"min_terms": "three"}, "x.min_terms", "valid integer"),
        ({"min_terms": 2.5}, "x.min_terms", "valid integer"),
    ],
)
def test_a_wrong_setting_says_where_and_why(config, path, reason):
    with pytest.raises(WrongValue) as wrong:
        library.typed_config("chain_sum", config, "x")
    assert wrong.value.path == path
    assert reason in wrong.value.reason


def test_a_configuration_is_checked_as_a_whole():
    with pytest.raises(WrongValue, match="chain_sum refuses it: max_terms must be >= min_terms"):
        library.check_config("chain_sum", {"min_terms": 9}, "x")
    library.check_config("chain_sum", {"min_terms": 9, "max_terms": 9}, "x")


def test_an_item_follows_from_its_seed_alone():
    first = [library.item("chain_sum", {}, seed)["question"] for seed in (2**62, 5, 6)]
    again = [library.item("chain_sum", {}, seed)["question"] for seed in (6, 5, 2**62)]
    assert first == again[::-1]
    assert len(set(first)) == 3
    assert library.data_set("chain_sum", {}) is library.data_set("chain_sum", {}), "made once"


def test_dates_of_a_toml_file_are_settings_too():
    since = {"min_date": date(2400, 1, 1), "max_date": date(2400, 12, 31), "task_types": ["date"]}
    assert "2400" in library.item("time_intervals", since, 5)["question"]


def test_what_to_install_is_said_in_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    library.registered.cache_clear()
    with pytest.raises(ConfigError, match=r"pip install 'shiftgym\[rg\]'"):
        library.registered()
    monkeypatch.undo()
    library.registered.cache_clear()
