import subprocess
import sys

import pytest
from pydantic import ValidationError

from shiftgym.training.registry import load_recipe, shipped_recipes
from shiftgym.training.settings import OptimizerSettings, Settings


@pytest.mark.parametrize(
    ("name", "table"),
    [("sft", {"clip": 0.2}), ("ppo", {"minibatch": 0}), ("sft", {"recipe": "sft"}), ("replay", {"problems": None})],
)
def test_what_cannot_be_carried_out_is_refused(name: str, table: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        load_recipe(name).Settings.model_validate(table)


def test_rate_rises_and_falls() -> None:
    settings = OptimizerSettings(learning_rate=1.0, warmup=0.2, schedule="linear")
    rates = [settings.rate(fraction) for fraction in (0, 0.1, 0.2, 0.6, 1)]
    assert rates == pytest.approx([0.1, 0.55, 1.0, 0.5, 0.0])
    assert OptimizerSettings(learning_rate=2.0).rate(0.99) == 2.0


@pytest.mark.parametrize("kind", [OptimizerSettings, *(load_recipe(name).Settings for name in shipped_recipes())])
def test_every_setting_says_what_it_is(kind: type[Settings]) -> None:
    assert all(field.description for field in kind.model_fields.values())


def test_settings_of_every_recipe_are_read_without_torch() -> None:
    code = (
        "import sys; from shiftgym.training.registry import load_recipe, shipped_recipes; "
        "print(*[load_recipe(name).Settings() for name in shipped_recipes()]); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
