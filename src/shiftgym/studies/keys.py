"""Every setting and what it means, from the docstring under its field: `shiftgym study keys`, docs/settings.md, and the
comments of `shiftgym study show`."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from shiftgym.errors import ConfigError
from shiftgym.reading import nearest
from shiftgym.studies.config import Study
from shiftgym.studies.tables import BranchTable, RecipeTable, TaskTable
from shiftgym.tasks.registry import SHIPPED, load_task
from shiftgym.training.registry import load_recipe, shipped_recipes
from shiftgym.training.settings import LoraSettings, OptimizerSettings

COLUMNS = 80

PAGE = """\
# Settings

Every key of a study file, table by table. `shiftgym study keys TABLE` prints one table in a terminal, and
`shiftgym study show STUDY` prints a study with the meaning of each key above it. This page is made by
`shiftgym study keys --markdown > docs/settings.md`.
"""

WORDS: dict[Any, str] = {str: "text", int: "integer", float: "number", bool: "true or false"}
"""Name of a TOML value of each type."""

BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
"""pydantic's name of a bound -> the words for it here."""


@dataclass(frozen=True, slots=True)
class Key:
    """One setting."""

    name: str
    values: str
    """What it can be, in words."""
    default: str
    """The default as TOML, or that the key is required, or that it may be left out."""
    meaning: str


def tables() -> dict[str, type[BaseModel]]:
    """Every table of a study file, by the name that `study keys` has for it."""
    found: dict[str, type[BaseModel]] = {"study": Study}
    for name in SHIPPED:
        task = load_task(name)
        found |= {f"task.{name}": task.Options, f"splits.{name}": task.Setting}
    for name, field in Study.model_fields.items():
        table = _table(field.annotation)
        if table is not None and table is not TaskTable:
            found[name] = table
    found["branches"] = BranchTable
    found |= {f"recipe.{name}": settings for name, settings in recipe_settings().items()}
    return {**found, "optimizer": OptimizerSettings, "lora": LoraSettings}


def recipe_settings() -> dict[str, type[BaseModel]]:
    """Settings of every shipped recipe, by the recipe's name."""
    return {name: load_recipe(name).Settings for name in shipped_recipes()}


def keys(table: type[BaseModel]) -> list[Key]:
    """The settings of a table, in the order of its fields."""
    return [Key(name, _values(field), _default(field), _meaning(field)) for name, field in table.model_fields.items()]


def print_keys(name: str | None) -> str:
    """One table, or without a name a list of all tables, for a terminal of 80 columns.

    Raises:
        ConfigError: there is no such table.
    """
    known = tables()
    if name is None:
        rows = [f"{each:<24}{_summary(table)}" for each, table in known.items()]
        return "\n".join(line for row in rows for line in _wrapped(row, "", " " * 24))
    if name not in known:
        raise ConfigError(f"study keys: there is no table {name!r}{nearest(name, known)}")
    lines = _wrapped(_summary(known[name]), "", "")
    for key in keys(known[name]):
        lines += ["", *_wrapped(f"{key.name}: {key.values}; {key.default}", "", "  "), *_wrapped(key.meaning, "    ")]
    return "\n".join(lines)


def markdown() -> str:
    """The page docs/settings.md. Settings that all recipes have in common are in a table of their own."""
    recipes = [keys(settings) for settings in recipe_settings().values()]
    common = [key for key in recipes[0] if all(key in others for others in recipes)]
    lines = [PAGE]
    sections: dict[type[BaseModel], list[str]] = {}
    for name, table in tables().items():
        sections.setdefault(table, []).append(name)
    for table, names in sections.items():
        of_recipe = names[0].startswith("recipe.")
        if of_recipe and common:
            lines += _section("recipe", "Settings of every recipe.", common)
            common, shared = [], common
        own = [key for key in keys(table) if not (of_recipe and key in shared)]
        lines += _section(", ".join(names), _summary(table), own)
    return "\n".join(lines)


def commented(study: Study) -> str:
    """A study as TOML with every default written out and what each key means above it."""
    return "\n".join(_toml_lines((), study)).lstrip() + "\n"


def _section(title: str, summary: str, rows: list[Key]) -> list[str]:
    cells = [[f"`{key.name}`", key.values, key.default.removeprefix("default "), key.meaning] for key in rows]
    head = [f"## {title}", "", summary, "", "| key | value | default | meaning |", "|---|---|---|---|"]
    return [*head, *(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in cells), ""]


def _toml_lines(path: tuple[str, ...], table: Any, meaning: str = "") -> Iterator[str]:
    settings = [(name, value, said) for name, value, said in _settings(table) if value is not None]
    nested = [each for each in settings if isinstance(each[1], BaseModel | Mapping)]
    if path:
        yield ""
        yield from _wrapped(meaning, "# ")
    if path and len(nested) < max(len(settings), 1):
        yield f"[{'.'.join(map(_quoted, path))}]"
    for name, value, said in settings:
        if not isinstance(value, BaseModel | Mapping):
            yield from _wrapped(said, "# ")
            yield f"{_quoted(name)} = {_toml(value)}"
    for name, value, said in nested:
        yield from _toml_lines((*path, name), value, said)


def _settings(table: Any) -> list[tuple[str, Any, str]]:
    """Name, value and meaning of everything in a table. Tasks and recipes say what their own settings mean."""
    if isinstance(table, Mapping):
        return [(name, value, "") for name, value in table.items()]
    found = [(name, getattr(table, name), _meaning(field)) for name, field in type(table).model_fields.items()]
    if isinstance(table, TaskTable):
        return [*found, *_settings(load_task(table.name).Options.model_validate(table.model_extra))]
    if isinstance(table, RecipeTable):
        return [*found, *_settings(table.settings)]
    if isinstance(table, Study):
        setting = load_task(table.task.name).Setting
        splits = {name: setting.model_validate(values) for name, values in table.splits.items()}
        return [(name, splits if name == "splits" else value, said) for name, value, said in found]
    return found


def _table(annotation: Any) -> type[BaseModel] | None:
    """The table that a field is, where it may be left out too."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)


def _values(field: FieldInfo) -> str:
    bounds = [
        f"{word} {_toml(value)}"
        for limit in field.metadata
        for name, word in BOUNDS.items()
        if (value := getattr(limit, name, None)) is not None
    ]
    return " ".join([_in_words(field.annotation), " and ".join(bounds)]).strip()


def _in_words(kind: Any) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _in_words(inner[0])
    if origin is Literal:
        return " or ".join(map(_toml, inner))
    if origin in (Union, UnionType):
        return " or ".join(_in_words(one) for one in inner if one is not NoneType)
    if origin is tuple:
        return f"[{', '.join('...' if one is Ellipsis else _in_words(one) for one in inner)}]"
    return WORDS.get(kind, "table")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if default is None:
        return "may be left out"
    return "its own defaults" if isinstance(default, BaseModel) else f"default {_toml(default)}"


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _summary(table: type[BaseModel]) -> str:
    return " ".join((table.__doc__ or "").split("\n\n")[0].split())


def _wrapped(text: str, first: str, later: str | None = None) -> list[str]:
    return textwrap.wrap(
        text, COLUMNS, initial_indent=first, subsequent_indent=first if later is None else later,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _toml(value: Any) -> str:
    """A value on one line."""
    value = to_jsonable_python(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_quoted(name)} = {_toml(one)}' for name, one in value.items())}}}"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").strip()


def _quoted(name: str) -> str:
    return tomli_w.dumps({name: 0}).removesuffix(" = 0\n")
