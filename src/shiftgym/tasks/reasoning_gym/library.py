"""The boundary to the package reasoning-gym: its generators, their configurations, and one item at a time.

The package is imported when its generators are first asked for, so that shiftgym does without it elsewhere.
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from shiftgym.errors import ConfigError
from shiftgym.reading import WrongValue, nearest

OURS = ("seed", "size", "visualize")
"""Fields of every configuration that are no settings here: problems are seeded by name, there is no end of them, and
nothing is printed."""


@cache
def registered() -> Mapping[str, tuple[Any, Any]]:
    """Generator -> the class of its data sets and the class of their configuration.

    Raises:
        ConfigError: the package is not installed.
    """
    try:
        import reasoning_gym
    except ImportError:
        reason = "needs the package reasoning-gym, which is not installed: pip install 'shiftgym[rg]'"
        raise ConfigError(f"task 'reasoning_gym' {reason}") from None
    return dict(reasoning_gym.factory.DATASETS)


def config_keys(generator: str) -> dict[str, Any]:
    """Setting of the generator's configuration -> its type."""
    kinds = get_type_hints(registered()[generator][1])
    return {name: kind for name, kind in kinds.items() if name not in OURS}


def typed_config(generator: str, config: Mapping[str, Any], path: str) -> dict[str, Any]:
    """These settings of the generator, each as its type has it; WrongValue, under the path, for one fault."""
    kinds = config_keys(generator)
    found = {}
    for key, value in config.items():
        if key not in kinds:
            raise WrongValue(f"{path}.{key}", f"unknown key{nearest(key, kinds)}")
        try:
            adapter = TypeAdapter(kinds[key], config=ConfigDict(arbitrary_types_allowed=True))
            found[key] = adapter.validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"].removeprefix("Input ")
            raise WrongValue(f"{path}.{key}", f"{reason}, not {value!r}") from None
    return found


def check_config(generator: str, config: Mapping[str, Any], path: str) -> None:
    """WrongValue, under the path, if the generator refuses this configuration as a whole."""
    try:
        _configured(generator, config)
    except (AssertionError, ValueError, TypeError) as error:
        raise WrongValue(path, f"{generator} refuses it: {error or type(error).__name__}") from None


def data_set(generator: str, config: Mapping[str, Any]) -> Any:
    """The data set of this configuration. It is made once, since some read files when they are made."""
    return _data_set(generator, json.dumps(config, sort_keys=True, default=str))


@cache
def _data_set(generator: str, config: str) -> Any:
    made = typed_config(generator, json.loads(config), "config")
    return registered()[generator][0](config=_configured(generator, made))


def _configured(generator: str, config: Mapping[str, Any]) -> Any:
    """A configuration that the generator has accepted. Seed 0 stands for no choice of ours: see `item`."""
    made = registered()[generator][1](**config, seed=0)
    if hasattr(made, "validate"):
        made.validate()
    return made


def item(generator: str, config: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The question, answer and metadata that follow from this seed alone.

    Data sets seed an item by their seed, which is 0 here, plus its index. With a seed from `seeds.derive` as the index
    no two items share a stream, as neighbours of two data sets do.
    """
    found: dict[str, Any] = data_set(generator, config)[seed]
    return found
