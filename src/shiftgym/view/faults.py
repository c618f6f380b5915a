"""What a page says of a run folder that holds something else than a run writes."""

from pathlib import Path

from shiftgym.errors import ShiftgymError

FAULTS = (ShiftgymError, OSError, OverflowError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading such a folder raises. A value of another kind than it should be is found where it is used."""


def in_a_line(folder: Path, error: BaseException) -> str:
    """One of `FAULTS` in words."""
    if isinstance(error, ShiftgymError | OSError):
        return " ".join(str(error).split())
    return f"{folder}: not what a run writes ({type(error).__name__}: {' '.join(str(error).split())})"
