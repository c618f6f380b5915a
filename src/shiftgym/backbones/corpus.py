"""What a backbone is pretrained on: conversations about made-up problems, in two phases."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from shiftgym.messages import Messages


@dataclass(frozen=True)
class Corpus:
    """The corpus of one task."""

    habits: Any
    """How most of it is written."""
    careless: Any
    """How its end is written: with more mistakes. What was learned stays, but sampled answers are wrong more often."""
    problems: Callable[[int, int, int, Any], Iterator[list[Messages]]]
    """(seed, chunk, count, habits) -> of so many problems, the conversations about each: one a decision."""
    pieces: str
    """Regular expression of what is a token of its own wherever it stands, such as numbers and names."""
    numbers: int
    """Numbers below this are tokens even where the texts lack them."""
