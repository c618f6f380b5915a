"""Names of models: the backbones, and ids on the hub. torch is not imported here, so that study files are checked
without it."""

import os
import re
from pathlib import Path

from shiftgym.errors import ConfigError

WEIGHTS = Path(__file__).parents[2] / "backbones" / "weights"
"""One model directory for each shipped backbone."""

MADE = ("smollm2",)
"""Backbones that are too large to come with shiftgym. `shiftgym backbone NAME` makes them on this machine."""

HUB_ID = re.compile(r"(?P<id>\w[\w.-]*/[\w.-]+)(@(?P<revision>[\w./-]+))?")
"""A model on the hub: `owner/name`, with an optional branch, tag or commit."""

GGUF = ".gguf"
"""Suffix of files in which llama.cpp keeps quantised models."""


def is_local(name: str) -> bool:
    """Whether it is the path of a directory or of a GGUF file."""
    return Path(name).is_dir() or (name.endswith(GGUF) and Path(name).is_file())


def shipped() -> list[str]:
    """Names of the backbones that come with shiftgym."""
    # A folder whose name begins with a dot is being written.
    return sorted(path.parent.name for path in WEIGHTS.glob("[!.]*/config.json"))


def backbones() -> list[str]:
    """Names of all backbones: those that come with shiftgym, and those that are made on this machine, made or not."""
    return [*shipped(), *MADE]


def backbone_folder(name: str) -> Path:
    """Where the model directory of that backbone is, or will be: with shiftgym, or in the user's cache."""
    if name not in MADE:
        return WEIGHTS / name
    # By the XDG Base Directory Specification a relative path there is not valid.
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else Path.home() / ".cache") / "shiftgym" / name


def check_made(name: str) -> None:
    """ConfigError if that is the name of a backbone that is still to be made."""
    if name in MADE and not (backbone_folder(name) / "config.json").is_file():
        raise ConfigError(
            f"model {name!r} has not been made on this machine yet; make it with: shiftgym backbone {name}"
        )
