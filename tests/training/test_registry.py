"""A recipe is found by the name of its file, or by that of its class."""

import sys
from pathlib import Path

import pytest

from shiftgym.errors import ConfigError
from shiftgym.training.recipe import PolicyGradient, Recipe
from shiftgym.training.registry import load_recipe, shipped_recipes

MINE = """
from shiftgym import Collection, Recipe, SupervisedSettings

class Mine(Recipe):
    name = "mine"
    Settings = SupervisedSettings
    family = "between"
    def collect(self, step):
        return Collection([])

class Half(Recipe):
    name = "half"

class Other:
    pass
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's file in the current folder."""
    (tmp_path / "my_recipes.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_recipes", raising=False)


def test_every_file_is_a_recipe_of_its_name() -> None:
    assert {"sft", "dft", "rft", "replay", "dpo", "distill", "ppo", "grpo", "rloo"} == set(shipped_recipes())
    for name in shipped_recipes():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.__module__ == f"shiftgym.training.recipes.{name}"
        assert recipe.Settings().train_on == "train"


def test_families_are_what_the_answers_are() -> None:
    families = {name: load_recipe(name).family for name in shipped_recipes()}
    assert [name for name, family in families.items() if family == "supervised"] == ["dft", "replay", "sft"]
    assert [name for name, family in families.items() if family == "reinforced"] == ["grpo", "ppo", "rloo"]
    assert [name for name, family in families.items() if family == "between"] == ["distill", "dpo", "rft"]
    assert issubclass(load_recipe("distill"), PolicyGradient)


@pytest.mark.usefixtures("mine")
def test_a_class_of_ones_own_is_found_in_the_current_folder() -> None:
    assert load_recipe("my_recipes:Mine").name == "mine"
    assert issubclass(load_recipe("my_recipes:Mine"), Recipe)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rlo", "unknown recipe 'rlo'; did you mean 'rloo'? (your own recipe is named 'package.module:Class')"),
        ("my_recipes:Mein", "recipe 'my_recipes:Mein': module 'my_recipes' has no class 'Mein'"),
        ("my_recipes:Half", "recipe 'my_recipes:Half': class Half lacks Settings, family, collect"),
        ("my_recipes:Other", "recipe 'my_recipes:Other': class Other is no subclass of shiftgym.Recipe"),
        ("no_such_file:Mine", "recipe 'no_such_file:Mine': there is no module 'no_such_file' here"),
    ],
)
@pytest.mark.usefixtures("mine")
def test_a_wrong_name_is_one_clear_line(name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_recipe(name)
    assert message in str(caught.value)
