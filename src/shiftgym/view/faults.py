"""What a page says of a run folder that holds something else than a run writes."""

from pathlib import Path

from shiftgym.errors import ShiftgymError

FAULTS = (ShiftgymError, OSError, OverflowError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading such a folder raises. A value of another kind than it should be is found where it is used."""


def in_a_line(folder: Path, error: BaseException) -> str:
    """One of `FAULTS` in words that every encoding of a page can hold; a path may be in another one."""
    told = " ".join(str(error).split())
    if not isinstance(error, ShiftgymError | OSError):
        told = f"{folder}: not what a run writes ({type(error).__name__}: {told})"
    return told.encode(errors="replace").decode()
