"""What the log of a process says of its end."""

import re
from pathlib import Path


def last_words(log: Path) -> str:
    """How a job failed, and where all that it printed is."""
    return f"{cause(log)} (all of it: {log})"


def cause(log: Path) -> str:
    """The last line that a job printed, which after a failure is its error."""
    return cause_in(log.read_text(errors="replace") if log.is_file() else "")


def cause_in(text: str) -> str:
    """The same, of what it printed last."""
    last = next((line for line in reversed(text.split("\n")) if line.strip()), "the process was killed")
    # What a user can mend needs no name of a class.
    return re.sub(r"^shiftgym\.[\w.]+: ", "", last.strip())
