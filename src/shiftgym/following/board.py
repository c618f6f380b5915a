"""What a page of a run shows, as a table of values that are replaced as the run goes on.

A page that is open asks for what has changed since it last heard; a page that is a file carries all of it. Both hand
the same values to the same code, so they cannot differ.
"""

from collections import deque
from typing import Any, Literal

from shiftgym.following.lines import finite

Section = Literal["run", "branches", "success", "changes", "curves", "episodes", "problems", "logs"]
"""Parts of the table; `docs/architecture.md` says what the values of each part hold."""

Patch = dict[str, dict[str, Any]]
"""Section -> key -> value that replaces what stands there; None: there is no such key any more."""


REMOVALS = 2000
"""Most removals that are remembered, since a run may go through hundreds of thousands of episodes."""


class Board:
    """Values of plain JSON by section and key, each with the version of the board at which it changed last."""

    def __init__(self) -> None:
        self.version = 0
        """How many changes there were."""
        self._values: dict[Section, dict[str, tuple[int, Any]]] = {}
        self._removals: deque[tuple[int, Section, str]] = deque()
        self._forgotten = 0
        """The version of the last removal that is not remembered."""

    def put(self, section: Section, key: str, value: Any) -> None:
        """Set a value; None removes it. What is set already is no change. In the place of numbers that are not finite,
        such as sums of large ones, stands None."""
        value = finite(value)
        values = self._values.setdefault(section, {})
        if self.get(section, key) == value:
            return
        self.version += 1
        values[key] = (self.version, value)
        if value is None:
            self._removals.append((self.version, section, key))
            if len(self._removals) > REMOVALS:
                self._forget(*self._removals.popleft())

    def get(self, section: Section, key: str) -> Any:
        """The value; None if there is none."""
        return self._values.get(section, {}).get(key, (0, None))[1]

    def clear(self) -> None:
        """Remove everything."""
        for section, values in self._values.items():
            for key in [*values]:
                self.put(section, key, None)

    def since(self, version: int = 0) -> Patch:
        """What changed after a version of the board, removals included; by default everything that is there. Ask
        `reaches` first whether it is all that changed."""
        found = {
            section: {
                key: value for key, (at, value) in values.items() if at > version and (version or value is not None)
            }
            for section, values in self._values.items()
        }
        return {section: values for section, values in found.items() if values}

    def reaches(self, version: int) -> bool:
        """Whether all that changed after a version is still known. If not, everything has to be replaced."""
        return version >= self._forgotten

    def _forget(self, version: int, section: Section, key: str) -> None:
        """Forget a removal, unless the key was set again."""
        if self._values[section][key][0] == version:
            del self._values[section][key]
        self._forgotten = version
