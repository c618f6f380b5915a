"""The backbones that come with shiftgym. torch is not imported here, so that study files are checked without it."""

from pathlib import Path

WEIGHTS = Path(__file__).parents[1] / "backbones" / "weights"
"""One model directory for each shipped backbone."""


def shipped() -> list[str]:
    """Names of the backbones that come with shiftgym."""
    # A folder whose name begins with a dot is being written.
    return sorted(path.parent.name for path in WEIGHTS.glob("[!.]*/config.json"))
