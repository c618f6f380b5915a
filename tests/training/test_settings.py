import subprocess
import sys
from typing import get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from shiftgym.training.settings import (
    AnySettings,
    GroupSettings,
    OptimizerSettings,
    PPOSettings,
    RecipeSettings,
    Settings,
    SFTSettings,
)

ANY = TypeAdapter[AnySettings](RecipeSettings)


def test_a_table_becomes_the_settings_of_its_recipe() -> None:
    assert isinstance(ANY.validate_python({"recipe": "sft", "batch": 8}), SFTSettings)
    assert isinstance(ANY.validate_python({"recipe": "ppo", "optimizer": {"name": "muon"}}), PPOSettings)
    assert ANY.validate_python({"recipe": "rloo"}) == GroupSettings(recipe="rloo")


@pytest.mark.parametrize(
    "table",
    [
        {"recipe": "reinforce"},
        {"recipe": "rft", "problems": None},
        {"recipe": "distill", "limit": 5},
        {"recipe": "sft", "clip": 0.2},
        {"recipe": "ppo", "minibatch": 0},
        {"recipe": "grpo", "episodes_per_iteration": 100, "group_size": 8},
    ],
)
def test_what_cannot_be_carried_out_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ANY.validate_python(table)


def test_rate_rises_and_falls() -> None:
    settings = OptimizerSettings(learning_rate=1.0, warmup=0.2, schedule="linear")
    rates = [settings.rate(fraction) for fraction in (0, 0.1, 0.2, 0.6, 1)]
    assert rates == pytest.approx([0.1, 0.55, 1.0, 0.5, 0.0])
    assert OptimizerSettings(learning_rate=2.0).rate(0.99) == 2.0


@pytest.mark.parametrize("kind", [OptimizerSettings, *get_args(AnySettings)])
def test_every_setting_says_what_it_is(kind: type[Settings]) -> None:
    assert all(field.description for field in kind.model_fields.values())


def test_settings_are_read_without_torch() -> None:
    code = "import sys, shiftgym.training.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
