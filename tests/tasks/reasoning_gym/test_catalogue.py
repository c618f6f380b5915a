"""docs/integrations/reasoning_gym.md has every generator as the code has it."""

from pathlib import Path

from shiftgym.tasks.reasoning_gym.catalogue import updated

PAGE = Path(__file__).parents[3] / "docs" / "integrations" / "reasoning_gym.md"


def test_the_page_is_up_to_date():
    page = PAGE.read_text(encoding="utf-8")
    command = "python -m shiftgym.tasks.reasoning_gym.catalogue docs/integrations/reasoning_gym.md"
    assert page == updated(page), f"run: {command}"
    assert "| `chain_sum` | `min_terms`," in page
    assert "| `puzzle24` | | no |" in page
