"""A user's own class, named as `package.module:Class`."""

import importlib
import inspect
import sys
from typing import Any

from shiftgym.errors import ConfigError


def import_class(name: str, what: str) -> Any:
    """The class that `name` names; ConfigError if there is no such module or class.

    The module is also looked for in the current folder, where the console script does not look by itself.

    Args:
        what: what the class is to be (`task`, `recipe`), for the message.
    """
    module_name, _, class_name = name.partition(":")
    found = getattr(_import(module_name, f"{what} {name!r}"), class_name, None)
    if not inspect.isclass(found):
        raise ConfigError(f"{what} {name!r}: module {module_name!r} has no class {class_name!r}")
    return found


def _import(module: str, who: str) -> Any:
    if "" not in sys.path:
        sys.path.append("")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A missing import inside the user's module is that module's bug and keeps its traceback.
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ConfigError(f"{who}: there is no module {error.name!r} here or on the Python path") from None
