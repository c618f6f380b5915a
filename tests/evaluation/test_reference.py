"""docs/measures.md says what the tables of measures say."""

from pathlib import Path

from shiftgym.evaluation.measures import MEASURES
from shiftgym.evaluation.probed import PROBES
from shiftgym.evaluation.reference import updated

PAGE = Path(__file__).parents[2] / "docs" / "measures.md"


def test_the_page_of_measures_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == updated(page), "run: python -m shiftgym.evaluation.reference docs/measures.md"
    for measure in (*MEASURES.values(), *PROBES.values()):
        assert f"| `{measure.name}` |" in page


def test_only_what_stands_between_marks_is_written_anew() -> None:
    page = PAGE.read_text(encoding="utf-8")
    broken = page.replace("| `valid` |", "| `invalid` |").replace("# Measures", "# My own heading")
    assert updated(broken) == page.replace("# Measures", "# My own heading")
