"""What is wrong with the files of a model, in one line. transformers often says it in many, or only warns."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shiftgym.errors import ConfigError, ShiftgymError
from shiftgym.models.loading.source import Source

NAMED = 3
"""Most names that a message lists."""

NO_TOKENIZER = "it has no tokenizer files (tokenizer.json); save the tokenizer of the model beside it"

OWN_CODE = (
    "it needs code of its own (auto_map), which is never run here; give a model that transformers has a class for, or "
    "serve it and give the URL"
)

KNOWN = {
    "trust_remote_code=True": OWN_CODE,
    "Couldn't instantiate the backend tokenizer": NO_TOKENIZER,
    "Can't load tokenizer": NO_TOKENIZER,
}
"""What errors of transformers say, and what that means."""


@contextmanager
def quiet() -> Iterator[None]:
    """Within: neither transformers nor what it uses prints or warns."""
    loggers = [logging.getLogger(name) for name in ("transformers", "huggingface_hub", "peft")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def explained(source: Source, part: str = "") -> Iterator[None]:
    """Within: whatever is raised over the files of a model becomes one line.

    Args:
        part: what is being read, if the message is to name it.
    """
    try:
        yield
    except ShiftgymError:
        raise
    except Exception as error:
        text = str(error)
        known = next((meaning for sign, meaning in KNOWN.items() if sign in text), None)
        cause = unfetched(source.folder) or known or f"{part}{line(error)}"
        raise broken(source, cause) from error


def broken(source: Source, cause: str) -> ConfigError:
    """The error of a model that cannot be loaded."""
    return ConfigError(f"model {source.name!r} cannot be loaded: {cause}")


def unfetched(folder: Path) -> str | None:
    """Files that were cloned without Git LFS."""
    names = [path.name for path in sorted(folder.iterdir()) if _is_pointer(path)]
    return f"{listed(names)}: pointers of Git LFS, not the files; run `git lfs pull` in {folder}" if names else None


def _is_pointer(path: Path) -> bool:
    if not path.is_file() or path.stat().st_size > 1024:
        return False
    return path.read_bytes().startswith(b"version https://git-lfs")


def listed(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if names[NAMED:] else "")


def line(error: Exception) -> str:
    """The first line of an error (two, if the first only announces the next), without colours; its kind if it says
    nothing."""
    lines = [part.strip() for part in re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines()]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1]) if lines else type(error).__name__
