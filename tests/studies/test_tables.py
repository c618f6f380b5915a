"""Tables that hold the settings of a recipe beside keys of their own."""

import pytest

from shiftgym.reading import WrongValue
from shiftgym.studies.tables import BranchTable, Budget


def test_a_branch_has_its_recipes_settings_beside_its_own() -> None:
    table = BranchTable(recipe="ppo", label="PPO", clip=0.3).resolved("branches", "x")
    assert table.settings.clip == 0.3
    assert table.model_dump()["gae_lambda"] == 0.95, "every default is written out"
    assert table.start == "init"


@pytest.mark.parametrize(
    ("values", "path", "reason"),
    [
        ({"recipe": "ppo", "cilp": 1}, "branches.x.cilp", "did you mean 'clip'"),
        ({"recipe": "ppo", "labl": 1}, "branches.x.labl", "did you mean 'label'"),
        ({"recipe": "pop"}, "branches.x.recipe", "did you mean 'ppo'"),
        ({"recipe": "sft", "batch": 0}, "branches.x.batch", "greater than 0"),
    ],
)
def test_a_wrong_setting_is_named_with_its_key(values: dict[str, object], path: str, reason: str) -> None:
    with pytest.raises(WrongValue) as caught:
        BranchTable(label="X", **values).resolved("branches", "x")
    assert caught.value.path == path
    assert reason in caught.value.reason


@pytest.mark.parametrize("fractions", [[0.5, 0.2, 1.0], [0.1, 0.5], [0.0, 1.0]])
def test_checkpoints_rise_to_the_whole_budget(fractions: list[float]) -> None:
    with pytest.raises(ValueError, match="fraction"):
        Budget(flops=1e9, checkpoints=fractions)
