"""Classes by name: one that ships with shiftgym, or a user's own as `package.module:Class`."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from shiftgym.errors import ConfigError
from shiftgym.reading import nearest


def load_class(
    name: str, what: str, shipped: Mapping[str, str], *, members: Collection[str] = (), contract: str = ""
) -> type[Any]:
    """The class called `name`.

    A user's own module is also searched for in the current folder, where the console script does not search by itself.

    Args:
        name: a key of `shipped`, or `package.module:Class`.
        what: what kind of thing it is, for error messages: `task` or `recipe`.
        shipped: name -> `package.module:Class`. Text, so that naming one class does not import the others.
        members: attributes that the class must have.
        contract: the file that describes these members.

    Raises:
        ConfigError: there is no such class, or it lacks a member. A missing import inside the user's module is that
            module's bug and keeps its traceback.
    """
    path = shipped.get(name, name)
    if ":" not in path:
        raise ConfigError(
            f"unknown {what} {name!r}{nearest(name, shipped)} (your own {what} is named 'package.module:Class')"
        )
    found = import_class(path, what)
    missing = [member for member in members if not hasattr(found, member)]
    if missing:
        raise ConfigError(f"{what} {name!r}: class {found.__name__} lacks {', '.join(missing)}; see {contract}")
    return found


def import_class(path: str, what: str) -> type[Any]:
    """The class at `package.module:Class`; ConfigError if there is none. Arguments are as for `load_class`."""
    module_name, _, class_name = path.partition(":")
    found = getattr(_import(module_name, f"{what} {path!r}"), class_name, None)
    if not inspect.isclass(found):
        raise ConfigError(f"{what} {path!r}: module {module_name!r} has no class {class_name!r}")
    return found


def comes_with(path: str, folder: Path) -> bool:
    """Whether the module of `package.module:Class` would be taken from a folder, which may come from elsewhere. Nothing
    is imported."""
    _search_here()
    top, *inner = path.partition(":")[0].split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return False
    places = spec.submodule_search_locations or [spec.origin or ""]
    return any(Path(place, *inner).resolve().is_relative_to(folder.resolve()) for place in places)


def _search_here() -> None:
    if "" not in sys.path:
        sys.path.append("")


def _import(module: str, wanted: str) -> ModuleType:
    _search_here()
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(f"{wanted}: there is no module {error.name!r} here or on the Python path") from None
