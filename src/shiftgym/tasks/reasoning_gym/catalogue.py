"""Makes the table of generators in docs/integrations/reasoning_gym.md.

    python -m shiftgym.tasks.reasoning_gym.catalogue docs/integrations/reasoning_gym.md

writes it between its marks, `<!-- begin generators -->` and `<!-- end generators -->`; the rest of the page is kept.
"""

import json
import sys
from pathlib import Path

from shiftgym.files import with_part
from shiftgym.tasks.reasoning_gym.generators import EXCLUDED, PROVED
from shiftgym.tasks.reasoning_gym.library import config_keys
from shiftgym.tasks.reasoning_gym.rules import RULES


def table() -> str:
    """A Markdown table with one row a generator."""
    rows = ["| generator | what can be shifted | proved with | judged by |", "|---|---|---|---|"]
    for name in sorted({*PROVED, *EXCLUDED}):
        if name in EXCLUDED:
            rows.append(f"| `{name}` | | no | {EXCLUDED[name]} |")
            continue
        keys = ", ".join(f"`{key}`" for key in config_keys(name))
        judge = "a rule of ours" if name in RULES else "its scorer"
        rows.append(f"| `{name}` | {keys} | {_settings(name)} | {judge} |")
    return "\n".join(rows)


def updated(page: str) -> str:
    """The page with the table replaced."""
    return with_part(page, "generators", table())


def _settings(name: str) -> str:
    """The shift that a generator is proved with, and what it is a shift of where that is not its own defaults."""
    proved = PROVED[name]
    base = f", both with `{json.dumps(proved.base)}`" if proved.base else ""
    return f"`{json.dumps(proved.shift)}`{base}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text(encoding="utf-8")), encoding="utf-8")
