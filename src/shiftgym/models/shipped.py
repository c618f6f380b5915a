"""Names of models: the backbones that come with shiftgym, and ids on the hub. torch is not imported here, so that study
files are checked without it."""

import re
from pathlib import Path

WEIGHTS = Path(__file__).parents[1] / "backbones" / "weights"
"""One model directory for each shipped backbone."""

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
