"""Where the files of a model are: with a shipped backbone, in a directory, or on the hub."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers.utils.hub import cached_file

from shiftgym.errors import ConfigError
from shiftgym.models.shipped import HUB_ID, backbone_folder, backbones, check_made

NO_FILE = "does not appear to have a file named"
"""What transformers says of a model on the hub that lacks a file."""

GGUF = ".gguf"
"""Suffix of files of quantised weights as llama.cpp has them."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model's files."""

    name: str
    """As the user gave it."""
    path: str
    """A directory, or a hub id."""
    local: bool
    """Whether the files are on this machine. Only a hub id may download."""
    revision: str | None = None
    """Branch, tag or commit on the hub; None is the main one."""
    gguf: Path | None = None
    """The GGUF file that holds the model; None where `save_pretrained` has written it."""

    @property
    def folder(self) -> Path | None:
        """The directory; None for a hub id."""
        return Path(self.path) if self.local else None

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of every `from_pretrained`. Code from a checkpoint is never run and never asked about."""
        return {"local_files_only": self.local, "revision": self.revision, "trust_remote_code": False}

    def find(self, file: str, *, reach: bool = False) -> Path | None:
        """One of its files; None if it has no such file.

        Args:
            reach: whether not to reach the hub is an error; else a file that is not in its cache is not there.

        Raises:
            OSError: the hub has no such model, or should be reached and cannot.
        """
        if self.folder is not None:
            return self.folder / file if (self.folder / file).is_file() else None
        try:
            found = cached_file(self.path, file, revision=self.revision, _raise_exceptions_for_missing_entries=reach)
        except OSError as error:
            if NO_FILE in str(error):
                return None
            raise
        return None if found is None else Path(found)


def find_source(name: str, beside: Path | None = None) -> Source:
    """Find a model by its name.

    Args:
        name: a backbone, a directory, a GGUF file, or a hub id as `owner/name` or `owner/name@revision`.
        beside: a directory that a relative path may also start from.

    Raises:
        ConfigError: it is none of these, a backbone that is still to be made, or a directory with several GGUF files
            and no other weights.
    """
    if name in backbones():
        check_made(name)
        return Source(name, str(backbone_folder(name)), local=True)
    for path in ([beside / name] if beside is not None else []) + [Path(name)]:
        if path.is_dir():
            return Source(name, str(path), local=True, gguf=_gguf_in(path))
        if path.is_file() and path.suffix == GGUF:
            return Source(name, str(path.parent), local=True, gguf=path)
    if Path(name).is_file():
        raise ConfigError(f"model {name!r} is a file: give the directory that holds it, with config.json and tokenizer")
    if hub := HUB_ID.fullmatch(name):
        return Source(name, hub["id"], local=False, revision=hub["revision"])
    close = difflib.get_close_matches(name, backbones(), n=1, cutoff=0.0)
    known = ", ".join(backbones()) + (f"; nearest is {close[0]!r}" if close else "")
    raise ConfigError(f"model {name!r} is no backbone ({known}), directory or hub id owner/name")


def _gguf_in(folder: Path) -> Path | None:
    """The GGUF file of a directory; None if it has none, or weights that `save_pretrained` has written.

    Raises:
        ConfigError: it has several.
    """
    found = sorted(folder.glob(f"*{GGUF}"))
    if not found or any(folder.glob("*model*.safetensors")) or any(folder.glob("*model*.bin")):
        return None
    if found[1:]:
        names = ", ".join(path.name for path in found)
        raise ConfigError(
            f"model directory {str(folder)!r} has several GGUF files; give one of them by its path: {names}"
        )
    return found[0]
