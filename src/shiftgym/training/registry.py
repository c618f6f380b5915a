"""From the name of a recipe to its class: a shipped one, found by its file, or your own as `package.module:Class`."""

import inspect
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from shiftgym.errors import ConfigError
from shiftgym.plugins import load_class
from shiftgym.reading import WrongValue, typed
from shiftgym.training.recipe import Recipe
from shiftgym.training.settings import TrainingSettings

SHIPPED = Path(__file__).parent / "recipes"


@cache
def shipped_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with shiftgym: those of the files in `training/recipes/`."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("[a-z]*.py")))


def load_recipe(name: str) -> type[Recipe]:
    """The recipe class called `name`; ConfigError if there is none.

    A user's own module is also searched for in the current folder, where the console script does not search by itself.
    """
    if name in shipped_recipes():
        members = vars(import_module(f"shiftgym.training.recipes.{name}")).values()
        shipped: type[Recipe] = next(one for one in members if is_recipe(one) and getattr(one, "name", None) == name)
        return shipped
    found: type[Recipe] = load_class(name, "recipe", {shipped: shipped for shipped in shipped_recipes()})
    if not is_recipe(found):
        raise ConfigError(f"recipe {name!r}: class {found.__name__} is no subclass of shiftgym.Recipe")
    missing = [member for member in ("name", "Settings", "family") if not hasattr(found, member)]
    missing += sorted(found.__abstractmethods__)
    if missing:
        raise ConfigError(f"recipe {name!r}: class {found.__name__} lacks {', '.join(missing)}; see docs/recipes.md")
    return found


def is_recipe(found: Any) -> bool:
    """Whether this is a subclass of `Recipe`."""
    return inspect.isclass(found) and issubclass(found, Recipe)


def recipe_settings(recipe: type[Recipe], given: TrainingSettings | Mapping[str, Any] | None) -> TrainingSettings:
    """The settings of a recipe from plain values, as a study file has them; what is not given has its default.

    Raises:
        ConfigError: `settings.KEY: reason`, with the nearest known key, or the settings are those of another recipe.
    """
    if isinstance(given, recipe.Settings):
        return given
    if isinstance(given, TrainingSettings):
        raise ConfigError(f"{recipe.name} takes {recipe.Settings.__name__}, not {type(given).__name__}")
    try:
        return typed(recipe.Settings, given or {}, "settings")
    except WrongValue as wrong:
        raise ConfigError(f"{wrong.path}: {wrong.reason}") from None
