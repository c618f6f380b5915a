"""docs/cli.md has every command and option, as the program has them."""

from pathlib import Path

from shiftgym.cli.main import app
from shiftgym.cli.reference import commands, page

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_of_commands_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "docs/cli.md is out of date. Make it anew: python -m shiftgym.cli.reference > docs/cli.md"
    )


def test_commands_within_commands_are_found() -> None:
    found = dict(commands(app, "shiftgym"))
    assert {"shiftgym study run", "shiftgym eval", "shiftgym verify"} <= found.keys()
    assert "shiftgym study" not in found


def test_rows_say_what_may_be_given_and_what_holds_otherwise() -> None:
    rows = page().splitlines()
    assert "| `--seed` | integer | `0` | Seed of the sampled answers. |" in rows
    assert any(row.startswith("| `--engine` | `local`, `ray` |  |") for row in rows)
    assert any(row.startswith("| `--dry-run` |  |  |") for row in rows)
    assert any(row.startswith("| `BASE` | text | required |") for row in rows)
    assert not any("`--no-" in row or "`--empty-" in row for row in rows)


def test_every_row_has_its_meaning() -> None:
    for row in page().splitlines():
        if row.startswith("| `"):
            assert row.endswith(". |"), row
