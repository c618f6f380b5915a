"""Where the files of a model are: with a shipped backbone, in a directory, in a GGUF file, or on the hub. torch is not
imported here: models are found before the processes that load them begin."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shiftgym.errors import ConfigError
from shiftgym.models.loading.hub import fetch
from shiftgym.models.loading.shipped import GGUF, HUB_ID, backbone_folder, backbones, check_made


@dataclass(frozen=True, slots=True)
class Source:
    """A model's files, all of which are on this machine."""

    name: str
    """As the user gave it."""
    folder: Path
    """The directory that they lie in."""
    hub_id: str | None = None
    """`owner/name`, if they came from the hub."""
    gguf: Path | None = None
    """The GGUF file that holds the model; None where `save_pretrained` has written it."""

    @property
    def path(self) -> str:
        """What others, such as adapters, call the model: its id on the hub, its GGUF file, or its directory."""
        return self.hub_id or str(self.gguf or self.folder)

    @property
    def revision(self) -> str | None:
        """The commit that came from the hub."""
        return None if self.hub_id is None else self.folder.name

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of every `from_pretrained`. Code from a checkpoint is never run and never asked about."""
        return {"local_files_only": True, "trust_remote_code": False}

    def find(self, file: str) -> Path | None:
        """One of its files; None if it has no such file."""
        return self.folder / file if (self.folder / file).is_file() else None


def find_source(name: str, beside: Path | None = None, revision: str | None = None, *, weights: bool = True) -> Source:
    """Find a model by its name, and fetch it if it is on the hub.

    Args:
        name: a backbone, a directory, a GGUF file, or a hub id as `owner/name` or `owner/name@revision`.
        beside: a directory that a relative path may also start from.
        revision: of a hub id that names none.
        weights: whether its weights are fetched too.

    Raises:
        ConfigError: it is none of these, a backbone that is still to be made, the hub does not give it, or it has
            several GGUF files and no other weights.
    """
    if name in backbones():
        check_made(name)
        return Source(name, backbone_folder(name))
    for path in ([beside / name] if beside is not None else []) + [Path(name)]:
        if path.is_dir():
            return Source(name, path, gguf=_gguf_in(path))
        if path.is_file() and path.suffix == GGUF:
            return Source(name, path.parent, gguf=path)
    if Path(name).is_file():
        raise ConfigError(f"model {name!r} is a file: give the directory that holds it, with config.json and tokenizer")
    if hub := HUB_ID.fullmatch(name):
        folder = fetch(name, hub["id"], hub["revision"] or revision, weights)
        return Source(name, folder, hub_id=hub["id"], gguf=_gguf_in(folder))
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
            f"model directory {str(folder)!r} has several GGUF files; give the path of one of them: {names}"
        )
    return found[0]
